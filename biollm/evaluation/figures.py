"""Figures of a report: the comparison of all methods and the confusion matrices of the main ones.

They use matplotlib's object-oriented interface with the Agg renderer and leave pyplot's state alone.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biollm.evaluation.table import FAMILIES, split_mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison_figure", "confusion_figure", "figure_png"]

# Okabe and Ito's palette, which people with any colour vision can tell apart.
COLOURS = {
    "majority": "#8c8c8c",
    "classical": "#0072b2",
    "encoder": "#009e73",
    "llm": "#d55e00",
    "control": "#c4c4c4",
    "ceiling": "#cc79a7",
}
INK = "#1f2328"
MUTED = "#59636e"
DPI = 160
HEADING = 1.0  # height of a family's heading, in bars
GAP = 0.35  # space above it, in bars
TITLE_WIDTH = 72  # letters that fit above the figure


def comparison_figure(report: Mapping[str, Any]) -> Figure:
    """Horizontal bars of balanced accuracy with 95 % intervals, by family, with chance and ceiling."""
    rows = report["results"]
    positions, headings = _layout([row["family"] for row in rows])
    names = [textwrap.fill(row["method"], 36) for row in rows]
    figure = _new_figure(8.2, 1.5 + 0.33 * (positions[-1] + 1))
    axes = figure.subplots()
    values = [row["balanced_accuracy"] for row in rows]
    axes.barh(positions, values, height=0.7, color=[COLOURS[row["family"]] for row in rows], zorder=2)
    for y, row in zip(positions, rows, strict=True):
        _draw_interval(axes, y, row["ci95"])
        axes.text(1.02, y, _value_text(row), transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    for y, family in headings:
        heading = axes.text(-0.012, y, FAMILIES[family], transform=axes.get_yaxis_transform(), va="center")
        heading.set(horizontalalignment="right", fontsize=9, fontweight="bold", color=MUTED)
    _draw_levels(axes, report["data"]["chance"], _ceiling(report))
    axes.set_yticks(positions, names, fontsize=9)
    axes.set(xlim=(0, 1), ylim=(positions[-1] + 0.7, headings[0][0] - 0.6), xticks=np.arange(0, 1.01, 0.2))
    axes.set_xlabel("balanced accuracy, mean over seeds, with 95 % interval (bootstrap over subjects)")
    _bare(axes)
    axes.grid(axis="x", color="#e6e8eb", zorder=0)
    title = textwrap.fill(_title(report), TITLE_WIDTH)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
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
    figure = _new_figure(side + 0.4, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK
        axes.text(j, i, f"{share:.0%}" if support[i, 0] else "–", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), list(classes))
    axes.set(xlabel="answered", ylabel="true")
    _bare(axes)
    name = "\n".join(filter(None, [mark, textwrap.fill(row["method"], 34)]))
    figure.suptitle(f"{name}\nbalanced accuracy {row['balanced_accuracy']:.3f}", fontsize=10)
    return figure


def figure_png(figure: Figure) -> bytes:
    """The figure as a PNG file's content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    return figure


def _layout(families: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Place bars one below the other, each family under a heading; returns both kinds of y."""
    positions: list[float] = []
    headings: list[tuple[float, str]] = []
    y = 0.0
    for index, family in enumerate(families):
        if index == 0 or families[index - 1] != family:
            y += GAP if index else 0.0
            headings.append((y, family))
            y += HEADING
        positions.append(y)
        y += 1.0
    return positions, headings


def _draw_interval(axes: Axes, y: float, ci95: Sequence[float | None]) -> None:
    low, high = ci95
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4)
        axes.plot([low, high], [y, y], color=INK, marker="|", markersize=7, linestyle="none", zorder=4)


def _value_text(row: Mapping[str, Any]) -> str:
    low, high = row["ci95"]
    return f"{row['balanced_accuracy']:.3f}" + ("" if low is None else f"  [{low:.2f}, {high:.2f}]")


def _draw_levels(axes: Axes, chance: float, ceiling: float | None) -> None:
    levels = [("chance", chance, "--", "right")]
    if ceiling is not None:
        # Right-aligned, the label stays clear of the column of numbers; near chance it would hit its label.
        levels.append(("ceiling", ceiling, ":", "right" if ceiling - chance > 0.35 else "left"))
    for name, value, style, side in levels:
        axes.axvline(value, color=INK, linewidth=1.2, linestyle=style, zorder=3)
        shift = -3 if side == "right" else 3
        axes.annotate(
            f"{name} {value:.2f}",
            (value, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 2),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=8.5,
            color=MUTED,
        )


def _ceiling(report: Mapping[str, Any]) -> float | None:
    if report["data"].get("ceiling") is not None:
        return float(report["data"]["ceiling"])
    rows = [row["balanced_accuracy"] for row in report["results"] if row["family"] == "ceiling"]
    return max(rows, default=None)


def _title(report: Mapping[str, Any]) -> str:
    data = report["data"]
    name = data.get("title") or data.get("dataset") or data.get("name") or ""
    about = f"{len(data['classes'])} classes, {data['n_subjects']} subjects, {data['n_segments']} segments"
    title = f"{name}: {about}" if name else about
    mark = split_mark(report)
    return f"{mark} — {title}" if mark else title


def _bare(axes: Axes) -> None:
    axes.tick_params(length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
