"""What a network and its codes are trained for: labels, the signal's own spectrum, or likeness by label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

__all__ = ["OBJECTIVES", "Objective", "SpectrumDecoder", "contrastive_loss", "find_objective"]


@dataclass(frozen=True)
class Objective:
    """Weights of the losses.

    Parameters
    ----------
    supervised : float
        Of the targets' losses; at 0 the heads still learn, but what they read does not learn from them.
    reconstruction : float
        Of the frames' spectra, see `SpectrumDecoder`.
    contrastive : float
        Of the likeness of segments with the same emotion, see `contrastive_loss`.
    """

    supervised: float = 1.0
    reconstruction: float = 0.0
    contrastive: float = 0.0


OBJECTIVES = {
    "supervised": Objective(),
    "reconstruction": Objective(0.0, 1.0, 0.0),
    "both": Objective(1.0, 1.0, 0.0),
    "contrastive": Objective(0.0, 0.0, 1.0),
}


def find_objective(choice: str | Mapping[str, float]) -> Objective:
    """An objective by its name, or of given weights.

    Raises
    ------
    ValueError
        If there is no such name or weight, or all weights are 0.
    """
    if isinstance(choice, str) and choice in OBJECTIVES:
        return OBJECTIVES[choice]
    names = tuple(Objective.__dataclass_fields__)
    if isinstance(choice, str) or set(choice) - set(names) or not any(choice.values()):
        raise ValueError(
            f"objective is {choice!r}; allowed are {list(OBJECTIVES)}, or weights, not all 0, of {names}."
        )
    return Objective(**{**dict.fromkeys(names, 0.0), **choice})


class SpectrumDecoder(nn.Module):
    """Reads level and spectrum of each frame's samples from its vector.

    The mean and the logarithms of the power in a few bands of each channel are standardised over the
    training segments, so that the loss is 1 for a decoder that knows nothing.

    Parameters
    ----------
    dim : int
        Size of the frames' vectors.
    n_channels, frame_stride : int
        As of the network.
    n_bands : int
        Bands of equal width, at most the bins that a frame has.
    """

    def __init__(self, dim: int, n_channels: int, frame_stride: int, n_bands: int = 8):
        super().__init__()
        self.frame_stride, self.n_bands = frame_stride, min(n_bands, frame_stride // 2)
        size = n_channels * (1 + self.n_bands)
        self.read = nn.Linear(dim, size)
        self.standardised = nn.BatchNorm1d(size, affine=False)

    def forward(self, frames: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error of what is read from `frames`, (batch, n_frames, dim), of `x`, the stream."""
        target = self.standardised(self.describe(x).flatten(0, 1))
        return functional.mse_loss(self.read(frames).flatten(0, 1).float(), target)

    @torch.no_grad()
    def describe(self, x: torch.Tensor) -> torch.Tensor:
        """Means and log powers by band: (batch, n_channels, n_samples) -> (batch, n_frames, size)."""
        n_frames = x.shape[2] // self.frame_stride
        cut = x[:, :, : n_frames * self.frame_stride].float().unflatten(2, (n_frames, self.frame_stride))
        mean = cut.mean(dim=3, keepdim=True)
        parts = [mean]
        if self.n_bands:
            power = torch.fft.rfft(cut - mean).abs()[..., 1:].square()
            bands = functional.adaptive_avg_pool1d(power.flatten(0, 1), self.n_bands)
            parts.append(bands.unflatten(0, power.shape[:2]).add(1e-6).log())
        return torch.cat(parts, dim=3).transpose(1, 2).flatten(2)


def contrastive_loss(vectors: torch.Tensor, labels: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """Draw vectors of one label together and those of others apart.

    Source: Khosla et al. 2020, arXiv 2004.11362, the loss that sums outside the logarithm.

    Parameters
    ----------
    vectors : Tensor, shape (batch, dim)
    labels : Tensor, shape (batch,)
        NaN where unknown; such segments, and those that no other shares a label with, count for nothing.
    """
    vectors, labels = vectors.float()[~labels.isnan()], labels[~labels.isnan()]
    unit = functional.normalize(vectors, dim=1)
    likeness = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    share = likeness.masked_fill(itself, -torch.inf).log_softmax(dim=1)
    same = (labels[:, None] == labels[None]) & ~itself
    has_any = same.any(dim=1)
    if not has_any.any():
        return vectors.sum() * 0.0
    mean = share.masked_fill(~same, 0.0).sum(dim=1)[has_any] / same.sum(dim=1)[has_any]
    return -mean.mean()
