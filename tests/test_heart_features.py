"""Features of ECG and pulse waves against NeuroKit2, closed forms and the reference beats of MIT-BIH."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from made_signals import ecg_like, sine

from encoders.features.cardiac import (
    MINIMUM,
    ecg_features,
    full_ecg_features,
    full_pulse_features,
    hrv,
    hrv_spectrum,
    pulse_features,
    r_peaks,
    without_jumps,
)

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"


def modulated(frequency: float, amplitude: float, seconds: float) -> np.ndarray:
    """Times of beats (s) 0.8 s apart, longer and shorter by `amplitude` (s) at `frequency` (Hz)."""
    beats = [0.5]
    while beats[-1] < seconds:
        beats.append(beats[-1] + 0.8 + amplitude * np.sin(2 * np.pi * frequency * beats[-1]))
    return np.array(beats[:-1])


def test_hrv_matches_neurokit():
    import neurokit2

    peaks = np.cumsum(800 + 60 * np.random.default_rng(0).normal(size=100)).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = neurokit2.hrv_time(peaks, sampling_rate=1000)
    values = hrv(np.diff(peaks).astype(float))
    for ours, theirs in {"mean_rr": "HRV_MeanNN", "sdnn": "HRV_SDNN", "rmssd": "HRV_RMSSD"}.items():
        assert values[ours] == pytest.approx(reference[theirs][0], rel=1e-9)
    assert values["pnn50"] == pytest.approx(100 * (np.abs(np.diff(peaks, 2)) > 50).mean())


def test_hrv_leaves_out_a_marked_interval_with_both_its_differences():
    assert hrv(np.array([800.0, 810, np.nan, 700, 690]))["rmssd"] == pytest.approx(10)


@pytest.mark.parametrize("sampling_rate", [128.0, 360.0])
def test_ecg_finds_the_variability_of_synthetic_beats(sampling_rate):
    intervals = 0.8 + 0.01 * np.random.default_rng(1).normal(size=36)
    beats = 0.5 + np.concatenate([[0.0], np.cumsum(intervals)])
    values = ecg_features(ecg_like(beats, sampling_rate, 30), sampling_rate, ["II"])
    expected = hrv(1000 * np.diff(beats[beats < 29.8]))
    for name in ("heart_rate", "mean_rr", "sdnn", "rmssd"):
        # peaks on whole samples of 7.8 ms would add 1 ms or more to RMSSD
        assert values[name][0] == pytest.approx(expected[name], abs=0.4), name


def test_ecg_is_nan_where_there_are_no_beats():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 1, 2560))
    assert np.isnan(ecg_features(noise, 128.0, ["II"])["heart_rate"]).mean() >= 0.9
    short = ecg_like(np.array([0.5, 1.3, 2.1]), 128.0, 2.5)
    assert np.isnan(ecg_features(short, 128.0, ["II"])["rmssd"]).all()
    with pytest.raises(ValueError, match=r"8\.0 Hz; beats need 20 Hz"):
        ecg_features(rng.normal(size=(1, 1, 240)), 8.0, ["II"])


def test_ecg_heart_rate_matches_reference_beats_of_mit_bih():
    if not (SAMPLES / "mitdb_100.dat").exists():
        pytest.skip("MIT-BIH record 100 is not at shared/data/samples")
    import wfdb

    record = wfdb.rdrecord(str(SAMPLES / "mitdb_100"), channels=[0], sampto=360 * 300)
    beats = wfdb.rdann(str(SAMPLES / "mitdb_100"), "atr", sampto=360 * 300)
    beats = beats.sample[np.isin(beats.symbol, ["N", "A", "V"])] / 360
    segments = record.p_signal[:, 0].reshape(10, 1, 360 * 30)
    rates = ecg_features(segments, 360.0, ["MLII"])["heart_rate"]
    for row, rate in enumerate(rates):
        inside = beats[(beats >= 30 * row) & (beats < 30 * (row + 1))]
        assert rate == pytest.approx(60 / np.diff(inside).mean(), abs=1)


def test_pulse_rate_of_a_synthetic_wave():
    found = pulse_features(sine(1.25, 64), 64.0, ["bvp"])
    assert found["heart_rate"] == pytest.approx([75], abs=0.5)
    assert found["mean_rr"] == pytest.approx([800], abs=5)


def test_pulse_intervals_match_another_detector_on_a_recording():
    """NeuroKit2's detector after Bishop and Ercole 2018; ours is after Elgendi et al. 2013."""
    if not (SAMPLES / "biosppy_ppg.txt").exists():
        pytest.skip("BioSPPy's PPG is not at shared/data/samples")
    import neurokit2

    # At 100 Hz, since that detector takes the square of the samples; recorded at 1000 Hz.
    pulse = np.loadtxt(SAMPLES / "biosppy_ppg.txt", comments="#")[::10]
    peaks = neurokit2.ppg_findpeaks(neurokit2.ppg_clean(pulse, 100), 100, method="bishop")["PPG_Peaks"]
    found = pulse_features(pulse[None, None], 100.0, ["ppg"])
    # Of 30 intervals of 635 ms, whose first and last peak lie on samples 10 ms apart.
    assert found["mean_rr"] == pytest.approx([10 * np.diff(peaks).mean()], abs=1)


