"""The comparison table as text, and the words and numbers that all forms of a report share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "FAMILIES",
    "METRIC_WORDS",
    "main_rows",
    "primary_of",
    "render_summary",
    "render_table",
    "split_mark",
    "split_warning",
    "table_cells",
]

# Family -> heading; a report's rows stand in this vocabulary.
FAMILIES = {
    "majority": "Majority class",
    "classical": "Classical",
    "encoder": "Encoders",
    "llm": "LLM",
    "control": "Controls",
    "ceiling": "Ceiling",
}
# Metric -> its words; the first three are what a report's rows can be ranked by.
METRIC_WORDS = {
    "balanced_accuracy": "balanced accuracy",
    "ccc": "CCC",
    "transition_f1": "transition F1",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "mae": "MAE",
    "rmse": "RMSE",
}
N_MAIN_LLM = 3


def render_table(report: Mapping[str, Any]) -> str:
    """The table as Markdown that also reads well in a terminal, with the notes below it."""
    headers, rows = table_cells(report)
    families = [row["family"] for row in report["results"]]
    first = ["" if i and families[i - 1] == f else FAMILIES[f] for i, f in enumerate(families)]
    lines = [["family", *headers], *([f, *cells] for f, cells in zip(first, rows, strict=True))]
    widths = [max(len(line[i]) + line[i].count("|") for line in lines) for i in range(len(lines[0]))]
    rule = [("-" * w if i < 2 else "-" * (w - 1) + ":") for i, w in enumerate(widths)]
    text = "\n".join(_markdown_line(line, widths) for line in [lines[0], rule, *lines[1:]])
    notes = [f"{row['method']}: {row['note']}" for row in report["results"] if row["note"]]
    return "\n\n".join(filter(None, [split_warning(report), text, _legend(report), *notes]))


def render_summary(folder: Path) -> str:
    """What a command prints of the report in a folder: its table, what was left out, where the page is."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    absent = [f"Not applicable: {line}" for line in report["data"].get("not_applicable", ())]
    return "\n".join(["", render_table(report), "", *absent, f"{folder}/report.html has the figures."])


def table_cells(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Column headers and the texts of each row; columns without any value are left out."""
    columns = _columns(report)
    rows = [[cell(row) for cell in columns.values()] for row in report["results"]]
    filled = [i for i in range(len(columns)) if any(cells[i] for cells in rows)]
    return [list(columns)[i] for i in filled], [[cells[i] or "–" for i in filled] for cells in rows]


def primary_of(report: Mapping[str, Any]) -> str:
    """The metric that rows are ranked by; reports of before there were ratings know only one."""
    return report["data"].get("primary", "balanced_accuracy")


def main_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows worth a closer look: the best classical one, the best encoder and the three best LLM rows."""
    chosen: set[str] = set()
    for family, n_best in (("classical", 1), ("encoder", 1), ("llm", N_MAIN_LLM)):
        rows = [row for row in report["results"] if row["family"] == family]
        rows.sort(key=lambda row: -row[primary_of(report)])
        chosen.update(row["method"] for row in rows[:n_best])
    return [row for row in report["results"] if row["method"] in chosen]


def split_mark(report: Mapping[str, Any]) -> str:
    """A few words for titles on a split that does not keep subjects apart; else nothing."""
    if report["split"].get("leaky"):
        return "LEAKY SPLIT"
    return "" if report["split"].get("subject_disjoint", True) else "subjects on both sides"


def split_warning(report: Mapping[str, Any]) -> str:
    """What a reader must know of a split that does not keep subjects apart; else nothing."""
    if report["split"].get("leaky"):
        return (
            "LEAKY SPLIT: windows of the same recordings, overlapping ones too, are trained and tested on. "
            "These figures are for comparison with others made so, and say nothing about new recordings."
        )
    if report["split"].get("subject_disjoint", True):
        return ""
    return "The same subjects are trained and tested on: these figures say nothing about new people."


def format_interval(ci95: list[float | None], signed: bool = False) -> str:
    """``0.71 to 0.80``, or nothing if the interval is not known."""
    low, high = ci95
    if low is None or high is None:
        return ""
    return f"{low:+.3f} to {high:+.3f}" if signed else f"{low:.3f} to {high:.3f}"


def format_seconds(seconds: float | None) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s`` or ``1 h 05 min``."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    minutes = round(total / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_count(number: int | None) -> str:
    """``50,123``, from a million on ``1.24 M``, from a thousand millions on ``1.24 G``."""
    if number is None:
        return ""
    if number < 1e6:
        return f"{number:,}"
    return f"{number / 1e6:.3g} M" if number < 1e9 else f"{number / 1e9:.3g} G"


def format_value(value: float | None) -> str:
    """Three decimals, or nothing if the value is not known."""
    return "" if value is None else f"{value:.3f}"


def _columns(report: Mapping[str, Any]) -> dict[str, Callable[[Mapping[str, Any]], str]]:
    """Header -> text of a row; older reports lack the columns that came later."""
    primary = primary_of(report)
    beside = ["macro_f1", "accuracy", "ccc"] if primary == "balanced_accuracy" else ["mae", "rmse"]
    others = [name for name in (*beside, "transition_f1") if name != primary]
    # By keyword, since a function made in a loop would see only the last name.
    scores = {METRIC_WORDS[name]: lambda row, name=name: format_value(row.get(name)) for name in others}
    best = {row["against_best"]["against"] for row in report["results"] if row.get("against_best")}
    return {
        "method": lambda row: row["method"],
        METRIC_WORDS[primary]: lambda row: format_value(row[primary]),
        "95 % interval": lambda row: format_interval(row["ci95"]),
        **scores,
        "to best": lambda row: "best" if row["method"] in best else _to_best(row),
        "ECE": lambda row: format_value(row["ece"]),
        "unparsable": lambda row: f"{row['unparsable']:.1%}" if row["unparsable"] else "",
        "parameters": lambda row: format_count(row.get("parameters")),
        "time": lambda row: format_seconds(row["seconds"]),
    }


def _to_best(row: Mapping[str, Any]) -> str:
    """The difference to the best row, with a star where its 95 % interval leaves out zero."""
    pair = row.get("against_best")
    if not pair:
        return ""
    low, high = pair["ci95"]
    star = "*" if low is not None and low * high > 0 else ""
    return f"{pair['difference']:+.3f}{star}"


def _markdown_line(cells: list[str], widths: list[int]) -> str:
    cells = [cell.replace("|", "\\|") for cell in cells]
    padded = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
    return f"| {' | '.join(padded)} |"


def _legend(report: Mapping[str, Any]) -> str:
    data, primary = report["data"], primary_of(report)
    scored = f"{len(data['classes'])} classes" if data["classes"] else METRIC_WORDS[primary]
    lines = (
        f"{scored} (chance {data['chance']:.3f}), {data['n_subjects']} subjects, "
        f"{data['n_segments']} segments. Intervals: {METRIC_WORDS[primary]}, bootstrap over subjects."
    )
    if any(row.get("against_best") for row in report["results"]):
        lines += (
            " To best: difference to the best row on the same resamples, * where its interval excludes 0."
        )
    return lines
