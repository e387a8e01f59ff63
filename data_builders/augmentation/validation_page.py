"""The report on made segments as a page with figures: spectra, amplitudes, and how well they are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_builders.augmentation.descriptors import amplitudes, power_spectra
from data_builders.figure_text import save_plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_page"]

COLOURS = {"real": "#1b6ca8", "made": "#d1495b"}
WORDS = {True: "passed", False: "**failed**", None: "not judged"}


def write_page(
    report: dict[str, Any], curves: dict[str, Any], meanings: dict[str, str], folder: Path
) -> Path:
    """Write ``report.json``, three figures and ``report.md``; returns the path of the page.

    Parameters
    ----------
    report : dict
        From `AugmentationReport.as_json`.
    curves : dict
        ``specs``, ``real`` and ``made`` segments, and ``roc`` (false and true positive rates).
    meanings : dict of str to str
        What each check is, by name.
    folder : Path
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    names = list(curves["specs"])
    _figure(folder / "spectra.png", names, _draw_spectra, curves)
    _figure(folder / "amplitudes.png", names, _draw_amplitudes, curves)
    _figure(folder / "roc.png", [report["details"]["classifier"]["auc"]], _draw_roc, curves)
    (folder / "report.md").write_text(_page(report, meanings), encoding="utf-8")
    return folder / "report.md"


def _figure(path: Path, panels: list, draw: Any, curves: dict[str, Any]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        draw(axes, panel, curves)
    save_plain(figure, path, dpi=110)


def _draw_spectra(axes: Axes, name: str, curves: dict[str, Any]) -> None:
    """Median over segments and channels, and the middle half."""
    spec = curves["specs"][name]
    for which, colour in COLOURS.items():
        data = curves[which].signals[name]
        frequencies = np.fft.rfftfreq(data.shape[2], 1 / spec.sampling_rate)[1:]
        power = power_spectra(data).reshape(-1, len(frequencies))
        low, middle, high = np.quantile(power, [0.25, 0.5, 0.75], axis=0) + np.finfo(np.float32).tiny
        axes.fill_between(frequencies, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(frequencies, middle, color=colour, label=which, linewidth=1)
    axes.set(title=name, xlabel="frequency (Hz)", ylabel=f"power ({spec.unit}²)", yscale="log")
    axes.legend(frameon=False, loc="upper right")


def _draw_amplitudes(axes: Axes, name: str, curves: dict[str, Any]) -> None:
    """Standard deviations of the segments' channels, on a logarithmic scale."""
    values = {
        which: amplitudes(curves[which].signals[name])[..., 1].ravel() / np.log(10) for which in COLOURS
    }
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), 40).tolist()
    for which, colour in COLOURS.items():
        axes.hist(values[which], edges, density=True, color=colour, alpha=0.5, label=which)
    axes.set(title=name, xlabel=f"log10 of a channel's SD ({curves['specs'][name].unit})", ylabel="density")
    axes.legend(frameon=False, loc="upper right")


def _draw_roc(axes: Axes, auc: float, curves: dict[str, Any]) -> None:
    axes.plot(*curves["roc"], color=COLOURS["made"])
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    axes.set(title=f"made against real: AUC {auc:.2f}", xlabel="real taken for made", ylabel="made found")
    axes.set_aspect("equal")


def _page(report: dict[str, Any], meanings: dict[str, str]) -> str:
    verdict = "No check failed." if report["passed"] else "At least one check failed."
    lines = [
        "# Made segments beside real ones",
        "",
        f"{report['n_made']} made, {report['n_real']} real of the training part, {report['n_held_out']} real "
        f"of held-out subjects. {verdict}",
        "",
        "| check | value | limit | | what it is |",
        "|---|---|---|---|---|",
    ]
    for name, check in report["checks"].items():
        value = "-" if check["value"] is None else f"{check['value']:.3f}"
        word = " ".join(filter(None, (WORDS[check["passed"]], f"({check['note']})" if check["note"] else "")))
        lines.append(f"| {name} | {value} | {check['limit']:g} | {word} | {meanings[name]} |")
    lines += ["", "![spectra](spectra.png)", "", "![amplitudes](amplitudes.png)", "", "![ROC](roc.png)", ""]
    return "\n".join(lines)
