"""Dense layers on the samples of each frame: for features, which have no time."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import check_sizes, whole_frames

__all__ = ["MLP"]


class MLP(nn.Module):
    """Dense layers with batch normalisation on all samples of a frame; frames do not see each other.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    hidden : int
        Units of the first layer; 0 for none, one affine map from a frame to its vector.
    dropout : float
        Before each layer.
    """

    def __init__(
        self, n_channels: int, frame_stride: int, dim: int = 64, hidden: int = 128, dropout: float = 0.3
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, hidden=hidden or 1)
        self.n_channels, self.frame_stride, self.hidden = n_channels, frame_stride, hidden
        n_values = n_channels * frame_stride
        if hidden:
            self.first = nn.Linear(n_values, hidden, bias=False)
            self.norm = nn.BatchNorm1d(hidden)
        self.second = nn.Linear(hidden or n_values, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = whole_frames(x, self.n_channels, self.frame_stride)
        frames = x.unflatten(2, (-1, self.frame_stride)).transpose(1, 2).flatten(2)
        if self.hidden:
            hidden = self.norm(self.first(self.dropout(frames)).transpose(1, 2)).transpose(1, 2)
            frames = functional.gelu(hidden)
        return self.second(self.dropout(frames))
