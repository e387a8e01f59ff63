"""The LSTM and the BiLSTM of "Accurate EEG-Based Emotion Recognition", on band powers."""

from __future__ import annotations

import torch
from torch import nn

from encoders.networks.spectrogram import LogSpectrogram, band_levels
from encoders.networks.stem import check_sizes

__all__ = ["AccurateEEG"]

N_BANDS = 5
SMALLEST_WINDOW = 2**N_BANDS  # samples: each octave has a frequency then


class AccurateEEG(nn.Module):
    """Band powers of each channel, two stacked LSTMs in one or both directions, batch norm, dropout.

    Source: Yaacob et al. 2024, "Accurate EEG-Based Emotion Recognition using LSTM and BiLSTM Networks", IEEE
    ICSIMA 2024, as the reproduction that comes with GRU-XNet gives it
    (github.com/Overproness/GRU-XNet_EEG_Emotion_Recognition); the paper itself was not at hand.

    Notes
    -----
    As there: the four-class form with LSTMs of 128 and 64 units (a direction), batch norm and dropout 0.5
    before the classifier, which is the model's head; its two-class form has the first LSTM alone.

    Otherwise here: it reads the features of a 4 s window one by one, as if their order were time. Here each
    frame's features are one step, so that time is time. Its features are wavelet statistics and band powers;
    here they are log powers of five bands, octaves below half the sampling rate (see `band_levels`), over two
    frames around each. The norm of the input stands for its scaler.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector: the units of the second LSTM, in both directions together. The paper's are
        64 and 128.
    bidirectional : bool
    dropout : float
        After the LSTMs.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        bidirectional: bool = False,
        dropout: float = 0.5,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim)
        if bidirectional and dim % 2:
            raise ValueError(f"dim is {dim}; the two directions share it evenly, so take an even one.")
        directions = 2 if bidirectional else 1
        hidden = dim // directions
        self.frame_stride = frame_stride
        self.spectrogram = LogSpectrogram(
            n_channels, frame_stride, hop=frame_stride, smallest=SMALLEST_WINDOW
        )
        self.scale = nn.BatchNorm1d(N_BANDS * n_channels)
        self.first = nn.LSTM(N_BANDS * n_channels, 2 * hidden, batch_first=True, bidirectional=bidirectional)
        self.second = nn.LSTM(2 * dim, hidden, batch_first=True, bidirectional=bidirectional)
        self.norm = nn.BatchNorm1d(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        features = self.scale(band_levels(self.spectrogram(x), N_BANDS).flatten(1, 2))
        frames, _ = self.first(features.transpose(1, 2))
        frames, _ = self.second(frames)
        return self.dropout(self.norm(frames.transpose(1, 2)).transpose(1, 2))
