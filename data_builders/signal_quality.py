"""Quality of one signal: gaps, flat, clipped and held stretches, SNR and sparsity, by channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from data_builders.preprocessing import ECG, EEG, EMG, bridged
from data_builders.recording import Recording, Signal

__all__ = ["BANDS", "COLUMNS", "recording_quality", "signal_quality", "snr", "sparsity"]

BANDS: Mapping[str, tuple[float, float]] = {
    "eeg": (EEG.high_pass or 0.0, EEG.low_pass or np.inf),
    "ecg": (ECG.high_pass or 0.0, ECG.low_pass or np.inf),
    "emg": (EMG.high_pass or 0.0, EMG.low_pass or np.inf),
    "gsr": (0.0, 1.0),  # Boucsein (2012): skin conductance responses hold next to nothing above 1 Hz
    "bvp": (0.5, 8.0),  # Elgendi et al. (2013), PLoS One 8
    "ppg": (0.5, 8.0),
}
"""Hz that a modality's own activity lies in; those of `preprocessing`, but for the GSR's."""

COLUMNS = {
    "modality": "of the recording",
    "channel": "name",
    "sampling_rate": "Hz, as stated",
    "n_samples": "samples",
    "duration": "s",
    "too_short": "shorter than a window",
    "nan_share": "share of samples that are missing, 0 to 1",
    "n_flat": "stretches without any change for `flat_seconds` or over the whole recording",
    "longest_flat": "s",
    "flat_share": "share of the known samples in flat stretches",
    "clipped_share": "share of the known samples in runs at the channel's lowest or highest value",
    "repeated_share": "share of the known samples outside of flat stretches that equal the one before",
    "effective_rate": "Hz, of changes outside of flat stretches",
    "held": "samples are held: the rate is stated too high (regular runs of equal samples)",
    "snr": "dB, power inside the modality's band over the power outside of it",
    "sparsity": "0 (all samples equally large) to 1 (a single peak), Hoyer (2004)",
    "findings": "what is wrong, in words",
}
"""Columns of a quality table, with their units."""

FLAT_SECONDS = 5.0
SHORTEST = 2.0
CLIPPED_RUN = 3  # samples at the extreme, in units of the channel's usual run
BESIDE = 5  # levels next to the extreme
LEAST_CLIPPED = 1e-3  # share of the samples; below it, the extreme may be a single slow peak
SPIKE = 5.0  # times as many samples at the extreme as at any of those
REGULAR = 0.9  # share of runs of one length or the next, from which samples count as held
SEGMENT_SECONDS = 16.0  # of the spectrum, where there are as many: a resolution of 0.06 Hz
CYCLES = 4.0  # of the band's lower edge that a segment of the spectrum must hold


def recording_quality(
    recording: Recording, shortest: float = SHORTEST, flat_seconds: float = FLAT_SECONDS
) -> pd.DataFrame:
    """`signal_quality` of every modality, with the recording's id and subject in front."""
    tables = [
        signal_quality(signal, name, shortest, flat_seconds) for name, signal in recording.signals.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "recording", recording.id)
    table.insert(1, "subject", recording.subject)
    return table


