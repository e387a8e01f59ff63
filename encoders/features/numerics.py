"""Statistics of the last axis that stay exact on constants and quiet on zeros."""

from __future__ import annotations

import numpy as np
from scipy import signal

__all__ = ["blocks", "centred", "filtered", "late_minus_early", "log_positive", "ratio", "rms", "slope"]


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
