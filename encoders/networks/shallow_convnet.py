"""Shallow ConvNet: the log power of learned filters."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import check_sizes, pool_steps, whole_frames

__all__ = ["ShallowConvNet"]

LEAST_POWER = 1e-6
"""Below it the logarithm is held, as in the authors' code: a flat signal has no finite one."""


class ShallowConvNet(nn.Module):
    """Temporal filters, spatial filters over all channels, square, mean over each frame, logarithm.

    Source: Schirrmeister et al. 2017, arXiv 1703.05051, for EEG of 250 Hz. There the mean goes over 75
    samples every 15; here over each frame, without overlap. Their kernel has 25 samples (a tenth of a
    second); here it is also no longer than a frame, so that slow streams keep their frames apart. Their dense
    layer over all means is the model's pooling and head; `dim` comes from a layer on each frame.

    Between the two convolutions there is nothing, so that they are run as one, with the product of their
    weights: the same numbers without `filters` copies of every channel.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    filters : int
        Temporal filters, and as many spatial ones over them.
    kernel : int
        Samples of the temporal filters, at most; clipped to a frame.
    dropout : float
        After the logarithm.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        filters: int = 40,
        kernel: int = 25,
        dropout: float = 0.5,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, filters=filters, kernel=kernel)
        self.n_channels, self.frame_stride = n_channels, frame_stride
        kernel = min(kernel, frame_stride)
        self.padding = ((kernel - 1) // 2, kernel // 2)
        # Made by layers, for their first weights.
        self.temporal = nn.Parameter(nn.Conv1d(1, filters, kernel).weight.detach()[:, 0])
        self.spatial = nn.Parameter(nn.Conv1d(filters * n_channels, filters, 1).weight.detach()[:, :, 0])
        self.norm = nn.BatchNorm1d(filters)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(filters, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = functional.pad(whole_frames(x, self.n_channels, self.frame_stride), self.padding)
        x = self.norm(functional.conv1d(x, self.filters()))
        power = pool_steps(x.square(), self.frame_stride)
        return self.projection(self.dropout(power.clamp(min=LEAST_POWER).log()))

    def filters(self) -> torch.Tensor:
        """The product of both convolutions, shape (filters, n_channels, kernel)."""
        spatial = self.spatial.unflatten(1, (len(self.temporal), self.n_channels))
        return torch.einsum("ofc,fk->ock", spatial, self.temporal)