def signal_quality(
    signal: Signal, modality: str = "", shortest: float = SHORTEST, flat_seconds: float = FLAT_SECONDS
) -> pd.DataFrame:
    """What each channel of a signal, as it was recorded, is worth.

    Parameters
    ----------
    signal : Signal
        Before any filter, which would hide flat, clipped and held stretches.
    modality : str
        Names the band of the SNR (`BANDS`); NaN for modalities that have none.
    shortest : float
        Seconds from which a recording is long enough.
    flat_seconds : float
        Seconds without change that make a stretch flat.

    Returns
    -------
    DataFrame, a row a channel
        See `COLUMNS`.

    Notes
    -----
    A coarse converter on a slow signal repeats samples as sample-and-hold does, but irregularly: then
    ``effective_rate`` is low and ``held`` is not set.
    """
    rows = []
    for name, channel in zip(signal.channel_names, signal.data, strict=True):
        row: dict[str, Any] = {"modality": modality, "channel": name, "sampling_rate": signal.sampling_rate}
        row |= {"n_samples": channel.size, "duration": signal.duration}
        row |= {"too_short": signal.duration < shortest, "nan_share": _share(np.isnan(channel))}
        row |= _run_findings(channel, signal.sampling_rate, flat_seconds)
        row |= {"snr": snr(channel, signal.sampling_rate, BANDS.get(modality)), "sparsity": sparsity(channel)}
        rows.append(row | {"findings": _in_words(row)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def snr(channel: np.ndarray, sampling_rate: float, band: tuple[float, float] | None) -> float:
    """Power inside a band over the power outside of it, in dB (Welch, Hann).

    Drift, movement, hum above the band and white noise count as noise as far as they lie outside; noise
    inside counts as signal, so that white noise alone gives the ratio of the bandwidths.

    Parameters
    ----------
    channel : ndarray, shape (n_samples,)
        Gaps (NaN) are bridged by straight lines.
    sampling_rate : float, in Hz
    band : tuple of float, in Hz

    Returns
    -------
    float
        NaN without a band, for constant channels, those shorter than four cycles of the lower edge, and
        rates that hold nothing outside of (or inside) the band.

    Notes
    -----
    The ratio of in-band to out-of-band power is that of Sinderby et al. (1995), J Appl Physiol 79, for
    EMG and of de Haan and Jeanne (2013), IEEE Trans Biomed Eng 60, for pulse waves, with one band.
    """
    if band is None or np.isnan(channel).all():
        return np.nan
    from scipy.signal import welch

    low, high = band
    seconds = max(SEGMENT_SECONDS, CYCLES / low if low else 0.0)
    whole = bridged(channel[None].astype(np.float64), np.isnan(channel)[None])[0]
    length = min(whole.size, round(seconds * sampling_rate))
    if length < CYCLES * sampling_rate / (low or 1.0):
        return np.nan
    # The mean of each segment stays: it holds the drift, which is noise below a band and signal in the GSR's.
    centred = whole - whole.mean()
    frequencies, power = welch(centred, sampling_rate, nperseg=length, detrend=False)
    inside = (frequencies >= low) & (frequencies <= high)
    wanted, other = power[inside].sum(), power[~inside].sum()
    return float(10 * np.log10(wanted / other)) if wanted > 0 and other > 0 else np.nan


def sparsity(channel: np.ndarray) -> float:
    """Hoyer's measure of a channel around its mean, from 0 (all equally large) to 1 (a single peak).

    ``(sqrt(n) - L1 / L2) / (sqrt(n) - 1)``: .10 for a sine and .20 for Gaussian noise, for large n; NaN for
    constant channels. Hoyer (2004), J Mach Learn Res 5.
    """
    known = channel[~np.isnan(channel)].astype(np.float64)
    if known.size < 2 or np.ptp(known) == 0:
        return np.nan
    known -= known.mean()
    root = np.sqrt(known.size)
    return float((root - np.abs(known).sum() / np.sqrt((known**2).sum())) / (root - 1))


def _run_findings(channel: np.ndarray, sampling_rate: float, flat_seconds: float) -> dict[str, float | bool]:
    """What runs of equal samples tell."""
    lengths, values = _runs(channel)
    flat = lengths >= max(2, min(channel.size, round(flat_seconds * sampling_rate)))
    rest = lengths[~flat]
    usual = float(np.median(rest)) if rest.size else 1.0
    repeated = 1 - rest.size / rest.sum() if rest.size else np.nan
    often = np.bincount(rest, minlength=2) if rest.size else np.zeros(2)
    regular = (often[1:] + often[:-1]).max() / max(rest.size, 1)
    return {
        "n_flat": int(flat.sum()),
        "longest_flat": float(lengths[flat].max(initial=0) / sampling_rate),
        "flat_share": float(lengths[flat].sum() / lengths.sum()) if lengths.size else 0.0,
        "clipped_share": _clipped(lengths, values, usual),
        "repeated_share": repeated,
        "effective_rate": sampling_rate * (1 - repeated) if rest.size else 0.0,
        "held": bool(usual >= 2 and regular >= REGULAR),
    }


def _runs(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and values of the runs of equal samples, without those that are missing."""
    starts = np.flatnonzero(np.diff(channel, prepend=np.nan) != 0)
    lengths, values = np.diff(starts, append=channel.size), channel[starts]
    known = ~np.isnan(values)
    return lengths[known], values[known]


def _clipped(lengths: np.ndarray, values: np.ndarray, usual: float) -> float:
    """Share of samples in long runs at an extreme that is far more frequent than the levels beside it.

    The second condition spares the peaks of slow signals from coarse converters: a parabola spends 2.4
    times as long in its last step as in the one before.
    """
    levels, level = np.unique(values, return_inverse=True)
    if levels.size <= BESIDE:
        return 0.0
    counts = np.bincount(level, weights=lengths)
    cut = [e for e, beside in ((0, counts[1 : 1 + BESIDE]), (levels.size - 1, counts[-1 - BESIDE : -1]))
           if counts[e] >= SPIKE * beside.max()]  # fmt: skip
    long = np.isin(level, cut) & (lengths >= CLIPPED_RUN * usual)
    share = float(lengths[long].sum() / lengths.sum())
    return share if share >= LEAST_CLIPPED else 0.0


def _share(mask: np.ndarray) -> float:
    return float(mask.mean()) if mask.size else 0.0


def _in_words(row: Mapping[str, Any]) -> str:
    """All findings of a channel; empty where there are none."""
    texts = {
        "too short": row["too_short"],
        f"{row['nan_share']:.1%} missing": row["nan_share"],
        f"{row['n_flat']} flat ({row['flat_share']:.1%}, up to {row['longest_flat']:.0f} s)": row["n_flat"],
        f"{row['clipped_share']:.1%} clipped": row["clipped_share"],
        f"held: {row['effective_rate']:.4g} of {row['sampling_rate']:g} Hz": row["held"],
    }
    return "; ".join(text for text, found in texts.items() if found)
