"""GRU that reads a list of features one after another."""

from __future__ import annotations

import torch
from torch import nn

from encoders.networks.stem import check_sizes, whole_frames

__all__ = ["FeatureGRU"]


class FeatureGRU(nn.Module):
    """A GRU over the channels of a frame, whose outputs are flattened and projected to the frame's vector.

    Source: the public notebooks on Kaggle's "EEG Brainwave Dataset: Feeling Emotions" (2,548 features a row):
    a GRU of 256 units over the features as a sequence of one value each, all its outputs flattened, and a
    dense softmax layer. Here the dense layer has `dim` outputs and the model's head follows, so that the two
    together are the notebooks' layer. That layer makes up most of the weights: 2,548 * 256 * `dim`.

    A channel is one step of the sequence, and its samples in the frame are the step's values: for a table of
    features, one sample long, with ``frame_stride=1``, that is the notebooks' GRU. Frames are read apart.

    Parameters
    ----------
    n_channels : int
        Features, so steps of the sequence. The time is linear in them, for the steps wait for each other.
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    hidden : int
        Units of the GRU. Training takes about 50 bytes for each segment, frame, channel and unit: 1 GB for
        32 segments of 2,548 features with 256 units.
    """

    def __init__(self, n_channels: int, frame_stride: int, dim: int = 64, hidden: int = 256):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, hidden=hidden)
        self.n_channels, self.frame_stride = n_channels, frame_stride
        self.recurrent = nn.GRU(frame_stride, hidden, batch_first=True)
        self.projection = nn.Linear(n_channels * hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        frames = whole_frames(x, self.n_channels, self.frame_stride).unflatten(2, (-1, self.frame_stride))
        outputs, _ = self.recurrent(frames.transpose(1, 2).flatten(0, 1))
        return self.projection(outputs.flatten(1)).unflatten(0, (-1, frames.shape[2]))
