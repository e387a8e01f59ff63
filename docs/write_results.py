"""python docs/write_results.py

Writes docs/results.md and docs/ablation.md from the reports under runs/ and the texts of docs/results.in.md
and docs/ablation.in.md, in which a line `{{table NAME}}` stands for the table of runs/NAME/report.json,
`{{compared NAME}}` for the same without its notes, `{{paired NAME}}` for the paired differences of its LLM
rows, `{{ablation NAME}}` for the table of runs/NAME/ablation.json, `{{figure NAME}}` for its figure, and
`{{file NAME}}` for a text file. A page is left as it is where a run that it shows is not there.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from biollm.ablation_table import render_ablation
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


def figure(name: str) -> str:
    """A copy of the ablation's figure beside the page."""
    shutil.copy(RUNS / name / "ablation.png", DOCS / f"{name}.png")
    return f"![{name}]({name}.png)"


KINDS: dict[str, Callable[[str], str]] = {
    "table": lambda name: render_table(report(name)),
    "compared": compared,
    "paired": paired,
    "ablation": lambda name: render_ablation(json.loads((RUNS / name / "ablation.json").read_text())),
    "figure": figure,
    "file": lambda name: (RUNS / name).read_text().rstrip(),
}


def filled(match: re.Match[str]) -> str:
    kind, name = match.groups()
    return KINDS[kind](name)


def main() -> None:
    for page in ("results", "ablation"):
        text = (DOCS / f"{page}.in.md").read_text()
        try:
            made = re.sub(rf"\{{\{{({'|'.join(KINDS)}) ([\w./-]+)\}}\}}", filled, text)
        except FileNotFoundError as error:
            print(f"docs/{page}.md stays as it is: {error.filename} is not there")
        else:
            (DOCS / f"{page}.md").write_text(made)


if __name__ == "__main__":
    main()
