"""The tables of a report's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from biollm.evaluation.table import (
    FAMILIES,
    METRIC_WORDS,
    format_interval,
    format_value,
    primary_of,
    table_cells,
)
from prompts.words import RATINGS

__all__ = ["detail_tables", "main_table", "paired_table"]

N_FOLDS_SHOWN = 10  # more folds are told by their mean, spread and extremes only


def main_table(report: Mapping[str, Any]) -> str:
    """All methods by family, with the notes under their names and the best row in bold."""
    headers, rows = table_cells(report)
    compared = [r for r in report["results"] if r["family"] != "ceiling"]
    primary = primary_of(report)
    best = max((r[primary] for r in compared), default=None)
    column = headers.index(METRIC_WORDS[primary])
    body: list[str] = []
    family = None
    for row, cells in zip(report["results"], rows, strict=True):
        if row["family"] != family:
            family = row["family"]
            heading = escape(FAMILIES[family])
            body.append(
                f'<tr class="family"><th scope="rowgroup" colspan="{len(headers)}">{heading}</th></tr>'
            )
        is_best = row in compared and row[primary] == best
        values = [
            f'<td class="best">{cell}</td>' if is_best and i == column else f"<td>{cell}</td>"
            for i, cell in enumerate(map(escape, cells))
        ]
        body.append(f'<tr><th scope="row">{_name(row)}</th>{"".join(values[1:])}</tr>')
    caption = (
        f"Mean over seeds. The interval is that of {METRIC_WORDS[primary]}, from a bootstrap over subjects. "
        "To best: difference to the best row on the same resamples, * where its interval leaves out zero. "
    )
    if report["data"]["classes"]:
        caption += "Unparsable answers count as errors. ECE: expected calibration error. "
    caption += "Bold: the best value."
    return _table(caption, headers, body)


def _name(row: Mapping[str, Any]) -> str:
    notes = [row["note"]] if row["note"] else []
    if row["partial"]:
        notes.append(f"partial: {row['n_segments']} segments of {row['n_subjects']} subjects")
    return escape(row["method"]) + "".join(f'<span class="note">{escape(note)}</span>' for note in notes)


def paired_table(report: Mapping[str, Any]) -> str:
    """Differences to the best row, and those that a row asked for; empty where there are none."""
    rows = [_paired_row(row, pair) for row in report["results"] for pair in _pairs(row)]
    if not rows:
        return ""
    caption = (
        f"Difference in {METRIC_WORDS[primary_of(report)]} on the same resampled subjects; above zero, the "
        "first is better. p: two-sided, of the bootstrap, not corrected for the number of rows; the best row "
        "was chosen on these very answers, which favours it."
    )
    return _table(caption, ["method", "against", "difference", "95 % interval", "p"], rows)


def detail_tables(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the main table leaves out, as heading and table: folds, recall by class, ratings, transitions."""
    rows, classes = report["results"], report["data"]["classes"]
    yield "Folds", _fold_table(report)
    if classes:
        yield "Classes", _class_table(rows, classes)
    ratings = [name for name in RATINGS if any(f"{name}_ccc" in row for row in rows)]
    if ratings:
        yield "Ratings", _rating_table(rows, ratings)
    if any("transition_f1" in row for row in rows):
        yield "Transitions", _transition_table(rows)


def _pairs(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Without the difference to the best where it is asked for already."""
    best = row["against_best"]
    named = [pair for pair in row["paired"] if not best or pair["against"] != best["against"]]
    return [*([best] if best else []), *named]


def _paired_row(row: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    interval = format_interval(pair["ci95"], signed=True)
    cells = [f"{pair['difference']:+.3f}", interval, format_value(pair.get("p"))]
    against = f'<td class="name">{escape(pair["against"])}</td>'
    return f'<tr><th scope="row">{escape(row["method"])}</th>{against}{_cells(cells)}</tr>'


def _fold_table(report: Mapping[str, Any]) -> str:
    """The primary metric of each fold, and accuracy or the mean absolute error over the folds."""
    primary = primary_of(report)
    second = next((name for name in ("accuracy", "mae") if name in report["results"][0]), None)
    folds = sorted({fold["fold"] for row in report["results"] for fold in row["folds"]})
    shown = folds if len(folds) <= N_FOLDS_SHOWN else []
    beside = [METRIC_WORDS[second], "SD"] if second else []
    headers = ["method", "mean", "SD", "lowest", "highest", *beside, *(f"fold {fold}" for fold in shown)]
    caption = f"Each of {len(folds)} folds scored by itself, mean over seeds: {METRIC_WORDS[primary]}"
    caption += f", then mean and SD of {METRIC_WORDS[second]}." if second else "."
    rows = [_row(row["method"], _fold_cells(row, primary, second, shown)) for row in report["results"]]
    return _table(caption, headers, rows)


def _fold_cells(row: Mapping[str, Any], primary: str, second: str | None, shown: list[Any]) -> list[str]:
    of_fold = {fold["fold"]: fold[primary] for fold in row["folds"]}
    cells = _over_folds(row, primary, (np.mean, np.std, np.min, np.max))
    if second:
        cells += _over_folds(row, second, (np.mean, np.std))
    return [*cells, *(format_value(of_fold.get(fold)) for fold in shown)]


def _over_folds(row: Mapping[str, Any], metric: str, functions: Iterable[Callable[..., float]]) -> list[str]:
    values = [fold[metric] for fold in row["folds"] if fold.get(metric) is not None]
    return [format_value(float(function(values))) if values else "" for function in functions]


def _class_table(rows: Iterable[Mapping[str, Any]], classes: list[str]) -> str:
    lines = [
        _row(row["method"], [format_value(row["macro_precision"]), format_value(row["macro_recall"]),
                             *(format_value(row["per_class"][name]["recall"]) for name in classes)])
        for row in rows
    ]  # fmt: skip
    caption = (
        "Mean precision and recall over the classes, then the share of each true class that was answered."
    )
    return _table(caption, ["method", "macro precision", "macro recall", *classes], lines)


def _rating_table(rows: Iterable[Mapping[str, Any]], ratings: list[str]) -> str:
    columns = [f"{rating}_{metric}" for rating in ratings for metric in ("ccc", "mae", "rmse")]
    headers = [f"{rating} {METRIC_WORDS[m]}" for rating in ratings for m in ("ccc", "mae", "rmse")]
    with_interval = [header for name in headers for header in (name, "95 %")]
    lines = [
        _row(row["method"], [cell for name in columns for cell in _value_and_interval(row, name)])
        for row in rows
        if any(name in row for name in columns)
    ]
    caption = (
        "CCC: concordance correlation (Lin 1989), 0 for constant answers. MAE and RMSE in the rating's unit."
    )
    return _table(caption, ["method", *with_interval], lines)


def _value_and_interval(row: Mapping[str, Any], metric: str) -> list[str]:
    if metric not in row:
        return ["", ""]
    low, high = row["intervals"][metric]
    return [format_value(row[metric]), "" if low is None else f"{low:.2f} to {high:.2f}"]


def _transition_table(rows: Iterable[Mapping[str, Any]]) -> str:
    lines = [
        _row(row["method"], [*_value_and_interval(row, "transition_f1"),
                             format_value(row["transition_average_precision"])])
        for row in rows
        if "transition_f1" in row
    ]  # fmt: skip
    return _table("F1 at a probability of 0.5.", ["method", "F1", "95 %", "average precision"], lines)


def _row(name: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{_cells(cells)}</tr>'


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{cell or '–'}</td>" for cell in cells)


def _table(caption: str, headers: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in headers)
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
