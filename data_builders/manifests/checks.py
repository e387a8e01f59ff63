"""What only the signal files can tell: each one opened, compared with the others, and read."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_builders.manifests.grouping import PlannedRecording, Source
from data_builders.manifests.loading import Stream, end_tolerance, load, look_into, start_problem
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.table import rows_in_words
from data_builders.manifests.units import ARBITRARY, MODALITY_UNITS, canonical_unit
from data_builders.recording import Signal

__all__ = ["FileCheck", "check_files", "modality_problems"]

PLAUSIBLE = {"eeg": (0.1, 10_000.0), "emg": (0.1, 5_000.0), "ecg": (0.005, 100.0)}
"""Standard deviations in the modality's unit; wide, since a wrong unit is wrong by a thousand or more."""
LEVELS = {
    "gsr": (0.01, 100.0),
    "temperature": (5.0, 45.0),
    "spo2": (50.0, 100.0),
    "heart_rate": (25.0, 250.0),
}
"""Medians in the modality's unit."""


@dataclass(frozen=True)
class Seen:
    """What is kept of a source once its file is closed."""

    source: Source
    channel_names: tuple[str, ...]
    sampling_rate: float
    unit: str
    duration: float
    start: float | None


@dataclass
class FileCheck:
    """Problems and notes, and what was seen, by modality."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))


def check_files(
    recordings: Iterable[PlannedRecording], table: Path, options: ManifestOptions, read_signals: bool = True
) -> FileCheck:
    """Open every file, and with `read_signals` read it: one recording in memory at a time."""
    check = FileCheck()
    for recording in recordings:
        found = []
        for source in recording.sources:
            stream, problems = look_into(source, options)
            check.problems += [f"{table.name}, row {source.row}: {problem}" for problem in problems]
            if stream is None:
                continue
            found.append(_seen(source, stream))
            if read_signals:
                _check_values(source, stream, table, check)
        if len(found) == len(recording.sources):
            if problem := start_problem((each.source, each.start, each.sampling_rate) for each in found):
                check.problems.append(f"{table.name}, row {recording.sources[0].row}: {problem}")
            check.problems += _stretch_problems(recording, found, table)
        for each in found:
            check.seen[each.source.modality].append(each)
    for name, seen in check.seen.items():
        check.problems += _differences(name, seen, table, options)
    return check


def _seen(source: Source, stream: Stream) -> Seen:
    unit = canonical_unit(stream.unit)
    if unit != ARBITRARY:
        unit = MODALITY_UNITS.get(source.modality, unit)
    return Seen(source, stream.channel_names, stream.sampling_rate, unit, stream.duration, stream.file.start)


def _check_values(source: Source, stream: Stream, table: Path, check: FileCheck) -> None:
    place = f"{table.name}, row {source.row}: {source.path}"
    try:
        signal = load(stream, source.modality)
    except (ValueError, OSError) as error:
        check.problems.append(f"{place}: {error}")
        return
    check.problems += [f"{place}, {text}" for text in _value_problems(signal)]
    check.notes += [f"{place}, {text}" for text in _value_notes(signal, source.modality)]


def _value_problems(signal: Signal) -> Iterator[str]:
    for name, channel in zip(signal.channel_names, signal.data, strict=True):
        if np.isnan(channel).all():
            yield (
                f"channel {name!r}: is NaN or empty throughout; allowed are numbers, with gaps. Export it "
                "again, or leave it out by the option channels."
            )
        elif n_infinite := int(np.isinf(channel).sum()):
            yield (
                f"channel {name!r}: has {n_infinite} infinite values; allowed are numbers, and empty or NaN "
                "for gaps. Correct them."
            )


def _value_notes(signal: Signal, modality: str) -> Iterator[str]:
    """What can be right, and seldom is."""
    for name, channel in zip(signal.channel_names, signal.data, strict=True):
        known = channel[np.isfinite(channel)].astype(np.float64)
        if known.size and known.min() == known.max():
            yield f"channel {name!r}: is {known[0]:g} {signal.unit} throughout: was it connected?"
        elif known.size and modality in PLAUSIBLE and signal.unit != ARBITRARY:
            low, high = PLAUSIBLE[modality]
            if not low <= known.std() <= high:
                yield (
                    f"channel {name!r}: varies by {known.std():.3g} {signal.unit}, where {modality} varies "
                    f"by {low:g} to {high:g}: is the unit right?"
                )
        elif known.size and modality in LEVELS and signal.unit != ARBITRARY:
            low, high = LEVELS[modality]
            if not low <= np.median(known) <= high:
                yield (
                    f"channel {name!r}: has the median {np.median(known):.3g} {signal.unit}, where "
                    f"{modality} has {low:g} to {high:g}: is the unit right?"
                )


def _stretch_problems(recording: PlannedRecording, seen: list[Seen], table: Path) -> Iterator[str]:
    duration = min(each.duration for each in seen)
    limit = duration + end_tolerance(each.sampling_rate for each in seen)
    for stretch in recording.stretches:
        column = "start" if stretch.start > limit else "end"
        stop = stretch.start if stretch.end is None else stretch.end
        if max(stretch.start, stop) > limit:
            yield (
                f"{table.name}, row {stretch.row}, column {column!r}: is {getattr(stretch, column):g} s; "
                f"allowed is up to the {duration:.6g} s of its recording, whose start they count from. "
                "Correct the cell."
            )


def modality_problems(recordings: Sequence[PlannedRecording], table: Path) -> Iterator[str]:
    """Recordings that have not the modalities of most others: a store has the same in all segments."""
    groups: dict[tuple[str, ...], list[PlannedRecording]] = defaultdict(list)
    for recording in recordings:
        groups[tuple(sorted(source.modality for source in recording.sources))].append(recording)
    usual = max(groups, key=lambda names: len(groups[names]), default=())
    for names, members in groups.items():
        if names != usual:
            rows = [recording.sources[0].row for recording in members]
            yield (
                f"{table.name}, {rows_in_words(rows)}, column 'modality': recording {members[0].label} has "
                f"{list(names)}, and {len(groups[usual])} others have {list(usual)}; allowed is the same "
                "in every recording. Add what is missing (files of one recording share subject, session "
                "and trial), or take out the rows of this subject, or those of that modality everywhere."
            )


def _differences(modality: str, seen: list[Seen], table: Path, options: ManifestOptions) -> Iterator[str]:
    """Sources that differ from most others in channels, rate or unit."""
    for what in ("channel_names", "sampling_rate", "unit"):
        if what == "sampling_rate" and modality in options.resample:
            continue
        values = Counter(getattr(each, what) for each in seen)
        usual, count = values.most_common(1)[0]
        for value in [value for value in values if value != usual]:
            others = [each for each in seen if getattr(each, what) == value]
            place = f"{table.name}, {rows_in_words([other.source.row for other in others])}"
            advice = ADVICE[what](value, usual, count, modality)
            yield f"{place}: {others[0].source.path}: {modality} {advice}"


def _channel_advice(value: tuple[str, ...], usual: tuple[str, ...], count: int, modality: str) -> str:
    pick = f"Pick them by the reader option {json.dumps({'channels': {modality: usual}}, ensure_ascii=False)}"
    if sorted(value) == sorted(usual):
        return (
            f"has the channels in another order, {list(value)}; allowed is that of {count} others, "
            f"{list(usual)}. {pick}."
        )
    missing = [name for name in usual if name not in value]
    extra = [name for name in value if name not in usual]
    return (
        f"lacks the channels {missing} of {count} others and has {extra} besides; allowed are {list(usual)}. "
        f"{pick}, or rename those in the file."
    )


ADVICE = {
    "channel_names": _channel_advice,
    "sampling_rate": lambda value, usual, count, modality: (
        f"has {value:g} Hz, mixed with the {usual:g} Hz of {count} others; allowed is one rate a modality. "
        f"Correct it, or set the reader option "
        f"{json.dumps({'resample': {modality: min(value, usual)}})}."
    ),
    "unit": lambda value, usual, count, modality: (
        f"is in {value}, and {count} others are in {usual}; allowed is one unit. Correct the column 'unit'."
    ),
}
