"""What is wrong with the channels of segments: flat, clipped, missing, noise; and whether enough is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data_builders.channel_words import MODALITY_WORDS, channel_in_words
from data_builders.recording import Signal
from data_builders.segments import Segments, SignalSpec
from data_builders.signal_quality import BANDS, FLAT_SECONDS, SEGMENT_SECONDS, signal_quality, snr
from prompts.facts import Fault

__all__ = ["channels_in_words", "lost_channels", "lost_modalities", "segment_faults", "unusable"]

STEADY = ("temperature", "spo2", "features")
"""Modalities that hold one value for minutes without any fault."""
SLOW = ("heart_rate", "acceleration")
"""Modalities that hold one value for some seconds, as averaged pulses and an arm at rest do; they are flat
where the whole segment has one value, and what they rest at is no limit of the sensor: never clipped."""
LEAST = 0.01
"""Share of the segment from which a fault is named."""
STILL = 1e-9
"""Change from sample to sample, as a share of the channel's largest standard deviation over a segment, up to
which nothing changes. A filter leaves of a dead channel what rounding leaves, some 1e-16; the slowest
activity at the highest rates changes by 1e-6."""
NOISE_DB = {"gsr": 3.0}
"""SNR below which a channel is noise, where it is not 0 dB (more power outside of the band than inside).
White noise alone at 4 Hz, as wrist bands record skin conductance, reaches 0 dB."""
LEAST_NOISE = {"gsr": 0.01}
"""µS, standard deviation outside of the band from which it matters: half of the smallest response. Where
nothing happens, the last bit of the converter is all there is, and is no fault."""
MICROSIEMENS = ("µS", "uS", "µmho", "umho")
LOST = 0.5
"""Share of a channel from which it is lost, and share of the lost modalities beyond which a segment is."""
LOSSES = "flat, clipped, missing or noisy"


def channels_in_words(spec: SignalSpec, modality: str) -> list[str]:
    """Names of a modality's channels in words; a lone channel is called as the modality."""
    if len(spec.channel_names) == 1:
        return [channel_in_words(modality)]
    return [channel_in_words(modality, name) for name in spec.channel_names]


def segment_faults(segments: Segments) -> list[tuple[Fault, ...]]:
    """Find the faults of each segment, by channel.

    The thresholds are those of `data_builders.signal_quality`: a stretch is flat after 5 s without change, a
    channel is clipped where it stays at an extreme that is far more frequent than the levels beside it, and
    it is noise where its band holds less power than the rest, in pieces of about 16 s (skin conductance:
    less than twice the rest, and 0.01 µS of that). Modalities that may hold a value are judged over the
    whole segment (`SLOW`) or not at all (`STEADY`).

    Parameters
    ----------
    segments : Segments

    Returns
    -------
    list of tuple of Fault
        One entry a segment; the shares are of the segment, and those below 1 % are left out. The faults of a
        channel do not overlap: noise is what of its pieces is neither flat, clipped nor missing.

    Notes
    -----
    What a store holds has been prepared. Gaps that were bridged look like signal, so that ``missing`` is
    found only where they were left as NaN. Flat stretches are found behind a filter too, once it has settled;
    clipped ones are not, since a high-pass moves them, and without preprocessing they are. Drift and hum that
    a filter took away are no fault any more. A channel that is dead in all of the segments given is found by
    exact repeats alone.
    """
    found: list[list[Fault]] = [[] for _ in range(len(segments))]
    for modality, data in segments.signals.items():
        spec = segments.specs[modality]
        words = channels_in_words(spec, modality)
        for row, channel, what, share in _of_modality(data, spec, modality):
            if share >= LEAST:
                found[row].append(Fault(words[channel], what, round(share, 3)))
    return [tuple(faults) for faults in found]


def _of_modality(data: np.ndarray, spec: SignalSpec, modality: str) -> Iterator[tuple[int, int, str, float]]:
    """Segment, channel, fault and its share, in the order of segments and channels."""
    runs = list(_of_runs(data, spec, modality))
    left: dict[tuple[int, int], float] = defaultdict(lambda: 1.0)
    for row, channel, _, share in runs:
        left[row, channel] -= share
    noise = (
        (row, channel, what, min(share, left[row, channel]))
        for row, channel, what, share in _of_noise(data, spec, modality)
    )
    yield from sorted([*runs, *noise], key=lambda fault: fault[:2])


