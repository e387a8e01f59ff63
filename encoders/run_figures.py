"""Figures of a run: learning curves, confusion matrix, ROC, map of the embedding, ratings.

They use matplotlib's object-oriented interface with the Agg renderer and leave pyplot's state alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "confusion_figure",
    "embedding_figure",
    "learning_figure",
    "new_figure",
    "ratings_figure",
    "roc_figure",
]

# Okabe and Ito's palette, which people with any colour vision can tell apart.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c", "#1f2328")
MARKERS = "osD^vP"
INK, MUTED, GRID = "#1f2328", "#59636e", "#e6e8eb"
SCORES = {
    "balanced_accuracy": "balanced accuracy",
    "ccc": "CCC, mean over ratings",
    "transition_f1": "F1 of transitions",
}
MOST_NAMED = 24
"""Subjects that a legend names; more are drawn without one."""


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure with a title at its left, in as many lines as it needs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=160)
    FigureCanvasAgg(figure)
    heading = figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    heading.set_parse_math(False)  # it is measured here, before the figure is saved
    for letters in range(len(title), 8, -1):
        heading.set_text(textwrap.fill(title, letters))
        if heading.get_window_extent().x1 <= 0.99 * figure.bbox.width:
            break
    return figure


def learning_figure(history: Sequence[Mapping[str, float]], title: str) -> Figure:
    """Losses and validation scores by epoch, with a line at the epoch whose weights were kept.

    Parameters
    ----------
    history : sequence of mapping
        Rows of `encoders.training.fit_model`.
    title : str
    """
    epochs = [row["epoch"] for row in history]
    scores = [name for name in SCORES if name in history[0]]
    figure = new_figure(4.6 * (1 + bool(scores)), 3.6, title)
    left, *right = figure.subplots(1, 1 + bool(scores), squeeze=False)[0]
    for colour, (name, label) in zip(
        PALETTE, {"train_loss": "training", "loss": "validation"}.items(), strict=False
    ):
        left.plot(epochs, [row[name] for row in history], "o-", color=colour, markersize=4, label=label)
    left.set_ylabel("loss", color=MUTED)
    for axes in right:
        for colour, name in zip(PALETTE[1:], scores, strict=False):
            axes.plot(
                epochs, [row[name] for row in history], "o-", color=colour, markersize=4, label=SCORES[name]
            )
        axes.set_ylabel("score on the validation part", color=MUTED)
        axes.set_ylim(min(0.0, *(row[name] for row in history for name in scores)) - 0.02, 1.02)
    kept = kept_epoch(history)
    for axes in (left, *right):
        axes.axvline(kept, color=MUTED, linestyle=":", linewidth=1.2, label=f"weights kept: epoch {kept}")
        _finish(axes, "epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def kept_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch whose weights were kept: the first that reached the last best score."""
    return next(int(row["epoch"]) for row in history if row["best"] == history[-1]["best"])


