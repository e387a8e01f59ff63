"""From the frames of a segment to one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

__all__ = ["POOLINGS", "AttentionPooling", "LastFrame", "MeanPooling"]


class AttentionPooling(nn.Module):
    """Mean over frames with learned weights: (batch, n_frames, dim) -> (batch, dim)."""

    def __init__(self, dim: int):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return (self.score(frames).softmax(dim=1) * frames).sum(dim=1)


class MeanPooling(nn.Module):
    """Mean over frames: (batch, n_frames, dim) -> (batch, dim)."""

    def __init__(self, dim: int):
        super().__init__()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.mean(dim=1)


class LastFrame(nn.Module):
    """The last frame, which of a causal network has seen the whole segment."""

    def __init__(self, dim: int):
        super().__init__()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return frames[:, -1]


POOLINGS: dict[str, Callable[..., nn.Module]] = {
    "attention": AttentionPooling,
    "mean": MeanPooling,
    "last": LastFrame,
}
