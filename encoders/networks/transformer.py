"""Transformer encoder: each step sees the whole window."""

from __future__ import annotations

import math

import torch
from torch import nn

from encoders.networks.stem import Stem, pool_steps

__all__ = ["Transformer", "sinusoids"]


def sinusoids(n_steps: int, dim: int) -> torch.Tensor:
    """Positions as sines and cosines of geometric periods, shape (n_steps, dim).

    Source: Vaswani et al. 2017, arXiv 1706.03762, with the sines before the cosines.
    """
    rates = torch.exp(-math.log(10_000.0) * torch.arange(0, dim, 2) / dim)
    angles = torch.arange(n_steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :dim]


class SelfAttention(nn.Module):
    """Self-attention and a feed-forward layer, each normalised before and added to its input."""

    def __init__(self, dim: int, heads: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_steps, dim) to the same shape."""
        y = self.norm(x)
        x = x + self.dropout(self.attention(y, y, y, need_weights=False)[0])
        return x + self.dropout(self.feedforward(x))


class Transformer(nn.Module):
    """Strided stem, self-attention over its steps, and the average over each frame.

    Normalised before each layer (Xiong et al. 2020, arXiv 2002.04745), which trains without a warm-up.
    Positions are sinusoids, so that a window of any length can be read. Time and memory grow with the square
    of the steps: `steps` times the frames of a window.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector; a multiple of `heads`.
    depth : int
        Layers.
    heads : int
        Attention heads a layer.
    steps : int
        Steps a frame that the stem leaves, where `frame_stride` has such a divisor.
    dropout : float
        After each attention and feed-forward layer.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        depth: int = 2,
        heads: int = 4,
        steps: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim is {dim} and heads is {heads}; heads share dim evenly: take a multiple.")
        self.frame_stride = frame_stride
        self.stem = Stem(n_channels, frame_stride, dim, steps)
        self.layers = nn.Sequential(*(SelfAttention(dim, heads, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = self.stem(x).transpose(1, 2)
        x = x + sinusoids(x.shape[1], x.shape[2]).to(x)
        return pool_steps(self.norm(self.layers(x)).transpose(1, 2), self.stem.n_steps)
