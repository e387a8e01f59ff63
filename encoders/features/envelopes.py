"""EMG as it was recorded, with features of every moment beside it as further channels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["ENVELOPES", "raw_and_features"]

ENVELOPES = ("rms", "mav", "zero_crossings", "waveform_length")
WINDOW = 0.1  # s


def raw_and_features(data: np.ndarray, sampling_rate: float, window: float = WINDOW) -> np.ndarray:
    """Raw channels and four envelopes: with 8 channels (n_segments, segment_length, 12).

    The EMG project fed its network with an array of this shape; its description leaves open which four
    features stand beside the eight channels. Chosen here: those of Hudgins' set that need no threshold, in
    a sliding window around each sample, as means over the channels.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µV or mV
    sampling_rate : float, in Hz
    window : float
        Length of the sliding window in s; at the ends of a segment, what of it lies inside.

    Returns
    -------
    ndarray, shape (n_segments, n_samples, n_channels + 4), float32
        The channels as they are, then `ENVELOPES`: RMS and mean absolute value in the unit of `data`, zero
        crossings in Hz, and waveform length in units per second. A segment with a gap has NaN envelopes.

    Raises
    ------
    ValueError
        If `data` has another number of axes, or the window is no longer than a sample.
    """
    width = round(window * sampling_rate)
    problems = []
    if data.ndim != 3:
        problems.append(f"data has shape {data.shape}; allowed is (n_segments, n_channels, n_samples)")
    if width < 2:
        problems.append(
            f"window is {window} s, {width} samples at {sampling_rate} Hz; allowed are 2 samples or more"
        )
    if problems:
        raise ValueError("raw_and_features: " + "; ".join(problems) + ".")
    gap = ~np.isfinite(data).all((1, 2))[:, None, None]
    envelopes = _envelopes(np.where(gap, 0.0, data), width, sampling_rate)
    whole = np.concatenate([data, np.where(gap, np.nan, envelopes)], axis=1, dtype=np.float32)
    return np.ascontiguousarray(whole.swapaxes(1, 2))


def _envelopes(data: np.ndarray, width: int, sampling_rate: float) -> np.ndarray:
    """The four of `ENVELOPES`, shape (n_segments, 4, n_samples)."""
    change = np.diff(data, axis=-1, prepend=data[..., :1])
    crossing = np.diff(data >= 0, axis=-1, prepend=data[..., :1] >= 0)
    means = [(data**2), np.abs(data), crossing * sampling_rate, np.abs(change) * sampling_rate]
    power, *others = (_sliding_mean(values.mean(1), width) for values in means)
    return np.stack([np.sqrt(power.clip(min=0)), *others], axis=1)


def _sliding_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` samples around each sample, of those that exist."""
    inside = ndimage.uniform_filter1d(np.ones(values.shape[-1]), width, mode="constant")
    return ndimage.uniform_filter1d(values, width, axis=-1, mode="constant") / inside
