"""CBS-attention: a CNN an electrode, bidirectional LSTM, and multi-head self-attention."""

from __future__ import annotations

import torch
from torch import nn

from encoders.networks.gru_xnet import ResidualAttention, SpectrogramFrames
from encoders.networks.spectrogram import LogSpectrogram

__all__ = ["CBSAttention"]


class CBSAttention(nn.Module):
    """Spectrograms, a CNN of two blocks an electrode, bidirectional LSTM and self-attention.

    Source: Zhou et al. 2025, "CBSAtt: a CNN-BiLSTM network with multi-head self-attention for EEG emotion
    recognition", Signal, Image and Video Processing, doi 10.1007/s11760-025-04708-1.

    Notes
    -----
    Built after the description in the abstract and in the reproduction that comes with GRU-XNet; the full
    paper was not at hand. Both have an independent CNN an electrode of 3 x 3 convolutions and 2 x 2 poolings,
    32 and 64 channels, an LSTM of 128 units a direction, and attention with four heads. The reproduction
    gives the LSTM a sequence of electrodes; here it reads a sequence of frames, so that the network says
    something about each of them. Residual path and layer norm around the attention, and the squeeze of each
    electrode to `width` numbers before the electrodes are joined, are choices of ours.

    Parameters
    ----------
    n_channels : int
        Electrodes.
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector, twice the hidden size of the LSTM; even, and a multiple of `heads`.
    shared_weights : bool
        Whether all electrodes share one CNN; the paper's electrodes do not.
    width : int
        Size of an electrode's vector before the fusion.
    heads : int
        Of the self-attention.
    n_fft, hop, n_bins, first_bin
        As `LogSpectrogram` takes them.
    dropout : float
        After the CNN and in the attention.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 256,
        shared_weights: bool = True,
        width: int = 64,
        heads: int = 4,
        n_fft: int | None = None,
        hop: int | None = None,
        n_bins: int = 129,
        first_bin: int = 0,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.attention = ResidualAttention(dim, heads, dropout)
        spectrogram = LogSpectrogram(n_channels, frame_stride, n_fft, hop, n_bins, first_bin)
        self.frames = SpectrogramFrames(
            n_channels, spectrogram, dim, (32, 64), "standard", shared_weights, width, heads, dropout
        )
        self.frame_stride = frame_stride
        self.lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        steps, _ = self.lstm(self.frames(x))
        return self.attention(steps)
