"""Temporal convolutional network: a frame sees nothing that comes after it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import Stem, pool_steps

__all__ = ["TCN", "CausalBlock"]


class CausalBlock(nn.Module):
    """A dilated causal convolution with a residual path, (batch, dim, n_steps) to the same shape."""

    def __init__(self, dim: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.dropout = nn.Dropout1d(dropout)
        self.convolution = nn.Conv1d(dim, dim, kernel, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.steps(functional.pad(x, (self.past, 0)))

    def steps(self, padded: torch.Tensor) -> torch.Tensor:
        """The same for steps that have the `past` ones before them."""
        y = functional.gelu(self.norm(self.convolution(self.dropout(padded))))
        return padded[:, :, self.past :] + y


class TCN(nn.Module):
    """Causal stem, causal convolutions with dilations 1, 2, 4, ..., and the average over each frame.

    Source: Bai, Kolter and Koltun 2018, arXiv 1803.01271.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    depth : int
        Convolutions after the stem; the dilation doubles with each.
    kernel : int
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
        depth: int = 4,
        kernel: int = 3,
        steps: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.frame_stride = frame_stride
        self.stem = Stem(n_channels, frame_stride, dim, steps, causal=True)
        self.blocks = nn.Sequential(*(CausalBlock(dim, kernel, 2**i, dropout) for i in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        return pool_steps(self.blocks(self.stem(x)), self.stem.n_steps)