def confusion_figure(confusion: Sequence[Sequence[int]], classes: Sequence[str], title: str) -> Figure:
    """Confusion matrix in percent of each true class, with the counts.

    Parameters
    ----------
    confusion : sequence, shape (n_classes, n_classes)
        Rows are the truth.
    classes : sequence of str
    title : str
    """
    counts = np.array(confusion, dtype=float)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    side = max(4.0, 1.9 + 0.66 * len(classes))
    figure = new_figure(side + 0.3, side, title)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (i, j), share in np.ndenumerate(shares):
        text = f"{share:.0%}\n{counts[i, j]:.0f}" if support[i, 0] else "–"
        colour = "white" if share > 0.55 else INK
        axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=8.5)
    names = [textwrap.shorten(name, 20, placeholder="…") for name in classes]
    axes.set_xticks(range(len(classes)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), names)
    axes.set_xlabel("answered", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    _bare(axes)
    return figure


def roc_figure(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """ROC curves, each with its area.

    Parameters
    ----------
    curves : mapping of str to (truth, score)
        By name: arrays of shape (n_segments,), truth as bool with both values in it.
    title : str
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    figure = new_figure(6.8, 5.0, title)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1, label="chance  0.50")
    for k, (name, (truth, score)) in enumerate(curves.items()):
        false, true, _ = roc_curve(truth, score)
        style = "-" if k < len(PALETTE) else "-."
        label = f"{textwrap.shorten(name, 24, placeholder='…')}  {roc_auc_score(truth, score):.2f}"
        axes.plot(false, true, style, color=PALETTE[k % len(PALETTE)], linewidth=1.6, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_ylabel("true positives, share", color=MUTED)
    legend = {"title": "area under the curve", "loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    _finish(axes, "false positives, share", legend)
    return figure


def embedding_figure(embedding: np.ndarray, table: pd.DataFrame, label: str, title: str) -> Figure:
    """Segments on the first two principal components of what the heads read, by label and by subject.

    Parameters
    ----------
    embedding : ndarray, shape (n_segments, n)
    table : DataFrame, n_segments rows
    label : str
        Column that colours the left panel; numbers get a colour bar.
    title : str
    """
    from sklearn.decomposition import PCA

    figure = new_figure(10.4, 4.8, title)
    if (np.ptp(embedding, axis=0) <= 1e-6 * np.abs(embedding).max()).all():  # but for rounding
        figure.text(0.5, 0.5, f"all {len(embedding)} embeddings are alike", ha="center", color=MUTED)
        return figure
    spread = embedding.std(axis=0)
    scaled = (embedding - embedding.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    components = PCA(2, svd_solver="full").fit(scaled)
    points, shares = components.transform(scaled), components.explained_variance_ratio_
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    _scatter(left, points, table[label], label)
    _scatter(right, points, table["subject"].astype(str), "subject")
    for axes in (left, right):
        axes.set_xlabel(f"component 1 ({shares[0]:.0%} of the variance)", color=MUTED)
        axes.set_ylabel(f"component 2 ({shares[1]:.0%})", color=MUTED)
        axes.grid(color=GRID, zorder=0)
        _bare(axes)
    return figure


def ratings_figure(
    truth: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], scores: Mapping[str, Any], title: str
) -> Figure:
    """Given against true ratings, one panel a rating, with its CCC and MAE.

    Parameters
    ----------
    truth, values : mapping of str to ndarray, shape (n_segments,)
        By rating, without unknown ones.
    scores : mapping of str to mapping
        With ``ccc`` and ``mae`` by rating.
    title : str
    """
    figure = new_figure(4.6 * len(truth), 4.4, title)
    for axes, name in zip(figure.subplots(1, len(truth), squeeze=False)[0], truth, strict=True):
        axes.scatter(truth[name], values[name], s=14, color=PALETTE[0], alpha=0.5, linewidth=0, zorder=2)
        ends = [min(truth[name].min(), values[name].min()), max(truth[name].max(), values[name].max())]
        axes.plot(ends, ends, color=MUTED, linestyle="--", linewidth=1, zorder=3)
        axes.set_ylabel("answered", color=MUTED)
        found = f"{name}: CCC {scores[name]['ccc']:.2f}, MAE {scores[name]['mae']:.2f}"
        axes.set_title(found, loc="left", fontsize=10, color=INK)
        axes.set_xlabel("true", color=MUTED)
        axes.grid(color=GRID, zorder=0)
        _bare(axes)
    return figure


def _scatter(axes: Axes, points: np.ndarray, values: pd.Series, name: str) -> None:
    axes.set_title(f"by {name}", loc="left", fontsize=10, color=INK)
    x, y = points.T
    if pd.api.types.is_numeric_dtype(values):
        drawn = axes.scatter(x, y, c=values, cmap="viridis", s=14, linewidth=0, zorder=2)
        axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
        return
    groups = sorted(values.dropna().unique())
    for k, group in enumerate(groups):
        chosen = (values == group).to_numpy()
        axes.scatter(
            x[chosen], y[chosen], s=16, alpha=0.7, linewidth=0, label=group, zorder=2,
            color=PALETTE[k % len(PALETTE)], marker=MARKERS[k // len(PALETTE) % len(MARKERS)],
        )  # fmt: skip
    if len(groups) <= MOST_NAMED:
        columns = 1 + (len(groups) - 1) // 12
        axes.legend(fontsize=8, frameon=False, ncols=columns, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _finish(axes: Axes, xlabel: str, legend: Mapping[str, Any] | None = None) -> None:
    axes.set_xlabel(xlabel, color=MUTED)
    axes.grid(color=GRID, zorder=0)
    axes.legend(fontsize=8.5, frameon=False, **(legend or {}))
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.tick_params(length=0, colors=INK, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
