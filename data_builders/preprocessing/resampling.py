"""Resampling with anti-aliasing, over gaps, with or without a look ahead."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from data_builders.recording import Signal

__all__ = ["HIGHEST_RATES", "bridged", "resample"]

HIGHEST_RATES = {"gsr": 8.0, "temperature": 8.0, "eeg": 128.0, "ecg": 256.0, "emg": 1000.0}
"""Hz by modality: above these, the modality's own bands (design of the features) gain nothing."""
HALF_LENGTH = 10
"""Reach of `scipy.signal.resample_poly`'s filter either way, in samples of the lower rate."""


def resample(signal: Signal, sampling_rate: float, causal: bool = False) -> Signal:
    """Polyphase resampling with its anti-aliasing filter (`scipy.signal.resample_poly`).

    An offset is taken off first and put back, since the filter's phases differ a little in gain. Samples
    that fall into a gap (NaN) stay NaN, and no others become it.

    Parameters
    ----------
    signal : Signal
    sampling_rate : float, in Hz
    causal : bool
        Delay the result by the filter's reach, ten samples of the lower rate, so that it never depends on
        what comes later.
    """
    if signal.sampling_rate == sampling_rate:
        return signal
    from scipy.signal import resample_poly

    ratio = Fraction(sampling_rate / signal.sampling_rate).limit_denominator(10_000)
    gaps = np.isnan(signal.data)
    whole = bridged(signal.data, gaps, causal)
    # A line through the ends makes good ends, but knows the last sample.
    offset = whole[:, :1] if causal else whole.mean(axis=1, keepdims=True, dtype=np.float64)
    ends = "constant" if causal else "line"
    data = resample_poly(whole - offset, ratio.numerator, ratio.denominator, axis=1, padtype=ends)
    delay = _reach(ratio) if causal else 0
    data = np.pad(data, ((0, 0), (delay, 0)))[:, : data.shape[1]] + offset
    if gaps.any():
        nearest = np.round((np.arange(data.shape[1]) - delay) / float(ratio)).astype(int)
        data[gaps[:, np.clip(nearest, 0, gaps.shape[1] - 1)]] = np.nan
    return replace(signal, data=data.astype(np.float32), sampling_rate=sampling_rate)


def _reach(ratio: Fraction) -> int:
    """Samples of the result by which the filter looks ahead, rounded up."""
    return -(-HALF_LENGTH * max(ratio.numerator, ratio.denominator) // ratio.denominator)


def bridged(data: np.ndarray, gaps: np.ndarray, causal: bool = False) -> np.ndarray:
    """`data` (n_channels, n_samples) with straight lines over the gaps, which a filter would widen.

    With `causal` the last value is held instead, since a line knows where it will end. A channel without
    any value becomes 0.
    """
    if not gaps.any():
        return data
    data, samples = data.copy(), np.arange(data.shape[1])
    for channel, gap in zip(data, gaps, strict=True):
        if gap.all():
            channel[:] = 0.0
        elif causal:
            last = np.maximum.accumulate(np.where(gap, -1, samples))
            channel[:] = channel[np.where(last < 0, np.argmin(gap), last)]
        else:
            channel[gap] = np.interp(samples[gap], samples[~gap], channel[~gap])
    return data
