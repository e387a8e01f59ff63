"""Connectivity in torch against its definitions, scipy, and the hand-made features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from encoders.features import connectivity as reference
from encoders.networks.connectivity import (
    Connectivity,
    autoregression,
    coherence,
    directed_coherence,
    octaves,
    phase_locking,
)

RATE = 128.0
ALPHA = (8.0, 16.0)


@pytest.fixture
def coupled() -> np.ndarray:
    """Three channels, (2, 3, 2048): the first drives the second with a delay, the third stands alone."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 2048))
    for t in range(2, x.shape[-1]):
        x[:, 0, t] += 0.9 * x[:, 0, t - 1] - 0.5 * x[:, 0, t - 2]
        x[:, 1, t] += 0.6 * x[:, 0, t - 1]
    return x


def test_octaves_hold_every_bin_but_the_mean_once():
    bins = [k for low, high in octaves(33, 4) for k in range(low, high + 1)]
    assert sorted(bins) == list(range(1, 33))
    assert octaves(65, 3)[:2] == [(33, 64), (17, 32)]


def test_coherence_equals_scipy(coupled):
    """Over one frame that is the whole segment, with scipy's windows."""
    x = torch.as_tensor(coupled, dtype=torch.float32)
    window = torch.hann_window(64)
    spectra = torch.stft(x.flatten(0, 1), 64, 32, window=window, center=False, return_complex=True)
    spectra = spectra.unflatten(0, (2, 3))
    found = coherence(spectra, spectra.shape[-1], [(4, 8), (9, 16)])
    assert found.shape == (2, 1, 2, 3, 3)
    _, wanted = signal.coherence(coupled[:, 0], coupled[:, 1], nperseg=64, detrend=False)
    # float32 sums of some 60 windows.
    np.testing.assert_allclose(found[:, 0, 0, 0, 1], wanted[:, 4:9].mean(1), atol=1e-4)
    np.testing.assert_allclose(found[:, 0, 1, 1, 0], wanted[:, 9:17].mean(1), atol=1e-4)
    np.testing.assert_allclose(found.diagonal(dim1=-2, dim2=-1), 1, atol=1e-5)


def test_phase_locking_of_sines_with_a_fixed_and_a_turning_phase():
    time = np.arange(1024) / RATE
    phases = [0.0, 1.0, 2 * np.pi * 1.0 * time]  # the third turns against the others once a second
    x = np.stack([np.sin(2 * np.pi * 10 * time + phase) for phase in phases])[None]
    found = phase_locking(torch.as_tensor(x, dtype=torch.float32), 1024, [(9, 16)], 65)[0, 0, 0]
    # 10 and 11 Hz have whole periods in 8 s, so that the band holds them without leakage.
    np.testing.assert_allclose(found, [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-3)


def test_phase_locking_is_near_that_of_the_hand_made_features(coupled):
    x = torch.as_tensor(coupled, dtype=torch.float32)
    found = phase_locking(x, 2048, [(9, 16)], 65)[:, 0, 0]
    wanted = reference.phase_locking(coupled, RATE, ALPHA)
    # They differ in the filter, a cut in the spectrum here and a Butterworth filter there, which leaves about
    # 130 independent phases (8 Hz x 16 s): a spread of about 1 / sqrt(130) for uncoupled channels.
    np.testing.assert_allclose(found, wanted, atol=0.1)
    assert found[0, 0, 1] > found[0, 0, 2] + 0.2


def test_directed_coherence_equals_that_of_the_hand_made_features(coupled):
    order = 4
    x = torch.as_tensor(coupled, dtype=torch.float32)
    coefficients = autoregression(x, order, 1e-9)
    # Zeros before the segment add four equations to 2,044, each with an error of about 1.
    np.testing.assert_allclose(coefficients.real, reference.autoregression(coupled, order), atol=0.02)
    assert abs(coefficients[:, 0, 1, 0].real - 0.6).max() < 0.1  # the spread of an estimate is 1 / sqrt(2048)
    # His mean is over every half hertz from 8 to below 16 Hz: bins 16 to 31 of 129.
    found = directed_coherence(x, [(16, 31)], 129, order, 1e-9)[:, 0]
    wanted = reference.partial_directed_coherence(coupled, RATE, ALPHA, order)
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert (found[:, 1, 0] > 4 * found[:, 0, 1]).all()


def test_short_windows_of_many_channels_have_features():
    network = Connectivity(12, 16, dim=8).eval()
    x = torch.randn(2, 12, 32)
    x[:, 1] = x[:, 0]  # a singular covariance
    x[:, 2] = 0
    assert network(x).isfinite().all()


def test_only_the_first_channels_are_paired():
    network = Connectivity(5, 32, dim=8, most_channels=3)
    assert network.features(torch.randn(1, 5, 64)).shape == (1, 2, 4 * (5 + 4 * 3))


def test_frames_know_their_own_time():
    """Coupling in the second half alone is seen there, apart from the frames at the border."""
    x = torch.randn(1, 2, 2048)
    x[:, 1, 1024:] = x[:, 0, 1024:]
    locking = phase_locking(x, 128, [(9, 32)], 65, context=1)[0, :, 0, 0, 1]
    assert locking[9:].min() > 0.95
    assert locking[:7].max() < 0.7
