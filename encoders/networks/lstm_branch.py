"""One branch of the AMIGOS project's multimodal LSTM: stacked LSTMs, then dense layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import check_sizes, steps_per_frame, whole_frames

__all__ = ["LSTMBranch"]


class LSTMBranch(nn.Module):
    """LSTMs of falling width over means of a few samples, and dense layers on the last of each frame.

    After the AMIGOS project's multimodal network, whose EEG branch has LSTMs of 64 and 32 units and dense
    layers of 48 and 24, its ECG and GSR branches 32, 16, 20 and 12. It says neither how the signals reach
    the LSTM nor at which rate: here each step is a channel's mean over a part of the frame, which has no
    weights, so that the LSTM's input is the channels, as the counts of that project want it. What is faster
    than half the steps (16 Hz with frames of a second) is averaged out, and what is left of it is folded
    below; the presets read no amplitude copies. A frame sees all samples before its end and none after.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Units of the last dense layer.
    recurrent : sequence of int
        Units of the LSTMs.
    dense : sequence of int
        Units of the dense layers before the last, each with batch normalisation and ReLU.
    steps : int
        Means a frame, where `frame_stride` has such a divisor.
    dropout : float
        After each LSTM and before each dense layer.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 24,
        recurrent: Sequence[int] = (64, 32),
        dense: Sequence[int] = (48,),
        steps: int = 32,
        dropout: float = 0.2,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, steps=steps)
        self.n_channels, self.frame_stride = n_channels, frame_stride
        self.n_steps = steps_per_frame(frame_stride, steps)
        self.dropout = nn.Dropout(dropout)
        widths = [n_channels, *recurrent]
        self.recurrent = nn.ModuleList(
            nn.LSTM(before, width, batch_first=True) for before, width in zip(widths, recurrent, strict=False)
        )
        layers: list[nn.Module] = []
        widths = [recurrent[-1], *dense]
        for before, width in zip(widths, dense, strict=False):
            layers += [Dense(before, width), nn.Dropout(dropout)]
        self.dense = nn.Sequential(*layers, Dense(widths[-1], dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        x = whole_frames(x, self.n_channels, self.frame_stride)
        x = functional.avg_pool1d(x, self.frame_stride // self.n_steps).transpose(1, 2)
        for layer in self.recurrent:
            x = self.dropout(layer(x)[0])
        return self.dense(x[:, self.n_steps - 1 :: self.n_steps])


class Dense(nn.Module):
    """Linear layer, batch normalisation and ReLU on each frame."""

    def __init__(self, before: int, width: int):
        super().__init__()
        self.linear = nn.Linear(before, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_frames, before) to (batch, n_frames, width)."""
        return functional.relu(self.norm(self.linear(frames).transpose(1, 2)).transpose(1, 2))