def test_pulse_intervals_match_those_of_the_wristband():
    """Minutes of which the Empatica E4 tells 40 intervals or more: half of them within 15 ms of 710."""
    folder = SAMPLES.parent / "stress_predict" / "Raw_data" / "S05"
    if not folder.exists():
        pytest.skip("Stress-Predict is not at shared/data/stress_predict")
    pulse, intervals = (
        np.loadtxt(folder / "BVP.csv")[2:],
        np.genfromtxt(folder / "IBI.csv", delimiter=",")[1:],
    )
    minutes = pulse[: len(pulse) // 3840 * 3840].reshape(-1, 1, 3840)
    of_minute = [intervals[intervals[:, 0] // 60 == k, 1] * 1000 for k in range(len(minutes))]
    expected = np.array([each.mean() if len(each) >= 40 else np.nan for each in of_minute])
    differences = np.abs(pulse_features(minutes, 64.0, ["bvp"])["mean_rr"] - expected)
    assert np.isfinite(differences).sum() >= 20
    assert np.nanmedian(differences) < 15


@pytest.mark.parametrize("seconds", [5, 30])
def test_a_pulse_sensor_that_only_settles_has_no_beats(seconds):
    """The band-passed drift has no wave at all, which the detector itself does not survive."""
    time = np.arange(seconds * 128) / 128
    data = np.stack([np.exp(-time / 5), np.exp(-time / 20), time**2])[:, None]
    for name, values in pulse_features(data, 128.0, ["bvp"]).items():
        assert np.isnan(values).all(), name


@pytest.mark.parametrize(("frequency", "band", "other"), [(0.1, "lf", "hf"), (0.25, "hf", "lf")])
def test_spectrum_of_a_planted_rhythm_has_its_power_in_its_band(frequency, band, other):
    beats = modulated(frequency, 0.03, 300)
    values = hrv_spectrum(1000 * np.diff(beats), beats[1:])
    # A²/2; the spline rounds off 1 % of a rhythm of five beats, the Hann window leaks less
    assert values[band] == pytest.approx(30**2 / 2, rel=0.02)
    assert values[other] < 0.01 * values[band]


def test_spectrum_agrees_with_neurokit():
    import neurokit2

    rng = np.random.default_rng(0)
    low, high = modulated(0.1, 0.03, 300), modulated(0.25, 0.02, 300)
    count = min(len(low), len(high)) - 1
    intervals = np.diff(low)[:count] + np.diff(high)[:count] - 0.8 + 0.005 * rng.normal(size=count)
    beats = np.concatenate([[0.5], 0.5 + np.cumsum(intervals)])
    peaks = np.round(1000 * beats).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = neurokit2.hrv_frequency(peaks, 1000, normalize=False, interpolation_rate=4)
    values = hrv_spectrum(np.diff(peaks).astype(float), peaks[1:] / 1000)
    # it interpolates by another spline, smooths, and sums its bins by Simpson's rule
    assert values["lf"] == pytest.approx(reference["HRV_LF"][0], rel=0.05)
    assert values["hf"] == pytest.approx(reference["HRV_HF"][0], rel=0.05)
    assert values["lf_hf"] == pytest.approx(reference["HRV_LFHF"][0], rel=0.1)


def test_spectrum_bridges_marked_intervals():
    """One in ten beats lost moves the power of a slow rhythm by little."""
    beats = modulated(0.1, 0.03, 300)
    intervals = 1000 * np.diff(beats)
    intervals[5::10] = np.nan
    assert hrv_spectrum(intervals, beats[1:])["lf"] == pytest.approx(30**2 / 2, rel=0.05)
    intervals[3:] = np.nan
    assert np.isnan(list(hrv_spectrum(intervals, beats[1:]).values())).all()


@pytest.mark.parametrize("gap", [4, 8, 15, 25])
def test_a_gap_adds_nothing_to_the_spectrum(gap):
    """A spline over seconds without a beat swings so far that LF came out at up to 25 times what it is."""
    rng = np.random.default_rng(0)
    found, whole = [], []
    for _ in range(20):
        intervals = 800 + 20 * rng.normal(size=190)
        times = np.cumsum(intervals) / 1000
        whole.append(hrv_spectrum(intervals, times))
        start = rng.uniform(20, 90)
        found.append(
            hrv_spectrum(np.where((times > start) & (times < start + gap), np.nan, intervals), times)
        )
    for band in ("lf", "hf"):
        mean, expected = (np.mean([one[band] for one in each]) for each in (found, whole))
        # Where nothing is known there is no power, a second longer on each side, and the middle of a Hann
        # window counts twice.
        assert (1 - 2 * (gap + 2) / 150) * expected < mean < 1.2 * expected, band


@pytest.mark.parametrize("features", [full_ecg_features, full_pulse_features])
def test_beats_in_part_of_a_window_do_not_stand_for_the_whole(features):
    """Two minutes and a half of which the sensor is off for the last 110 s hold 40 s of beats."""
    beats = modulated(0.1, 0.03, 150)
    data = ecg_like(beats, 128.0, 150)
    if features is full_pulse_features:
        time = np.arange(150 * 128) / 128
        data = np.exp(-(((time - beats[:, None]) / 0.1) ** 2) / 2).sum(0)[None, None]
    begun = np.where(np.arange(data.shape[-1]) < 40 * 128, data, 0.0)
    values = features(begun, 128.0, ["a"])
    undefined = {name for name, value in values.items() if np.isnan(value[0])}
    assert undefined == {"sdnn", "pnn50", "hf", "lf", "lf_hf"}  # those that need a minute or more
    assert np.isfinite([value[0] for value in features(data, 128.0, ["a"]).values()]).all()


def test_spectrum_does_not_see_a_heart_that_slows_down():
    """From 86 to 60 bpm: with the mean alone taken out, the line would leave 0.3 ms² below 0.15 Hz."""
    beats = [0.0]
    while beats[-1] < 130:
        beats.append(beats[-1] + 0.7 + 0.3 * beats[-1] / 130 + 0.02 * np.sin(np.pi / 2 * beats[-1]))
    values = hrv_spectrum(1000 * np.diff(beats), np.array(beats[1:]))
    assert values["lf"] < 0.01
    assert values["hf"] == pytest.approx(20**2 / 2, rel=0.03)


@pytest.mark.parametrize("features", [full_ecg_features, full_pulse_features])
def test_spectrum_is_found_in_the_signal(features):
    beats = modulated(0.1, 0.03, 150)
    if features is full_ecg_features:
        data = ecg_like(beats, 128.0, 150)
    else:
        time = np.arange(150 * 128) / 128
        data = np.exp(-(((time - beats[:, None]) / 0.1) ** 2) / 2).sum(0)[None, None]
    # the peaks are placed between samples, which leaves less than 1 ms
    assert features(data, 128.0, ["a"])["lf"][0] == pytest.approx(30**2 / 2, rel=0.05)


@pytest.mark.parametrize("seconds", [9, 10, 29, 30, 59, 60, 119, 120])
def test_each_feature_of_the_heart_has_a_shortest_window(seconds):
    data = ecg_like(modulated(0.2, 0.03, seconds), 128.0, seconds)
    full, standard = (features(data, 128.0, ["II"]) for features in (full_ecg_features, ecg_features))
    for name, minimum in MINIMUM.items():
        assert np.isfinite(full[name][0]) == (seconds >= minimum), name
        if name in standard and seconds >= minimum:
            assert full[name][0] == standard[name][0]
    assert np.isfinite([value[0] for value in standard.values()]).all()


def test_beats_like_a_clock_have_no_ratio_of_bands():
    """Beats on whole samples: what is left of both bands is rounding."""
    data = ecg_like(np.arange(0.5, 129.5, 0.75), 128.0, 130)
    values = full_ecg_features(data, 128.0, ["II"])
    assert values["lf"][0] == pytest.approx(0, abs=1e-6)
    assert np.isnan(values["lf_hf"][0])


@pytest.mark.parametrize("left", [[40], [10, 50], [20, 21, 50]])
def test_a_beat_that_is_not_seen_is_no_variability(left):
    """Of one R wave in a minute that is missing RMSSD came out at four times what it was."""
    import neurokit2

    ecg = neurokit2.ecg_simulate(60, sampling_rate=250, heart_rate=70, heart_rate_std=2, random_state=3)
    flat, peaks = ecg.copy(), r_peaks(ecg, 250.0)
    for peak in peaks[left]:
        flat[peak - 20 : peak + 20] = np.linspace(ecg[peak - 20], ecg[peak + 20], 40)
    whole, found = (
        {name: value[0] for name, value in ecg_features(one[None, None], 250.0, ["ecg"]).items()}
        for one in (ecg, flat)
    )
    assert len(r_peaks(flat, 250.0)) != len(peaks)  # waves beside the missing one are taken for it
    for name in ("rmssd", "sdnn"):
        assert found[name] == pytest.approx(whole[name], rel=0.25)
    assert found["heart_rate"] == pytest.approx(whole["heart_rate"], rel=0.01)


def test_intervals_that_jump_are_left_out_and_no_others():
    steady = 800 + 100 * np.sin(np.arange(60))  # breathing
    np.testing.assert_array_equal(without_jumps(steady), steady)
    broken = steady.copy()
    broken[[0, 30]] = 1600  # a missed beat
    broken[45:47] = 500, 1100  # a premature one and its pause
    found = np.isnan(without_jumps(broken))
    assert np.flatnonzero(found).tolist() == [0, 1, 29, 30, 31, 44, 45, 46, 47]  # with those beside them
    assert np.isnan(without_jumps(np.full(3, np.nan))).all()
