"""python docs/write_results.py

Writes docs/results.md from the reports under runs/ and the text of docs/results.in.md, in which a line
`{{table NAME}}` stands for the table of runs/NAME/report.json, `{{compared NAME}}` for the same without
its notes, `{{paired NAME}}` for the paired differences of its LLM rows, and `{{file NAME}}` for a text file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from biollm.evaluation import render_table

DOCS = Path(__file__).parent
RUNS = DOCS.parent / "runs"


def report(name: str) -> dict:
    return json.loads((RUNS / name / "report.json").read_text())


def paired(name: str) -> str:
    """Each LLM row against what it is compared to."""
    lines = ["| LLM row | against | difference | 95 % interval |", "|---|---|---:|---:|"]
    for row in report(name)["results"]:
        for pair in row.get("paired") or []:
            low, high = pair["ci95"]
            best = " (best baseline)" if pair["best_baseline"] else ""
            difference = f"{pair['difference']:+.3f} | {low:+.3f} to {high:+.3f}"
            lines.append(f"| {row['method']} | {pair['against']}{best} | {difference} |")
    return "\n".join(lines)


def compared(name: str) -> str:
    """The table alone: what each fold's search chose stands in the report."""
    found = report(name)
    return render_table(found | {"results": [row | {"note": ""} for row in found["results"]]})


KINDS: dict[str, Callable[[str], str]] = {
    "table": lambda name: render_table(report(name)),
    "compared": compared,
    "paired": paired,
    "file": lambda name: (RUNS / name).read_text().rstrip(),
}


def filled(match: re.Match[str]) -> str:
    kind, name = match.groups()
    return KINDS[kind](name)


def main() -> None:
    text = (DOCS / "results.in.md").read_text()
    (DOCS / "results.md").write_text(re.sub(r"\{\{(table|compared|paired|file) ([\w./-]+)\}\}", filled, text))


if __name__ == "__main__":
    main()
