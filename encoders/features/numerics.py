"""Statistics of the last axis that stay exact on constants and quiet on zeros."""

from __future__ import annotations

import numpy as np
from scipy import signal

__all__ = [
    "band_passed",
    "blocks",
    "burg",
    "centred",
    "crossings",
    "filtered",
    "late_minus_early",
    "log_positive",
    "ratio",
    "rms",
    "slope",
]


def centred(data: np.ndarray) -> np.ndarray:
    """Subtract the mean of the last axis; a constant becomes exactly 0, free of rounding residue."""
    shifted = data - data[..., :1]
    return shifted - shifted.mean(-1, keepdims=True)


def filtered(data: np.ndarray, sampling_rate: float, cutoff: float | list[float], kind: str) -> np.ndarray:
    """Zero-phase Butterworth filter of order 2 (4 after both passes) over the last axis.

    Parameters
    ----------
    data : ndarray, shape (..., n_samples)
    sampling_rate : float, in Hz
    cutoff : float or [low, high], in Hz, below half the sampling rate
    kind : ``"lowpass"``, ``"highpass"`` or ``"bandpass"``
    """
    sections = signal.butter(2, cutoff, btype=kind, fs=sampling_rate, output="sos")
    padding = min(3 * (2 * len(sections) + 1), data.shape[-1] - 1)
    return signal.sosfiltfilt(sections, data, axis=-1, padlen=padding)


def band_passed(data: np.ndarray, sampling_rate: float, band: tuple[float, float]) -> np.ndarray:
    """`filtered` to a band in Hz, up to 0.49 of the sampling rate: no filter ends at its half."""
    return filtered(data, sampling_rate, [band[0], min(band[1], 0.49 * sampling_rate)], "bandpass")


def rms(data: np.ndarray) -> np.ndarray:
    """Root of the mean square over the last axis."""
    return np.sqrt(np.einsum("...t,...t->...", data, data) / data.shape[-1])


def slope(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Least-squares slope of the last axis, in units of `data` per second."""
    time = np.arange(data.shape[-1]) / sampling_rate
    time -= time.mean()
    return (data - data[..., :1]) @ time / (time @ time)


def late_minus_early(data: np.ndarray) -> np.ndarray:
    """Mean of the last three quarters of the window minus mean of its first quarter.

    In a window cut around an event the first quarter is the usual baseline; elsewhere this is a trend.
    """
    quarter = max(1, data.shape[-1] // 4)
    shifted = data - data[..., :1]
    return shifted[..., quarter:].mean(-1) - shifted[..., :quarter].mean(-1)


def log_positive(values: np.ndarray) -> np.ndarray:
    """Natural logarithm; NaN where the value is not positive."""
    return np.log(np.where(values > 0, values, np.nan))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient; NaN where the denominator is 0."""
    return numerator / np.where(denominator == 0, np.nan, denominator)


def blocks(data: np.ndarray, size: int) -> np.ndarray:
    """Cut the last axis into blocks, dropping the remainder: shape (..., n_blocks, size)."""
    size = min(size, data.shape[-1])
    n_blocks = data.shape[-1] // size
    return data[..., : n_blocks * size].reshape(*data.shape[:-1], n_blocks, size)


def crossings(data: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """How often the last axis goes from above `threshold` to below -`threshold` or back.

    Parameters
    ----------
    data : ndarray, shape (..., n_samples)
    threshold : ndarray, shape (...), in the unit of `data`

    Returns
    -------
    ndarray of int, shape (...)
    """
    beyond = np.flatnonzero(np.abs(data) > threshold[..., None])
    positive = data.reshape(-1)[beyond] > 0
    change = np.flatnonzero(positive[1:] != positive[:-1])
    row, row_before = (beyond[index] // data.shape[-1] for index in (change + 1, change))
    return np.bincount(row[row == row_before], minlength=threshold.size).reshape(threshold.shape)


def burg(data: np.ndarray, order: int) -> np.ndarray:
    """Coefficients of an autoregressive model of the last axis (Burg 1975).

    Parameters
    ----------
    data : ndarray, shape (..., n_samples), around 0
    order : int

    Returns
    -------
    ndarray, shape (..., order)
        a with x(t) = a[0] x(t - 1) + ... + a[order - 1] x(t - order) + noise; NaN where nothing is left
        to predict (a constant, or fewer samples than `order` and one more).
    """
    if data.shape[-1] <= order:
        return np.full((*data.shape[:-1], order), np.nan)
    forward, backward = data[..., 1:], data[..., :-1]
    coefficients = np.empty((*data.shape[:-1], 0))
    for _ in range(order):
        energy = np.einsum("...t,...t->...", forward, forward) + np.einsum(
            "...t,...t->...", backward, backward
        )
        reflection = ratio(2 * np.einsum("...t,...t->...", forward, backward), energy)[..., None]
        coefficients = np.concatenate(
            [coefficients - reflection * coefficients[..., ::-1], reflection], axis=-1
        )
        forward, backward = (
            (forward - reflection * backward)[..., 1:],
            (backward - reflection * forward)[..., :-1],
        )
    return coefficients
