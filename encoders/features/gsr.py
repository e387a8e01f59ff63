"""Skin conductance: tonic level and phasic responses, at the 4 to 8 Hz of wearables as in the lab."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from encoders.features.channels import Features, by_channel
from encoders.features.numerics import blocks, filtered, late_minus_early, ratio, slope

__all__ = ["detect_scr", "full_gsr_features", "gsr_features"]

RATE = 8.0  # Hz; faster signals are averaged down to about this
LOW_PASS = 1.0  # Hz
LOWEST_RATE = 3.0  # Hz, for responses
CRITERION = 0.02  # µS, the least amplitude
NOISE = 5.0  # and the least amplitude over the standard deviation of the noise
MOST_NOISE = CRITERION / (NOISE * 2**0.5)  # µS; a peak minus a trough has the noise of both
RISE = (0.5, 6.0)  # s
MEDIAN_TO_SD = 1.4826  # standard deviation of a Gaussian over its median absolute value
RESPONSES = ("scr_rate", "scr_amplitude", "scr_rise_time", "phasic_area")
TONIC = 8.0  # s, of the median filter whose output is the tonic level


def gsr_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Level, trend and skin conductance responses (SCRs) of each channel.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µS
    sampling_rate : float, in Hz
        Below 3 Hz responses cannot be seen, and their features are NaN.
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        ``level``, ``std``, ``minimum``, ``maximum``, ``contrast`` (last three quarters minus first) and
        ``mean_abs_slope`` per second, in µS; ``slope`` in µS per minute; ``scr_rate`` per minute;
        ``scr_amplitude`` mean in µS (0 without responses); ``scr_rise_time`` mean in s (NaN without);
        ``phasic_area``, of what rises above the tonic level, in µS s per minute.

    Notes
    -----
    Boucsein (2012), Electrodermal Activity, 2nd ed.: trough-to-peak amplitudes over a criterion
    of 0.01-0.05 µS. The tonic level is an 8 s running median.
    """
    return by_channel(_measure, data, sampling_rate, channel_names)


def full_gsr_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`gsr_features` with the tonic level and the count of responses, refused where noise hides them.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µS
    sampling_rate : float, in Hz
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel
        Those of `gsr_features`; ``tonic_level``, mean of the running median, in µS; ``scr_count``, the
        responses in the window; ``scr_noise``, standard deviation of the noise below 1 Hz in µS. Above
        0.0028 µS rises of 0.02 µS are within five standard deviations of a difference of noise, which
        would decide what is a response: all that is said of responses and ``phasic_area`` are NaN
        there, as they are below 3 Hz.

    Notes
    -----
    The noise is that above 1 Hz by its median, so that the rises of large responses do not count as noise,
    and taken as white. `gsr_features` takes its standard deviation and refuses no segment.
    """
    return by_channel(_measure_all, data, sampling_rate, channel_names)


def detect_scr(
    data: np.ndarray, sampling_rate: float
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Find the responses whose trough and peak both lie in the window.

    A rise counts if it is larger than 0.02 µS and than five standard deviations of the noise
    below 1 Hz, as extrapolated from the noise above it, so that white noise has (almost) no responses.

    Parameters
    ----------
    data : ndarray, shape (..., n_samples), in µS
    sampling_rate : float, in Hz, at least 3

    Returns
    -------
    where : tuple of ndarray, shape (n_responses,)
        Index of each response into the axes of `data`; the last is the peak's sample.
    amplitude : ndarray, shape (n_responses,), in µS
    rise_time : ndarray, shape (n_responses,), in s
    """
    smooth = _smooth(data, sampling_rate)
    share = 2 * LOW_PASS / sampling_rate
    noise = (data - smooth).std(-1) * np.sqrt(share / (1 - share))
    criterion = np.maximum(CRITERION, NOISE * noise)
    rising = np.diff(smooth) > 0
    trough, peak = _pairs(rising)
    amplitude = smooth[peak] - smooth[trough]
    rise_time = (peak[-1] - trough[-1]) / sampling_rate
    kept = (amplitude >= criterion[peak[:-1]]) & (rise_time >= RISE[0]) & (rise_time <= RISE[1])
    kept &= (trough[-1] > 0) & (peak[-1] < data.shape[-1] - 1)
    return tuple(axis[kept] for axis in peak), amplitude[kept], rise_time[kept]


