"""Learning curves: what trainings recorded of their epochs, averaged over folds and seeds, and drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biollm.evaluation.drawing import MUTED, bare, figure_title, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves_figure", "mean_history"]

LOSSES = {"train_loss": ("training", "#0072b2"), "loss": ("validation", "#d55e00")}
SCORE_COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
COLUMNS = 4


def mean_history(histories: Sequence[Sequence[Mapping[str, float]]]) -> dict[str, Any] | None:
    """Mean and standard deviation over trainings of what all of them recorded, epoch by epoch.

    Trainings stop early at different epochs. The curves end where fewer than half of them still run, and
    ``n`` says how many are averaged, since the last epochs are those of the slow ones alone.

    Parameters
    ----------
    histories : sequence of sequences of mapping
        One training each, one mapping an epoch; numbers other than ``epoch`` and ``best`` are averaged.

    Returns
    -------
    dict or None
        ``n_runs``, ``epoch`` and ``n``, lists, and ``curves``: name -> ``mean`` and ``sd``, lists. None
        without any epoch.
    """
    runs = [list(history) for history in histories if history]
    if not runs:
        return None
    lengths = np.array([len(run) for run in runs])
    n = [int((lengths > k).sum()) for k in range(lengths.max())]
    last = sum(2 * count >= len(runs) for count in n)
    names = [name for name in runs[0][0] if all(name in row for run in runs for row in run)]
    curves = {name: _curve(runs, name, last) for name in names if name not in ("epoch", "best")}
    longest = runs[int(lengths.argmax())]
    return {"n_runs": len(runs), "epoch": [row["epoch"] for row in longest[:last]], "n": n[:last],
            "curves": curves}  # fmt: skip


def curves_figure(rows: Sequence[Mapping[str, Any]], mark: str = "") -> Figure:
    """Losses of training and validation above, validation scores below, one pair of panels a method.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of a report whose ``history`` is there, at least one.
    mark : str
        Stands in the title: what `split_mark` says of the split.
    """
    n_columns = min(COLUMNS, len(rows))
    n_bands = -(-len(rows) // n_columns)
    figure = new_figure(max(5.6, 2.7 * n_columns), 3.6 * n_bands + 1.0)
    axes = figure.subplots(2 * n_bands, n_columns, squeeze=False)
    scores = [name for row in rows for name in row["history"]["curves"] if name not in LOSSES]
    colours = dict(zip(dict.fromkeys(scores), SCORE_COLOURS, strict=False))
    for number, panels in enumerate(zip(axes[::2].flat, axes[1::2].flat, strict=True)):
        if number < len(rows):
            _draw_method(*panels, rows[number], colours)
        else:
            figure.delaxes(panels[0])
            figure.delaxes(panels[1])
    keys = dict(LOSSES.values()) | {name.replace("_", " "): colour for name, colour in colours.items()}
    _add_legend(figure, keys)
    figure_title(figure, "Learning curves: mean and SD over folds and seeds", mark)
    return figure


def _draw_method(losses: Axes, scores: Axes, row: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    history = row["history"]
    for name, curve in history["curves"].items():
        colour = LOSSES[name][1] if name in LOSSES else colours[name]
        _draw_curve(losses if name in LOSSES else scores, history["epoch"], curve, colour)
    runs = f"{history['n_runs']} training" + "s" * (history["n_runs"] > 1)
    losses.set_title(f"{textwrap.fill(row['method'], 26)}\n{runs}", fontsize=9, color="black")
    losses.set_ylabel("loss", fontsize=8, color=MUTED)
    scores.set_ylabel("validation score", fontsize=8, color=MUTED)
    scores.set_xlabel("epoch", fontsize=8, color=MUTED)
    losses.tick_params(labelbottom=False)
    for axes in (losses, scores):
        axes.set_xlim(0, max(history["epoch"]) + 1)
        axes.grid(color="#e6e8eb")
        axes.tick_params(labelsize=8)
        bare(axes)


def _draw_curve(axes: Axes, epochs: Sequence[float], curve: Mapping[str, Any], colour: str) -> None:
    mean, sd = (np.array(curve[name], dtype=float) for name in ("mean", "sd"))
    axes.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    axes.plot(epochs, mean, color=colour, linewidth=1.6, marker="o" if len(mean) == 1 else None, markersize=3)


def _add_legend(figure: Figure, keys: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=label, linewidth=2) for label, colour in keys.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)


def _curve(runs: Sequence[Sequence[Mapping[str, float]]], name: str, n_epochs: int) -> dict[str, Any]:
    values = [[run[k][name] for run in runs if k < len(run)] for k in range(n_epochs)]
    return {"mean": [float(np.mean(v)) for v in values], "sd": [float(np.std(v)) for v in values]}
