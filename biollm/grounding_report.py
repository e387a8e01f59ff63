"""The report of ``biollm ground``: JSON, a page of tables, and said against measured values as a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from biollm.evaluation.drawing import COLOURS, INK, bare, figure_png, figure_title, new_figure
from biollm.evaluation.grounded_values import RELATIVE, claim_metrics, correlation, value_metrics
from biollm.grounded_questions import CONDITIONS, SIGNAL
from prompts import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["grounding_report", "render_grounding", "write_grounding"]

BASELINES = {"training mean": "mean", "its token": "token_centre"}
"""Row that answers nothing of its own -> the column with its number."""
QUESTIONS = {
    "asked": "Asked for one quantity",
    "described": "Open questions, answered with six at most: the first three, then those out of range first",
}
SHOWN = 3
COLUMNS = 3
TOLERANCE = (
    f"right: within {RELATIVE:.0%} of the measured value as it is written, or within one step of its last "
    "decimal; an answer without a number counts as wrong. MAE and correlation are of the given numbers."
)
NO_TEXT_METRIC = (
    "No text metric: the answers' wording is one of several drawn forms, and no library for one is installed."
)


def grounding_report(
    about: Mapping[str, Any], claims: pd.DataFrame, answers: pd.DataFrame, quantities: Sequence[Quantity]
) -> dict[str, Any]:
    """All figures.

    Parameters
    ----------
    about : mapping
        What was asked about what.
    claims, answers : DataFrame
        From `biollm.grounded_claims`.
    quantities : sequence of Quantity
    """
    real = claims[(claims["condition"] == SIGNAL)]
    return {
        "about": dict(about),
        "tolerance": TOLERANCE,
        "values": {
            question: {q.key: _of_quantity(real[real["question"] == question], q) for q in quantities}
            for question in QUESTIONS
        },
        "conditions": {
            name: _of_condition(answers[answers["condition"] == name], claims[claims["condition"] == name])
            for name in CONDITIONS
            if (answers["condition"] == name).any()
        },
        "examples": _examples(answers),
    }


def _of_quantity(claims: pd.DataFrame, quantity: Quantity) -> dict[str, Any]:
    mine = claims[claims["quantity"] == quantity.key]
    expected = mine[mine["expected"]]
    rows = {"LLM": value_metrics(expected, quantity.digits)}
    for name, column in BASELINES.items():
        rows[name] = value_metrics(expected.assign(said=expected[column]), quantity.digits)
    about = {"name": quantity.name, "unit": quantity.unit, "digits": quantity.digits}
    return {**about, "rows": rows, **claim_metrics(mine)}


def _of_condition(answers: pd.DataFrame, claims: pd.DataFrame) -> dict[str, Any]:
    """What answers are, by kind of question, and whether their numbers tell of the segment."""
    both = claims[claims["said"].notna() & claims["measured"].notna()]
    by_quantity = [
        correlation(rows["measured"].to_numpy(float), rows["said"].to_numpy(float))
        for _, rows in both.groupby("quantity")
    ]
    told = [value for value in by_quantity if value is not None]
    shares = {
        question: {
            "n": len(rows),
            **{kind: float(rows[kind].mean()) for kind in ("refused", "numbers", "unreadable")},
        }
        for question, rows in answers.groupby("question")
    }
    return {
        "questions": shares,
        "beside_the_question": _beside(claims),
        "correlation": sum(told) / len(told) if told else None,
        "outside_token": claim_metrics(claims)["outside_token"],
    }


def _beside(claims: pd.DataFrame) -> float | None:
    """Of the answers about named quantities the share that gives a number for another one."""
    asked = claims[claims["question"] == "asked"]
    known = asked.loc[asked["expected"], "answer"].unique()
    beside = asked.loc[~asked["expected"].astype(bool) & asked["said"].notna(), "answer"]
    return float(np.isin(known, beside).mean()) if len(known) else None


def _examples(answers: pd.DataFrame) -> list[dict[str, str]]:
    first = answers.groupby(["condition", "question"], sort=False).head(SHOWN)
    return first[["condition", "question", "segment", "answer"]].to_dict("records")


def write_grounding(
    folder: Path, report: Mapping[str, Any], claims: pd.DataFrame, answers: pd.DataFrame
) -> None:
    """Write report, page, figure, and every answer and claim."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "grounding.json").write_text(text, encoding="utf-8")
    (folder / "grounding.md").write_text(render_grounding(report), encoding="utf-8")
    figure = grounding_figure(report, claims)
    (folder / "grounding.png").write_bytes(figure_png(figure))
    answers.to_json(folder / "answers.jsonl", orient="records", lines=True, force_ascii=False)
    claims.to_parquet(folder / "claims.parquet")


