"""Slow peripheral signals (temperature, SpO2, heart rate) and acceleration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from encoders.features.channels import Features, by_channel, checked
from encoders.features.numerics import centred, log_positive, slope

__all__ = ["acceleration_features", "slow_features"]

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
