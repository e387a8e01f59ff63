"""Slow peripheral signals (temperature, SpO2, heart rate, breathing), acceleration, and given features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from encoders.features.channels import Features, by_channel, channel_keys, checked
from encoders.features.numerics import centred, log_positive, slope

__all__ = ["acceleration_features", "given_features", "respiration_features", "slow_features"]

BREATHING_BAND = (0.1, 0.5)  # Hz; 6 to 30 breaths a minute (Charlton et al. 2016)
MOVEMENT_BAND = (0.5, 3.5)  # Hz; steps and gestures (Bouten et al. 1997)


def slow_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Level, spread and trend of each channel.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        ``mean``, ``std``, ``range``, ``q10``, ``q90`` (quantiles) in the unit of `data`; ``slope`` in units
        per minute; ``mean_abs_diff``, mean absolute change in units per second.
    """
    return by_channel(_level, data, sampling_rate, channel_names)


def respiration_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`slow_features` of each channel, and its rate of breathing.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        Those of `slow_features`; ``rate``, breaths per minute: where the spectrum from 0.1 to 0.5 Hz is
        highest (Charlton et al. 2016, Physiol Meas 37); NaN in segments under 10 s, which hold no whole
        breath of the slowest rate, at sampling rates under 1 Hz, at which the fastest would look slow, and
        where the signal is constant.
    """
    rate = by_channel(_breathing_rate, data, sampling_rate, channel_names)
    return slow_features(data, sampling_rate, channel_names) | rate


def given_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Values that the data set gives in place of signals, as they are: the mean over a segment's samples.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples)
    sampling_rate : float
        Not used.
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,)
        A value a channel, by the channel's name.
    """
    values = np.where(np.isfinite(data).all(-1), data.mean(-1, dtype=np.float64), np.nan)
    return dict(zip(channel_keys(channel_names), values.T, strict=True))


def acceleration_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`slow_features` of each axis, and the movement of all axes together.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in g or any other unit
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,)
        Those of `slow_features`; ``magnitude_mean`` and ``magnitude_std`` of the vector's length;
        ``jerk``, mean length of its change in units per second; ``movement_power``, natural logarithm of
        the power of all axes between 0.5 and 3.5 Hz (NaN at rest that is exactly 0);
        ``dominant_frequency`` in Hz, where that power is highest.
    """
    data = checked(data, sampling_rate, channel_names)
    features = by_channel(_level, data, sampling_rate, channel_names)
    gaps = ~np.isfinite(data).all((1, 2))
    movement = _movement(np.where(gaps[:, None, None], 0.0, data), sampling_rate)
    return features | {name: np.where(gaps, np.nan, value) for name, value in movement.items()}


def _breathing_rate(data: np.ndarray, sampling_rate: float) -> Features:
    n_samples = data.shape[-1]
    slowest, fastest = BREATHING_BAND
    if n_samples < sampling_rate / slowest or sampling_rate < 2 * fastest:
        return {"rate": np.full(data.shape[:-1], np.nan)}
    # Padded to steps of a quarter of a breath per minute.
    length = max(n_samples, round(240 * sampling_rate))
    frequencies = np.fft.rfftfreq(length, 1 / sampling_rate)
    inside = (frequencies >= slowest) & (frequencies <= fastest)
    # Centred first: of a constant, the line's rounding would be left over and have a spectrum.
    windowed = signal.detrend(centred(data)) * np.hanning(n_samples)
    power = np.abs(np.fft.rfft(windowed, length)[..., inside]) ** 2
    rate = 60 * frequencies[inside][power.argmax(-1)]
    return {"rate": np.where(power.max(-1) > 0, rate, np.nan)}


def _level(data: np.ndarray, sampling_rate: float) -> Features:
    low, high = np.quantile(data, [0.1, 0.9], axis=-1)
    return {
        "mean": data.mean(-1),
        "std": centred(data).std(-1),
        "slope": 60 * slope(data, sampling_rate),
        "range": np.ptp(data, axis=-1),
        "q10": low,
        "q90": high,
        "mean_abs_diff": np.abs(np.diff(data)).mean(-1) * sampling_rate,
    }


def _movement(data: np.ndarray, sampling_rate: float) -> Features:
    magnitude = np.linalg.norm(data, axis=1)
    length = min(data.shape[-1], max(2, round(8 * sampling_rate)))
    frequencies, density = signal.welch(centred(data), sampling_rate, nperseg=length)
    inside = (frequencies >= MOVEMENT_BAND[0]) & (frequencies <= MOVEMENT_BAND[1])
    features = {
        "magnitude_mean": magnitude.mean(-1),
        "magnitude_std": centred(magnitude).std(-1),
        "jerk": np.linalg.norm(np.diff(data), axis=1).mean(-1) * sampling_rate,
    }
    if not inside.any():
        missing = np.full(len(data), np.nan)
        return features | {"movement_power": missing, "dominant_frequency": missing}
    spectrum = density[..., inside].sum(1)
    total = spectrum.sum(-1) * (frequencies[1] - frequencies[0])
    dominant = np.where(total > 0, frequencies[inside][spectrum.argmax(-1)], np.nan)
    return features | {"movement_power": log_positive(total), "dominant_frequency": dominant}
