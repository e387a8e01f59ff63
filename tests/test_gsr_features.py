"""Features of skin conductance against planted responses, and what they say of noise."""

from __future__ import annotations

import numpy as np
import pytest
from made_signals import scr_train

from encoders.features.gsr import MOST_NOISE, full_gsr_features, gsr_features

ONSETS = np.arange(5.0, 50, 9)


def test_phasic_area_of_a_pulse_is_its_height_times_its_length():
    """0.5 µS for 2 s in a minute; a median of 8 s does not see it."""
    data = np.full((1, 1, 480), 5.0)
    data[..., 200:216] += 0.5
    values = full_gsr_features(data, 8.0, ["EDA"])
    assert values["phasic_area"][0] == pytest.approx(1.0)
    assert values["tonic_level"][0] == pytest.approx(5.0)


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


@pytest.mark.parametrize("sampling_rate", [4.0, 8.0, 100.0])
@pytest.mark.parametrize("amplitude", [0.05, 0.3, 5.0])
def test_the_full_set_counts_and_measures_known_responses(sampling_rate, amplitude):
    """Large responses are not taken for noise, though what they have above 1 Hz is."""
    data = scr_train(sampling_rate, ONSETS, amplitude)
    values = full_gsr_features(data, sampling_rate, ["EDA"])
    assert values["scr_count"][0] == pytest.approx(5, abs=1e-9)
    for name, value in gsr_features(data, sampling_rate, ["EDA"]).items():
        np.testing.assert_array_equal(values[name], value)


def test_tonic_level_stays_below_the_responses():
    """5 µS before them; the median of 8 s is near what lies between responses 9 s apart."""
    values = full_gsr_features(scr_train(8.0, ONSETS, 1.0), 8.0, ["EDA"])
    assert 5 <= values["tonic_level"][0] < values["level"][0]
    assert full_gsr_features(np.full((1, 1, 480), 7.0), 8.0, ["EDA"])["tonic_level"] == [7.0]


@pytest.mark.parametrize("sampling_rate", [4.0, 8.0, 32.0])
@pytest.mark.parametrize("scale", [0.002, 0.005, 0.012, 0.05, 0.5])
def test_white_noise_gives_no_response_in_the_full_set(sampling_rate, scale):
    """At 4 Hz as from a wrist: either it is too small for any, or it is refused."""
    noise = np.random.default_rng(0).normal(5, scale, size=(200, 1, round(60 * sampling_rate)))
    values = full_gsr_features(noise, sampling_rate, ["EDA"])
    assert np.nansum(values["scr_count"]) <= 1  # five standard deviations leave about one in 10,000 minutes
    refused = values["scr_noise"] > MOST_NOISE
    for name in ("scr_rate", "scr_amplitude", "scr_count", "phasic_area"):
        np.testing.assert_array_equal(np.isnan(values[name]), refused, err_msg=name)
    if scale == 0.5:
        assert refused.all()
    if scale == 0.002:
        assert not refused.any()
    # white noise has 2 Hz / f of its power below 1 Hz; the median of 240 samples tells it to some percent
    low = scale * np.sqrt(2 / min(sampling_rate, 8.0)) / np.sqrt(max(1, sampling_rate / 8))
    assert np.median(values["scr_noise"]) == pytest.approx(low, rel=0.1)


def test_responses_in_noise_are_refused_and_levels_are_not():
    noise = np.random.default_rng(0).normal(0, 0.05, size=(20, 1, 480))
    values = full_gsr_features(scr_train(8.0, ONSETS, 1.0) + noise, 8.0, ["EDA"])
    assert np.isnan(values["scr_count"]).all()
    assert np.isfinite(values["level"]).all()
    assert np.isfinite(values["tonic_level"]).all()


def test_rates_below_three_hertz_are_refused_in_the_full_set():
    values = full_gsr_features(scr_train(2.0, ONSETS, 1.0), 2.0, ["EDA"])
    assert all(np.isnan(values[name][0]) for name in ("scr_count", "scr_noise", "scr_rate", "phasic_area"))
    assert values["tonic_level"][0] >= 5
