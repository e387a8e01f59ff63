"""Figures of a report: all methods compared, their subjects, and the confusion matrices of the main ones."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biollm.evaluation.drawing import (
    COLOURS,
    INK,
    bare,
    draw_level,
    figure_title,
    label_rows,
    new_figure,
    rows_height,
)
from biollm.evaluation.table import METRIC_WORDS, primary_of, split_mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison_figure", "confusion_figure", "subjects_figure"]

DOT_WIDTH = 0.012  # of the scale, on which dots would hide each other


def comparison_figure(report: Mapping[str, Any]) -> Figure:
    """Horizontal bars of the primary metric with 95 % intervals, by family, with chance and ceiling."""
    rows, primary = report["results"], primary_of(report)
    figure = new_figure(8.2, 1.5 + rows_height(rows))
    axes = figure.subplots()
    positions = label_rows(axes, rows)
    values = [row[primary] for row in rows]
    axes.barh(positions, values, height=0.7, color=[COLOURS[row["family"]] for row in rows], zorder=2)
    for y, row in zip(positions, rows, strict=True):
        _draw_interval(axes, y, row["ci95"])
        text = _value_text(row[primary], row["ci95"])
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    _draw_levels(axes, report)
    _scale(axes, [*values, *(low for row in rows for low in row["ci95"])], primary)
    axes.set_xlabel(f"{METRIC_WORDS[primary]}, mean over seeds, with 95 % interval (bootstrap over subjects)")
    bare(axes)
    axes.grid(axis="x", color="#e6e8eb", zorder=0)
    figure_title(figure, _title(report), split_mark(report))
    return figure


def subjects_figure(report: Mapping[str, Any]) -> Figure:
    """A dot a subject in a row a method, at its primary metric, with a bar at the mean of the subjects."""
    rows, primary = report["results"], primary_of(report)
    figure = new_figure(8.2, 1.5 + rows_height(rows))
    axes = figure.subplots()
    positions = label_rows(axes, rows)
    for y, row in zip(positions, rows, strict=True):
        values = np.array([v for v in row["by_subject"].values() if v is not None], dtype=float)
        _draw_dots(axes, y, values, COLOURS[row["family"]])
    _draw_levels(axes, report)
    _scale(axes, [v for row in rows for v in row["by_subject"].values()], primary)
    axes.set_xlabel(f"{METRIC_WORDS[primary]} of each subject, mean over seeds; bar: mean of the subjects")
    bare(axes)
    axes.grid(axis="x", color="#e6e8eb", zorder=0)
    figure_title(figure, f"By subject: {_title(report)}", split_mark(report))
    return figure


def confusion_figure(row: Mapping[str, Any], classes: Sequence[str], mark: str = "") -> Figure:
    """Confusion matrix in percent of each true class, with a column for any unparsable answers.

    `mark` stands above the title: what `split_mark` says of the split.
    """
    counts = np.array(row["confusion"], dtype=float)
    labels = [*classes, "unparsable"]
    if not counts[:, -1].any():
        counts, labels = counts[:, :-1], labels[:-1]
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    side = max(3.6, 1.5 + 0.62 * len(labels))
    figure = new_figure(side + 0.4, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK
        axes.text(j, i, f"{share:.0%}" if support[i, 0] else "–", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), list(classes))
    axes.set(xlabel="answered", ylabel="true")
    bare(axes)
    name = "\n".join(filter(None, [mark, textwrap.fill(row["method"], 34)]))
    figure.suptitle(f"{name}\nbalanced accuracy {row['balanced_accuracy']:.3f}", fontsize=10)
    return figure


def _draw_interval(axes: Axes, y: float, ci95: Sequence[float | None]) -> None:
    low, high = ci95
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4)
        axes.plot([low, high], [y, y], color=INK, marker="|", markersize=7, linestyle="none", zorder=4)


def _draw_dots(axes: Axes, y: float, values: np.ndarray, colour: str) -> None:
    """Dots side by side where they would hide each other, the same on every call."""
    offsets = _spread(values)
    axes.scatter(
        values, y + offsets, s=15, color=colour, edgecolors=INK, linewidths=0.3, zorder=3, clip_on=False
    )
    if len(values):
        axes.plot([values.mean()] * 2, [y - 0.38, y + 0.38], color=INK, linewidth=2.2, zorder=4)


def _spread(values: np.ndarray) -> np.ndarray:
    """Vertical offsets of the dots, from -0.3 to 0.3 rows: those within one dot's width share the height."""
    bins = np.floor(values / DOT_WIDTH).astype(int)
    offsets = np.zeros(len(values))
    for found in np.unique(bins):
        members = np.flatnonzero(bins == found)
        step = min(0.15, 0.6 / max(1, len(members) - 1))
        offsets[members] = (np.arange(len(members)) - (len(members) - 1) / 2) * step
    return offsets


def _value_text(value: float, ci95: Sequence[float | None]) -> str:
    low, high = ci95
    return f"{value:.3f}" + ("" if low is None else f"  [{low:.2f}, {high:.2f}]")


def _draw_levels(axes: Axes, report: Mapping[str, Any]) -> None:
    chance, ceiling = report["data"]["chance"], _ceiling(report)
    # Left of its line the ceiling's name stays clear of the numbers; near chance it would hit its name.
    far = ceiling is None or ceiling - chance > 0.35
    draw_level(axes, "chance", chance, "--", "left" if chance > 0.15 or not far else "right")
    if ceiling is not None:
        draw_level(axes, "ceiling", ceiling, ":", "left" if far else "right")


def _scale(axes: Axes, values: Sequence[float | None], primary: str) -> None:
    """From 0 to 1; concordance may also be negative."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    low = min(0.0, *known) if primary == "ccc" and known else 0.0
    low = math.floor(low * 5) / 5
    axes.set(xlim=(low, 1), xticks=np.arange(round(low * 5), 6) / 5)


def _ceiling(report: Mapping[str, Any]) -> float | None:
    if report["data"].get("ceiling") is not None:
        return float(report["data"]["ceiling"])
    rows = [row[primary_of(report)] for row in report["results"] if row["family"] == "ceiling"]
    return max(rows, default=None)


def _title(report: Mapping[str, Any]) -> str:
    data = report["data"]
    name = data.get("title") or data.get("dataset") or data.get("name") or ""
    parts = [f"{len(data['classes'])} classes"] if data["classes"] else []
    about = ", ".join([*parts, f"{data['n_subjects']} subjects", f"{data['n_segments']} segments"])
    return f"{name}: {about}" if name else about