def _of_runs(data: np.ndarray, spec: SignalSpec, modality: str) -> Iterator[tuple[int, int, str, float]]:
    """Flat, clipped and missing stretches; where no sample is repeated or missing, there are none."""
    least = STILL * np.nan_to_num(data.std(axis=-1)).max(axis=0, initial=0.0)
    still = np.abs(np.diff(data, axis=-1)) <= least[:, None]
    at = np.argwhere((still.mean(axis=-1) >= LEAST / 2) | ~np.isfinite(data).all(axis=-1))
    if not len(at):
        return
    seconds = data.shape[-1] / spec.sampling_rate if modality in SLOW else FLAT_SECONDS
    rows, channels = at.T
    held = _held(data[rows, channels], still[rows, channels])
    suspects = Signal(held, spec.sampling_rate, tuple(map(str, range(len(at)))), spec.unit)
    quality = signal_quality(suspects, flat_seconds=seconds)
    missing = quality["nan_share"].to_numpy()
    shares = {"missing": missing}
    if modality not in STEADY:
        # The quality table's are of the known samples.
        kinds = ("flat",) if modality in SLOW else ("flat", "clipped")
        shares |= {what: quality[f"{what}_share"].to_numpy() * (1 - missing) for what in kinds}
    for what, values in shares.items():
        for k in np.flatnonzero(values):
            yield int(rows[k]), int(channels[k]), what, float(values[k])


def _held(data: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Channels (n, n_samples) that repeat a value wherever they are still (n, n_samples - 1)."""
    last = np.where(still, 0, np.arange(1, data.shape[-1]))
    last = np.maximum.accumulate(np.pad(last, ((0, 0), (1, 0))), axis=-1)
    return np.take_along_axis(data, last, axis=-1)


def _of_noise(data: np.ndarray, spec: SignalSpec, modality: str) -> Iterator[tuple[int, int, str, float]]:
    """Pieces with too little power inside the modality's band, as a share of all."""
    band = BANDS.get(modality)
    if band is None:
        return
    n_pieces = max(1, round(data.shape[-1] / spec.sampling_rate / SEGMENT_SECONDS))
    worst = NOISE_DB.get(modality, 0.0)
    least = LEAST_NOISE.get(modality, 0.0) if spec.unit in MICROSIEMENS else 0.0
    for row, channel in np.ndindex(data.shape[:2]):
        pieces = np.array_split(data[row, channel], n_pieces)
        noisy = float(np.mean([_is_noise(piece, spec.sampling_rate, band, worst, least) for piece in pieces]))
        if noisy:
            yield row, channel, "noise", noisy


def _is_noise(
    piece: np.ndarray, sampling_rate: float, band: tuple[float, float], worst: float, least: float
) -> bool:
    known = piece[~np.isnan(piece)]
    spread = known.std() if known.size else 0.0
    if not spread or spread < least:
        return False
    ratio = snr(piece, sampling_rate, band)
    # Of the variance, the part outside of the band.
    return bool(ratio < worst and spread >= least * np.sqrt(1 + 10 ** (ratio / 10)))


def unusable(faults: Sequence[Fault], specs: Mapping[str, SignalSpec]) -> str:
    """Why nothing should be read from a segment with these faults; empty if enough is left.

    A segment is lost if more than half of its modalities are, see `lost_modalities`.
    """
    gone = lost_modalities(faults, specs)
    if len(gone) <= LOST * len(specs):
        return ""
    if len(gone) == len(specs):
        return f"every signal is {LOSSES}"
    words = [MODALITY_WORDS.get(name, name.replace("_", " ")) for name in gone]
    return f"most signals are {LOSSES} ({', '.join(words)})"


def lost_modalities(faults: Sequence[Fault], specs: Mapping[str, SignalSpec]) -> list[str]:
    """Modalities of a segment with these faults that nothing should be measured on: all channels are lost."""
    lost = lost_channels(faults)
    return [name for name, spec in specs.items() if lost >= set(channels_in_words(spec, name))]


def lost_channels(faults: Sequence[Fault]) -> set[str]:
    """Channels, in words, of which half or more is flat, clipped, missing or noise."""
    shares: dict[str, float] = defaultdict(float)
    for fault in faults:
        shares[fault.channel] += fault.share
    return {channel for channel, share in shares.items() if share >= LOST}
