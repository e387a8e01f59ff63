"""Rows of a manifest to recordings: which files share a time axis, and which blocks lie on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from data_builders.manifests.rows import Row
from data_builders.places import is_remote

__all__ = ["PlannedRecording", "Source", "Stretch", "plan"]


ONE_A = {"subject": "file", "session": "file", "sampling_rate": "file", "unit": "file", "group": "subject"}
"""Column -> what has one value of it, on however many rows it stands."""
OVERLAP = 0.01
"""Seconds by which stretches may overlap: times in a table are rounded."""


@dataclass(frozen=True)
class Source:
    """Signals of one modality in one file, and the row that says so."""

    modality: str
    path: Path
    key: str
    index: int | None
    sampling_rate: float | None
    unit: str
    row: int


class Stretch(NamedTuple):
    """A labelled stretch in s, or to the end of the recording."""

    start: float
    end: float | None
    labels: Mapping[str, Any]
    trial: str
    stimulus: str
    row: int


@dataclass(frozen=True)
class PlannedRecording:
    """A recording before its files are opened."""

    subject: str
    session: str
    name: str
    group: str
    sources: tuple[Source, ...]
    stretches: tuple[Stretch, ...]

    @property
    def label(self) -> str:
        """Subject, session and name: ``S01``, ``S01:second``, ``S01::film3``."""
        return ":".join((self.subject, self.session, self.name)).rstrip(":")


def plan(
    rows: Iterable[Row], table: Path, overlapping: bool = False
) -> tuple[list[PlannedRecording], list[str]]:
    """Recordings in the order of their first rows, and what keeps rows from making one.

    Rows of one file (and key and index) share its time axis. Rows of one subject, session and trial with
    different modalities share one too: their files start together. Several files of one modality
    without a trial are recordings of their own. Labelled stretches of one recording must not overlap, unless
    they may be `overlapping`, as the windows around events.
    """
    rows = list(rows)
    problems = list(_row_problems(rows, table))
    recordings = []
    for members in _time_axes(rows, table, problems):
        recording = _recording(members, table, problems)
        recordings.append(recording)
        if not overlapping:
            problems += _overlaps(recording, table)
    return _named(recordings, table, problems), problems


def _row_problems(rows: list[Row], table: Path) -> Iterator[str]:
    """What one file, one subject or one stretch must not have twice."""
    seen: dict[tuple, Row] = {}
    for row in rows:
        for column, place in ONE_A.items():
            value = getattr(row, column)
            if column in ("sampling_rate", "unit") and not value:
                continue  # one row of a file is enough to tell them
            whose = row.subject if column == "group" else row.source
            modality = row.modality if column in ("sampling_rate", "unit") else ""
            first = seen.setdefault((column, whose, modality), row)
            if value != getattr(first, column):
                yield (
                    f"{table.name}, row {row.number}, column {column!r}: is {value!r}, and row "
                    f"{first.number} of the same {place} has {getattr(first, column)!r}; allowed is one a "
                    f"{place}. Correct one of them."
                )
        stretch = ("stretch", row.source, row.modality, row.trial, row.start or 0.0, row.end)
        if (first := seen.setdefault(stretch, row)) is not row:
            yield (
                f"{table.name}, row {row.number}, column 'path': repeats row {first.number} (same file, "
                "modality, trial, start and end); allowed is each stretch once. Remove one, or merge them."
            )


def _time_axes(rows: list[Row], table: Path, problems: list[str]) -> list[list[Row]]:
    """Rows by time axis."""
    joined: dict[Hashable, Hashable] = {row.source: row.source for row in rows}

    def root(key: Hashable) -> Hashable:
        while joined[key] != key:
            key = joined[key]
        return key

    trials: dict[tuple, dict[str, dict[Hashable, Row]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        trials[row.subject, row.session, row.trial][row.modality].setdefault(row.source, row)
    for (subject, _, trial), modalities in trials.items():
        several = {name: files for name, files in modalities.items() if len(files) > 1}
        if several and (trial or len(modalities) > 1):
            name, files = next(iter(several.items()))
            numbers = [row.number for row in files.values()]
            problems.append(
                f"{table.name}, rows {numbers[:5]}, column 'trial': {len(files)} files of {name} have trial "
                f"{trial!r} of subject {subject!r}; allowed is one file a modality and trial, so that it is "
                "known which belong together. Give each its trial or session."
            )
        elif not several:
            first, *others = [source for files in modalities.values() for source in files]
            for source in others:
                joined[root(source)] = root(first)
    axes: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        axes[root(row.source)].append(row)
    return list(axes.values())


def _recording(rows: list[Row], table: Path, problems: list[str]) -> PlannedRecording:
    sources: dict[str, Source] = {}
    for row in rows:
        about = (row.sampling_rate, row.unit, row.number)
        source = sources.setdefault(row.modality, Source(row.modality, *row.source, *about))
        rate, unit = source.sampling_rate or row.sampling_rate, source.unit or row.unit
        sources[row.modality] = replace(source, sampling_rate=rate, unit=unit)
        if (source.path, source.key, source.index) != row.source:
            problems.append(
                f"{table.name}, row {row.number}, column 'path': is a second file of {row.modality} on the "
                f"time axis of row {source.row}, which rows of other modalities join; allowed is one. Give "
                "each its trial or session."
            )
    stretches = _stretches(rows, table, problems)
    first = rows[0]
    trials = {stretch.trial for stretch in stretches}
    name = trials.pop() if len(trials) == 1 else _file_name(first, table)
    return PlannedRecording(
        first.subject, first.session, name, first.group, tuple(sources.values()), tuple(stretches)
    )


def _stretches(rows: list[Row], table: Path, problems: list[str]) -> list[Stretch]:
    """Labelled stretches by start; labels of the same one on rows of several modalities are put together."""
    labelled = [row for row in rows if row.labels]
    places = list(dict.fromkeys((row.trial, row.start or 0.0, row.end) for row in labelled))
    found: dict[tuple, Stretch] = {}
    for row in labelled:
        place = (row.trial, row.start or 0.0, row.end)
        number = f"-{places.index(place) + 1}" if len(places) > 1 else ""
        trial = row.trial or _file_name(row, table) + number
        own = Stretch(row.start or 0.0, row.end, row.labels, trial, row.stimulus, row.number)
        other = found.setdefault(place, own)
        for label, value in row.labels.items():
            if other.labels.get(label, value) != value:
                problems.append(
                    f"{table.name}, row {row.number}, column {label!r}: is {value!r}; row {other.row} has "
                    f"{other.labels[label]!r} for the same stretch; allowed is one. Correct one of them."
                )
        found[place] = other._replace(labels={**row.labels, **other.labels})
    return sorted(found.values(), key=lambda stretch: stretch.start)


def _overlaps(recording: PlannedRecording, table: Path) -> Iterator[str]:
    """Stretches that begin before another has ended: their windows would have two labels, or come twice."""
    latest: Stretch | None = None
    for stretch in recording.stretches:
        if latest is not None and (latest.end is None or stretch.start < latest.end - OVERLAP):
            end = "the end" if latest.end is None else f"{latest.end:g} s"
            yield (
                f"{table.name}, row {stretch.row}, column 'start': is {stretch.start:g} s of recording "
                f"{recording.label}, where the stretch of row {latest.row} lasts from {latest.start:g} s to "
                f"{end}; allowed are stretches that do not overlap (the windows inside them may, by 'step'). "
                "Both count from the common start of the recording's files, whichever file their row names: "
                "correct 'start' or 'end'."
            )
        if latest is None or (latest.end is not None and (stretch.end is None or stretch.end > latest.end)):
            latest = stretch


def _file_name(row: Row, table: Path) -> str:
    """A name from the file's place: folders, file, key and index."""
    path: PurePath = row.path
    if is_remote(path):
        path = PurePath(row.path.as_uri().partition("://")[2])
    elif path.is_relative_to(table.parent):
        path = path.relative_to(table.parent)
    index = "" if row.index is None else str(row.index)
    return "-".join(filter(None, (*path.with_suffix("").parts, row.key.replace("/", "-"), index)))


def _named(recordings: list[PlannedRecording], table: Path, problems: list[str]) -> list[PlannedRecording]:
    """Where each recording is a session of its own, none needs a name; elsewhere all have different ones."""
    sessions: dict[tuple[str, str], list[PlannedRecording]] = defaultdict(list)
    for recording in recordings:
        sessions[recording.subject, recording.session].append(recording)
    for (subject, _), members in sessions.items():
        names = [recording.name for recording in members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(
                f"{table.name}, column 'trial': {twice[:5]} name several recordings of subject {subject!r}; "
                "allowed is one each. Give each its trial or session."
            )
    if any(len(members) > 1 for members in sessions.values()):
        return recordings
    return [replace(recording, name="") for recording in recordings]
