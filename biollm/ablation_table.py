"""What the variants of an ablation reach: rows of numbers, a table in Markdown, a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from biollm.ablation_variants import DEFAULT, Variant
from biollm.evaluation import METRICS, bootstrap_ci, count_confusions, paired_difference
from biollm.evaluation.drawing import COLOURS, INK, MUTED, bare, draw_level, figure_title, new_figure
from biollm.evaluation.information import label_information
from biollm.evaluation.table import format_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ablation_figure", "ablation_rows", "information_shares", "render_ablation"]

Rows = list[dict[str, Any]]
FEWEST_BITS = 0.1
"""Of an encoder's head, for a share of it to say anything: the estimate errs by some hundredths."""


def ablation_rows(predictions: pd.DataFrame, variants: Mapping[str, Variant], classes: Sequence[str]) -> Rows:
    """A row for each variant and read-out, and one for each method beside them.

    Returns
    -------
    list of dict
        ``variant`` (None for a method beside them), ``group``, ``readout``, ``method``, ``balanced_accuracy``
        (mean over seeds), ``ci95`` (bootstrap over subjects), ``by_seed``, ``difference`` and
        ``difference_ci95`` (against the same read-out of the default, or, where it has none, of a variant's
        main read-out against the default's; None for the default and for other read-outs), ``bits`` (of the
        label in the answers), ``note``, ``seconds``.

    The ceiling of a simulated set is among the methods beside them, where `predictions` hold it.
    """
    by_method = dict(list(predictions.groupby("method", sort=False)))
    rows = []
    for method, frame in by_method.items():
        variant, _, readout = str(method).partition(": ")
        known = variant in variants
        base = _of_default(by_method, variant, readout) if known and variant != DEFAULT else None
        about = {
            "variant": variant if known else None,
            "group": variants[variant].group if known else "without an LLM",
            "readout": readout if known else "",
            "method": method,
        }
        rows.append(about | _scores(frame, base, classes))
    return rows


def _of_default(by_method: Mapping[str, pd.DataFrame], variant: str, readout: str) -> pd.DataFrame | None:
    """What a read-out of a variant stands against."""
    if readout == _main_readout(by_method, variant) and f"{DEFAULT}: {readout}" not in by_method:
        readout = _main_readout(by_method, DEFAULT)
    return by_method.get(f"{DEFAULT}: {readout}")


def _main_readout(methods: Iterable[str], variant: str) -> str:
    """The average of a variant's sources or, of one source, the likelihoods on it."""
    of_variant = [what for name, _, what in (method.partition(": ") for method in methods) if name == variant]
    others = (what for what in of_variant if what != "encoder" and "," not in what)
    return "average" if "average" in of_variant else next(others, "")


def _scores(frame: pd.DataFrame, base: pd.DataFrame | None, classes: Sequence[str]) -> dict[str, Any]:
    counts = count_confusions(frame, classes)
    by_seed = [float(METRICS["balanced_accuracy"](c.sum(axis=0))) for c in counts.confusions]
    against = None if base is None else paired_difference(frame, base, classes=classes)
    return {
        "balanced_accuracy": sum(by_seed) / len(by_seed),
        "ci95": list(bootstrap_ci(frame, classes=classes)),
        "by_seed": by_seed,
        "difference": None if against is None else against.value,
        "difference_ci95": None if against is None else [against.low, against.high],
        "bits": label_information(frame, classes),
        "note": str(frame["note"].iloc[0]),
        "seconds": float(frame.groupby(["fold", "seed"])["seconds"].first().mean()),
    }


def render_ablation(rows: Rows) -> str:
    """The rows as a table in Markdown; of each variant only the read-outs that it has."""
    names = ("what varies", "variant", "read-out", "balanced accuracy", "seeds", "against the default",
             "bits", "share", "tokens")  # fmt: skip
    lines = [f"| {' | '.join(names)} |", "|---|---|---|---:|---|---:|---:|---:|---:|"]
    shares = information_shares(rows)
    group = ""
    for row in rows:
        cells = [
            row["group"] if row["group"] != group else "",
            row["variant"] or row["method"],
            row["readout"],
            f"{row['balanced_accuracy']:.3f}",
            " ".join(f"{value:.3f}" for value in row["by_seed"]),
            _difference(row),
            f"{row['bits']:.2f}",
            "" if shares[row["method"]] is None else f"{shares[row['method']]:.0%}",
            row["note"].removesuffix(" tokens a segment") if "tokens a segment" in row["note"] else "",
        ]
        group = row["group"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def information_shares(rows: Rows) -> dict[str, float | None]:
    """By method the bits of an LLM's read-out against those of the head on its variant's codes.

    A variant without a head of its own has the default's codes. None for what is no read-out of an LLM, and
    where the head has too few bits to be divided by.
    """
    heads = {row["variant"]: row["bits"] for row in rows if row["readout"] == "encoder"}
    shares: dict[str, float | None] = {}
    for row in rows:
        head = heads.get(row["variant"], heads.get(DEFAULT, 0.0))
        read = row["variant"] is not None and row["readout"] != "encoder" and head >= FEWEST_BITS
        shares[row["method"]] = row["bits"] / head if read else None
    return shares


def _difference(row: Mapping[str, Any]) -> str:
    if row["difference"] is None:
        return ""
    interval = format_interval(row["difference_ci95"], signed=True)
    return f"{row['difference']:+.3f}" + (f" ({interval})" if interval else "")


def ablation_figure(rows: Rows, title: str) -> Figure:
    """A dot a seed and a bar at the mean for each variant's average or, of one source, that source."""
    methods = [row["method"] for row in rows]
    main = {row["variant"]: _main_readout(methods, row["variant"]) for row in rows if row["variant"]}
    shown = [row for row in rows if row["variant"] is None or row["readout"] == main[row["variant"]]]
    figure = new_figure(8.2, 1.6 + 0.3 * len(shown))
    axes = figure.subplots()
    for y, row in enumerate(shown):
        colour = COLOURS["llm"] if row["variant"] else COLOURS["classical"]
        axes.plot(row["ci95"], [y, y], color=INK, linewidth=1.0, zorder=2)
        axes.scatter(row["by_seed"], [y] * len(row["by_seed"]), s=14, color=colour, alpha=0.6, zorder=3)
        axes.scatter([row["balanced_accuracy"]], [y], s=90, marker="|", color=colour, zorder=4)
        text = f"{row['balanced_accuracy']:.3f}"
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=MUTED)
    axes.set_yticks(range(len(shown)), [row["variant"] or row["method"] for row in shown], fontsize=9)
    axes.invert_yaxis()
    default = [row for row in shown if row["variant"] == DEFAULT]
    if default:
        draw_level(axes, DEFAULT, default[0]["balanced_accuracy"], ":", "left")
    what = "balanced accuracy: seeds (dots), mean (bar), 95 % interval over subjects (line)"
    axes.set_xlabel(what, loc="right")
    bare(axes)
    axes.grid(axis="x", color="#e6e8eb", zorder=0)
    figure_title(figure, f"Ablation: {title}")
    return figure
