"""The table of a manifest: finding it, and reading it as text, row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from data_builders.manifests.signal_file import DamageNamed

__all__ = [
    "COLUMNS",
    "LABEL_COLUMNS",
    "REQUIRED",
    "SUFFIXES",
    "Table",
    "find_table",
    "one_line_each",
    "read_table",
    "rows_in_words",
]

REQUIRED = ("path", "subject")
LABEL_COLUMNS = ("emotion", "valence", "arousal", "transition")
COLUMNS = {
    "path": "file, relative to the table, or a URL",
    "subject": "who was recorded",
    "session": "of the subject",
    "trial": "what no two sides of a split may share",
    "stimulus": "film or picture that was shown",
    "group": "subjects whom no split may separate",
    "modality": "eeg, emg, ecg, gsr, temperature, ...",
    "sampling_rate": "Hz",
    "unit": "of the file's values, such as uV, mV, uS, kOhm or a.u.",
    "start": "s from the start of the recording",
    "end": "s from the start of the recording",
    "index": "item of an array (n, channels, samples), from 0",
    "key": "variable of a .npz, .mat or HDF5 file",
    "emotion": "a word",
    "valence": "a number",
    "arousal": "a number",
    "transition": "0 or 1",
}
SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")
EMPTY = ("", "nan", "NaN", "NA", "N/A", "n/a", "null", "<NA>")


class Table(NamedTuple):
    """A manifest as it stands: cells as text, the index is the row number that an editor shows."""

    path: Path
    cells: pd.DataFrame
    problems: list[str]
    not_read: list[str]


def find_table(root: Path, name: str = "") -> Path:
    """The table of a folder, or `root` itself where it is one.

    Raises
    ------
    FileNotFoundError
        If there is none, or more than one and no `name`.
    """
    if root.is_file():
        return root
    found = [root / name] if name else [root / f"manifest{suffix}" for suffix in SUFFIXES]
    found = [path for path in found if path.is_file()]
    if len(found) != 1:
        raise FileNotFoundError(
            f"reader 'manifest': {root} holds {len(found)} tables {name or 'manifest.*'} "
            f"({', '.join(path.name for path in found) or 'none'}); allowed is one of the suffixes "
            f"{', '.join(SUFFIXES)}. 'biollm data init' writes a first one; "
            "files of a public data set ('biollm data list') need none, and are checked by 'biollm prepare'."
        )
    return found[0]


def read_table(path: Path) -> Table:
    """Read a manifest; what is wrong with its columns goes to `problems`.

    Rows of CSV, TSV and JSONL are numbered by their line in the file, those of Parquet from 1.

    Raises
    ------
    ValueError
        If it cannot be read as a table at all.
    """
    if path.suffix.lower() not in READS:
        raise ValueError(f"{path}: is of an unknown format; allowed are tables {', '.join(SUFFIXES)}.")
    with DamageNamed(path, f"a table {path.suffix}, text in UTF-8"):
        cells = READS[path.suffix.lower()](path)
    cells = cells.map(_text)
    cells = cells[(cells != "").any(axis=1)]
    if cells.empty:
        raise ValueError(f"{path}: has no rows; allowed is a row a recording or labelled stretch. Add them.")
    return Table(path, cells, *_columns(path, cells))


def _csv(path: Path, separator: str = ",") -> pd.DataFrame:
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    cells = pd.read_csv(path, sep=separator, encoding="utf-8-sig", index_col=False, **options)
    cells.index += 2
    return cells


def _tsv(path: Path) -> pd.DataFrame:
    return _csv(path, "\t")


def _jsonl(path: Path) -> pd.DataFrame:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = {number: json.loads(line) for number, line in enumerate(lines, 1) if line.strip()}
    return pd.DataFrame.from_dict(rows, orient="index", dtype=object)


def _parquet(path: Path) -> pd.DataFrame:
    cells = pd.read_parquet(path).reset_index(drop=True).astype(object)
    cells.index += 1
    return cells


READS = {".csv": _csv, ".tsv": _tsv, ".parquet": _parquet, ".jsonl": _jsonl}


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a point, and an empty text for what is missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        value = int(value)
    return "" if str(value).strip() in EMPTY else str(value)


def _columns(path: Path, cells: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Problems with the columns' names, and columns that are nobody's."""
    names = [str(name) for name in cells.columns]
    problems, not_read = [], []
    for name in names:
        if name in COLUMNS or name.startswith("Unnamed:"):
            continue
        near = get_close_matches(name.strip().casefold(), COLUMNS, n=1, cutoff=0.8)
        if near and near[0] not in names:
            problems.append(f"{path}, column {name!r}: is unknown; did you mean {near[0]!r}? Rename it.")
        else:
            not_read.append(name)
    for name in REQUIRED:
        if name not in names:
            problems.append(f"{path}: has no column {name!r} ({COLUMNS[name]}); found are {names}. Add it.")
    if not any(name in names and (cells[name] != "").any() for name in LABEL_COLUMNS):
        problems.append(
            f"{path}: has no label; allowed are the columns {list(LABEL_COLUMNS)}, filled in for one row or "
            "more. Add one."
        )
    return problems, not_read


def rows_in_words(numbers: Sequence[int]) -> str:
    """``row 4``, or ``rows 2, 3, 4, 5, 6 and 127 more``."""
    shown = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{more}"


def one_line_each(problems: Iterable[str]) -> list[str]:
    """Problems that several rows have, as a wrong unit is one of all rows of a file: a line with the rows."""
    found: dict[tuple[str, str], list[int]] = {}
    for problem in problems:
        row = re.match(r"(\S+), row (\d+)", problem)
        table, number, said = (row[1], [int(row[2])], problem[row.end() :]) if row else ("", [], problem)
        found.setdefault((table, said), []).extend(number)
    return [
        f"{table}, {rows_in_words(rows)}{said}" if rows else said for (table, said), rows in found.items()
    ]
