"""Hand-made features against closed forms, reference libraries and real beats."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal

from data_builders.segments import Segments, SignalSpec
from encoders.features import FEATURES, extract_features
from encoders.features.cardiac import ecg_features, hrv, pulse_features
from encoders.features.eeg import BANDS, eeg_features
from encoders.features.emg import emg_features
from encoders.features.gsr import gsr_features
from encoders.features.peripheral import (
    acceleration_features,
    given_features,
    respiration_features,
    slow_features,
)

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
EPOC = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
SPECS = {
    "gsr": SignalSpec(8.0, ("EDA",), "µS"),
    "acceleration": SignalSpec(8.0, ("ax", "ay", "az"), "g"),
    "heart_rate": SignalSpec(1.0, ("hr",), "bpm"),
    "spo2": SignalSpec(1.0, ("SpO2",), "%"),
    "temperature": SignalSpec(4.0, ("temp",), "°C"),
    "ppg": SignalSpec(64.0, ("finger",), "a.u."),
    "bvp": SignalSpec(64.0, ("wrist",), "a.u."),
    "ecg": SignalSpec(128.0, ("II",), "mV"),
    "eeg": SignalSpec(128.0, EPOC, "µV"),
    "emg": SignalSpec(500.0, ("zygomaticus", "corrugator"), "µV"),
    "respiration": SignalSpec(32.0, ("belt",), "a.u."),
    "eog": SignalSpec(128.0, ("hEOG", "vEOG"), "µV"),
    "features": SignalSpec(4.0, ("mean_0_a", "fft_749_b"), ""),
}


def sine(frequency: float, sampling_rate: float, seconds: float = 20, amplitude: float = 1.0) -> np.ndarray:
    """One segment of one channel, shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return amplitude * np.sin(2 * np.pi * frequency * time)[None, None]


def ecg_like(beats: np.ndarray, sampling_rate: float, seconds: float) -> np.ndarray:
    """R waves as narrow Gaussians at `beats` (s), shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return np.exp(-(((time - beats[:, None]) / 0.012) ** 2) / 2).sum(0)[None, None]


def scr_train(sampling_rate: float, onsets: np.ndarray, amplitude: float, seconds: float = 60) -> np.ndarray:
    """Biexponential responses (Alexander et al. 2005, 0.75 and 2 s) on 5 µS, shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate - onsets[:, None]
    time, peak = np.maximum(time, 0), np.log(2 / 0.75) / (1 / 0.75 - 1 / 2)
    responses = np.exp(-time / 2) - np.exp(-time / 0.75)
    return 5 + amplitude / (np.exp(-peak / 2) - np.exp(-peak / 0.75)) * responses.sum(0)[None, None]


def batch(n_segments: int = 5, seconds: float = 20, seed: int = 0) -> Segments:
    """Noise on a level in every modality, beats in the cardiac ones."""
    rng = np.random.default_rng(seed)
    signals = {}
    for name, spec in SPECS.items():
        shape = (n_segments, len(spec.channel_names), round(seconds * spec.sampling_rate))
        data = 3 + rng.normal(scale=0.02, size=shape)
        if name in ("ecg", "ppg", "bvp"):
            data += ecg_like(np.arange(0.4, seconds, 0.8), spec.sampling_rate, seconds)
        signals[name] = data.astype(np.float32)
    return Segments(signals, pd.DataFrame({"segment": [str(row) for row in range(n_segments)]}), SPECS)


@pytest.mark.parametrize(("sampling_rate", "frequency"), [(500.0, 80.0), (1000.0, 80.0), (100.0, 30.0)])
def test_emg_of_a_sine_has_its_amplitude_and_frequency(sampling_rate, frequency):
    data = sine(frequency, sampling_rate, amplitude=50.0)
    values = emg_features(data + 300.0, sampling_rate, ["ch"])
    expected = {
        "rms": 50 / np.sqrt(2),
        "mav": np.abs(data).mean(),
        "log_rms": np.log(50 / np.sqrt(2)),
        "waveform_length": np.abs(np.diff(data)).mean() * sampling_rate,
        "zero_crossings": 2 * frequency,
        "mean_frequency": frequency,
        "median_frequency": frequency,
    }
    for name, value in expected.items():
        # the high-pass keeps 99.5 % of the amplitude at three times its cutoff
        assert values[name][0] == pytest.approx(value, rel=0.015), name
    assert values["burst_rate"][0] == 0
    assert values["contrast"][0] == pytest.approx(0, abs=0.02)


def test_emg_contrast_and_slope_follow_the_gain():
    rng = np.random.default_rng(0)
    gain = np.where(np.arange(8000) < 2000, 1.0, 3.0)
    values = emg_features((gain * rng.normal(size=8000))[None, None], 1000.0, ["ch"])
    assert values["contrast"][0] == pytest.approx(np.log(3), abs=0.06)  # 2000 samples give RMS to 2-3 %
    growing = np.exp(0.2 * np.arange(8000) / 1000) * rng.normal(size=8000)
    assert emg_features(growing[None, None], 1000.0, ["ch"])["slope"][0] == pytest.approx(0.2, abs=0.02)


