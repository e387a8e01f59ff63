"""Figure of a quality table: SNR and sparsity of every channel, a row of panels a modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data_builders.signal_quality import BANDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["quality_figure"]

POINT, HELD, MEDIAN, MUTED = "#0072b2", "#d55e00", "#1f2328", "#59636e"
MEASURES = {
    "snr": "SNR in dB: inside over outside of the band",
    "sparsity": "sparsity (Hoyer), 0 even to 1 a single peak",
}
JITTER = 0.25  # of a channel's row; recordings are spread in their order, which is the same every time


def quality_figure(table: pd.DataFrame, title: str) -> Figure:
    """A point a recording and a line at the median, by channel; orange where samples are held.

    Parameters
    ----------
    table : DataFrame
        Rows of `recording_quality`.
    title : str
        Name of the data set.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    modalities = list(dict.fromkeys(table["modality"]))
    rows = [table[table["modality"] == name] for name in modalities]
    heights = [0.9 + 0.3 * part["channel"].nunique() for part in rows]
    figure = Figure(figsize=(10, sum(heights) + 1.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), 2, squeeze=False, height_ratios=heights)
    for part, name, (left, right) in zip(rows, modalities, panels, strict=True):
        _draw(left, part, "snr")
        _draw(right, part, "sparsity")
        band = "{:g}-{:g} Hz".format(*BANDS[name]) if name in BANDS else "no band"
        left.set_title(f"{name} ({band})", loc="left", fontsize=10, fontweight="bold")
        right.tick_params(labelleft=False)
    for axes, label in zip(panels[-1], MEASURES.values(), strict=True):
        axes.set_xlabel(label, fontsize=9, color=MUTED)
    n_recordings = table["recording"].nunique()
    figure.suptitle(f"{title}: {n_recordings} recordings", x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def _draw(axes: Axes, part: pd.DataFrame, measure: str) -> None:
    channels = list(dict.fromkeys(part["channel"]))
    for y, channel in enumerate(channels):
        own = part[part["channel"] == channel]
        values = own[measure].to_numpy(float)
        spread = y + JITTER * np.linspace(-1, 1, len(own)) if len(own) > 1 else np.array([float(y)])
        colours = np.where(own["held"], HELD, POINT)
        axes.scatter(values, spread, s=10, c=colours, alpha=0.55, linewidths=0, zorder=2)
        if np.isfinite(values).any():
            axes.vlines(np.nanmedian(values), y - 0.4, y + 0.4, color=MEDIAN, linewidth=1.6, zorder=3)
    axes.set_yticks(range(len(channels)), channels, fontsize=8)
    axes.set_ylim(len(channels) - 0.4, -0.6)
    if measure == "sparsity":
        axes.set_xlim(0, 1)
    if part[measure].isna().all():
        text = "none: no band, or nothing outside of it" if measure == "snr" else "none: no channel changes"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=MUTED)
        axes.set_xticks([])
    axes.tick_params(length=0, labelsize=8)
    axes.grid(axis="x", color="#e6e8eb", zorder=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
