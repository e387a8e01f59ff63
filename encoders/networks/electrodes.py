"""One small CNN for each electrode's spectrogram, all electrodes in one convolution; and their fusion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

__all__ = ["AttentionFusion", "ConcatenationFusion", "ElectrodeCNN", "PooledConvolution", "time_poolings"]


MAPS = 64
"""Spectrograms at a time in eval mode on a CPU, so that what a block gives is in the cache for the next."""


def time_poolings(steps: int, depth: int) -> list[int]:
    """Poolings over time of `depth` blocks: 2 as long as the columns of a frame can be halved, then 1.

    What they leave of a frame's `steps` columns is averaged after the last block.
    """
    poolings = []
    for _ in range(depth):
        poolings.append(2 if steps % 2 == 0 else 1)
        steps //= poolings[-1]
    return poolings


class PooledConvolution(nn.Module):
    """3 x 3 convolution, batch norm, ReLU and max-pooling, in the order that costs least.

    The ReLU comes after the pooling, which changes no number and has a fourth to do. In eval mode the norm is
    folded into the convolution, which changes only the rounding.

    Parameters
    ----------
    n_in, n_out : int
        Channels of one group.
    pooling : (int, int)
        Over frequencies and time.
    groups : int
        Electrodes with weights of their own.
    """

    def __init__(self, n_in: int, n_out: int, pooling: tuple[int, int], groups: int = 1):
        super().__init__()
        self.pooling = pooling
        shape = (n_in * groups, n_out * groups)
        self.convolution = nn.Conv2d(*shape, 3, padding=1, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out * groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_in, n_bins, n_columns) to (batch, n_out, n_bins // pooling, n_columns // pooling)."""
        x = self.norm(self.convolution(x)) if self.training else self._folded(x)
        return functional.relu(functional.max_pool2d(x, self.pooling))

    def _folded(self, x: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        assert norm.running_mean is not None  # for mypy: a norm tracks them by default
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = self.convolution.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        return functional.conv2d(x, weight, bias, padding=1, groups=self.convolution.groups)


class ElectrodeCNN(nn.Module):
    """The same blocks for every electrode, which sees no other: no loop over electrodes.

    Parameters
    ----------
    n_bins : int
        Frequencies of the spectrograms; each block halves them while there are two or more.
    poolings : sequence of int
        Over time, of each block.
    widths : sequence of int
        Channels that each block gives.
    n_electrodes : int or None
        None shares one set of weights: the electrodes join the batch, and batch norm takes its statistics
        over all of them. A number gives each electrode weights and statistics of its own, as one grouped
        convolution.
    """

    def __init__(
        self, n_bins: int, poolings: Sequence[int], widths: Sequence[int], n_electrodes: int | None = None
    ):
        super().__init__()
        self.n_electrodes = n_electrodes
        blocks, rows, n_in = [], n_bins, 1
        for pooling, n_out in zip(poolings, widths, strict=True):
            halved = 2 if rows >= 2 else 1
            blocks.append(PooledConvolution(n_in, n_out, (halved, pooling), n_electrodes or 1))
            rows, n_in = rows // halved, n_out
        self.blocks = nn.Sequential(*blocks).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.n_features = rows * n_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_electrodes, n_bins, n_columns) to (batch, n_electrodes, n_features, n_pooled)."""
        n_electrodes = x.shape[1]
        if self.n_electrodes is None:
            x = x.flatten(0, 1).unsqueeze(1)
        # Channels last: about twice as fast on a CPU, and what tensor cores read.
        x = self._maps(x.contiguous(memory_format=torch.channels_last))
        return x.reshape(-1, n_electrodes, self.n_features, x.shape[-1])

    def _maps(self, x: torch.Tensor) -> torch.Tensor:
        """All blocks; on a CPU in eval mode, some maps at a time."""
        whole = self.training or x.device.type != "cpu" or torch.compiler.is_compiling()
        return self.blocks(x) if whole else torch.cat([self.blocks(part) for part in x.split(MAPS)])


class ConcatenationFusion(nn.Module):
    """All electrodes behind each other and projected: a fixed montage, whose order has a meaning."""

    def __init__(self, n_electrodes: int, width: int, dim: int):
        super().__init__()
        self.projection = nn.Linear(n_electrodes * width, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_electrodes, n_frames, width) to (batch, n_frames, dim)."""
        return self.projection(x.transpose(1, 2).flatten(2))


class AttentionFusion(nn.Module):
    """Weighted mean over electrodes, with weights that each electrode's own vector gives.

    It does not depend on the number or the order of electrodes, and does not know where they sit. Each head
    has its own weights. Source: the pooling of Ilse et al. 2018, arXiv 1802.04712, without its gate.
    """

    def __init__(self, width: int, dim: int, heads: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, heads, bias=False))
        self.projection = nn.Linear(heads * width, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_electrodes, n_frames, width) to (batch, n_frames, dim)."""
        x = x.transpose(1, 2)
        weights = self.score(x).softmax(dim=2)
        return self.projection((weights.transpose(2, 3) @ x).flatten(2))


def columns_left(steps: int, poolings: Sequence[int]) -> int:
    """Columns of a frame that the poolings leave."""
    return steps // math.prod(poolings)