def render_grounding(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    about = report["about"]
    lines = [
        f"# Values that {about['artefact']} states of {about['dataset']}",
        "",
        f"Base `{about['base_model']}`, source {about['source']} ({about['signal_mode']}); "
        f"{about['n_segments']} windows of {len(about['subjects'])} test subjects of {about['protocol']} "
        f"(fold {about['fold']}), {about['phrasings']} phrasings a question.",
        "",
        f"{report['tolerance'][:1].upper()}{report['tolerance'][1:]}",
        "`its token` says the middle of the training values behind the level token: what the tokens allow.",
    ]
    for question, title in QUESTIONS.items():
        lines += ["", f"## {title}", "", *_value_lines(report["values"][question])]
        lines += ["", *_claim_lines(report["values"][question])]
    beside = report["conditions"][SIGNAL]["beside_the_question"]
    lines += ["", f"Answers about a named quantity that give a number for another one: {_percent(beside)}."]
    lines += ["", "## Where there is nothing to measure", "", *_condition_lines(report["conditions"])]
    return "\n".join([*lines, "", NO_TEXT_METRIC, ""])


def _value_lines(values: Mapping[str, Any]) -> list[str]:
    rows = []
    for one in values.values():
        for number, (name, row) in enumerate(one["rows"].items()):
            if row["n"]:
                quantity = f"{one['name']}, {one['unit']}" if number == 0 else ""
                interval = " to ".join(f"{end:.3g}" for end in row["mae_ci95"] or ())
                cells = (f"{row['n']}", _percent(row["named"]), _plain(row["mae"]), interval)
                rows.append([quantity, name, *cells, _percent(row["within"]), _plain(row["correlation"], 2)])
    header = ["quantity", "who says it", "n", "named", "MAE", "95 % interval", "right", "correlation"]
    return _table(header, rows)


def _claim_lines(values: Mapping[str, Any]) -> list[str]:
    names = ("contradictions", "level_right", "range_right", "outside_token")
    rows = [
        [one["name"], *(_percent(one[name]) for name in names), str(one["invented"])]
        for one in values.values()
        if one["rows"]["LLM"]["n"] or one["invented"]
    ]
    header = [
        "quantity", "level against number", "level right", "range right", "number outside its token",
        "invented",
    ]  # fmt: skip
    return _table(header, rows)


def _condition_lines(conditions: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, one in conditions.items():
        told = [_plain(one["correlation"], 2), _percent(one["outside_token"])]
        for number, (question, share) in enumerate(one["questions"].items()):
            kinds = [_percent(share[kind]) for kind in ("refused", "numbers", "unreadable")]
            rows.append([name, question, str(share["n"]), *kinds, *(told if number == 0 else ("", ""))])
    header = [
        "signal", "question", "n", "refused", "gives a number", "neither", "mean correlation",
        "outside its token",
    ]  # fmt: skip
    notes = [f"- {name}: {CONDITIONS[name]}" for name in conditions]
    return [*_table(header, rows), "", *notes]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---" if k < 2 else "---:" for k in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _plain(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}g}" if digits == 3 else f"{value:.{digits}f}"


def grounding_figure(report: Mapping[str, Any], claims: pd.DataFrame) -> Figure:
    """A panel a quantity: what was said, where it was asked for alone, against what was measured."""
    values = {key: one for key, one in report["values"]["asked"].items() if one["rows"]["LLM"]["n"]}
    real = claims[(claims["condition"] == SIGNAL) & (claims["question"] == "asked")]
    n_rows = max(1, math.ceil(len(values) / COLUMNS))
    figure = new_figure(3.1 * COLUMNS, 0.5 + 2.9 * n_rows)
    panels = figure.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for axes, (key, one) in zip(panels, values.items(), strict=False):
        _draw_panel(axes, one, real[(real["quantity"] == key) & real["said"].notna()])
    for axes in panels[len(values) :]:
        axes.set_axis_off()
    about = report["about"]
    figure_title(figure, f"Said against measured: {about['dataset']}, source {about['source']}")
    return figure


def _draw_panel(axes: Axes, one: Mapping[str, Any], claims: pd.DataFrame) -> None:
    measured, said = claims["measured"], claims["said"]
    axes.scatter(measured, said, s=9, color=COLOURS["llm"], alpha=0.5, linewidths=0, zorder=3)
    known = measured.dropna()
    if len(known):
        # Beyond the measured ones single wild numbers would squeeze all others into a corner.
        axes.axline((known.median(), known.median()), slope=1, color=INK, linewidth=0.8, zorder=2)
        margin = 0.1 * (known.max() - known.min()) or 1.0
        axes.set(xlim=(known.min() - margin, known.max() + margin))
        axes.set_ylim(*axes.get_xlim())
    row = one["rows"]["LLM"]
    axes.set_title(f"{one['name']}\nMAE {_plain(row['mae'])}, {_percent(row['within'])} right", fontsize=8.5)
    axes.set_xlabel(f"measured, {one['unit']}", fontsize=8)
    axes.set_ylabel("said", fontsize=8)
    axes.tick_params(labelsize=7.5)
    axes.grid(color="#e6e8eb", zorder=0)
    bare(axes)
