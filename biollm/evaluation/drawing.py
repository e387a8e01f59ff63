"""What all figures of a report share: colours, an empty figure, its title, and the PNG.

They use matplotlib's object-oriented interface with the Agg renderer and leave pyplot's state alone.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from biollm.evaluation.table import FAMILIES
from data_builders.figure_text import save_plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "MUTED",
    "bare",
    "draw_level",
    "figure_png",
    "figure_title",
    "label_rows",
    "new_figure",
    "rows_height",
]

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
LINE = 0.48  # height of a line of a name, in bars
ROW_INCHES = 0.33  # height of a bar and the space below it
NAME_WIDTH = 36  # letters of a method's name in a line
LETTERS_PER_INCH = 9  # of a bold title


def figure_png(figure: Figure) -> bytes:
    """The figure as a PNG file's content."""
    buffer = io.BytesIO()
    save_plain(figure, buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, which lays itself out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    return figure


def label_rows(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """Name the rows of a report along the y axis, each family under its heading; returns their y."""
    positions, headings, height = _place(rows)
    for y, family in headings:
        heading = axes.text(-0.012, y, FAMILIES[family], transform=axes.get_yaxis_transform(), va="center")
        heading.set(horizontalalignment="right", fontsize=9, fontweight="bold", color=MUTED)
    axes.set_yticks(positions, [textwrap.fill(row["method"], NAME_WIDTH) for row in rows], fontsize=9)
    axes.set_ylim(height - 0.3, headings[0][0] - 0.6)
    return positions


def rows_height(rows: Sequence[Mapping[str, Any]]) -> float:
    """Inches that the rows of a report need below each other, with headings and names of several lines."""
    return ROW_INCHES * _place(rows)[2]


def draw_level(axes: Axes, name: str, value: float, style: str, side: str) -> None:
    """A vertical line with its name and value at the top, on the line's ``left`` or ``right``."""
    axes.axvline(value, color=INK, linewidth=1.2, linestyle=style, zorder=3)
    axes.annotate(
        f"{name} {value:.2f}",
        (value, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-3 if side == "left" else 3, 2),
        textcoords="offset points",
        ha="right" if side == "left" else "left",
        va="bottom",
        fontsize=8.5,
        color=MUTED,
    )


def bare(axes: Axes) -> None:
    """Take away the frame and the ticks' lines."""
    axes.tick_params(length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def figure_title(figure: Figure, title: str, mark: str = "") -> None:
    """A bold title at the left, wrapped to the figure's width, with what `split_mark` says before it."""
    text = " \u2014 ".join(filter(None, [mark, title]))
    width = int(LETTERS_PER_INCH * figure.get_figwidth())
    figure.suptitle(textwrap.fill(text, width), x=0.01, ha="left", fontsize=12, fontweight="bold")


def _place(rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[tuple[float, str]], float]:
    """Place rows one below the other, each family under a heading: y of both kinds, and the height of all."""
    positions: list[float] = []
    headings: list[tuple[float, str]] = []
    y = 0.0
    for index, row in enumerate(rows):
        if index == 0 or rows[index - 1]["family"] != row["family"]:
            y += GAP if index else 0.0
            headings.append((y, row["family"]))
            y += HEADING
        # Two lines fit into one bar's height; a longer name pushes its neighbours away on both sides.
        extra = max(0.0, len(textwrap.wrap(row["method"], NAME_WIDTH)) * LINE - 1.0)
        positions.append(y + extra / 2)
        y += 1.0 + extra
    return positions, headings, y
