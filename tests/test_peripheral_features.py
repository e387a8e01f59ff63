"""Features of slow signals, breathing, movement, and given ones against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from made_signals import sine

from encoders.features.gsr import gsr_features
from encoders.features.peripheral import (
    acceleration_features,
    given_features,
    respiration_features,
    slow_features,
)


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
    # Of (A sin, 0, 1): the length is sqrt(1 + A² sin²).
    length = np.sqrt(1 + data[0, 0] ** 2)
    assert values["magnitude_mean"][0] == pytest.approx(length.mean())
    assert values["magnitude_std"][0] == pytest.approx(length.std())


def test_the_mean_absolute_slope_of_a_triangle_is_that_of_its_sides():
    triangle = 5 + 0.25 * np.abs((np.arange(240) / 4 + 5) % 10 - 5)
    assert gsr_features(triangle[None, None], 4.0, ["EDA"])["mean_abs_slope"][0] == pytest.approx(0.25)


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


@pytest.mark.parametrize("level", [0.0, 5.3, 1000.1])
def test_a_belt_that_does_not_move_has_no_breathing_rate(level):
    """At none of these levels may the rounding of the line through it be taken for breaths."""
    rate = respiration_features(np.full((1, 1, 960), level), 32.0, ["belt"])["rate"]
    assert np.isnan(rate).all()


def test_breathing_is_not_counted_at_rates_that_fold_it_down():
    """At one sample in 2 s, 24 breaths a minute looked like 6."""
    time = np.arange(60) * 2.0
    breath = np.sin(2 * np.pi * 0.4 * time)[None, None]
    assert np.isnan(respiration_features(breath, 0.5, ["belt"])["rate"][0])


def test_given_features_stay_as_they_are():
    data = np.random.default_rng(0).normal(size=(5, 3, 1))
    values = given_features(data, 1.0, ["mean_0_a", "fft_1_b", "# fft 2"])
    assert list(values) == ["mean_0_a", "fft_1_b", "fft_2"]
    np.testing.assert_array_equal(np.stack(list(values.values()), axis=1), data[..., 0])
