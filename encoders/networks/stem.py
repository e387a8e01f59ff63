"""How every encoder gets from samples to a few steps a frame, and from steps to frames."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Stem", "check_sizes", "pool_steps", "whole_frames"]


def check_sizes(**sizes: int) -> None:
    """Raise ValueError, with all of them, if sizes of an encoder are not positive."""
    if wrong := {name: size for name, size in sizes.items() if size < 1}:
        raise ValueError(f"encoder sizes are {wrong}; allowed are whole numbers from 1.")


def whole_frames(x: torch.Tensor, n_channels: int, frame_stride: int) -> torch.Tensor:
    """Check an encoder's input, and leave out the samples at its end that fill no frame.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    n_channels, frame_stride : int
        What the encoder was made for.

    Returns
    -------
    Tensor, shape (batch, n_channels, n_frames * frame_stride)

    Raises
    ------
    ValueError
        If the input is shorter than a frame or has other channels.
    """
    if x.ndim != 3 or x.shape[1] != n_channels or x.shape[2] < frame_stride:
        raise ValueError(
            f"encoder input has shape {tuple(x.shape)}; allowed is (batch, {n_channels}, n_samples) "
            f"with at least {frame_stride} samples, one frame."
        )
    return x[:, :, : x.shape[2] // frame_stride * frame_stride]


def steps_per_frame(frame_stride: int, wanted: int) -> int:
    """Return the divisor of `frame_stride` that is nearest to `wanted` in ratio."""
    divisors = [n for n in range(1, frame_stride + 1) if frame_stride % n == 0]
    return min(divisors, key=lambda n: abs(math.log(n / wanted)))


def pool_steps(steps: torch.Tensor, n_steps: int) -> torch.Tensor:
    """Average every `n_steps` steps: (batch, dim, n_frames * n_steps) -> (batch, n_frames, dim)."""
    return functional.avg_pool1d(steps, n_steps).transpose(1, 2)


class Stem(nn.Module):
    """One strided convolution from samples to `n_steps` steps a frame, with normalisation.

    The stride is taken at once, so that all later layers are cheap at any sampling rate.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Channels that come out.
    steps : int
        Steps a frame that are wanted; the nearest divisor of `frame_stride` is taken (`n_steps`).
    causal : bool
        Whether a step sees only samples up to its own end.

    Raises
    ------
    ValueError
        If a size is not positive, or if the input is shorter than a frame or has other channels.
    """

    def __init__(self, n_channels: int, frame_stride: int, dim: int, steps: int, causal: bool = False):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, steps=steps)
        self.n_channels, self.frame_stride = n_channels, frame_stride
        self.n_steps = steps_per_frame(frame_stride, steps)
        stride = frame_stride // self.n_steps
        kernel = 2 * stride + 1
        past = kernel - stride if causal else (kernel - stride) // 2
        self.padding = (past, kernel - stride - past)
        self.convolution = nn.Conv1d(n_channels, dim, kernel, stride, bias=False)
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, dim, n_frames * n_steps)."""
        return self.steps(functional.pad(whole_frames(x, self.n_channels, self.frame_stride), self.padding))

    def steps(self, padded: torch.Tensor) -> torch.Tensor:
        """The same for samples that have what comes before and after them on both sides."""
        return functional.gelu(self.norm(self.convolution(padded)))
