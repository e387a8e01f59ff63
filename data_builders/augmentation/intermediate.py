"""Intermediate augmentation: what bends time, amplitude and spectrum of segments.

Functions are as in `basic`. Those that change time draw a number of values that depends on the batch
alone, so that generators in the same state bend signals of different rates alike. NaN moves with time
where time is changed and stays in its place elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_builders.augmentation.basic import level_and_spread
from data_builders.augmentation.electrodes import rotate_ring, swap_hemispheres
from data_builders.augmentation.mixing import cutmix, mixup

if TYPE_CHECKING:
    import torch

__all__ = [
    "INTERMEDIATE",
    "band_stop",
    "frequency_masking",
    "magnitude_warping",
    "phase_randomisation",
    "time_warping",
    "window_slicing",
]

N_WAVES = 4
"""Half waves of the slowest to the fastest part of a smooth random curve, 1 to 4 a segment."""


def time_warping(x: torch.Tensor, generator: torch.Generator, strength: float = 0.2) -> torch.Tensor:
    """Let time run faster and slower within each segment, smoothly; start and end stay.

    In place of splines the speed is 1 plus cosines whose amplitudes sum to `strength`: time never runs
    backwards, and the curve is the same at every sampling rate.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Largest change of speed, below 1.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Um et al. (2017), Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
    Convolutional Neural Networks, ICMI.
    """
    waves = math.pi * _counts(x)
    parts = x.new_empty(len(x), N_WAVES, 1).uniform_(-1, 1, generator=generator)
    parts = strength * parts / parts.abs().sum(dim=1, keepdim=True)
    time = _times(x)
    return _at_times(x, time + (parts * (waves * time).sin() / waves).sum(dim=1))


def window_slicing(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Cut a window out of each segment and stretch it to the segment's length.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Share of the segment that is cut off.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Le Guennec, Malinowski, Tavenard (2016), Data Augmentation for Time Series Classification using
    Convolutional Neural Networks, AALTD.
    """
    first = strength * x.new_empty(len(x), 1).uniform_(generator=generator)
    return _at_times(x, first + (1 - strength) * _times(x))


def magnitude_warping(x: torch.Tensor, generator: torch.Generator, strength: float = 0.2) -> torch.Tensor:
    """Stretch each channel about its mean by a smooth random gain of its own.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Standard deviation of the gain's logarithm.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Um et al. (2017), ICMI; see `time_warping`.
    """
    mean, _ = level_and_spread(x)
    parts = x.new_empty(*x.shape[:2], N_WAVES, 1).normal_(generator=generator)
    curve = (parts * (math.pi * _counts(x) * _times(x)).cos()).sum(dim=2) * math.sqrt(2 / N_WAVES)
    return mean + (x - mean) * (strength * curve).exp()


def band_stop(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Take one band of frequencies, with soft edges, out of all channels of a segment; the mean stays.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Width of the band, as a share of half the sampling rate.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Cheng, Goh, Dogrusoz, Tuzel, Azemi (2020), Subject-Aware Contrastive Learning for Biosignals,
    arXiv:2007.04871.
    """
    import torch

    frequencies = 2 * torch.fft.rfftfreq(x.shape[2], device=x.device)
    centre = x.new_empty(len(x), 1, 1).uniform_(generator=generator)
    kept = ((frequencies - centre).abs() / (strength / 2)).clamp(max=1) ** 4
    return _with_spectrum(x, kept.where(frequencies > 0, 1.0))


def frequency_masking(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Drop Fourier components at random, the same of all channels of a segment; the mean stays.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Chance of each component.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Chen, Xu, Zeng, Xu (2023), FrAug: Frequency Domain Augmentation for Time Series Forecasting,
    arXiv:2302.09292.
    """
    chance = x.new_empty(len(x), 1, x.shape[2] // 2 + 1).uniform_(generator=generator)
    chance[..., 0] = 1
    return _with_spectrum(x, (chance >= strength).to(x.dtype))


def phase_randomisation(x: torch.Tensor, generator: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """Turn the phases of all Fourier components at random: a surrogate with the same power spectrum.

    All channels of a segment turn alike, which keeps their correlations. It suits signals that are
    noise-like, as EEG and EMG; beats of an ECG and skin conductance responses do not survive it.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Largest turn, in whole turns.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Schwabedal, Snyder, Cakmak, Nemati, Clifford (2018), Addressing Class Imbalance in Classification
    Problems of Noisy Signals by using Fourier Transform Surrogates, arXiv:1806.08675; several channels:
    Prichard, Theiler (1994), Generating Surrogate Data for Time Series with Several Simultaneously
    Measured Variables, Phys. Rev. Lett. 73.
    """
    import torch

    n_samples = x.shape[2]
    turns = x.new_empty(len(x), 1, n_samples // 2 + 1).uniform_(generator=generator) * strength
    # The mean and, of an even length, the last component are real and have no phase.
    turns[..., 0] = 0
    if n_samples % 2 == 0:
        turns[..., -1] = 0
    return _with_spectrum(x, torch.polar(torch.ones_like(turns), 2 * math.pi * turns))


def _counts(x: torch.Tensor) -> torch.Tensor:
    """Half waves a segment: 1 to N_WAVES, shape (N_WAVES, 1)."""
    import torch

    return torch.arange(1, N_WAVES + 1, device=x.device, dtype=x.dtype)[:, None]


def _times(x: torch.Tensor) -> torch.Tensor:
    """Middles of the samples in shares of the segment, shape (n_samples,)."""
    import torch

    return (torch.arange(x.shape[2], device=x.device, dtype=x.dtype) + 0.5) / x.shape[2]


def _at_times(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Read segments at other times, shape (batch, n_samples), by straight lines between samples."""
    last = x.shape[2] - 1
    positions = (times * x.shape[2] - 0.5).clamp(0, last)[:, None, :]
    before = positions.floor().long()
    after = (before + 1).clamp(max=last)
    left, right = x.gather(2, before.expand_as(x)), x.gather(2, after.expand_as(x))
    return left + (positions - before) * (right - left)


def _with_spectrum(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply the Fourier components of `x`; NaN counts as the channel's mean and stays NaN."""
    import torch

    missing = x.isnan()
    mean, _ = level_and_spread(x)
    filled = x.where(~missing, mean.nan_to_num())
    changed = torch.fft.irfft(torch.fft.rfft(filled) * factor, n=x.shape[2])
    return changed.masked_fill(missing, torch.nan)


INTERMEDIATE: dict[str, Callable[..., Any]] = {
    "time_warping": time_warping,
    "window_slicing": window_slicing,
    "magnitude_warping": magnitude_warping,
    "band_stop": band_stop,
    "frequency_masking": frequency_masking,
    "phase_randomisation": phase_randomisation,
    "mixup": mixup,
    "cutmix": cutmix,
    "swap_hemispheres": swap_hemispheres,
    "rotate_ring": rotate_ring,
}
