"""EEGNet: compact convolutions over time, electrodes and time again."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import check_sizes, pool_steps, steps_per_frame, whole_frames

__all__ = ["EEGNet"]

LONGEST_KERNEL = 128
"""Samples; half a second at 256 Hz. The paper's data have 128 Hz, where the half second is 64 samples."""


def same_padding(kernel: int) -> tuple[int, int]:
    """Zeros on both sides with which a convolution keeps its length."""
    return (kernel - 1) // 2, kernel // 2


class EEGNet(nn.Module):
    """EEGNet with an average over each frame in place of its poolings' fixed 32 samples.

    Source: Lawhern et al. 2018, arXiv 1611.08024. A temporal convolution, a depthwise one over all electrodes
    with a limited norm, a separable one, ELU and batch norm. The paper pools by 4 and by 8; here the two
    poolings make `frame_stride` together: the second takes `steps` (8 where it divides), the first the rest.
    At 128 Hz with frames of a quarter second that is the paper's network.

    The paper sets the kernel by the sampling rate, which a network does not know here: the default is half a
    frame, which is the paper's half a second for frames of one second, and at most 128 samples. Its dense
    layer over all frames is the model's pooling and head; `dim` comes from a layer on each frame.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    f1 : int
        Temporal filters (F1).
    depth : int
        Spatial filters a temporal one (D).
    f2 : int, optional
        Pointwise filters (F2); ``f1 * depth`` by default, as in the paper.
    kernel : int, optional
        Samples of the temporal filters: the paper has half the sampling rate.
    separable_kernel : int
        Steps of the separable convolution.
    steps : int
        Steps a frame between the two poolings, where `frame_stride` has such a divisor.
    dropout : float
        After each pooling; the paper's rate across subjects.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        f1: int = 8,
        depth: int = 2,
        f2: int | None = None,
        kernel: int | None = None,
        separable_kernel: int = 16,
        steps: int = 8,
        dropout: float = 0.25,
    ):
        super().__init__()
        maps, f2 = f1 * depth, f1 * depth if f2 is None else f2
        kernel = min(max(frame_stride // 2, 1), LONGEST_KERNEL) if kernel is None else kernel
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, kernel=kernel, steps=steps)
        self.n_channels, self.frame_stride = n_channels, frame_stride
        self.n_steps = steps_per_frame(frame_stride, steps)
        self.paddings = same_padding(kernel), same_padding(separable_kernel)
        self.temporal = nn.Conv2d(1, f1, (1, kernel), bias=False)
        self.spatial = nn.Parameter(nn.Conv2d(f1, maps, (n_channels, 1), groups=f1).weight.detach())
        self.separable = nn.Conv1d(maps, maps, separable_kernel, groups=maps, bias=False)
        self.pointwise = nn.Conv1d(maps, f2, 1, bias=False)
        self.norms = nn.ModuleList((nn.BatchNorm2d(f1), nn.BatchNorm1d(maps), nn.BatchNorm1d(f2)))
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(f2, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = functional.pad(whole_frames(x, self.n_channels, self.frame_stride), self.paddings[0])
        x = self.norms[0](self.temporal(x[:, None]))
        x = functional.conv2d(x, self.limited_spatial(), groups=x.shape[1]).squeeze(2)
        x = self._pooled(self.norms[1](x), self.frame_stride // self.n_steps)
        x = self.pointwise(self.separable(functional.pad(x, self.paddings[1])))
        return self.projection(self._pooled(self.norms[2](x), self.n_steps).transpose(1, 2))

    def limited_spatial(self) -> torch.Tensor:
        """The spatial filters, shape (f1 * depth, 1, n_channels, 1), each of norm 1 at most."""
        norm = torch.linalg.vector_norm(self.spatial, dim=(1, 2, 3), keepdim=True)
        # The paper projects after each update; limiting where they are used needs no hook in the training.
        return self.spatial / norm.clamp(min=1.0)

    def _pooled(self, x: torch.Tensor, n: int) -> torch.Tensor:
        return self.dropout(pool_steps(functional.elu(x), n).transpose(1, 2))
