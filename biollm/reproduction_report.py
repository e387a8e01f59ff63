"""One report of several protocols: what a predecessor's own gives, beside what an honest one gives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from biollm.evaluation import split_mark
from biollm.predecessors import Experiment
from data_builders.places import write_whole

__all__ = ["StudyReport", "write_reproduction"]

WORDS = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "mae": "MAE",
    "ccc": "CCC",
    "transition_f1": "transition F1",
}
ABSENT = "-"
SIMULATED = {"simulated", "simulated_features"}
NEW = "new subjects"
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1f2328; max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #d9dee3 }
th:first-child { text-align: left; font-weight: 400 }
.warning { border: 2px solid #b00020; color: #b00020; padding: .6rem .9rem; font-weight: 600 }
.scroll { overflow-x: auto }
"""


@dataclass(frozen=True)
class StudyReport:
    """The reports of one data set.

    Parameters
    ----------
    name, reader : str
    metrics : tuple of str
        Keys of the rows that are shown, a table each.
    reports : mapping of str to dict
        Protocol -> what its ``report.json`` holds.
    """

    name: str
    reader: str
    metrics: tuple[str, ...]
    reports: Mapping[str, dict[str, Any]]

    @property
    def heading(self) -> str:
        """The data set, and whether it is one."""
        readers, kind = set(self.reader.split(", ")), self.reader
        if readers <= SIMULATED:
            kind = "SIMULATED, in the data set's shape"
        elif readers & SIMULATED:
            kind = f"SIMULATED in part: {kind}"
        sizes = [report["data"] for report in self.reports.values()]
        n_scored = ", ".join(f"{data['n_segments']} of {data['n_subjects']} subjects" for data in sizes)
        return f"{self.name} ({kind}); segments scored: {n_scored}"

    @property
    def absent(self) -> list[str]:
        """Methods of the experiment that cannot read these data, each with the reason."""
        # An LLM's report has no such rows.
        lines = [
            line for report in self.reports.values() for line in report["data"].get("not_applicable", ())
        ]
        return list(dict.fromkeys(lines))

    def tables(self) -> Iterator[list[list[str]]]:
        """A table a metric that any method answers for: a header, then a row a method."""
        results = {name: {r["method"]: r for r in report["results"]} for name, report in self.reports.items()}
        methods = list(dict.fromkeys(method for rows in results.values() for method in rows))
        header = [f"{name}, {split_mark(report) or NEW}" for name, report in self.reports.items()]
        for metric in self.metrics:
            body = [
                [method, *(_value(r.get(method, {}), metric) for r in results.values())] for method in methods
            ]
            body = [row for row in body if set(row[1:]) != {ABSENT}]
            if body:
                yield [[WORDS[metric], *header], *body]


def write_reproduction(
    out: Path, name: str, experiment: Experiment, said: str, studies: Sequence[StudyReport]
) -> str:
    """Write ``report.json`` and ``report.html`` into `out`, and return the tables as text.

    Parameters
    ----------
    out : Path
    name : str
    experiment : Experiment
    said : str
        What the figures are figures of; it comes first.
    studies : sequence of StudyReport
    """
    about = {
        "experiment": name,
        "data": said,
        **{key: getattr(experiment, key) for key in ("title", "reported", "leak")},
        "studies": {study.name: _kept(study) for study in studies},
    }
    write_whole(out / "report.json", json.dumps(about, indent=2, ensure_ascii=False))
    write_whole(out / "report.html", _page(name, experiment, said, studies))
    texts = [part for study in studies for part in _study_text(study)]
    return "\n\n".join(["", *texts, f"Reported: {experiment.reported}", f"{out}/report.html has all of it."])


def _study_text(study: StudyReport) -> list[str]:
    tables = [f"{study.heading}\n\n{_text(table)}" for table in study.tables()]
    return tables + [f"Not applicable: {line}" for line in study.absent]


def _kept(study: StudyReport) -> dict[str, Any]:
    keys = ("method", "family", "note", *study.metrics)
    return {
        "reader": study.reader,
        "not_applicable": study.absent,
        "protocols": {
            protocol: {
                "mark": split_mark(report) or NEW,
                "split": report["split"],
                "results": [
                    {key: row.get(key) for key in keys} | {"intervals": row["intervals"]}
                    for row in report["results"]
                ],
            }
            for protocol, report in study.reports.items()
        },
    }


def _value(row: Mapping[str, Any], metric: str) -> str:
    value = row.get(metric)
    if value is None:
        return ABSENT
    low, high = row["intervals"].get(metric, (None, None))
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.2f} to {high:.2f})"


def _text(table: list[list[str]]) -> str:
    """A table in Markdown."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in table]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def _page(name: str, experiment: Experiment, said: str, studies: Sequence[StudyReport]) -> str:
    simulated = any(study.reader.startswith("simulated") for study in studies)
    title = escape(f"{name}{' on SIMULATED data' * simulated}")
    body = [
        f"<h1>{title}</h1>",
        f'<p class="warning">{escape(said)}</p>' if simulated else f"<p>{escape(said)}</p>",
        f"<p>{escape(experiment.title)}.</p>",
        f"<p>Reported, and not measured here: {escape(experiment.reported)}</p>",
        f"<p>Where it leaks: {escape(experiment.leak)}</p>",
    ]
    for study in studies:
        links = [f'<a href="{study.name}/{p}/report.html">{escape(p)}</a>' for p in study.reports]
        body += [f"<h2>{escape(study.heading)}</h2>", *map(_html, study.tables())]
        body += [f"<p>Not applicable: {escape(line)}</p>" for line in study.absent]
        body.append(f"<p>With figures, classes and subjects: {', '.join(links)}.</p>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _html(table: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table[0])
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in table[1:]
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
