"""Cells of a manifest to typed rows, with every cell that is not allowed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_builders.manifests.formats import path_problem
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.spelling import lookalikes, near_misses
from data_builders.manifests.table import COLUMNS, LABEL_COLUMNS, Table
from data_builders.manifests.units import unit_problem
from data_builders.places import as_place, is_remote

__all__ = ["Row", "parse_rows"]

NUMBERS = {
    "sampling_rate": (lambda value: value > 0, "a number of Hz above 0"),
    "start": (lambda value: value >= 0, "seconds from 0"),
    "end": (lambda value: value > 0, "seconds above 0"),
    "index": (lambda value: value >= 0 and value == int(value), "a whole number from 0"),
    "valence": (lambda value: True, "a finite number"),
    "arousal": (lambda value: True, "a finite number"),
    "transition": (lambda value: value in (0, 1), "0 or 1"),
}
"""Columns of numbers: what is allowed, as a test and in words."""

SPELLED = ("subject", "session", "group", "stimulus", "modality", "emotion")
"""Columns whose names must be spelled in one way only, or one person becomes two."""

TEXTS = ("subject", "session", "trial", "stimulus", "group", "unit", "key")
IDS = ("subject", "session", "trial")
SEPARATORS = "/:#"
OTHER_NAMES = {"eda": "gsr", "scl": "gsr", "ekg": "ecg", "acc": "acceleration", "temp": "temperature"}
MODALITY = re.compile(r"[a-z][a-z0-9_]*")
TAKEN = ("header", "file", "allow_pickle")
"""Names that a stored recording needs itself (`data_builders.recording.RESERVED`)."""


@dataclass(frozen=True)
class Row:
    """A row of a manifest; what a cell does not tell is empty or None."""

    number: int
    path: Path
    subject: str
    session: str
    trial: str
    stimulus: str
    group: str
    modality: str
    sampling_rate: float | None
    unit: str
    start: float | None
    end: float | None
    index: int | None
    key: str
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> tuple[Path, str, int | None]:
        """Where the signals are: one time axis."""
        return self.path, self.key, self.index


def parse_rows(table: Table, options: ManifestOptions) -> tuple[list[Row], list[str]]:
    """Rows without a fault, and the faults of all others.

    A file that several rows name is looked for once.
    """
    problems = list(_spelling_problems(table, options))
    rows: list[Row] = []
    missing: dict[Path, str] = {}
    for number, cells in zip(table.cells.index, table.cells.to_dict("records"), strict=True):
        cells = {name: str(cells.get(name, "")) for name in COLUMNS}
        row, found = _row(table.path, int(number), cells, options)
        if row.path not in missing and cells["path"]:
            missing[row.path] = path_problem(row.path)
            found += [f"{_place(table.path, row.number, 'path')}: {p}" for p in [missing[row.path]] if p]
        problems += found
        if not found and not missing.get(row.path):
            rows.append(row)
    return rows, problems


def _place(path: Path, number: int, column: str) -> str:
    return f"{path.name}, row {number}, column {column!r}"


def _row(path: Path, number: int, cells: dict[str, str], options: ManifestOptions) -> tuple[Row, list[str]]:
    problems = list(_text_problems(path, number, cells))
    values: dict[str, float | None] = {}
    for column, (test, allowed) in NUMBERS.items():
        values[column] = _number(cells[column])
        value = values[column]
        if value is not None and not (math.isfinite(value) and test(value)):
            advice = "Write it with a decimal point." if "," in cells[column] else "Correct the cell."
            place = _place(path, number, column)
            problems.append(f"{place}: is {cells[column]!r}; allowed is {allowed}. {advice}")
    modality = cells["modality"] or options.modality
    labels: dict[str, Any] = {name: values[name] for name in LABEL_COLUMNS[1:] if values[name] is not None}
    if cells["emotion"]:
        labels = {"emotion": cells["emotion"], **labels}
    if not problems:
        problems += _problems_together(path, number, cells, values, modality, options)
    index = values.pop("index")
    fields: dict[str, Any] = {name: cells[name] for name in TEXTS}
    fields |= {name: values[name] for name in ("sampling_rate", "start", "end")}
    whole = None if index is None or problems else int(index)
    file = as_place(cells["path"]) if is_remote(cells["path"]) else path.parent / cells["path"]
    return Row(number, file, modality=modality, index=whole, labels=labels, **fields), problems


def _number(text: str) -> float | None:
    """None for an empty cell, NaN for one that is no number."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return math.nan


