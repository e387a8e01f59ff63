"""Recurrent encoders: LSTM and GRU, in one direction or in both."""

from __future__ import annotations

import torch
from torch import nn

from encoders.networks.stem import Stem, pool_steps

__all__ = ["Recurrent"]

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """Strided stem, a recurrent layer over its steps, and the average over each frame.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector; even if `bidirectional`.
    cell : "lstm" or "gru"
    bidirectional : bool
        Whether half of the vector is read from the end of the window to its start; if not, a frame sees
        nothing that comes after it.
    depth : int
        Recurrent layers.
    steps : int
        Steps a frame that the stem leaves, where `frame_stride` has such a divisor.
    dropout : float
        Share of whole channels that is dropped before the recurrent layers.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        cell: str = "lstm",
        bidirectional: bool = True,
        depth: int = 1,
        steps: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell is {cell!r}; allowed are {sorted(CELLS)}.")
        if bidirectional and dim % 2:
            raise ValueError(f"dim is {dim}; a bidirectional {cell} shares it evenly, so take an even one.")
        self.frame_stride = frame_stride
        self.stem = Stem(n_channels, frame_stride, dim, steps, causal=not bidirectional)
        self.dropout = nn.Dropout1d(dropout)
        hidden = dim // 2 if bidirectional else dim
        self.recurrent = CELLS[cell](dim, hidden, depth, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        steps, _ = self.recurrent(self.dropout(self.stem(x)).transpose(1, 2))
        return pool_steps(steps.transpose(1, 2), self.stem.n_steps)
