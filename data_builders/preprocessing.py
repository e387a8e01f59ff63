"""What happens to a recording before it is cut: resampling with anti-aliasing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from data_builders.recording import Recording, Signal

__all__ = ["HIGHEST_RATES", "resample", "resample_recording"]

HIGHEST_RATES = {"gsr": 8.0, "temperature": 8.0, "eeg": 128.0, "ecg": 256.0, "emg": 1000.0}
"""Hz by modality: above these, the modality's own bands (design of the features) gain nothing."""


def resample(signal: Signal, sampling_rate: float) -> Signal:
    """Polyphase resampling with its anti-aliasing filter (`scipy.signal.resample_poly`).

    The mean is taken off first and put back, since the filter's phases differ a little in gain. Samples
    that fall into a gap (NaN) stay NaN, and no others become it.
    """
    if signal.sampling_rate == sampling_rate:
        return signal
    from scipy.signal import resample_poly

    ratio = Fraction(sampling_rate / signal.sampling_rate).limit_denominator(10_000)
    gaps = np.isnan(signal.data)
    bridged = _bridged(signal.data, gaps)
    mean = bridged.mean(axis=1, keepdims=True, dtype=np.float64)
    data = resample_poly(bridged - mean, ratio.numerator, ratio.denominator, axis=1, padtype="line") + mean
    nearest = np.round(np.arange(data.shape[1]) / float(ratio)).astype(int)
    data[gaps[:, np.minimum(nearest, gaps.shape[1] - 1)]] = np.nan
    return replace(signal, data=data.astype(np.float32), sampling_rate=sampling_rate)


def _bridged(data: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """`data` (n_channels, n_samples) with straight lines over the gaps, which a filter would widen."""
    if not gaps.any():
        return data
    data, samples = data.copy(), np.arange(data.shape[1])
    for channel, gap in zip(data, gaps, strict=True):
        channel[gap] = np.interp(samples[gap], samples[~gap], channel[~gap]) if not gap.all() else 0.0
    return data


def resample_recording(recording: Recording, highest: Mapping[str, float] = HIGHEST_RATES) -> Recording:
    """Bring every modality down to the highest rate that it is stored at; lower rates stay."""
    signals = {
        name: resample(signal, min(signal.sampling_rate, highest.get(name, signal.sampling_rate)))
        for name, signal in recording.signals.items()
    }
    return replace(recording, signals=signals)
