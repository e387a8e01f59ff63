"""Mixing of two segments: mixup and CutMix, within one class unless they are told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["cutmix", "mixup", "partners"]

Mixed = tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]


def partners(kinds: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """For each segment another one of its kind, drawn at random.

    Parameters
    ----------
    kinds : Tensor of int, shape (batch,)
        Who may be mixed with whom: the classes; or one number for all, which mixes classes.
    generator : torch.Generator

    Returns
    -------
    Tensor of int, shape (batch,)
        Each segment is the partner of one; a segment that is alone in its kind is its own.
    """
    import torch

    chance = torch.rand(len(kinds), generator=generator, device=kinds.device)
    order = chance.argsort()
    order = order[kinds[order].argsort(stable=True)]
    _, counts = kinds.unique(return_counts=True)
    first = (counts.cumsum(0) - counts).repeat_interleave(counts)
    size = counts.repeat_interleave(counts)
    following = first + (torch.arange(len(kinds), device=kinds.device) - first + 1) % size
    return torch.empty_like(order).scatter_(0, order, order[following])


def mixup(x: torch.Tensor, generator: torch.Generator, kinds: torch.Tensor, strength: float = 0.4) -> Mixed:
    """Weighted means of segments and their partners.

    Generators in the same state mix signals of different rates and channels alike.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    kinds : Tensor of int, shape (batch,)
        See `partners`. With the classes the labels hold for the mixed segments as they are; else mix the
        one-hot labels by the weights.
    strength : float
        Largest weight of the partner; every weight up to it is as likely, where the paper draws from a
        beta distribution.

    Returns
    -------
    x : Tensor, of the same shape
        NaN where either is.
    partner : Tensor of int, shape (batch,)
    weight : Tensor, shape (batch,)
        Of the segment itself; the partner has the rest.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: Beyond Empirical Risk Minimization, ICLR.
    """
    partner = partners(kinds, generator)
    weight = 1 - strength * x.new_empty(len(x)).uniform_(generator=generator)
    share = weight[:, None, None]
    return share * x + (1 - share) * x[partner], partner, weight


def cutmix(x: torch.Tensor, generator: torch.Generator, kinds: torch.Tensor, strength: float = 0.4) -> Mixed:
    """Put a stretch of the partner, from the same place in time, into each segment.

    Generators in the same state mix signals of different rates and channels alike.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    kinds : Tensor of int, shape (batch,)
        See `partners` and `mixup`.
    strength : float
        Largest length of the stretch, as a share of the segment; every length up to it is as likely.

    Returns
    -------
    x : Tensor, of the same shape
    partner : Tensor of int, shape (batch,)
    weight : Tensor, shape (batch,)
        Share of the segment that is its own.

    References
    ----------
    Yun, Han, Oh, Chun, Choe, Yoo (2019), CutMix: Regularization Strategy to Train Strong Classifiers
    with Localizable Features, ICCV.
    """
    import torch

    partner = partners(kinds, generator)
    length = strength * x.new_empty(len(x), 1, 1).uniform_(generator=generator)
    first = (1 - length) * x.new_empty(len(x), 1, 1).uniform_(generator=generator)
    time = (torch.arange(x.shape[2], device=x.device, dtype=x.dtype) + 0.5) / x.shape[2]
    inside = (time >= first) & (time < first + length)
    return x[partner].where(inside, x), partner, 1 - inside.to(x.dtype).mean(dim=(1, 2))
