"""Surface EMG: amplitude, spectrum, bursts, and how they change inside the window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from encoders.features.channels import Features, by_channel
from encoders.features.numerics import (
    blocks,
    burg,
    centred,
    crossings,
    filtered,
    log_positive,
    ratio,
    rms,
    slope,
)

__all__ = ["emg_features", "full_emg_features"]

HIGH_PASS = 20.0  # Hz; motion artefacts lie below (De Luca et al. 2010)
BLOCK = 0.1  # s, of the amplitude envelope
AR_ORDER = 4
CLEAR = 0.1  # of the RMS: what must be passed on both sides of 0 for a change of sign to be clear of noise
BURST = 2.0  # a burst is this many times the resting amplitude, the envelope's lower quartile


def emg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Features of each EMG channel above 20 Hz, or above a tenth of the rate where that is lower.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µV or mV
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        ``rms`` and ``mav`` (mean absolute value) in the unit of `data`; ``log_rms`` its natural logarithm;
        ``waveform_length`` in units per second; ``zero_crossings``, ``mean_frequency`` and
        ``median_frequency`` in Hz (Welch, 1 s Hann windows); ``burst_rate`` in bursts per second;
        ``slope``, of the log envelope, per second; ``contrast``, log RMS of the last three quarters
        of the window minus that of the first.

    Notes
    -----
    Phinyomark et al. (2012), Expert Systems with Applications 39; the contrast is the baseline correction
    of facial EMG (Fridlund and Cacioppo 1986), blind to when the event was.
    """
    return by_channel(_measure, data, sampling_rate, channel_names)


def full_emg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`emg_features` and the rest of the usual set, for each channel.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µV or mV
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        Those of `emg_features`; ``mean`` of the signal as recorded, in its unit; and above the high-pass:
        ``variance`` in its unit squared; ``clear_zero_crossings`` and ``slope_sign_changes`` in Hz, changes
        of sign of the signal and of its differences that pass 10 % of their RMS on both sides of 0;
        ``ar1`` to ``ar4``, x(t) = ar1 x(t - 1) + ... + ar4 x(t - 4) + noise, by Burg's method (NaN for a
        constant). AR coefficients are comparable at one sampling rate only.

    Notes
    -----
    Hudgins et al. (1993), IEEE Trans Biomed Eng 40, and Phinyomark et al. (2012) count changes of sign
    over a threshold in µV between two samples, which depends on the gain and the rate; this one on neither.
    """
    return by_channel(_measure_all, data, sampling_rate, channel_names)


def _measure_all(data: np.ndarray, sampling_rate: float) -> Features:
    fast, cutoff = _above_motion(data, sampling_rate)
    coefficients = burg(fast, AR_ORDER)
    return _describe(fast, sampling_rate, cutoff) | {
        "mean": data.mean(-1),
        "variance": fast.var(-1),
        "clear_zero_crossings": _clear_crossings(fast) * sampling_rate,
        "slope_sign_changes": _clear_crossings(np.diff(fast)) * sampling_rate,
        **{f"ar{lag}": coefficients[..., lag - 1] for lag in range(1, AR_ORDER + 1)},
    }


def _clear_crossings(data: np.ndarray) -> np.ndarray:
    return crossings(data, CLEAR * rms(data)) / data.shape[-1]


def _above_motion(data: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, float]:
    cutoff = min(HIGH_PASS, sampling_rate / 10)
    return filtered(centred(data), sampling_rate, cutoff, "highpass"), cutoff


def _measure(data: np.ndarray, sampling_rate: float) -> Features:
    fast, cutoff = _above_motion(data, sampling_rate)
    return _describe(fast, sampling_rate, cutoff)


def _describe(data: np.ndarray, sampling_rate: float, cutoff: float) -> Features:
    amplitude = rms(data)
    mean_frequency, median_frequency = _spectrum(data, sampling_rate, cutoff)
    positive = data >= 0
    size = max(2, round(BLOCK * sampling_rate))
    envelope = rms(blocks(data, size))
    quarter = max(1, data.shape[-1] // 4)
    return {
        "rms": amplitude,
        "mav": np.abs(data).mean(-1),
        "log_rms": log_positive(amplitude),
        "waveform_length": np.abs(np.diff(data)).mean(-1) * sampling_rate,
        "zero_crossings": (positive[..., 1:] != positive[..., :-1]).mean(-1) * sampling_rate,
        "mean_frequency": mean_frequency,
        "median_frequency": median_frequency,
        "burst_rate": _count_bursts(envelope) / (data.shape[-1] / sampling_rate),
        "slope": _log_slope(envelope, sampling_rate / size),
        "contrast": log_positive(rms(data[..., quarter:])) - log_positive(rms(data[..., :quarter])),
    }


def _spectrum(data: np.ndarray, sampling_rate: float, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and median frequency of the power above `cutoff`, in Hz."""
    length = min(data.shape[-1], max(2, round(sampling_rate)))
    frequencies, power = signal.welch(data, sampling_rate, nperseg=length, detrend=False)
    frequencies, power = frequencies[frequencies >= cutoff], power[..., frequencies >= cutoff]
    total = power.sum(-1)
    width = sampling_rate / length
    return ratio(power @ frequencies, total), _median_frequency(frequencies, power, width)


def _median_frequency(frequencies: np.ndarray, power: np.ndarray, width: float) -> np.ndarray:
    """Frequency that halves the power, which each bin spreads evenly over its width."""
    below = np.cumsum(power, axis=-1)
    half = below[..., -1:] / 2
    index = (below < half).sum(-1, keepdims=True)
    excess = np.take_along_axis(below, index, -1) - half
    share = ratio(excess, np.take_along_axis(power, index, -1))
    return (frequencies[index] + (0.5 - share) * width)[..., 0]


def _count_bursts(envelope: np.ndarray) -> np.ndarray:
    resting = np.quantile(envelope, 0.25, axis=-1, keepdims=True)
    active = np.insert(envelope > BURST * resting, 0, False, axis=-1)
    return (active[..., 1:] & ~active[..., :-1]).sum(-1)


def _log_slope(envelope: np.ndarray, rate: float) -> np.ndarray:
    if envelope.shape[-1] < 2:
        return np.full(envelope.shape[:-1], np.nan)
    return slope(log_positive(envelope), rate)