def _text_problems(path: Path, number: int, cells: dict[str, str]) -> Iterator[str]:
    for column, text in cells.items():
        if text != text.strip():
            yield f"{_place(path, number, column)}: is {text!r}; allowed is text without spaces around it."
        elif column in IDS and set(text) & set(SEPARATORS):
            yield (
                f"{_place(path, number, column)}: is {text!r}; allowed is text without any of "
                f"{SEPARATORS!r}, which part the ids of segments. Rename it."
            )
    for column in ("path", "subject"):
        if not cells[column]:
            yield f"{_place(path, number, column)}: is empty; allowed is {COLUMNS[column]}. Fill it in."


def _problems_together(
    path: Path,
    number: int,
    cells: dict[str, str],
    values: dict[str, float | None],
    modality: str,
    options: ManifestOptions,
) -> Iterator[str]:
    start, end = values["start"], values["end"]
    if end is not None and end <= (start or 0.0):
        yield (
            f"{_place(path, number, 'end')}: is {end:g} s and 'start' is {start or 0:g} s; allowed is an end "
            "after the start. Correct one of them."
        )
    if options.event and start is None:
        yield f"{_place(path, number, 'start')}: is empty; allowed is the time of the event in s. Fill it in."
    if modality.casefold() in OTHER_NAMES:
        yield (
            f"{_place(path, number, 'modality')}: is {modality!r}; allowed is "
            f"{OTHER_NAMES[modality.casefold()]!r}, the name that it has here. Rename it."
        )
    elif not MODALITY.fullmatch(modality) or modality in TAKEN:
        yield (
            f"{_place(path, number, 'modality')}: is {modality!r}; allowed are eeg, emg, ecg, gsr and other "
            f"names of small letters, but {list(TAKEN)}. Fill it in, or set the option modality."
        )
    elif problem := cells["unit"] and unit_problem(cells["unit"], modality):
        yield f"{_place(path, number, 'unit')}: {problem}."


def _spelling_problems(table: Table, options: ManifestOptions) -> Iterator[str]:
    for column in SPELLED:
        if column not in table.cells:
            continue
        texts = table.cells[column][table.cells[column] != ""]
        counts = Counter(texts)
        places = {
            text: _place(table.path, int(number), column) for number, text in reversed(list(texts.items()))
        }
        for kept, *others in lookalikes(counts):
            for other in others:
                yield (
                    f"{places[other]}: is {other!r} ({_times(counts[other])}), and {kept!r} is on "
                    f"{_times(counts[kept])}; allowed is one spelling. If they are the same, write them "
                    "alike; if not, tell them apart by more than that."
                )
        if column == "emotion":
            yield from _unknown_labels(counts, places, options.classes)


def _unknown_labels(counts: Counter, places: Mapping[str, str], classes: tuple[str, ...]) -> Iterator[str]:
    """Labels that are not among the classes; without those, labels that look like typing errors."""
    if classes:
        for name in [name for name in counts if name not in classes]:
            yield (
                f"{places[name]}: is {name!r}, an unknown label; allowed are {list(classes)}. Correct the "
                "cell, or add it to the option classes."
            )
        return
    for name, near in near_misses(counts).items():
        yield (
            f"{places[name]}: is {name!r}, an unknown label, on one row only; {near!r} is on "
            f"{counts[near]}. Correct the cell, or list both in the option classes."
        )


def _times(count: int) -> str:
    return f"{count} row{'s' if count > 1 else ''}"
