"""Phase locking, coherence and partial directed coherence against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from encoders.features.connectivity import (
    autoregression,
    coherence,
    directed_coherence,
    partial_directed_coherence,
    phase_locking,
)

RATE = 128.0
ALPHA = (8.0, 13.0)
MEASURES = (phase_locking, coherence, partial_directed_coherence)


def sines(phases: list[float], seconds: float = 20, frequency: float = 10.0) -> np.ndarray:
    """One segment with a channel of that frequency for each phase, in radians."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * frequency * time + np.array(phases)[:, None])[None]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def simulated(coefficients: np.ndarray, n_samples: int, n_segments: int = 1, seed: int = 0) -> np.ndarray:
    """Segments of a vector autoregression, shape of `coefficients` (order, n_channels, n_channels)."""
    order, n_channels, _ = coefficients.shape
    data = noise(n_segments, n_channels, n_samples + 200, seed=seed)
    for now in range(order, data.shape[-1]):
        for lag in range(1, order + 1):
            data[..., now] += data[..., now - lag] @ coefficients[lag - 1].T
    return data[..., 200:]


@pytest.mark.parametrize("phase", [0.0, 0.7, np.pi / 2, 3.0])
def test_a_constant_difference_of_phase_is_full_locking(phase):
    values = phase_locking(sines([0.0, phase]), RATE, ALPHA)
    # the filter and the analytic signal bend the phase at the two ends of the segment
    np.testing.assert_allclose(values, 1, atol=0.01)


def test_locking_of_a_phase_that_jumps_halfway_is_a_cosine():
    """Half of the time 0, half of the time 2: |1 + exp(2i)| / 2 = cos(1)."""
    steady, late = sines([0.0, 2.0], seconds=40)[0]
    jumping = np.where(np.arange(len(steady)) < len(steady) / 2, steady, late)
    values = phase_locking(np.stack([steady, jumping])[None], RATE, ALPHA)
    # around the jump the filter needs about 0.2 s of 40 s to follow
    assert values[0, 0, 1] == pytest.approx(np.cos(1), abs=0.01)


def test_locking_of_noise_has_its_closed_form():
    """A mean of n unit vectors at random; bandwidth x seconds of them are independent in a band."""
    values = phase_locking(noise(40, 6, 2560), RATE, ALPHA)[:, *np.triu_indices(6, k=1)]
    # the skirts of the filter pass a little more than the nominal 5 Hz
    assert values.mean() == pytest.approx(np.sqrt(np.pi / (4 * 5 * 20)), rel=0.15)


def test_coherence_equals_scipy():
    data = noise(3, 4, 1280)
    data[:, 1] += data[:, 0]
    ours = coherence(data, RATE, ALPHA, window=2.0)
    frequencies, theirs = signal.coherence(data[:, :, None], data[:, None], RATE, nperseg=256)
    inside = (frequencies >= 8) & (frequencies < 13)
    np.testing.assert_allclose(ours, theirs[..., inside].mean(-1), rtol=1e-9)


def test_coherence_of_copies_and_of_a_known_mixture():
    data = noise(10, 3, 12_800)
    data[:, 1] = -3 * data[:, 0]
    data[:, 2] += data[:, 0]
    values = coherence(data, RATE, ALPHA)
    np.testing.assert_allclose(values[:, 0, 1], 1, rtol=1e-9)
    # equal power of signal and noise: 1/2; 199 windows and 5 frequencies, ten times, leave 1 % of spread
    assert values[:, 0, 2].mean() == pytest.approx(0.5, abs=0.03)


def test_coherence_of_noise_is_one_over_the_windows():
    """Halves of Hann windows overlap, so 19 windows are worth 18 (Welch 1967, with a correlation of 1/36)."""
    values = coherence(noise(60, 6, 1280), RATE, (4.0, 45.0))[:, *np.triu_indices(6, k=1)]
    assert values.mean() == pytest.approx(1 / 18, rel=0.05)


@pytest.mark.parametrize("coupling", [0.5, 1.0, 2.0])
def test_directed_coherence_of_a_delayed_copy_has_its_closed_form(coupling):
    """x2(t) = c x1(t - 1) + e2(t) on white x1: c / sqrt(1 + c²) at every frequency, and 0 back."""
    values = partial_directed_coherence(simulated(np.array([[[0, 0], [coupling, 0]]]), 20_000), RATE, ALPHA)
    # coefficients from 20,000 samples have a standard error of 1 / sqrt(20,000) = 0.007; eight of them add up
    assert values[0, 1, 0] == pytest.approx(coupling / np.sqrt(1 + coupling**2), abs=0.04)
    assert values[0, 0, 1] < 0.04


