"""Stage ``table``: rows of finished evaluations and comparisons on the same folds, in one table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biollm.compared_methods import METHODS
from biollm.evaluation import FAMILIES, render_summary
from biollm.evaluation.predictions import NUMBERS
from biollm.report_rows import COMPARED, ORDER, PREDICTIONS, write_report
from data_builders.provenance import code_hash
from data_builders.splits import load_splits
from data_builders.stage import content_hash, run_stage
from data_builders.store import SegmentStore

__all__ = ["TableConfig", "tabulate"]

ALIKE = {
    "the data": ("data", "hash"),
    "the classes": ("data", "classes"),
    "the normalisation": ("data", "normalisation"),
    "the scored part": ("data", "scored_part"),
    "the splits": ("split", "hashes"),
}
"""What all runs share, and where it stands in a report."""
SETTINGS = (("data", "targets"), ("data", "features"), ("data", "preset"), ("split", "base_model"))
"""What of a run's settings the report tells."""
KEYS = ["segment", "fold", "seed"]
ROUNDING = 1e-9
"""Answers that differ by less are the same ones, summed in another order."""


@dataclass
class TableConfig:
    """Rows of finished runs of 'evaluate' and 'compare' on the same folds."""

    runs: list[str] = field(
        default_factory=list,
        metadata={"help": "folders that 'biollm evaluate' or 'biollm compare' wrote, on the same splits"},
    )
    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(default="runs/table", metadata={"help": "folder to write the report to"})
    rows: list[str] = field(
        default_factory=lambda: ["all"],
        metadata={"help": f"all, or names of rows and families: {', '.join(FAMILIES)}"},
    )

    def __post_init__(self) -> None:
        if len(self.runs) < 2 or len(set(self.runs)) < len(self.runs):
            raise ValueError(f"TableConfig: runs are {self.runs}; give two or more, each once.")


def tabulate(config: TableConfig, progress: bool = True) -> Path:
    """Write ``report.json``, ``report.html`` and figures of the rows of all runs.

    Every LLM row gets its paired differences to the best baseline of all runs and to the controls of its own
    run. A row that an earlier run has too stands once where its answers are the same; where they are not, it
    has its run's name in brackets.

    Raises
    ------
    FileNotFoundError
        If a folder holds no answers.
    ValueError
        If the runs are not of the same data, splits, part and normalisation, or a row is unknown.
    """
    reports = {folder: _report(folder) for folder in config.runs}
    _check_alike(reports)
    store = SegmentStore(config.store)
    if store.about["content"] != (known := reports[config.runs[0]]["data"]["hash"]):
        raise ValueError(
            f"{config.store}: holds {store.about['content']}, but {config.runs[0]} is of {known}. Give the "
            "store that the runs are of."
        )
    inputs = {
        "runs": [[folder, content_hash(report)] for folder, report in reports.items()],
        "rows": config.rows,
        "report": code_hash("biollm/evaluation", "biollm/report_rows.py", "biollm/tabulating.py"),
    }

    def work(partial: Path) -> None:
        splits = load_splits(config.runs[0])
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        joined, pairs = _joined(config.runs)
        predictions = _chosen(joined, config.rows)
        data = reports[config.runs[0]]["data"]
        settings = {
            folder: {key: report[group][key] for group, key in SETTINGS if key in report[group]}
            for folder, report in reports.items()
        }
        write_report(
            predictions, store, splits, partial, data["normalisation"], data["scored_part"],
            list(dict.fromkeys([*ORDER, *METHODS, *predictions["method"]])), about_split={"runs": settings},
            compared=pairs,
        )  # fmt: skip

    out = run_stage("table", config.out, inputs, work)
    if progress:
        print(render_summary(out))
    return out


def _report(folder: str) -> dict[str, Any]:
    missing = [name for name in ("report.json", PREDICTIONS) if not (Path(folder) / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder}: has no {' and no '.join(missing)}; allowed are folders that 'biollm evaluate' or "
            "'biollm compare' wrote. Run the command that made it again."
        )
    return json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))


def _check_alike(reports: Mapping[str, dict]) -> None:
    """Refuse runs whose rows cannot be paired."""
    (first, known), *others = reports.items()
    problems = [
        f"{what} {report[group].get(key)!r} and not {known[group].get(key)!r}, as {first} has"
        for folder, report in others
        for what, (group, key) in ALIKE.items()
        if report[group].get(key) != known[group].get(key)
    ]
    if problems:
        raise ValueError(
            f"the runs are not of the same segments: {'; '.join(problems)}. Give runs of one store, with the "
            "same splits, part and normalisation."
        )


def _joined(folders: Sequence[str]) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The answers of all runs, under names of their own, and the rows of its run that each is paired with."""
    found: dict[str, pd.DataFrame] = {}
    names: dict[str, dict[str, str]] = {}  # folder -> a row's name there -> its name here
    last = [Path(folder).resolve().name for folder in folders]
    for folder, short in zip(folders, last, strict=True):
        predictions = pd.read_parquet(Path(folder) / PREDICTIONS)
        label = short if last.count(short) == 1 else folder
        names[folder] = {}
        for method, rows in predictions.groupby("method", sort=False):
            namesakes = [known[method] for known in names.values() if method in known]
            same = [name for name in namesakes if _same_answers(found[name], rows)]
            free = (name for name in _names(str(method), label, folder) if name not in found)
            name = next(iter(same), None) or next(free)
            rows = max(found[name], rows, key=len) if same else rows
            found[name], names[folder][str(method)] = rows.assign(method=name), name
    joined = pd.concat(found.values(), ignore_index=True)
    if odd := sorted({column for rows in found.values() for column in set(joined) - set(rows)}):
        raise ValueError(f"the runs answer for different targets: {odd} are not in all of them.")
    pairs = {
        known[method]: [known[other] for other in others if other in known]
        for known in names.values()
        for method, others in COMPARED.items()
        if method in known
    }
    return joined, pairs


def _names(method: str, *places: str) -> Iterator[str]:
    """Names for a row, of which a table takes the first that it has not."""
    yield method
    for n in itertools.count(1):
        yield from (f"{method} ({place}{f', {n}' * (n > 1)})" for place in places)


def _same_answers(known: pd.DataFrame, rows: pd.DataFrame) -> bool:
    if set(known) != set(rows):
        return False
    answers = [c for c in known if c in (*NUMBERS, "prediction") or str(c).startswith("p_")]
    first, second = (frame.set_index(KEYS).sort_index()[answers] for frame in (known, rows))
    shared = first.index.intersection(second.index)  # one of the two may have fewer seeds
    if len(shared) < min(len(first), len(second)):
        return False
    first, second = first.loc[shared], second.loc[shared]
    numbers = first.select_dtypes("number").columns
    near = np.allclose(first[numbers], second[numbers], rtol=0, atol=ROUNDING, equal_nan=True)
    return near and first.drop(columns=numbers).equals(second.drop(columns=numbers))


def _chosen(predictions: pd.DataFrame, wanted: Sequence[str]) -> pd.DataFrame:
    families = dict(zip(predictions["method"], predictions["family"], strict=True))
    allowed = ["all", *dict.fromkeys(families.values()), *families]
    if unknown := [name for name in wanted if name not in allowed]:
        raise ValueError(f"TableConfig: rows has {unknown}; allowed are {allowed}.")
    kept = [name for name, family in families.items() if {"all", name, family} & set(wanted)]
    return predictions[predictions["method"].isin(kept)].reset_index(drop=True)
