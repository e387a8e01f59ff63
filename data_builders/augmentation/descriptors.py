"""What a segment looks like in numbers: amplitude, spectrum, shape and correlations of its channels."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from data_builders.segments import Segments, SignalSpec

__all__ = ["AMPLITUDE", "bands", "describe", "power_spectra"]

AMPLITUDE = ("mean", "log SD", "skewness", "kurtosis")
N_BANDS = 8
N_PAIRED = 8
"""Channels whose correlations with each other are described, from the first one on."""
FLOOR = 1e-4
"""Share of a channel's power under which a band's power is not told apart, as filters leave it."""


def bands(n_samples: int, sampling_rate: float) -> list[tuple[float, float]]:
    """Lower and upper edges in Hz of up to `N_BANDS` bands, even on a logarithmic scale.

    The lowest begins at one wave a segment, the highest ends at half the sampling rate; bands that would
    hold no Fourier component are left out.
    """
    frequencies = np.fft.rfftfreq(n_samples, 1 / sampling_rate)[1:]
    edges = np.geomspace(frequencies[0], frequencies[-1] * (1 + 1e-9), N_BANDS + 1)
    return [(a, b) for a, b in pairwise(edges) if ((frequencies >= a) & (frequencies < b)).any()]


def power_spectra(data: np.ndarray) -> np.ndarray:
    """Power by Fourier component from the second on, shape (n_segments, n_channels, n_samples // 2).

    Under a Hann window and without the mean, in squared units a component; NaN counts as the mean.
    """
    mean = np.nan_to_num(_nanmean(data))
    centred = np.nan_to_num(data.astype(np.float64) - mean)
    window = np.hanning(data.shape[2])
    window /= np.sqrt((window**2).sum() * data.shape[2])
    return 2 * np.abs(np.fft.rfft(centred * window, axis=2)[..., 1:]) ** 2


def band_powers(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Power in each of `bands`, shape (n_segments, n_channels, n_bands)."""
    n_samples = data.shape[2]
    frequencies = np.fft.rfftfreq(n_samples, 1 / sampling_rate)[1:]
    power = power_spectra(data)
    inside = [(frequencies >= a) & (frequencies < b) for a, b in bands(n_samples, sampling_rate)]
    return np.stack([power[..., rows].sum(axis=2) for rows in inside], axis=2)


def amplitudes(data: np.ndarray) -> np.ndarray:
    """The statistics `AMPLITUDE` of each channel, shape (n_segments, n_channels, 4)."""
    mean = _nanmean(data)
    centred = data - mean
    sd = np.sqrt(_nanmean(centred**2))
    scaled = centred / np.where(sd > 0, sd, 1)
    values = [mean, np.log(sd + np.finfo(np.float32).tiny), _nanmean(scaled**3), _nanmean(scaled**4) - 3]
    return np.nan_to_num(np.concatenate(values, axis=2))


def describe(segments: Segments) -> pd.DataFrame:
    """Descriptors of segments, a row a segment; NaN in the signals is left out, so that there is none.

    Returns
    -------
    DataFrame, columns ``<modality> <channel> <descriptor>``
        The `AMPLITUDE` statistics; the logarithm of each band's share of the power; how the power varies
        over the quarters; skewness and kurtosis of the slope; and correlations between channels.
    """
    parts = [_describe_modality(name, data, segments.specs[name]) for name, data in segments.signals.items()]
    return pd.concat(parts, axis=1)


def _describe_modality(name: str, data: np.ndarray, spec: SignalSpec) -> pd.DataFrame:
    power = band_powers(data, spec.sampling_rate)
    share = power / np.maximum(power.sum(axis=2, keepdims=True), np.finfo(float).tiny)
    labels = [
        f"share of {low:.3g} to {high:.3g} Hz" for low, high in bands(data.shape[2], spec.sampling_rate)
    ]
    slope = amplitudes(np.diff(data, axis=2))[..., 2:]
    values = [amplitudes(data), np.log(share + FLOOR), _unsteadiness(data), slope]
    names = [*AMPLITUDE, *labels, "unsteadiness", "skewness of slope", "kurtosis of slope"]
    columns = [f"{name} {channel} {what}" for channel in spec.channel_names for what in names]
    table = np.concatenate(values, axis=2).reshape(len(data), -1)
    pairs = list(combinations(range(min(N_PAIRED, data.shape[1])), 2))
    columns += [f"{name} {spec.channel_names[a]} with {spec.channel_names[b]}" for a, b in pairs]
    return pd.DataFrame(np.hstack([table, _correlations(data, pairs)]), columns=columns)


def _unsteadiness(data: np.ndarray) -> np.ndarray:
    """Standard deviation over the quarters of the logarithm of their standard deviation."""
    quarters = np.array_split(data, 4, axis=2) if data.shape[2] >= 8 else [data]
    return np.std([amplitudes(quarter)[..., 1:2] for quarter in quarters], axis=0)


def _correlations(data: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    centred = np.nan_to_num(data - _nanmean(data)).astype(np.float64)
    scaled = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), np.finfo(np.float32).tiny)
    return np.array([(scaled[:, a] * scaled[:, b]).sum(axis=1) for a, b in pairs]).reshape(-1, len(data)).T


def _nanmean(data: np.ndarray) -> np.ndarray:
    """Mean over time, NaN where there is nothing, without a warning; shape (..., 1)."""
    known = np.isfinite(data)
    count = known.sum(axis=2, keepdims=True)
    total = np.where(known, data, 0).sum(axis=2, keepdims=True, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
