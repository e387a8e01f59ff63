"""Basic augmentation: noise, gain, shifts and gaps as other sensors and sessions would add them.

All functions take segments, shape (batch, n_channels, n_samples), and leave them as they are. What is
drawn comes from `generator` alone, which is on the tensors' device. NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["BASIC", "channel_dropout", "jitter", "level_and_spread", "scaling", "shift", "time_masking"]


def level_and_spread(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What noise, gains and gaps are measured by: mean and standard deviation of each channel.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)

    Returns
    -------
    mean, sd : Tensor, shape (batch, n_channels, 1)
        NaN is left out of both; a channel of nothing but NaN has NaN.
    """
    mean = x.nanmean(dim=2, keepdim=True)
    return mean, (x - mean).square().nanmean(dim=2, keepdim=True).sqrt()


def jitter(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Add white noise.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Standard deviation of the noise, in standard deviations of the channel.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Um et al. (2017), Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
    Convolutional Neural Networks, ICMI.
    """
    _, sd = level_and_spread(x)
    return x + strength * sd * x.new_empty(x.shape).normal_(generator=generator)


def scaling(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Stretch each channel about its mean by a log-normal gain, as another contact would.

    The mean stays, since a gain on the level of a skin temperature would make a fever of it.

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
    Um et al. (2017), ICMI; see `jitter`.
    """
    mean, _ = level_and_spread(x)
    gain = (strength * x.new_empty(*x.shape[:2], 1).normal_(generator=generator)).exp()
    return mean + (x - mean) * gain


def shift(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Roll each segment in time, its end round to its start; all channels alike.

    Generators in the same state shift signals of different rates and channels by the same time.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Largest shift either way, as a share of the segment.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Mohsenvand, Izadi, Maes (2020), Contrastive Representation Learning for Electroencephalogram
    Classification, ML4H (there: time shift).
    """
    shares = strength * x.new_empty(len(x)).uniform_(-1, 1, generator=generator)
    return roll(x, (shares * x.shape[2]).round().long())


def roll(x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Roll each segment of (batch, n_channels, n_samples) by its own number of samples."""
    import torch

    positions = (torch.arange(x.shape[2], device=x.device) - steps[:, None]) % x.shape[2]
    return x.gather(2, positions[:, None, :].expand_as(x))


def channel_dropout(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Let channels go flat at their mean, as electrodes that come off do; one at least stays.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Chance of each channel.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Saeed, Grangier, Pietquin, Zeghidour (2021), Learning from Heterogeneous EEG Signals with
    Differentiable Channel Reordering, ICASSP.
    """
    mean, _ = level_and_spread(x)
    chance = x.new_empty(*x.shape[:2], 1).uniform_(generator=generator)
    lost = (chance < strength) & (chance < chance.amax(dim=1, keepdim=True))
    return x.where(~lost | x.isnan(), mean)


def time_masking(x: torch.Tensor, generator: torch.Generator, strength: float = 0.1) -> torch.Tensor:
    """Blank one stretch of each segment, all channels alike, at the channels' means.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    strength : float
        Length of the stretch, as a share of the segment.

    Returns
    -------
    Tensor, of the same shape

    References
    ----------
    Park et al. (2019), SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition,
    Interspeech; for EEG Mohsenvand, Izadi, Maes (2020), see `shift`.
    """
    import torch

    mean, _ = level_and_spread(x)
    first = (1 - strength) * x.new_empty(len(x), 1, 1).uniform_(generator=generator)
    time = (torch.arange(x.shape[2], device=x.device) + 0.5) / x.shape[2]
    blank = (time >= first) & (time < first + strength)
    return x.where(~blank | x.isnan(), mean)


BASIC: dict[str, Callable[..., torch.Tensor]] = {
    "jitter": jitter,
    "scaling": scaling,
    "shift": shift,
    "channel_dropout": channel_dropout,
    "time_masking": time_masking,
}
