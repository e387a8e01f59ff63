"""Connectivity as a network's input: phase locking, coherence and directed coherence, then an MLP."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from encoders.networks.spectrogram import LogSpectrogram
from encoders.networks.stem import check_sizes, whole_frames

__all__ = ["Connectivity", "coherence", "directed_coherence", "octaves", "phase_locking"]

TINY = 1e-12


def octaves(n_bins: int, n_bands: int) -> list[tuple[int, int]]:
    """First and last bin of the octaves below half the sampling rate, from the highest down.

    The last band is all that is left below the one before, without bin 0: a mean has no phase.
    """
    edges = [(n_bins - 1) >> band for band in range(n_bands)] + [0]
    return [(low + 1, high) for high, low in itertools.pairwise(edges)]


def neighbours_mean(frames: torch.Tensor, context: int) -> torch.Tensor:
    """Mean over each frame and `context` frames on both sides, as far as there are: (batch, n_frames, n)."""
    width = 2 * context + 1
    pooled = functional.avg_pool1d(frames.transpose(1, 2), width, 1, padding=context, count_include_pad=False)
    return pooled.transpose(1, 2)


def complex_mean(frames: torch.Tensor, context: int) -> torch.Tensor:
    """`neighbours_mean` of complex numbers, (batch, n_frames, ...) to the same shape."""
    shape = frames.shape
    real = neighbours_mean(torch.view_as_real(frames).reshape(*shape[:2], -1), context)
    return torch.view_as_complex(real.unflatten(2, (*shape[2:], 2)).contiguous())


def phase_locking(
    x: torch.Tensor, frame_stride: int, bands: list[tuple[int, int]], n_bins: int, context: int = 0
) -> torch.Tensor:
    """Phase-locking value of each pair of channels over each frame.

    The band of a whole window is cut out by its Fourier transform, which also gives the analytic signal.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_frames * frame_stride)
    frame_stride : int
    bands : list of (int, int)
        First and last bin, of `n_bins` from 0 to half the sampling rate.
    n_bins : int
    context : int
        Frames on both sides that are averaged with a frame.

    Returns
    -------
    Tensor, shape (batch, n_frames, n_bands, n_channels, n_channels)
        Symmetric, 1 where the phases keep their difference. Lachaux et al. 1999, Human Brain Mapping 8.
    """
    spectrum = torch.fft.fft(x.float())
    bins = torch.arange(x.shape[-1], device=x.device) * (2 * (n_bins - 1) / x.shape[-1])
    values = []
    for low, high in bands:
        inside = (bins > low - 1) & (bins <= high)
        analytic = torch.fft.ifft(spectrum * inside)
        phases = (analytic / analytic.abs().clamp_min(TINY)).unflatten(2, (-1, frame_stride)).transpose(1, 2)
        # Complex matrices stay in full precision under autocast, which real ones do not.
        values.append(complex_mean(phases @ phases.mH / frame_stride, context).abs())
    return torch.stack(values, dim=2)


def coherence(
    spectra: torch.Tensor, steps: int, bands: list[tuple[int, int]], context: int = 0
) -> torch.Tensor:
    """Magnitude-squared coherence of each pair of channels over the windows of each frame.

    Parameters
    ----------
    spectra : complex Tensor, shape (batch, n_channels, n_bins, n_frames * steps)
    steps : int
        Windows a frame; with one in all, everything is coherent.
    bands : list of (int, int)
        First and last bin; the mean over a band's bins is given.
    context : int
        Frames on both sides that are averaged with a frame.

    Returns
    -------
    Tensor, shape (batch, n_frames, n_bands, n_channels, n_channels)
        Symmetric, 1 where one channel is a filtered copy of the other.
    """
    windows = spectra.unflatten(3, (-1, steps)).permute(0, 3, 2, 1, 4)  # batch, frames, bins, channels, steps
    values = []
    for low, high in bands:
        band = windows[:, :, low : high + 1]
        cross = complex_mean(band @ band.mH, context)
        power = cross.diagonal(dim1=-2, dim2=-1).real
        together = (power.unsqueeze(-1) * power.unsqueeze(-2)).clamp_min(TINY)
        values.append((torch.view_as_real(cross).square().sum(-1) / together).mean(2))
    return torch.stack(values, dim=2)


def directed_coherence(
    x: torch.Tensor, bands: list[tuple[int, int]], n_bins: int, order: int, ridge: float
) -> torch.Tensor:
    """Partial directed coherence of each pair of channels over a whole window.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    bands : list of (int, int)
        First and last bin, of `n_bins` from 0 to half the sampling rate; the mean over a band's bins is
        given.
    n_bins : int
    order : int
        Samples into the past of the autoregression.
    ridge : float
        Added to the variances of the past, as a share of their mean; with it short windows of many channels
        have a solution, drawn towards no influence at all.

    Returns
    -------
    Tensor, shape (batch, n_bands, n_channels, n_channels)
        ``[:, :, i, j]`` is from channel j to channel i. Baccala and Sameshima 2001, Biol. Cybernetics 84.
    """
    coefficients = autoregression(x, order, ridge)
    frequencies = torch.arange(n_bins, device=x.device) / (2 * (n_bins - 1))
    lags = torch.arange(1, order + 1, device=x.device)
    turns = torch.polar(torch.ones(()).to(x.device), -2 * torch.pi * frequencies[:, None] * lags).to(
        coefficients.dtype
    )
    transfer = torch.eye(x.shape[1], device=x.device) - torch.einsum("fk,bkij->bfij", turns, coefficients)
    power = torch.view_as_real(transfer).square().sum(-1)
    shares = (power / power.sum(-2, keepdim=True).clamp_min(TINY)).clamp_min(TINY).sqrt()
    return torch.stack([shares[:, low : high + 1].mean(1) for low, high in bands], dim=1)


def autoregression(x: torch.Tensor, order: int, ridge: float) -> torch.Tensor:
    """Least-squares vector autoregression, complex Tensor of shape (batch, order, n_channels, n_channels).

    ``[:, k - 1, i, j]`` is from channel j to channel i after k samples. In float64: differences of nearly
    equal channels decide, and autocast leaves it alone. Samples before the window count as zeros, so that the
    shortest window has a solution too.
    """
    x = x.double() - x.double().mean(-1, keepdim=True)
    n_channels, n_samples = x.shape[1:]
    padded = functional.pad(x, (order, 0))
    past = torch.cat([padded[..., order - k : order - k + n_samples] for k in range(1, order + 1)], dim=1)
    covariance = past @ past.mT
    scale = covariance.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(TINY)
    eye = torch.eye(order * n_channels, dtype=x.dtype, device=x.device)
    solved = torch.linalg.solve(covariance + ridge * scale[:, None, None] * eye, past @ x.mT)
    return solved.unflatten(1, (order, n_channels)).mT.to(torch.complex64)


class Connectivity(nn.Module):
    """Band powers of the channels and connectivity of their pairs, then a multilayer perceptron.

    The features are those of `encoders.features.connectivity`, in a form that runs on a GPU and is exported.
    Phase locking and coherence are of each frame and `context` frames on both sides, because one frame alone
    is mostly too short for an estimate; partial directed coherence is of the whole window, and its frames
    share it. With one channel there are no pairs, and the band powers are all there is.

    Source: connectivity as features of emotion: Lee and Hsieh 2014, PLoS ONE 9(4), e95415 (correlation,
    coherence, phase synchronisation); the measures are cited at their functions. Sizes are choices of ours.

    Parameters
    ----------
    n_channels : int
    frame_stride : int
        Samples a frame.
    dim : int
        Size of a frame's vector.
    hidden : int
        Size of the hidden layer.
    n_bands : int
        Octaves below half the sampling rate, which the network does not know: at 128 Hz 32-64, 16-32, 8-16 Hz
        and below.
    context : int
        Frames on both sides.
    order, ridge
        Of the autoregression.
    most_channels : int
        Channels whose pairs are looked at, the first ones; the others give their band powers alone. 64 have
        2,016 pairs; derived channels come last in a stream.
    dropout : float
        Of the features and after the hidden layer.
    """

    pairs: torch.Tensor

    def __init__(
        self,
        n_channels: int,
        frame_stride: int,
        dim: int = 64,
        hidden: int = 128,
        n_bands: int = 4,
        context: int = 1,
        order: int = 4,
        ridge: float = 1e-3,
        most_channels: int = 64,
        dropout: float = 0.1,
    ):
        super().__init__()
        check_sizes(n_channels=n_channels, frame_stride=frame_stride, dim=dim, hidden=hidden, order=order)
        check_sizes(n_bands=n_bands, most_channels=most_channels)
        self.n_channels, self.frame_stride, self.context = n_channels, frame_stride, context
        self.order, self.ridge = order, ridge
        self.n_paired = min(n_channels, most_channels)
        self.spectrogram = LogSpectrogram(n_channels, frame_stride, smallest=2 ** (n_bands + 1))
        self.bands = octaves(self.spectrogram.n_bins, n_bands)
        rows, columns = torch.triu_indices(self.n_paired, self.n_paired, 1)
        self.register_buffer("pairs", torch.stack([rows, columns]), persistent=False)
        n_features = n_bands * (n_channels + 4 * len(rows))
        self.mlp = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(n_features, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
        )
        self.norm = nn.BatchNorm1d(n_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, n_channels, n_samples) to (batch, n_samples // frame_stride, dim)."""
        features = self.features(x)
        return self.mlp(self.norm(features.flatten(0, 1))).unflatten(0, features.shape[:2])

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Powers, phase locking, coherence, directed coherence both ways: (batch, n_frames, n_features)."""
        x = whole_frames(x, self.n_channels, self.frame_stride).float()
        spectra, steps = self.spectrogram.spectra(x), self.spectrogram.steps
        powers = self._powers(spectra)
        if self.n_paired == 1:
            return powers
        first, n_bins = x[:, : self.n_paired], self.spectrogram.n_bins
        locking = phase_locking(first, self.frame_stride, self.bands, n_bins, self.context)
        coherent = coherence(spectra[:, : self.n_paired], steps, self.bands, self.context)
        directed = directed_coherence(first, self.bands, n_bins, self.order, self.ridge)
        i, j = self.pairs
        shared = torch.cat([directed[..., i, j], directed[..., j, i]], dim=2).flatten(1)
        own = torch.cat([locking[..., i, j], coherent[..., i, j]], dim=3).flatten(2)
        shared = shared.float().unsqueeze(1).expand(-1, own.shape[1], -1)
        return torch.cat([powers, own, shared], dim=2)

    def _powers(self, spectra: torch.Tensor) -> torch.Tensor:
        """Log powers of the bands, (batch, n_frames, n_bands * n_channels)."""
        power = (
            torch.view_as_real(spectra).square().sum(-1).unflatten(3, (-1, self.spectrogram.steps)).mean(4)
        )
        bands = [power[:, :, low : high + 1].mean(2) for low, high in self.bands]
        return torch.log(torch.stack(bands, dim=1) + 1e-4).flatten(1, 2).transpose(1, 2)
