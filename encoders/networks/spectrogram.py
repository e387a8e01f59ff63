"""From samples to spectra over time, a fixed number of columns a frame."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.stem import check_sizes, steps_per_frame, whole_frames

__all__ = ["LogSpectrogram", "band_levels"]

FLOOR = (
    1e-4  # of the power of white noise of variance 1: -40 dB, so that a silent channel stays near the others
)
SMALLEST_WINDOW = 16  # samples: below that a spectrum has no frequencies to speak of


class LogSpectrogram(nn.Module):
    """Logarithm of the power in short windows, centred on equal parts of a frame.

    A frame has `steps` columns. The window of a column is centred on it; before the first and after the last
    sample there are zeros. White noise of variance 1 has power 1 in every bin. All of it is in float32, under
    autocast too: bfloat16 has no Fourier transform.

    Parameters
    ----------
    n_channels : int or None
        None takes any number of channels.
    frame_stride : int
        Samples a frame.
    n_fft : int, optional
        Samples of the Hann window; by default two hops, that is half overlapping, and at least 16.
    hop : int, optional
        Samples from window to window, a divisor of `frame_stride`; by default an eighth of a frame or what
        is nearest to it among its divisors: a single column where `frame_stride` is 1 or a large prime.
    n_bins : int, optional
        Frequency bins that are kept, where there are more; by default all.
    first_bin : int
        The lowest that is kept; a bin is the sampling rate over `n_fft` wide.
    smallest : int
        Least `n_fft` of the default.

    Raises
    ------
    ValueError
        If `hop` is no divisor of `frame_stride`, a size is not positive, or there is no bin `first_bin`.
    """

    window: torch.Tensor

    def __init__(
        self,
        n_channels: int | None,
        frame_stride: int,
        n_fft: int | None = None,
        hop: int | None = None,
        n_bins: int | None = None,
        first_bin: int = 0,
        smallest: int = SMALLEST_WINDOW,
    ):
        super().__init__()
        check_sizes(n_channels=1 if n_channels is None else n_channels, frame_stride=frame_stride)
        hop = frame_stride // steps_per_frame(frame_stride, 8) if hop is None else hop
        n_fft = max(2 * hop, smallest) if n_fft is None else n_fft
        n_bins = n_fft // 2 + 1 if n_bins is None else n_bins
        check_sizes(n_fft=n_fft, hop=hop, n_bins=n_bins)
        if frame_stride % hop or n_fft < hop:
            raise ValueError(
                f"hop is {hop} with n_fft {n_fft} and frames of {frame_stride} samples; a hop divides the "
                "frame and is at most n_fft: change frame_seconds, hop or n_fft."
            )
        self.n_channels, self.frame_stride, self.n_fft, self.hop = n_channels, frame_stride, n_fft, hop
        if not 0 <= first_bin <= n_fft // 2:
            raise ValueError(f"first_bin is {first_bin}; n_fft {n_fft} has bins from 0 to {n_fft // 2}.")
        self.steps = frame_stride // hop
        self.first_bin, self.n_bins = first_bin, min(n_bins, n_fft // 2 + 1 - first_bin)
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window / window.square().sum().sqrt(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_channels, n_bins, n_frames * steps)."""
        return torch.log(torch.view_as_real(self.spectra(x)).square().sum(-1) + FLOOR)

    def spectra(self, x: torch.Tensor) -> torch.Tensor:
        """The same before power and logarithm, complex."""
        n_channels = self.n_channels or x.shape[1]
        x = whole_frames(x, n_channels, self.frame_stride)
        spare = self.n_fft - self.hop
        x = functional.pad(x.flatten(0, 1).float(), (spare // 2, spare - spare // 2))
        spectra = torch.stft(x, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)[
            :, self.first_bin : self.first_bin + self.n_bins
        ]
        return spectra.unflatten(0, (-1, n_channels))


def band_levels(spectrogram: torch.Tensor, n_bands: int) -> torch.Tensor:
    """Log of the mean power of the octaves below half the sampling rate, from the highest down.

    Networks do not know the sampling rate. At 128 Hz the octaves are 32-64, 16-32, 8-16 and 4-8 Hz, near the
    usual gamma, beta, alpha and theta; the last band is all that is below the one before.

    Parameters
    ----------
    spectrogram : Tensor, shape (batch, n_channels, n_bins, n_columns)
        With all bins from 0 to half the sampling rate, at least ``2 ** (n_bands - 1) + 1``.

    Returns
    -------
    Tensor, shape (batch, n_channels, n_bands, n_columns)
    """
    last = spectrogram.shape[2] - 1
    edges = [last >> band for band in range(n_bands)] + [-1]
    pairs = itertools.pairwise(edges)
    bands = [spectrogram[:, :, low + 1 : high + 1].logsumexp(2) - math.log(high - low) for high, low in pairs]
    return torch.stack(bands, dim=2)
