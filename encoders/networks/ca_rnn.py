"""CA-RNN: convolutions with channel attention over band powers, then two bidirectional LSTMs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.spectrogram import LogSpectrogram, band_levels
from encoders.networks.stem import check_sizes, pool_steps, steps_per_frame

__all__ = ["CARNN"]

N_BANDS = 4


class ChannelAttention(nn.Module):
    """Weights of the feature channels from their mean and their maximum, through one shared bottleneck.

    Source: Woo et al. 2018, arXiv 1807.06521, the channel part.
    """

    def __init__(self, width: int, reduction: int):
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Linear(width, max(1, width // reduction)),
            nn.ReLU(),
            nn.Linear(max(1, width // reduction), width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale (batch, width, n_places)."""
        weights = self.bottleneck(x.mean(2)) + self.bottleneck(x.amax(2))
        return x * weights.sigmoid().unsqueeze(2)


class AttendedConvolution(nn.Module):
    """Convolution over electrodes, ReLU, batch norm and `ChannelAttention`, with as many places as before."""

    def __init__(self, n_in: int, n_out: int, kernel: int, reduction: int):
        super().__init__()
        self.convolution = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm1d(n_out)
        self.attention = ChannelAttention(n_out, reduction)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(self.norm(functional.relu(self.convolution(x))))


class CARNN(nn.Module):
    """Band powers a part of a frame, CNN with channel attention over electrodes, two bidirectional LSTMs.

    Source: Zhang et al. 2025, "Emotion recognition of EEG signals based on CA-CRNN with 4D features", as the
    reproduction that comes with GRU-XNet gives it (github.com/Overproness/GRU-XNet_EEG_Emotion_Recognition);
    the paper itself was not at hand.

    Notes
    -----
    As there: differential entropy of four bands every half second, which for a Gaussian is half the log power
    and a constant; three convolutions of 64, 128 and 256 channels, each with channel attention (reductions 4,
    8 and 16); pooling by 2; a layer of 512; LSTMs of 128 and 64 units a direction; dropout 0.5.

    Otherwise here: the electrodes lie on a line in the order of the channels, with kernels 5, 3 and 3, and
    not on a map of 8 x 9 with kernels 5, 4 and 4, because a network does not know where its channels sit. The
    bands are octaves below half the sampling rate (see `band_levels`). A step is about a quarter of a frame:
    half a second of two. A frame is the mean of its steps, where the paper takes the last of the window.

    Parameters
    ----------
    n_channels : int
        Electrodes, neighbours behind each other where that can be.
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector, twice the hidden size of the second LSTM; even.
    widths : sequence of int
        Channels of the three convolutions.
    hidden : int
        Size of a step between the convolutions and the LSTMs.
    steps : int
        Steps a frame that are wanted; the nearest divisor of `frame_stride` is taken.
    dropout : float
        Before and between the LSTMs.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 128,
        widths: Sequence[int] = (64, 128, 256),
        hidden: int = 512,
        steps: int = 4,
        dropout: float = 0.5,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, hidden=hidden, steps=steps)
        if dim % 2:
            raise ValueError(f"dim is {dim}; the two directions share it evenly, so take an even one.")
        hop = frame_stride // steps_per_frame(frame_stride, steps)
        self.frame_stride = frame_stride
        self.spectrogram = LogSpectrogram(n_channels, frame_stride, hop=hop)
        if len(widths) != 3:
            raise ValueError(f"widths are {list(widths)}; allowed are three, one a convolution.")
        sizes = zip((N_BANDS, *widths[:-1]), widths, (5, 3, 3), (4, 8, 16), strict=True)
        pooling = 2 if n_channels > 1 else 1
        self.cnn = nn.Sequential(
            *(AttendedConvolution(*size) for size in sizes), nn.MaxPool1d(pooling), nn.Flatten()
        )
        self.hidden = nn.Linear(widths[-1] * (n_channels // pooling), hidden)
        self.dropout = nn.Dropout(dropout)
        self.first = nn.LSTM(hidden, dim, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(2 * dim, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        bands = band_levels(self.spectrogram(x), N_BANDS)
        maps = bands.permute(0, 3, 2, 1)  # batch, steps, bands, electrodes
        steps = functional.relu(self.hidden(self.cnn(maps.flatten(0, 1)))).unflatten(0, maps.shape[:2])
        steps, _ = self.first(self.dropout(steps))
        steps, _ = self.second(self.dropout(steps))
        return pool_steps(steps.transpose(1, 2), self.spectrogram.steps)
