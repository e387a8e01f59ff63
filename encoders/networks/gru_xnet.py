"""GRU-XNet: spectrograms, one CNN an electrode, fusion, bidirectional GRU and self-attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from encoders.networks.electrodes import (
    AttentionFusion,
    ConcatenationFusion,
    ElectrodeCNN,
    columns_left,
    time_poolings,
)
from encoders.networks.spectrogram import LogSpectrogram
from encoders.networks.stem import check_sizes, pool_steps

__all__ = ["FUSIONS", "GRUXNet", "ResidualAttention", "SpectrogramFrames"]

FUSIONS = ("standard", "dynamic")


class SpectrogramFrames(nn.Module):
    """Spectrogram, a CNN an electrode, and fusion of the electrodes: one vector a frame.

    Parameters
    ----------
    n_channels : int
        Electrodes.
    spectrogram : LogSpectrogram
        Of `n_channels` electrodes or, with mode "dynamic", of any number.
    dim : int
        Size of a frame's vector.
    widths : sequence of int
        Channels of the blocks of the CNN.
    mode : "standard" or "dynamic"
        `ConcatenationFusion`, or `AttentionFusion` over any number of electrodes.
    shared_weights : bool
        Whether all electrodes share one CNN.
    width : int
        Size of an electrode's vector before the fusion.
    heads : int
        Of the attention over electrodes.
    dropout : float
        After the CNN.

    Raises
    ------
    ValueError
        If `mode` is unknown, or is "dynamic" without shared weights.
    """

    def __init__(
        self,
        n_channels: int,
        spectrogram: LogSpectrogram,
        dim: int,
        widths: Sequence[int],
        mode: str,
        shared_weights: bool,
        width: int,
        heads: int,
        dropout: float,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, dim=dim, width=width, heads=heads)
        if mode not in FUSIONS:
            raise ValueError(f"mode is {mode!r}; allowed are {list(FUSIONS)}.")
        dynamic = mode == "dynamic"
        if dynamic and not shared_weights:
            raise ValueError('mode "dynamic" reads any electrodes; it needs shared_weights=True.')
        poolings = time_poolings(spectrogram.steps, len(widths))
        self.left = columns_left(spectrogram.steps, poolings)
        self.spectrogram = spectrogram
        self.cnn = ElectrodeCNN(spectrogram.n_bins, poolings, widths, None if shared_weights else n_channels)
        self.squeeze = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.cnn.n_features, width))
        self.fusion: nn.Module = (
            AttentionFusion(width, dim, heads) if dynamic else ConcatenationFusion(n_channels, width, dim)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_frames, dim)."""
        maps = self.cnn(self.spectrogram(x))
        steps = pool_steps(maps.flatten(0, 1), self.left).unflatten(0, maps.shape[:2])
        return self.fusion(self.squeeze(steps))


class ResidualAttention(nn.Module):
    """Self-attention over frames, added to its input and normalised: (batch, n_frames, dim) to the same."""

    def __init__(self, dim: int, heads: int, dropout: float):
        super().__init__()
        if dim % 2 or dim % heads:
            raise ValueError(
                f"dim is {dim} with {heads} heads; allowed are even multiples of {heads}: the two directions "
                f"before share it evenly, and so do the heads."
            )
        self.attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        attended = self.attention(x, x, x, need_weights=False)[0]
        return self.norm(x + self.dropout(attended))


class GRUXNet(nn.Module):
    """Spectrograms, a CNN an electrode, fusion, two-layer bidirectional GRU, four-head self-attention.

    Source: Shakeel and Muntazar 2025, GRU-XNet (github.com/Overproness/GRU-XNet_EEG_Emotion_Recognition),
    after CBSAtt (see `CBSAttention`). Its classifier 256 -> 128 -> classes is the model's ``fusion=(128,)``
    and head.

    Notes
    -----
    What the reference leaves open or does otherwise, and what is done here:

    - Its standard form makes one vector of a whole recording and repeats it ten times before the GRU, which
      keeps no time. Here the GRU reads one vector a frame in both forms.
    - Its dynamic form pads missing electrodes with zeros up to 62. Here it is attention over electrodes: any
      number, in any order, with the same weights; the network does not know where an electrode sits.
    - It concatenates all 128 x frequencies of all electrodes: 32 million weights in one layer at 62
      electrodes. Here a layer that the electrodes share first takes each to `width` numbers.
    - It reads the spectrum's magnitude; here it is the logarithm of the power.
    - It interpolates spectrograms to 129 x 126. Here a frame has eight columns, which the three poolings make
      one, and at most `n_bins` frequencies from `first_bin` on are kept. Where `frame_stride` is no multiple
      of eight, the nearest number of columns that divides it is taken, poolings halve what can be halved, and
      the rest is averaged; a frame of 16 samples has eight columns of 16 samples at a hop of 2.
    - It has weights of their own for each electrode. The default shares them, which one batched convolution
      does fast and which fits the sizes of these data sets; ``shared_weights=False`` is one grouped
      convolution.

    Parameters
    ----------
    n_channels : int
        Electrodes; with mode "dynamic" other numbers are read too.
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector, twice the hidden size of the GRU; even, and a multiple of `heads`.
    mode : "standard" or "dynamic"
    shared_weights : bool
        Whether all electrodes share one CNN.
    width : int
        Size of an electrode's vector before the fusion.
    depth : int
        Layers of the GRU.
    heads : int
        Of the self-attention, and of the attention over electrodes.
    n_fft, hop : int, optional
        Samples of the spectrogram's window and hop; `encoders.stft` has those of a data set, in s.
    n_bins, first_bin : int
        Frequency bins that are kept, and the lowest of them.
    dropout : float
        After the CNN, between layers of the GRU, and in the attention.
    """

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 256,
        mode: str = "standard",
        shared_weights: bool = True,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        n_fft: int | None = None,
        hop: int | None = None,
        n_bins: int = 129,
        first_bin: int = 0,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.attention = ResidualAttention(dim, heads, dropout)
        electrodes = None if mode == "dynamic" else n_channels
        spectrogram = LogSpectrogram(electrodes, frame_stride, n_fft, hop, n_bins, first_bin)
        self.frames = SpectrogramFrames(
            n_channels, spectrogram, dim, (32, 64, 128), mode, shared_weights, width, heads, dropout
        )
        self.frame_stride = frame_stride
        between = dropout if depth > 1 else 0.0
        self.gru = nn.GRU(dim, dim // 2, depth, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        steps, _ = self.gru(self.frames(x))
        return self.attention(steps)
