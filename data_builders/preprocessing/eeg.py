"""EEG: flat and loud stretches, eye artefacts, average reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data_builders.recording import Signal

if TYPE_CHECKING:
    import mne

__all__ = [
    "LEAST_CHANNELS",
    "average_reference",
    "reject_flat",
    "reject_loud",
    "without_eog_components",
    "without_eog_regression",
]

MICROVOLTS = {"µV": 1.0, "μV": 1.0, "uV": 1.0, "mV": 1e3, "V": 1e6}
MOST_LOUD = 0.5  # share of a recording
MARGIN = 0.2  # s around a loud sample, in which the artefact rises and falls
EOG_CORRELATION = 0.5
"""Least absolute correlation of a component with the EOG; a z-score over components needs many channels."""
LEAST_CHANNELS = 4
"""With fewer channels, their mean is mostly what each of them shows, and the reference would take it off."""


def reject_flat(signal: Signal, seconds: float, causal: bool = False) -> Signal:
    """`signal` with NaN where a channel has not changed for `seconds`; when causal, from then on."""
    least = max(2, round(seconds * signal.sampling_rate))
    data = signal.data.copy()
    for channel in data:
        edges = np.flatnonzero(np.diff(channel, prepend=np.nan, append=np.nan) != 0)
        for run in np.flatnonzero(np.diff(edges) >= least):
            first = edges[run] + least - 1 if causal else edges[run]
            channel[first : edges[run + 1]] = np.nan
    return replace(signal, data=data)


def reject_loud(signal: Signal, microvolts: float, causal: bool = False) -> Signal:
    """`signal` with NaN within 0.2 s of what is beyond ±`microvolts`; when causal, only after it.

    Stretches are taken out of the channel and not whole windows, so that the other channels and every
    window length keep what they have.

    Raises
    ------
    ValueError
        If the unit is none of volts, or more than half of all samples are loud, as in a wrong unit.
    """
    from scipy.ndimage import binary_dilation

    if signal.unit not in MICROVOLTS:
        raise ValueError(
            f"EEG is in {signal.unit!r}; allowed for rejection at {microvolts:g} µV is one of "
            f"{list(MICROVOLTS)}. State the unit to the reader, or set eeg's 'loudest' to null."
        )
    loud = np.abs(signal.data) * MICROVOLTS[signal.unit] > microvolts
    if loud.size and loud.mean() > MOST_LOUD:
        raise ValueError(
            f"EEG: {loud.mean():.0%} of the samples are beyond ±{microvolts:g} µV; allowed is up to "
            f"{MOST_LOUD:.0%}. Is the unit really {signal.unit!r}? State it to the reader, leave the "
            "recording out, or set eeg's 'loudest'."
        )
    reach = round(MARGIN * signal.sampling_rate)
    around = np.ones(2 * reach + 1, bool)
    around[: reach * causal] = False
    loud = binary_dilation(loud, around[None])
    return replace(signal, data=np.where(loud, np.nan, signal.data))


def average_reference(signal: Signal) -> Signal:
    """`signal` minus the mean over the channels that are no gap at the time."""
    known = np.isfinite(signal.data)
    total = np.where(known, signal.data, 0).sum(axis=0, dtype=np.float64)
    return replace(signal, data=signal.data - total / np.maximum(known.sum(axis=0), 1))


def without_eog_regression(signal: Signal, eog: Signal) -> Signal:
    """`signal` minus what the EOG channels explain of it by least squares.

    Parameters
    ----------
    signal, eog : Signal
        Filtered alike, at the same rate and of the same length.

    Notes
    -----
    Gratton, Coles and Donchin (1983), Electroencephalogr Clin Neurophysiol 55, without their epochs; a
    part of the brain's activity, which the EOG sees too, is lost (Croft and Barry 2000).
    """
    known = np.isfinite(eog.data).all(axis=0)
    explained = np.where(known, eog.data, 0).astype(np.float64)
    data = signal.data.astype(np.float64)
    for channel in data:
        rows = known & np.isfinite(channel)
        weights, *_ = np.linalg.lstsq(explained[:, rows].T, channel[rows], rcond=None)
        channel -= weights @ explained
    return replace(signal, data=data)


def without_eog_components(signal: Signal, eog: Signal | None, channels: tuple[str, ...]) -> Signal:
    """`signal` without the independent components that go along with the EOG (MNE's FastICA).

    Parameters
    ----------
    signal : Signal
    eog : Signal or None
        Filtered alike, at the same rate and of the same length.
    channels : tuple of str
        EEG channels that stand for the EOG, where there is none.

    Raises
    ------
    ValueError
        If there is neither an EOG nor a channel that stands for it, or MNE is not installed.

    Notes
    -----
    Components are fitted above 1 Hz (Winkler et al. 2015, EMBC) and found by `find_bads_eog`.
    """
    missing = [name for name in channels if name not in signal.channel_names]
    if missing or (eog is None and not channels):
        raise ValueError(
            f"EEG artefacts by ica: there is no EOG, and eog_channels are {list(channels)}; allowed are "
            f"{list(signal.channel_names)}. Name those next to the eyes, or set artefacts to 'none'."
        )
    gaps = np.isnan(signal.data)
    raw = _raw(signal, eog)
    ica = _fitted_ica(raw)
    names = list(eog.channel_names) if eog else list(channels)
    ica.exclude, _ = ica.find_bads_eog(
        raw, ch_name=names, measure="correlation", threshold=EOG_CORRELATION, verbose="error"
    )
    ica.apply(raw, verbose="error")
    cleaned = raw.get_data(picks="eeg") * 1e6 / MICROVOLTS.get(signal.unit, 1.0)
    cleaned[gaps] = np.nan
    return replace(signal, data=cleaned)


def _raw(signal: Signal, eog: Signal | None) -> mne.io.RawArray:
    """Both signals as MNE knows them, in V, with 0 in the gaps."""
    try:
        import mne
    except ModuleNotFoundError as error:
        raise ValueError(
            "EEG artefacts is 'ica', which needs MNE: pip install 'biollm[mne]', or set it to 'none' or "
            "'regression'."
        ) from error
    parts = [(signal, "eeg")] + ([(eog, "eog")] if eog else [])
    names = [name for part, _ in parts for name in part.channel_names]
    kinds = [kind for part, kind in parts for _ in part.channel_names]
    volts = [np.nan_to_num(part.data) * MICROVOLTS.get(part.unit, 1.0) * 1e-6 for part, _ in parts]
    info = mne.create_info(names, signal.sampling_rate, kinds)
    return mne.io.RawArray(np.concatenate(volts).astype(np.float64), info, verbose="error")


def _fitted_ica(raw: mne.io.RawArray) -> mne.preprocessing.ICA:
    import mne

    ica = mne.preprocessing.ICA(random_state=0, max_iter="auto", verbose="error")
    return ica.fit(raw.copy().filter(1.0, None, verbose="error"), picks="eeg", verbose="error")