def test_emg_counts_known_bursts():
    rng = np.random.default_rng(0)
    time = np.arange(10_000) / 1000
    gain = np.where((time % 2 > 1.0) & (time % 2 < 1.4), 8.0, 1.0)
    assert emg_features((gain * rng.normal(size=10_000))[None, None], 1000.0, ["ch"])["burst_rate"][0] == 0.5


def test_eeg_band_power_matches_scipy_and_the_closed_form():
    rng = np.random.default_rng(0)
    data = sine(10, 128, amplitude=20.0) + rng.normal(size=(3, 1, 2560))
    values = eeg_features(data, 128.0, ["Pz"])
    frequencies, density = signal.welch(data[:, 0], 128.0, nperseg=256)
    inside = (frequencies >= 8) & (frequencies < 13)
    np.testing.assert_allclose(np.exp(values["alpha_pz"]), 0.5 * density[:, inside].sum(-1), rtol=1e-6)
    np.testing.assert_allclose(np.exp(values["alpha_pz"]), 200, rtol=0.02)  # A²/2
    np.testing.assert_allclose(sum(values[f"{band}_relative_pz"] for band in BANDS), 1)


def test_eeg_hjorth_of_a_sine():
    values = eeg_features(sine(10, 256), 256.0, ["Pz"])
    # Hann windows of 2 s smear the line over 1 Hz, which adds 0.2 % to the second moment
    assert values["mobility_pz"][0] == pytest.approx(10, rel=0.01)
    assert values["complexity_pz"][0] == pytest.approx(1, abs=0.02)


def test_eeg_frontal_asymmetry_is_right_minus_left():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4, 14, 2560))
    data[:, EPOC.index("F4")] = 2 * data[:, EPOC.index("F3")]
    values = eeg_features(data, 128.0, EPOC)
    np.testing.assert_allclose(values["faa"], 2 * np.log(2), rtol=1e-6)
    assert len(values) < 80
    expected = {"alpha_frontal_left", "beta_frontal_right", "theta_temporal", "faa_f8_f7", "faa_af4_af3"}
    assert expected <= set(values)


def test_eeg_leaves_out_bands_above_nyquist():
    assert {"beta_cz", "gamma_cz"} & set(eeg_features(sine(6, 64), 64.0, ["Cz"])) == {"beta_cz"}


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
    assert pulse_features(sine(1.25, 64), 64.0, ["bvp"])["heart_rate"] == pytest.approx([75], abs=0.5)


@pytest.mark.parametrize("sampling_rate", [4.0, 8.0, 100.0])
@pytest.mark.parametrize("amplitude", [0.05, 0.3])
def test_gsr_counts_and_measures_known_responses(sampling_rate, amplitude):
    data = scr_train(sampling_rate, np.arange(5.0, 50, 9), amplitude)
    values = gsr_features(data, sampling_rate, ["EDA"])
    assert values["scr_rate"][0] == pytest.approx(5, rel=0.05)  # 100 Hz is averaged down to 8.33
    # the low-pass rounds the peak, and a response starts on the rest of the one before
    assert values["scr_amplitude"][0] == pytest.approx(amplitude, rel=0.12)
    # 1.18 s in closed form; the low-pass starts a rise up to a quarter period, two samples, too early
    assert values["scr_rise_time"][0] == pytest.approx(1.18, abs=0.4)
    assert values["phasic_area"][0] > 0


@pytest.mark.parametrize("sampling_rate", [4.0, 8.0])
@pytest.mark.parametrize("scale", [0.005, 0.05, 0.5])
def test_gsr_sees_hardly_any_response_in_white_noise(sampling_rate, scale):
    noise = np.random.default_rng(0).normal(5, scale, size=(60, 1, round(60 * sampling_rate)))
    assert gsr_features(noise, sampling_rate, ["EDA"])["scr_rate"].mean() < 0.5


def test_gsr_below_three_hertz_has_levels_but_no_responses():
    values = gsr_features(scr_train(1.0, np.array([10.0]), 0.5), 1.0, ["EDA"])
    assert np.isnan(values["scr_rate"]).all()
    assert values["maximum"][0] > 5.4


@pytest.mark.parametrize("features", [slow_features, acceleration_features, gsr_features])
def test_slope_of_a_ramp_is_in_units_per_minute(features):
    ramp = (30 + 0.01 * np.arange(240) / 8)[None, None]
    values = features(ramp, 8.0, ["x"])
    assert values["slope"][0] == pytest.approx(0.6, rel=1e-6)
    if "contrast" in values:
        assert values["contrast"][0] == pytest.approx(0.01 * 120 / 8)  # quarters are half a window apart
    if "range" in values:
        assert values["range"][0] == pytest.approx(0.01 * 239 / 8)
        assert values["mean_abs_diff"][0] == pytest.approx(0.01)
        assert values["q90"][0] - values["q10"][0] == pytest.approx(0.8 * 0.01 * 239 / 8)


