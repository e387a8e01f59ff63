"""Level, spread and trend of segments apart from their shape, which is what a network can learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["drawn_levels", "levels_and_shapes", "with_levels"]

SMALLEST = 1e-3
"""Standard deviation under which a channel counts as flat, of signals that are z-scored by subject."""
SPREAD = 0.05
"""How far drawn levels lie from those of a training segment, in standard deviations of all of them."""


def levels_and_shapes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take level, spread and linear trend out of segments.

    A trend is a step where a segment's end meets its start, and would be in all of its Fourier components.

    Parameters
    ----------
    x : Tensor, shape (n_segments, n_channels, n_samples)

    Returns
    -------
    levels : Tensor, shape (n_segments, 3 * n_channels)
        Means, logarithms of the standard deviations, and correlations with time.
    shapes : Tensor, of the shape of `x`
        The rest, of mean 0 and variance 1; 0 of a flat channel.
    """
    import torch

    mean, sd, scaled = _standardised(x)
    trend = (scaled * _ramp(x)).mean(dim=2, keepdim=True)
    _, _, shapes = _standardised(scaled - trend * _ramp(x))
    return torch.cat([mean, sd.log(), trend], dim=1)[..., 0], shapes


def with_levels(levels: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
    """Give shapes their trend, spread and level, exactly; the inverse of `levels_and_shapes`.

    A channel whose spread is near `SMALLEST` is flat.
    """
    mean, log_sd, trend = levels[..., None].chunk(3, dim=1)
    trend = trend.clamp(-1, 1)
    ramp = _ramp(shapes)
    _, _, rest = _standardised(shapes)
    _, _, rest = _standardised(rest - (rest * ramp).mean(dim=2, keepdim=True) * ramp)
    sd = log_sd.exp()
    sd = sd.where(sd > 2 * SMALLEST, 0.0)
    return mean + sd * (trend * ramp + (1 - trend.square()).sqrt() * rest)


def _standardised(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Means and standard deviations over time, and what is left; 0 where nothing varies."""
    mean = x.mean(dim=2, keepdim=True)
    sd = x.std(dim=2, keepdim=True, correction=0).clamp(min=SMALLEST)
    return mean, sd, (x - mean) / sd


def drawn_levels(
    known: torch.Tensor, kinds: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Levels for classes `y`: those of a training segment of the class, a little beside.

    Parameters
    ----------
    known : Tensor, shape (n_segments, n_levels)
        Of the training segments, standardised.
    kinds : Tensor of int, shape (n_segments,)
        Their classes.
    y : Tensor of int, shape (batch,)
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (batch, n_levels)
    """
    import torch

    order = kinds.argsort(stable=True)
    counts = torch.bincount(kinds)
    first = counts.cumsum(0) - counts
    place = (torch.rand(len(y), generator=generator) * counts[y]).long()
    noise = torch.randn(len(y), known.shape[1], generator=generator)
    return known[order[first[y] + place]] + SPREAD * noise


def _ramp(x: torch.Tensor) -> torch.Tensor:
    """A rising line of mean 0 and variance 1, shape (n_samples,)."""
    import torch

    line = torch.linspace(-1, 1, x.shape[2], dtype=x.dtype)
    return line / line.std(correction=0)
