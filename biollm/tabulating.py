"""Stage ``table``: rows of finished evaluations and comparisons on the same folds, in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from biollm.compared_methods import METHODS
from biollm.evaluation import FAMILIES, render_summary
from biollm.evaluation.predictions import NUMBERS
from biollm.report_rows import ORDER, PREDICTIONS, write_report
from data_builders.provenance import code_hash
from data_builders.splits import load_splits
from data_builders.stage import run_stage
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
KEYS = ["segment", "fold", "seed"]


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

    Every LLM row gets its paired difference to the best baseline of all runs. A row that an earlier run has
    too stands once where its answers are the same; where they are not, it has its run's name in brackets.

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
        "runs": {folder: [report["results"], report["versions"]] for folder, report in reports.items()},
        "rows": config.rows,
        "report": code_hash("biollm/evaluation", "biollm/report_rows.py", "biollm/tabulating.py"),
    }

    def work(partial: Path) -> None:
        splits = load_splits(config.runs[0])
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        predictions = _chosen(_joined(config.runs), config.rows)
        data = reports[config.runs[0]]["data"]
        write_report(
            predictions, store, splits, partial, data["normalisation"], data["scored_part"],
            [*ORDER, *METHODS, *dict.fromkeys(predictions["method"])], about_split={"runs": config.runs},
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


def _joined(folders: Sequence[str]) -> pd.DataFrame:
    """The answers of all runs, each row's under a name of its own."""
    found: dict[str, pd.DataFrame] = {}
    last = [Path(folder).resolve().name for folder in folders]
    for folder, short in zip(folders, last, strict=True):
        predictions = pd.read_parquet(Path(folder) / PREDICTIONS)
        for method, rows in predictions.groupby("method", sort=False):
            name = str(method)
            if name in found and _same_answers(found[name], rows):
                rows = max(found[name], rows, key=len)
            elif name in found:
                name = f"{name} ({short if last.count(short) == 1 else folder})"
            found[name] = rows.assign(method=name)
    joined = pd.concat(found.values(), ignore_index=True)
    if odd := sorted({column for rows in found.values() for column in set(joined) - set(rows)}):
        raise ValueError(f"the runs answer for different targets: {odd} are not in all of them.")
    return joined


def _same_answers(known: pd.DataFrame, rows: pd.DataFrame) -> bool:
    answers = [c for c in known if c in (*NUMBERS, "prediction") or str(c).startswith("p_")]
    first, second = (frame.set_index(KEYS).sort_index()[answers] for frame in (known, rows))
    shared = first.index.intersection(second.index)  # one of the two may have fewer seeds
    return len(shared) == min(len(first), len(second)) and first.loc[shared].equals(second.loc[shared])


def _chosen(predictions: pd.DataFrame, wanted: Sequence[str]) -> pd.DataFrame:
    if "all" in wanted:
        return predictions
    known = dict(zip(predictions["method"], predictions["family"], strict=True))
    if unknown := [name for name in wanted if name not in known and name not in FAMILIES]:
        raise ValueError(
            f"TableConfig: rows has {unknown}; allowed are 'all', the families {list(FAMILIES)} and the rows "
            f"{list(known)}."
        )
    kept = [name for name, family in known.items() if name in wanted or family in wanted]
    return predictions[predictions["method"].isin(kept)].reset_index(drop=True)
