"""python docs/write_results.py

Writes the tables of docs/results.md and docs/ablation.md anew from the reports under runs/. There a table
stands between `<!-- KIND NAME -->` and `<!-- end -->`. Kinds are `table`, that of runs/NAME/report.json;
`compared`, the same without its notes; `paired`, the paired differences of its LLM rows; `ablation`, the
table of runs/NAME/ablation.json; `figure`, its figure; `bars`, the bars of a report; `file`, a text file.
What shows a run that is not there stays.
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
    return json.loads((RUNS / name / "report.json").read_text(encoding="utf-8"))


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


def figure(name: str, file: str = "ablation.png") -> str:
    """A copy of a run's figure beside the page."""
    shutil.copy(RUNS / name / file, DOCS / f"{name}.png")
    return f"![{name}]({name}.png)"


KINDS: dict[str, Callable[[str], str]] = {
    "table": lambda name: render_table(report(name)),
    "compared": compared,
    "paired": paired,
    "ablation": lambda name: render_ablation(json.loads((RUNS / name / "ablation.json").read_text())),
    "figure": figure,
    "bars": lambda name: figure(name, "figures/comparison.png"),
    "file": lambda name: f"```\n{(RUNS / name).read_text().rstrip()}\n```",
}


def anew(match: re.Match[str]) -> str:
    kind, name = match.groups()
    try:
        body = KINDS[kind](name)
    except FileNotFoundError as error:
        print(f"{kind} {name} stays as it is: {error.filename} is not there")
        return match.group()
    return f"<!-- {kind} {name} -->\n\n{body}\n\n<!-- end -->"


def checked(page: Path) -> str:
    """The text of a page, in which every block has an end."""
    text = page.read_text(encoding="utf-8")
    marks = re.findall(r"^<!-- (\w+)(?: [\w./-]+)? -->$", text, re.MULTILINE)
    for number, mark in enumerate(marks):
        if mark not in (["end"] if number % 2 else KINDS):
            raise ValueError(
                f"{page}: comment {number + 1} is of kind {mark!r}; allowed are blocks of a kind of "
                f"{list(KINDS)} and `<!-- end -->` in turn."
            )
    return text


def main() -> None:
    shown = re.compile(rf"<!-- ({'|'.join(KINDS)}) ([\w./-]+) -->\n.*?<!-- end -->", re.DOTALL)
    for page in (DOCS / "results.md", DOCS / "ablation.md"):
        page.write_text(shown.sub(anew, checked(page)), encoding="utf-8")


if __name__ == "__main__":
    main()
