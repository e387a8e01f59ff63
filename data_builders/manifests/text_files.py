"""Signals in text: CSV, TSV and columns in a ``.txt`` file, with or without a time column."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.manifests.signal_file import Channel, DamageNamed, SignalFile

__all__ = ["even_rate", "open_text"]

TIME_SCALES = {
    "time": 1.0,
    "t": 1.0,
    "times": 1.0,
    "timestamp": 1.0,
    "timestamps": 1.0,
    "seconds": 1.0,
    "time_s": 1.0,
    "time_sec": 1.0,
    "timestamp_s": 1.0,
    "milliseconds": 1e-3,
    "ms": 1e-3,
    "time_ms": 1e-3,
    "timestamp_ms": 1e-3,
}
"""Names of a time column, in small letters and without brackets -> seconds a unit."""

COMMENT = "#"
RATE_COMMENT = re.compile(r"sampling[ _]rate.*?=\s*([\d.]+)", re.IGNORECASE)
LABELS_COMMENT = re.compile(r"labels\s*:?=\s*(.+)", re.IGNORECASE)


def open_text(path: Path, key: str = "", index: int | None = None, layout: str = "") -> SignalFile:
    """Columns of numbers, a channel each, under a line of channel names.

    Columns stand between commas; between semicolons, tabs or spaces the decimal sign may be a comma. A column
    named as in `TIME_SCALES` must rise evenly and gives the rate. Comment lines (``#``) at the
    top may tell ``Sampling Rate (Hz):= 1000`` and ``Labels:= ECG``, as BioSPPy writes them. A last
    column that is empty throughout, as GAMEEMO has it, is left out.

    Raises
    ------
    ValueError
        If the file is empty, a cell is no number, or time does not rise evenly; the message names the
        column and the row.
    """
    *comments, first = _first_lines(path)
    separator = _separator(path, first)
    names = _split(first, separator)
    has_header = not all(_is_number(name or "nan") for name in names)
    skipped = len(comments) + has_header
    table = _table(path, separator, skipped, ".")
    if separator != "," and not _all_numbers(table):
        table = _table(path, separator, skipped, ",")
    if not has_header:
        names = _names_of_comments(comments, table.shape[1])
    table, names = _without_empty_last(path, table, names)
    values = _numbers(path, table, names, skipped)
    _check_last_row(path, values, skipped)
    rate = _rate_of_comments(comments)
    time, start = [position for position, name in enumerate(names) if _time_scale(name)], None
    if time:
        moments = values[time[0]] * TIME_SCALES[_plain(names[time[0]])]
        rate, start = even_rate(path, moments, names[time[0]], skipped + 1), float(moments[0])
    kept = [position for position in range(len(names)) if position not in time]
    channels = tuple(Channel(_name(names[p]), values.shape[1], rate, _unit(names[p])) for p in kept)

    def read(positions: Sequence[int]) -> np.ndarray:
        return values[[kept[position] for position in positions]]

    return SignalFile(channels, read, needs_names=not any(c.name for c in channels), start=start)


def _table(path: Path, separator: str, skipped: int, decimal: str) -> pd.DataFrame:
    with DamageNamed(path, "a table of numbers"):
        return pd.read_csv(
            path, sep=separator, header=None, skiprows=skipped, low_memory=False, encoding="utf-8-sig",
            skip_blank_lines=True, skipinitialspace=True, decimal=decimal,
        )  # fmt: skip


def _all_numbers(table: pd.DataFrame) -> bool:
    return all(dtype.kind in "fiu" for dtype in table.dtypes)


def _first_lines(path: Path) -> list[str]:
    """The lines of comments, blank ones included, and the one after them."""
    lines: list[str] = []
    with DamageNamed(path, "text in UTF-8"), path.open(encoding="utf-8-sig") as file:
        for line in file:
            lines.append(line.strip("\r\n"))
            if line.strip() and not line.startswith(COMMENT):
                return lines
    raise ValueError(f"{path}: holds no values; allowed is a line of channel names and rows of numbers.")


def _separator(path: Path, line: str) -> str:
    """By the suffix; a ``.csv`` file may have semicolons, a ``.txt`` file tabs, commas or spaces."""
    if path.suffix.lower() == ".csv":
        return ";" if ";" in line and "," not in line else ","
    if path.suffix.lower() == ".tsv" or "\t" in line:
        return "\t"
    return "," if "," in line else r"\s+"


def _split(line: str, separator: str) -> list[str]:
    cells = line.split() if separator == r"\s+" else next(csv.reader([line], delimiter=separator))
    return [cell.strip() for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names_of_comments(comments: list[str], n_columns: int) -> list[str]:
    """Names that a comment tells, or an empty one a column."""
    found = [match for line in comments if (match := LABELS_COMMENT.search(line))]
    names = re.split(r"[\s,;]+", found[-1][1].strip()) if found else []
    return names if len(names) == n_columns else [""] * n_columns


def _rate_of_comments(comments: list[str]) -> float | None:
    found = [match for line in comments if (match := RATE_COMMENT.search(line))]
    return float(found[-1][1]) if found else None


def _without_empty_last(path: Path, table: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, list[str]]:
    if len(names) == table.shape[1] and names[-1] == "" and table.iloc[:, -1].isna().all() and names[0]:
        table, names = table.iloc[:, :-1], names[:-1]
    if len(names) != table.shape[1]:
        raise ValueError(
            f"{path}: its first line has {len(names)} columns and its rows have {table.shape[1]}; allowed is "
            "one name a column, and a decimal point where a comma would be one more. Correct the first line "
            "or the numbers."
        )
    return table, names


def _numbers(path: Path, table: pd.DataFrame, names: list[str], skipped: int) -> np.ndarray:
    """Shape (n_columns, n_rows); empty cells are NaN."""
    for position, name in enumerate(names):
        column = table.iloc[:, position]
        if column.dtype.kind not in "fiu":
            bad = column[column.notna() & pd.to_numeric(column, errors="coerce").isna()]
            row, value = (int(bad.index[0]), bad.iloc[0]) if len(bad) else (0, column.iloc[0])
            raise ValueError(
                f"{path}, row {skipped + row + 1}, column {name or position + 1!r}: is {value!r}; allowed "
                "are numbers of one decimal sign (a point where commas are between columns), or empty cells. "
                "Correct it, or remove the column."
            )
    return np.ascontiguousarray(table.to_numpy(dtype=np.float64).T)


def _check_last_row(path: Path, values: np.ndarray, skipped: int) -> None:
    """A file that was cut off ends in the middle of a row, and without the end of a line."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        ends_in_line = file.read(1) not in b"\r\n"
    if ends_in_line and len(values) > 1 and np.isnan(values[-1, -1]):
        raise ValueError(
            f"{path}, row {skipped + values.shape[1]}: the last line lacks its last value and its end; "
            "allowed are whole rows. The file is cut off: copy or export it again."
        )


DRIFT = 0.1  # s that a file's times may differ from even ones at a whole number of Hz


def even_rate(path: Path, time: np.ndarray, name: str, first_row: int) -> float:
    """Sampling rate in Hz of evenly rising times in s, shape (n_samples,).

    Even is: no step above 1.5 mean steps, and no sample a whole step away from its place on the grid,
    which leaves room for the rounding and jitter of clocks. A rate within 0.1 % of a whole number is
    taken to be that number where that moves no sample by more than a tenth of a second or half a sample.

    Raises
    ------
    ValueError
        With the first row at fault.
    """
    if len(time) < 2 or not np.isfinite(time).all():
        where = f", row {first_row + int(np.argmin(np.isfinite(time)))}" if len(time) > 1 else ""
        raise ValueError(
            f"{path}{where}, column {name!r}: allowed are two times or more, none of them empty."
        )
    steps = np.diff(time)
    mean = (time[-1] - time[0]) / len(steps)
    advice = "Sort or resample the rows, or remove the column and give sampling_rate."
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise ValueError(
            f"{path}, row {first_row + row}, column {name!r}: {time[row]:g} s follows {time[row - 1]:g} s; "
            f"allowed are times that rise from row to row (non-monotonic). {advice}"
        )
    away = np.abs(time - time[0] - mean * np.arange(len(time))) / mean
    if (steps > 1.5 * mean).any() or (away >= 1).any():
        row = int(np.argmax(steps if (steps > 1.5 * mean).any() else away[1:])) + 1
        raise ValueError(
            f"{path}, row {first_row + row}, column {name!r}: a step of {steps[row - 1]:g} s where the mean "
            f"is {mean:g} s; allowed are even steps. {advice}"
        )
    rate = 1 / mean
    near = abs(rate - round(rate)) <= 1e-3 * rate
    drift = abs(time[-1] - time[0] - len(steps) / round(rate)) if near else np.inf
    return float(round(rate)) if drift <= max(DRIFT, mean / 2) else rate


def _plain(name: str) -> str:
    return re.sub(r"[\s()\[\]{}_.]+", "_", name.casefold()).strip("_")


def _time_scale(name: str) -> float | None:
    return TIME_SCALES.get(_plain(name))


def _name(header: str) -> str:
    """``EDA`` of ``EDA (µS)``."""
    return re.sub(r"\s*[(\[][^()\[\]]*[)\]]$", "", header)


def _unit(header: str) -> str:
    """``µS`` of ``EDA (µS)``; empty where the header has no unit in brackets."""
    found = re.search(r"[(\[]([^()\[\]]+)[)\]]$", header)
    return found[1] if found else ""