def _pairs(rising: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """First and last sample of each run of rises, matched one to one."""
    edge = np.zeros((*rising.shape[:-1], 1), dtype=bool)
    padded = np.concatenate([edge, rising, edge], axis=-1)
    return np.nonzero(padded[..., 1:] & ~padded[..., :-1]), np.nonzero(padded[..., :-1] & ~padded[..., 1:])


def _smooth(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    first = data[..., :1]
    return first + filtered(data - first, sampling_rate, LOW_PASS, "lowpass")


def _measure(data: np.ndarray, sampling_rate: float) -> Features:
    data, sampling_rate = _averaged(data, sampling_rate)
    return _describe(data, sampling_rate, _tonic(data, sampling_rate))


def _measure_all(data: np.ndarray, sampling_rate: float) -> Features:
    data, sampling_rate = _averaged(data, sampling_rate)
    tonic = _tonic(data, sampling_rate)
    features = _describe(data, sampling_rate, tonic) | {"tonic_level": tonic.mean(-1)}
    features["scr_count"] = features["scr_rate"] * data.shape[-1] / sampling_rate / 60
    noise = _noise(data, sampling_rate)
    hidden = ~(noise <= MOST_NOISE)  # NaN, a rate that is too low, hides them too
    refused = {name: np.where(hidden, np.nan, features[name]) for name in (*RESPONSES, "scr_count")}
    return features | refused | {"scr_noise": noise}


def _averaged(data: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, float]:
    step = max(1, min(int(sampling_rate / RATE), data.shape[-1] // 2))
    return blocks(data, step).mean(-1), sampling_rate / step


def _noise(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Standard deviation of white noise below 1 Hz, by the median of what is above it."""
    if sampling_rate < LOWEST_RATE:
        return np.full(data.shape[:-1], np.nan)
    share = 2 * LOW_PASS / sampling_rate
    above = np.median(np.abs(data - _smooth(data, sampling_rate)), axis=-1)
    return MEDIAN_TO_SD * above * np.sqrt(share / (1 - share))


def _describe(data: np.ndarray, sampling_rate: float, tonic: np.ndarray) -> Features:
    features = {
        "level": data.mean(-1),
        "std": (data - data[..., :1]).std(-1),
        "minimum": data.min(-1),
        "maximum": data.max(-1),
        "slope": 60 * slope(data, sampling_rate),
        "contrast": late_minus_early(data),
        "mean_abs_slope": np.abs(np.diff(data)).mean(-1) * sampling_rate,
    }
    if sampling_rate < LOWEST_RATE:
        missing = np.full(data.shape[:-1], np.nan)
        return features | dict.fromkeys(RESPONSES, missing)
    area = 60 * (data - tonic).clip(min=0).mean(-1)
    return features | _responses(data, sampling_rate) | {"phasic_area": area}


def _responses(data: np.ndarray, sampling_rate: float) -> Features:
    where, amplitude, rise_time = detect_scr(data, sampling_rate)
    shape = data.shape[:-1]
    row = np.ravel_multi_index(where[:-1], shape)
    count, total, rise = (
        np.bincount(row, weights, minlength=int(np.prod(shape))).reshape(shape)
        for weights in (None, amplitude, rise_time)
    )
    return {
        "scr_rate": count / data.shape[-1] * sampling_rate * 60,
        "scr_amplitude": total / np.maximum(count, 1),
        "scr_rise_time": ratio(rise, count),
    }


def _tonic(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    width = 2 * round(TONIC * sampling_rate / 2) + 1
    return ndimage.median_filter(data, size=width, axes=(data.ndim - 1,), mode="nearest")
