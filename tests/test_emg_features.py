"""Features of EMG against closed forms, processes of known coefficients and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from made_signals import sine
from scipy import linalg, signal

from encoders.features.emg import emg_features, full_emg_features
from encoders.features.envelopes import ENVELOPES, raw_and_features
from encoders.features.numerics import burg, crossings


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


@pytest.mark.parametrize("sampling_rate", [25.0, 64.0, 125.0, 256.0, 1000.0])
def test_slope_is_per_second_at_rates_that_make_no_blocks_of_a_tenth(sampling_rate):
    """A carrier at half the rate, which the high-pass leaves alone, growing by 0.5 a second."""
    sample = np.arange(round(8 * sampling_rate))
    data = np.exp(0.5 * sample / sampling_rate) * (-1.0) ** sample
    slope = emg_features(data[None, None], sampling_rate, ["ch"])["slope"][0]
    assert slope == pytest.approx(0.5, rel=0.002)  # the filter settles in the first block


def test_emg_counts_known_bursts():
    rng = np.random.default_rng(0)
    time = np.arange(10_000) / 1000
    gain = np.where((time % 2 > 1.0) & (time % 2 < 1.4), 8.0, 1.0)
    assert emg_features((gain * rng.normal(size=10_000))[None, None], 1000.0, ["ch"])["burst_rate"][0] == 0.5


def test_emg_moments_are_those_of_the_signal():
    """The mean as recorded, the rest without what lies below 20 Hz."""
    data = sine(80, 1000.0, amplitude=50.0) + sine(1, 1000.0, amplitude=200.0) + 300.0
    values = full_emg_features(data, 1000.0, ["ch"])
    assert values["mean"][0] == pytest.approx(300)
    # the high-pass keeps 99.5 % of the amplitude at four times its cutoff
    assert values["variance"][0] == pytest.approx(50**2 / 2, rel=0.015)


@pytest.mark.parametrize("sampling_rate", [500.0, 1000.0, 15_000.0])
def test_clear_crossings_do_not_count_the_noise_on_a_wave(sampling_rate):
    """Where noise of a fiftieth of the amplitude adds half of them or more without a threshold."""
    rng = np.random.default_rng(0)
    data = sine(40, sampling_rate, seconds=5, amplitude=50.0)
    noisy = data + rng.normal(scale=1.0, size=data.shape)
    values = full_emg_features(noisy, sampling_rate, ["ch"])
    assert values["clear_zero_crossings"][0] == pytest.approx(80, rel=0.01)
    if sampling_rate == 15_000:
        assert values["zero_crossings"][0] > 120


@pytest.mark.parametrize("sampling_rate", [500.0, 1000.0, 15_000.0])
def test_slope_sign_changes_are_twice_the_frequency_at_any_rate(sampling_rate):
    values = full_emg_features(sine(60, sampling_rate, seconds=5), sampling_rate, ["ch"])
    assert values["slope_sign_changes"][0] == pytest.approx(120, rel=0.01)


def test_crossings_count_passages_of_both_thresholds_row_by_row():
    """2 ends beyond the threshold where 3 begins on the other side: no crossing between rows."""
    data = np.array([[1.0, 0, -1, 0.4, -1, 2], [0.4, -0.4, 0.4, -0.4, 0.4, 1], [-1, -1, 1, 0, 0, 1]])
    np.testing.assert_array_equal(crossings(data, np.full(3, 0.5)), [2, 0, 1])
    signs = np.random.default_rng(0).normal(size=(4, 2, 100))
    expected = (np.diff(np.sign(signs)) != 0).sum(-1)
    np.testing.assert_array_equal(crossings(signs, np.zeros((4, 2))), expected)


def test_burg_finds_the_coefficients_of_a_process():
    coefficients = np.array([2.2, -2.4, 1.5, -0.5])
    noise = np.random.default_rng(0).normal(size=(3, 2, 20_000))
    process = signal.lfilter([1], [1, *-coefficients], noise)[..., 1000:]
    found = burg(process, 4)
    assert found.shape == (3, 2, 4)
    # standard errors are about sqrt((1 - 0.25) / 19000) = 0.006
    np.testing.assert_allclose(found, np.broadcast_to(coefficients, found.shape), atol=0.03)


def test_burg_agrees_with_yule_and_walker_on_a_long_stationary_signal():
    """scipy solves the Toeplitz equations of the autocovariances; the ends of 50,000 samples weigh little."""
    data = signal.lfilter([1, 0.5], [1, -0.6], np.random.default_rng(1).normal(size=50_000))
    covariance = np.array([data[: len(data) - lag] @ data[lag:] for lag in range(5)]) / len(data)
    np.testing.assert_allclose(
        burg(data, 4), linalg.solve_toeplitz(covariance[:4], covariance[1:]), atol=1e-3
    )


def test_burg_is_undefined_for_a_constant_and_for_too_few_samples():
    assert np.isnan(burg(np.zeros((2, 100)), 4)).all()
    assert np.isnan(burg(np.ones((2, 4)), 4)).all()


def test_emg_features_follow_the_gain_and_not_the_offset():
    data = np.random.default_rng(0).normal(size=(4, 2, 2000))
    values, moved = (full_emg_features(made, 1000.0, ["a", "b"]) for made in (data, 10 * data + 500))
    power = {"rms": 1, "mav": 1, "waveform_length": 1, "variance": 2}
    for name, value in values.items():
        kind = name.rsplit("_", 1)[0]
        if kind not in ("mean", "log_rms"):
            # the offset of fifty times the signal costs some of the sixteen digits
            np.testing.assert_allclose(moved[name], 10.0 ** power.get(kind, 0) * value, rtol=1e-8, atol=1e-10)


def test_raw_and_features_stand_side_by_side():
    data = np.random.default_rng(0).normal(size=(3, 8, 4000)).astype(np.float32)
    whole = raw_and_features(data, 1000.0, window=0.2)
    assert whole.shape == (3, 4000, 12)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[..., :8], data.swapaxes(1, 2))
    for row in range(3):
        np.testing.assert_array_equal(raw_and_features(data[[row]], 1000.0, window=0.2)[0], whole[row])


def test_envelopes_are_the_features_of_the_window_around_each_sample():
    data = np.random.default_rng(0).normal(size=(2, 3, 600))
    envelopes = dict(zip(ENVELOPES, raw_and_features(data, 1000.0)[..., 3:].transpose(2, 0, 1), strict=True))
    for sample, inside in ((300, slice(250, 350)), (0, slice(0, 50)), (599, slice(549, 600))):
        window = data[..., inside]
        before = data[..., max(inside.start - 1, 0) : inside.stop]  # a change belongs to its later sample
        expected = {
            "rms": np.sqrt((window**2).mean((1, 2))),
            "mav": np.abs(window).mean((1, 2)),
            "zero_crossings": (np.diff(np.sign(before)) != 0).sum((1, 2)) * 1000 / window[0].size,
            "waveform_length": np.abs(np.diff(before)).sum((1, 2)) * 1000 / window[0].size,
        }
        for name, value in expected.items():
            # float32 holds seven digits
            np.testing.assert_allclose(
                envelopes[name][:, sample], value, rtol=1e-5, err_msg=f"{name} {sample}"
            )


def test_envelopes_of_a_segment_with_a_gap_are_nan_and_no_others():
    data = np.random.default_rng(0).normal(size=(2, 3, 600))
    data[0, 1, 300] = np.nan
    whole = raw_and_features(data, 1000.0)
    assert np.isnan(whole[0, :, 3:]).all()
    assert np.isnan(whole[..., :3]).sum() == 1
    assert np.isfinite(whole[1]).all()


def test_raw_and_features_say_all_that_does_not_fit():
    with pytest.raises(ValueError, match=r"shape \(8, 600\).*window is 0\.001 s, 1 samples at 1000\.0 Hz"):
        raw_and_features(np.zeros((8, 600)), 1000.0, window=0.001)