def test_autoregression_finds_the_coefficients_and_their_directed_coherence():
    """The second oscillator follows the first, not the reverse; the spectra of both peak."""
    coefficients = np.array([[[1.2, 0.0], [0.4, 0.6]], [[-0.7, 0.0], [0.0, -0.5]]])
    found = autoregression(simulated(coefficients, 5000, n_segments=20), order=2)
    # the mean of 20 segments of 5,000 samples: a standard error under 1 / sqrt(100,000) = 0.003
    np.testing.assert_allclose(found.mean(0), coefficients, atol=0.01)
    band = (8.0, 9.0)
    expected = []
    for frequency in (8.0, 8.5):
        turn = np.exp(-2j * np.pi * frequency / RATE)
        matrix = np.eye(2) - coefficients[0] * turn - coefficients[1] * turn**2
        expected.append(np.abs(matrix) / np.sqrt((np.abs(matrix) ** 2).sum(0)))
    np.testing.assert_allclose(
        directed_coherence(coefficients[None], RATE, band)[0], np.mean(expected, axis=0), rtol=1e-12
    )


def test_what_flows_out_of_a_channel_adds_up_to_one():
    values = partial_directed_coherence(noise(4, 5, 1280), RATE, (10.0, 10.5))  # one frequency
    np.testing.assert_allclose((values**2).sum(1), 1, rtol=1e-12)


def test_an_average_reference_keeps_directions_finite():
    """Its channels add up to 0, in float32 but for rounding: no unique autoregression exists."""
    data = simulated(np.array([[[0, 0, 0], [1, 0, 0], [0, 0, 0]]]), 5000)
    data = (data - data.mean(1, keepdims=True)).astype(np.float32)
    coefficients = autoregression(data)
    exact = autoregression(data.astype(np.float64) - data.mean(1, keepdims=True, dtype=np.float64))
    np.testing.assert_allclose(coefficients, exact, atol=1e-4)  # float32 keeps 7 digits
    assert np.abs(coefficients).max() < 2


@pytest.mark.parametrize("measure", MEASURES)
def test_segments_do_not_touch_each_other_and_flat_or_broken_channels_are_nan(measure):
    clean = noise(3, 4, 1280)
    broken = clean.copy()
    broken[1, 2] = 7.0
    broken[2, 0, 5] = np.nan
    values, expected = measure(broken, RATE, ALPHA), measure(clean, RATE, ALPHA)
    np.testing.assert_allclose(values[0], expected[0], rtol=1e-9)
    assert np.isnan(values[1, 2]).all()
    assert np.isnan(values[2, :, 0]).all()
    if measure is not partial_directed_coherence:  # which depends on all channels
        np.testing.assert_allclose(values[1, :2, :2], expected[1, :2, :2], rtol=1e-9)


@pytest.mark.parametrize("measure", [phase_locking, coherence])
def test_scale_and_level_of_a_channel_do_not_matter(measure):
    data = noise(2, 3, 1280)
    scaled = data * np.array([1e-6, 1.0, 1e6])[:, None] + np.array([0, 3.0, 1e7])[:, None]
    np.testing.assert_allclose(measure(scaled, RATE, ALPHA), measure(data, RATE, ALPHA), rtol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_bands_outside_the_recording_are_refused(measure):
    with pytest.raises(ValueError, match=r"\(60\.0, 70\.0\) Hz.*128\.0 Hz.*high <= 64"):
        measure(noise(1, 2, 1280), RATE, (60.0, 70.0))


def test_segments_that_are_too_short_are_refused():
    with pytest.raises(ValueError, match=r"191 samples hold fewer than two windows of 128.*needed are 192"):
        coherence(noise(1, 2, 191), RATE, ALPHA)
    with pytest.raises(ValueError, match=r"120 samples of 14 channels at order 8; needed are more than 120"):
        autoregression(noise(1, 14, 120))
    with pytest.raises(ValueError, match=r"holds no frequency of a window of 1\.0 s"):
        coherence(noise(1, 2, 1280), RATE, (10.2, 10.8))
