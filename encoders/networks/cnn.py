"""Convolutional encoder: each frame sees its own samples and a little on both sides."""

from __future__ import annotations

import torch
from torch import nn

from encoders.networks.stem import Stem, pool_steps

__all__ = ["CNN"]


class CNN(nn.Module):
    """Strided stem, residual convolutions, and the average over each frame.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    depth : int
        Convolutions after the stem.
    kernel : int, odd
        Width of these convolutions in steps.
    steps : int
        Steps a frame that the stem leaves, where `frame_stride` has such a divisor.
    dropout : float
        Share of whole channels that is dropped before each convolution.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        depth: int = 3,
        kernel: int = 5,
        steps: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; allowed are odd widths, which keep the number of steps.")
        self.frame_stride = frame_stride
        self.stem = Stem(n_channels, frame_stride, dim, steps)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Dropout1d(dropout),
                nn.Conv1d(dim, dim, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(dim),
                nn.GELU(),
            )
            for _ in range(depth)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return pool_steps(x, self.stem.n_steps)