def test_acceleration_finds_frequency_and_power_of_a_movement():
    data = np.concatenate([sine(2, 8, 32, amplitude=0.5), np.zeros((1, 2, 256))], axis=1)
    data[:, 2] += 1
    values = acceleration_features(data, 8.0, ["ax", "ay", "az"])
    assert values["dominant_frequency"][0] == pytest.approx(2, abs=0.125)
    assert np.exp(values["movement_power"][0]) == pytest.approx(0.125, rel=0.02)  # A²/2
    assert values["jerk"][0] == pytest.approx(np.abs(np.diff(data[0, 0])).mean() * 8)


@pytest.mark.parametrize("breaths", [8, 15, 26])
@pytest.mark.parametrize("sampling_rate", [4.0, 32.0, 700.0])
def test_breathing_is_counted_to_half_a_breath_per_minute(breaths, sampling_rate):
    """On a drift ten times as large; the spectrum is read in steps of a quarter of a breath."""
    data = sine(breaths / 60, sampling_rate, seconds=60)
    data += np.linspace(0, 10, data.shape[-1])
    values = respiration_features(data, sampling_rate, ["belt"])
    assert values["rate"][0] == pytest.approx(breaths, abs=0.5)
    short = respiration_features(data[..., : round(9 * sampling_rate)], sampling_rate, ["belt"])
    assert np.isnan(short["rate"]).all()


def test_given_features_stay_as_they_are():
    data = np.random.default_rng(0).normal(size=(5, 3, 1))
    values = given_features(data, 1.0, ["mean_0_a", "fft_1_b", "# fft 2"])
    assert list(values) == ["mean_0_a", "fft_1_b", "fft_2"]
    np.testing.assert_array_equal(np.stack(list(values.values()), axis=1), data[..., 0])


def test_names_are_unique_lower_case_and_in_a_stable_order():
    names = list(extract_features(batch(2)))
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) for name in names)
    assert {"gsr_scr_rate", "ecg_rmssd", "emg_rms_zygomaticus", "eeg_faa", "temperature_slope"} <= set(names)
    segments = batch(2, seed=1)
    backwards = dict(reversed(segments.signals.items()))
    assert list(extract_features(Segments(backwards, segments.table, SPECS))) == names
    assert list(extract_features(segments[:0])) == names


def test_a_segment_alone_equals_its_row_in_the_batch():
    segments = batch(40, seconds=12)
    whole = extract_features(segments)
    for row in (0, 17, 39):
        alone = extract_features(segments[[row]])
        np.testing.assert_allclose(alone.to_numpy()[0], whole.to_numpy()[row], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("modality", list(FEATURES))
def test_a_gap_gives_nan_and_touches_no_other_segment(modality):
    segments = batch(3)
    clean = extract_features(Segments({modality: segments.signals[modality]}, segments.table, SPECS))
    broken = segments.signals[modality].copy()
    broken[1, :, 5] = np.nan
    broken[2, 0, 7] = np.inf
    values = extract_features(Segments({modality: broken}, segments.table, SPECS))
    assert values.iloc[1].isna().all()
    assert values.iloc[2].isna().any()
    pd.testing.assert_series_equal(values.iloc[0], clean.iloc[0])


@pytest.mark.parametrize("modality", list(FEATURES))
@pytest.mark.parametrize("seconds", [2, 20])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_constants_and_short_windows_raise_no_warning(modality, seconds, level):
    spec = SPECS[modality]
    data = np.full((2, len(spec.channel_names), round(seconds * spec.sampling_rate)), level)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = FEATURES[modality](data, spec.sampling_rate, spec.channel_names)
    for name, value in values.items():
        assert not np.isinf(value).any(), name
        if re.match("(std|rms|slope|contrast|scr_rate|burst_rate|jerk|range)", name):
            assert ((value == 0) | np.isnan(value)).all(), name


def test_errors_name_what_was_got_and_what_is_allowed():
    segments = batch(1)
    unknown = Segments({"odour": segments.signals["gsr"]}, segments.table, {"odour": SPECS["gsr"]})
    with pytest.raises(ValueError, match=r"odour.*allowed are.*emg"):
        extract_features(unknown)
    with pytest.raises(ValueError, match=r"shape \(2, 240\); allowed is \(n_segments"):
        slow_features(np.zeros((2, 240)), 8.0, ["a", "b"])
    with pytest.raises(ValueError, match=r"1 samples.*sampling_rate is 0"):
        slow_features(np.zeros((1, 1, 1)), 0.0, ["a"])
    with pytest.raises(ValueError, match=r"'emg_1'.*more than once"):
        emg_features(np.zeros((1, 2, 500)), 500.0, ["EMG 1", "emg-1"])
