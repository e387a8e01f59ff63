"""Butterworth filters and notches for a signal's actual rate, over gaps, zero-phase or causal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_builders.preprocessing.resampling import bridged

__all__ = ["NOTCH_QUALITY", "apply_filter", "design_filter", "high_pass_fault", "ineffective"]

NOTCH_QUALITY = 30.0
"""Centre frequency over the width at -3 dB: 1.7 Hz wide at 50 Hz."""


def design_filter(
    sampling_rate: float,
    high_pass: float | None,
    low_pass: float | None,
    notch: Sequence[float] = (),
    order: int = 4,
) -> np.ndarray:
    """Second-order sections of a Butterworth high-pass and low-pass and of notches.

    A low-pass or notch that `ineffective` names is left out: nothing is there that it could take off.

    Parameters
    ----------
    sampling_rate, high_pass, low_pass : float, in Hz
        None for no such filter.
    notch : sequence of float, in Hz
    order : int
        Of each Butterworth filter, run once.

    Returns
    -------
    ndarray, shape (n_sections, 6)

    Raises
    ------
    ValueError
        If the high-pass lies at or above half of the rate, where it would leave nothing.
    """
    from scipy import signal

    if fault := high_pass_fault(sampling_rate, high_pass):
        raise ValueError(f"{fault}.")
    sections = [np.empty((0, 6))]
    if high_pass:
        sections.append(signal.butter(order, high_pass, "highpass", fs=sampling_rate, output="sos"))
    if low_pass and low_pass < sampling_rate / 2:
        sections.append(signal.butter(order, low_pass, "lowpass", fs=sampling_rate, output="sos"))
    for frequency in notch:
        if frequency < sampling_rate / 2:
            b, a = signal.iirnotch(frequency, NOTCH_QUALITY, fs=sampling_rate)
            sections.append(np.concatenate([b, a])[None])
    return np.concatenate(sections)


def high_pass_fault(sampling_rate: float, high_pass: float | None) -> str:
    """Why a high-pass cannot be had at this rate, and what to do; empty where it can."""
    if not high_pass or high_pass < sampling_rate / 2:
        return ""
    return (
        f"high_pass is {high_pass:g} Hz at {sampling_rate:g} Hz; allowed is below {sampling_rate / 2:g} Hz, "
        "half of the rate, since nothing of the signal would be left. Lower it, or set it to null"
    )


def ineffective(sampling_rate: float, low_pass: float | None, notch: Sequence[float] = ()) -> list[str]:
    """The low-pass and notches that are left out at this rate, with the reason."""
    edges = [("low-pass", low_pass), *(("notch", frequency) for frequency in notch)]
    return [
        f"{kind} {frequency:g} Hz left out: nothing lies above {sampling_rate / 2:g} Hz, half of the rate"
        for kind, frequency in edges
        if frequency and frequency >= sampling_rate / 2
    ]


def apply_filter(data: np.ndarray, sections: np.ndarray, padding: int, causal: bool = False) -> np.ndarray:
    """Filter all channels at once; gaps (NaN) are bridged for the filter and restored.

    Parameters
    ----------
    data : ndarray, shape (n_channels, n_samples)
    sections : ndarray, shape (n_sections, 6)
        Of `design_filter`.
    padding : int
        Samples by which the ends are mirrored before a zero-phase filter; as long as the slowest
        transient, or as the signal allows.
    causal : bool
        Run the filter forwards only, from its steady state at the first value.

    Returns
    -------
    ndarray, shape (n_channels, n_samples), float64 while anything was filtered
    """
    if not len(sections) or not data.shape[1]:
        return data
    from scipy import signal

    gaps = np.isnan(data)
    whole = bridged(data, gaps, causal)
    if causal:
        start = signal.sosfilt_zi(sections)[:, None, :] * whole[None, :, :1]
        filtered, _ = signal.sosfilt(sections, whole, axis=1, zi=start)
    else:
        padding = min(padding, data.shape[1] - 1)
        filtered = signal.sosfiltfilt(sections, whole, axis=1, padlen=padding)
    if gaps.any():
        filtered[gaps] = np.nan
    return filtered
