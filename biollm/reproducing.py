"""Stage ``reproduce``: a predecessor's experiment by its own protocol, and by others beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biollm.comparing import CompareConfig, compare
from biollm.experiment import EvaluateConfig, evaluate
from biollm.predecessors import EXPERIMENTS, Experiment, Study, quick
from biollm.reproduction_report import StudyReport, write_reproduction
from data_builders.joining import JoinConfig, join
from data_builders.options import as_mapping
from data_builders.preparing import PrepareConfig, make_reader, prepare
from data_builders.splits import make_splits
from data_builders.store import SegmentStore

__all__ = ["ReproduceConfig", "reproduce"]

PRESETS = ("full", "quick")


@dataclass
class ReproduceConfig:
    """An experiment of those that biollm grew from, on its data or on simulated data of their shape."""

    experiment: str = field(default="", metadata={"help": f"one of {', '.join(EXPERIMENTS)}"})
    root: str | None = field(
        default=None,
        metadata={
            "help": "folder of the data; with several data sets a folder by name for each; default: simulated"
        },
    )
    reader_options: dict | str | None = field(
        default=None, metadata={"help": "further options of the reader of the data, as JSON"}
    )
    out: str = field(default="", metadata={"help": "folder to write to; default: runs/ and the experiment"})
    preset: str = field(
        default="full",
        metadata={"help": "full, or quick: few simulated subjects, folds and epochs, in minutes"},
    )
    jobs: int = field(default=1, metadata={"help": "processes; each works on one job at a time"})

    def __post_init__(self) -> None:
        self.reader_options = as_mapping(self.reader_options)
        self.out = self.out or f"runs/{self.experiment}"
        problems = [
            f"{name} is {given!r}; allowed are {list(allowed)}"
            for name, given, allowed in (
                ("experiment", self.experiment, EXPERIMENTS),
                ("preset", self.preset, PRESETS),
            )
            if given not in allowed
        ]
        if self.reader_options and not self.root:
            problems.append("reader_options are given without a root, and simulated data have none")
        if problems:
            raise ValueError(f"ReproduceConfig: {'; '.join(problems)}.")


def reproduce(config: ReproduceConfig, progress: bool = True) -> Path:
    """Prepare the data of an experiment, run its protocols and honest ones, and write one report.

    What is finished is not done again. The reports of each protocol lie in ``OUT/STUDY/PROTOCOL``, and the
    one that brings them together is ``OUT/report.html``. Returns `out`.

    Raises
    ------
    FileNotFoundError
        If there is a root, but nothing of the experiment's data in it.
    """
    experiment, out = EXPERIMENTS[config.experiment], Path(config.out)
    roots = _roots(config, experiment)
    said = _data_line(config, roots)
    print(said, flush=True)
    studies = {
        name: quick(study) if config.preset == "quick" else study
        for name, study in experiment.studies.items()
    }
    preparing = {
        name: _preparing(study, roots[name], config, out / name)
        for name, study in studies.items()
        if not study.joins
    }
    for chosen in preparing.values():  # a fault in any of the data shows before the first training
        make_reader(chosen.dataset, chosen.root, chosen.reader_options)
    found = []
    stores: dict[str, Path] = {}
    for name, study in studies.items():
        if study.joins:
            parts = {part: str(stores[part]) for part in study.joins}
            joining = JoinConfig(parts, str(out / name / "store"), words=dict(study.joins))
            stores[name] = join(joining, progress)
        else:
            stores[name] = prepare(preparing[name], progress)
        reader = ", ".join(dict.fromkeys(preparing[part].dataset for part in study.joins or [name]))
        folders = {p: _run(study, p, stores[name], out / name, config, progress) for p in study.protocols}
        texts = {p: (folder / "report.json").read_text(encoding="utf-8") for p, folder in folders.items()}
        reports = {p: json.loads(text) for p, text in texts.items()}
        found.append(StudyReport(name, reader, study.metrics, reports))
    print(write_reproduction(out, config.experiment, experiment, said, found))
    return out


def _roots(config: ReproduceConfig, experiment: Experiment) -> dict[str, str | None]:
    """The folder of each study's data; None where they are simulated."""
    read = {name: study for name, study in experiment.studies.items() if not study.joins}
    datasets = {study.dataset for study in read.values()}
    if config.root is None or len(datasets) == 1:
        return dict.fromkeys(read, config.root)
    places = {name: Path(config.root) / study.dataset for name, study in read.items()}
    if not any(place.is_dir() for place in places.values()):
        raise FileNotFoundError(
            f"{config.root}: holds none of the folders {sorted(datasets)}; allowed is a folder with some of "
            "them. Leave root out to run on simulated data."
        )
    return {name: str(place) if place.is_dir() else None for name, place in places.items()}


def _data_line(config: ReproduceConfig, roots: Mapping[str, str | None]) -> str:
    """What the figures are figures of: the first line that is printed, and the first of the report."""
    shapes = [name for name, root in roots.items() if root is None]
    real = [f"{name}: {root}" for name, root in roots.items() if root]
    line = "; ".join(real)
    if shapes:
        line = "; ".join(filter(None, [line, SIMULATED.format(", ".join(shapes))]))
    return f"{config.experiment}: {line}." + QUICK * (config.preset == "quick")


SIMULATED = (
    "SIMULATED data in the data set's shape ({}), since its files are not given: the figures show that the "
    "pipeline runs and what a protocol leaks, and nothing about people"
)
QUICK = " QUICK: few folds, epochs and simulated subjects, so that the figures are rough."


def _preparing(study: Study, root: str | None, config: ReproduceConfig, folder: Path) -> PrepareConfig:
    dataset = study.dataset if root else study.simulated
    options = (
        {**study.reader_options, **as_mapping(config.reader_options)} if root else study.simulated_options
    )
    return PrepareConfig(
        dataset, root, str(folder / "store"), reader_options=dict(options), jobs=config.jobs, **study.prepare
    )


def _run(
    study: Study, protocol: str, store: Path, folder: Path, config: ReproduceConfig, progress: bool
) -> Path:
    """The report of one protocol."""
    settings: dict[str, Any] = {"store": str(store), "out": str(folder / protocol), "jobs": config.jobs}
    settings |= {"protocol": protocol, "split": _first_folds(study, protocol, store, folder)}
    print(f"\n{folder.name}, {protocol}", flush=True)
    if study.llm:
        return evaluate(EvaluateConfig(**settings, **study.settings), progress)
    return compare(CompareConfig(**settings, **study.settings), progress)


def _first_folds(study: Study, protocol: str, store: Path, folder: Path) -> str | None:
    """A folder with the first folds of a protocol, where not all are run."""
    if study.n_folds is None:
        return None
    place = folder / f"{protocol}.first{study.n_folds}"
    place.mkdir(parents=True, exist_ok=True)
    for split in make_splits(SegmentStore(store).table, protocol)[: study.n_folds]:
        split.save(place / f"split-{split.fold}.json")
    return str(place)
