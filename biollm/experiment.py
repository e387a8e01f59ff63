"""Stage ``evaluate``: every row of the table on the same folds and seeds, in parallel, resumable."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import pandas as pd

from biollm.artefact import read_card
from biollm.base_model import base_identity
from biollm.building import RUNNING, BuildConfig
from biollm.known_subjects import normalised_before
from biollm.methods import GROUPS, Context, MethodOutput
from biollm.report_rows import write_report
from data_builders.duplicates import DuplicateSearch
from data_builders.engines import end_with_parent
from data_builders.leaks import check_leaks
from data_builders.options import as_mapping
from data_builders.splits import Split, load_splits, make_splits
from data_builders.stage import read_stamp, run_stage
from data_builders.store import SegmentStore
from encoders.inputs import SignalInputs, store_inputs
from encoders.signal_tokenizer import SignalTokenizerConfig

__all__ = ["EvaluateConfig", "Job", "evaluate"]


@dataclass
class EvaluateConfig:
    """Baselines, encoders, LLM read-outs and controls on one protocol, subject-disjoint by default."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(default="runs/evaluation", metadata={"help": "folder to write the report to"})
    protocol: str = field(
        default="gkf5", metadata={"help": "gkfN, holdout, loso, stimulus, ...: see 'biollm split --help'"}
    )
    split: str | None = field(default=None, metadata={"help": "file or folder of splits to use instead"})
    artefact: str | None = field(
        default=None, metadata={"help": "evaluate this artefact's LLM on its own split"}
    )
    seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "seeds of weights and sampling"})
    once: list[str] = field(
        default_factory=lambda: ["floats", "shuffled", "noise"],
        metadata={"help": "groups that are run with the first seed only"},
    )
    groups: list[str] = field(
        default_factory=lambda: list(GROUPS), metadata={"help": "groups of methods to run"}
    )
    part: str = field(
        default="test", metadata={"help": "part that is scored; validation while choosing a recipe"}
    )
    model_name_or_path: str = field(
        default="nano", metadata={"help": "base: nano (embedded), a hub id or a folder"}
    )
    load_in_4bit: bool = field(default=True, metadata={"help": "nf4 weights through bitsandbytes"})
    normalisation: str = field(
        default="subject", metadata={"help": "subject or recording (transductive), baseline (causal) or none"}
    )
    tokenizer: dict | str | None = field(
        default=None, metadata={"help": "SignalTokenizerConfig: a mapping in YAML, JSON as a flag"}
    )
    build: dict | str | None = field(
        default=None, metadata={"help": "n_conversations, copies, ... of BuildConfig"}
    )
    training: dict | str | None = field(
        default=None, metadata={"help": "max_steps, learning_rate, ... of TRL"}
    )
    sources: list[str] = field(
        default_factory=lambda: ["codes", "bins"], metadata={"help": "token sources that the LLM learns"}
    )
    n_phrasings: int = field(default=2, metadata={"help": "phrasings that a likelihood is averaged over"})
    jobs: int = field(
        default=1, metadata={"help": "processes; each works on one fold, seed and group at a time"}
    )

    def __post_init__(self) -> None:
        for name in ("tokenizer", "build", "training"):
            setattr(self, name, as_mapping(getattr(self, name)))
        problems = [
            *_unknown("groups", [*self.groups, *self.once], GROUPS),
            *_unknown("part", [self.part], ("validation", "test")),
            *_unknown(
                "tokenizer", as_mapping(self.tokenizer), _names(SignalTokenizerConfig) - {"normalisation"}
            ),
            *_unknown(
                "build",
                as_mapping(self.build),
                _names(BuildConfig) - {"sources", "seed", "model_name_or_path", *RUNNING},
            ),
        ]
        if self.artefact and self.part != "test":
            problems.append(
                "part must be 'test' with an artefact, which has learned from the validation part"
            )
        if "floats" in self.sources:
            problems.append("sources may not hold 'floats', which are a group of their own")
        if problems:
            raise ValueError("EvaluateConfig: " + "; ".join(problems) + ".")

    @property
    def tokenizer_settings(self) -> dict:
        """Fields of `SignalTokenizerConfig`, with the normalisation in its place."""
        return as_mapping(self.tokenizer) | {"normalisation": self.normalisation}


def _names(config: type) -> set[str]:
    return {f.name for f in fields(config)}


def _unknown(what: str, given: Iterable[str], allowed: Iterable[str]) -> list[str]:
    wrong = sorted(set(given) - set(allowed))
    return [f"{what} {wrong} unknown, allowed are {sorted(allowed)}"] if wrong else []


@dataclass(frozen=True)
class Job:
    """One group of methods on one fold with one seed."""

    group: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.group}-fold{self.fold}-seed{self.seed}"


def evaluate(config: EvaluateConfig, progress: bool = True) -> Path:
    """Run all jobs that are not done yet, then write ``report.json``, ``report.html`` and figures."""
    store = SegmentStore(config.store)
    config = _as_artefact(config) if config.artefact else config
    splits = _splits(config, store)
    search = DuplicateSearch(store)
    fitted: dict = dict(store.fitted)
    if config.artefact:
        fitted[config.artefact] = read_card(config.artefact)[0].split_hash
    for split in splits:
        check_leaks(store.table, split, search, fitted)
    settings = asdict(config) | {"out": None, "jobs": None}
    inputs = {"config": settings, "store": store.key, "splits": [split.hash for split in splits]}
    inputs["base"] = base_identity(config.model_name_or_path)
    if config.artefact:
        inputs["artefact"] = read_stamp(config.artefact, "finetune")["key"]

    def work(partial: Path) -> None:
        _inputs(config, store, partial, config.jobs)
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        _run_jobs(_jobs(config, splits), config, partial, progress)
        write_report(config, store, splits, partial)

    return run_stage("evaluate", config.out, inputs, work)


def _as_artefact(config: EvaluateConfig) -> EvaluateConfig:
    """Encoders and controls beside an artefact have its settings, whatever else was asked for."""
    card, tokenizer = read_card(str(config.artefact))
    return replace(
        config,
        tokenizer={key: value for key, value in tokenizer.items() if key != "normalisation"},
        normalisation=tokenizer["normalisation"],
        sources=card.sources,
        model_name_or_path=card.model_name_or_path,
        load_in_4bit=card.load_in_4bit,
    )


def _splits(config: EvaluateConfig, store: SegmentStore) -> list[Split]:
    return load_splits(config.split) if config.split else make_splits(store.table, config.protocol)


def _jobs(config: EvaluateConfig, splits: list[Split]) -> list[Job]:
    """The LLM first: its jobs are the longest."""
    order = sorted(config.groups, key=lambda group: -GROUPS[group].cost)
    return [
        Job(group, split.fold, seed)
        for seed in config.seeds
        for group in order
        for split in splits
        if group not in config.once or seed == config.seeds[0]
    ]


def _inputs(config: EvaluateConfig, store: SegmentStore, folder: Path, jobs: int = 1) -> SignalInputs:
    """Streams and features, computed once for all jobs, which map them into memory."""
    frame_seconds = config.tokenizer_settings.get("frame_seconds", 2.0)
    return store_inputs(store, frame_seconds, folder / "inputs", jobs)


def _run_jobs(jobs: list[Job], config: EvaluateConfig, folder: Path, progress: bool) -> None:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from tqdm import tqdm

    left = [job for job in jobs if not (folder / "jobs" / f"{job.name}.parquet").is_file()]
    bar = tqdm(
        total=len(jobs), initial=len(jobs) - len(left), desc="evaluate", unit="job", disable=not progress
    )
    with bar:
        if config.jobs == 1:
            for job in left:
                bar.set_postfix_str(job.name)
                run_job(job, config, folder, progress)
                bar.update()
            return
        with ProcessPoolExecutor(
            config.jobs, mp_context=get_context("spawn"), initializer=_start_worker
        ) as pool:
            waiting = {pool.submit(run_job, job, config, folder, False): job for job in left}
            for done in as_completed(waiting):
                done.result()
                bar.set_postfix_str(waiting[done].name)
                bar.update()


def _start_worker() -> None:
    """One thread a process, since the processes fill the cores, and one progress bar for all of them."""
    import datasets
    import torch
    import transformers

    end_with_parent()
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()


def run_job(job: Job, config: EvaluateConfig, folder: Path, progress: bool) -> None:
    """Run one group on one fold and seed and write its predictions, atomically."""
    store = SegmentStore(config.store)
    split = Split.load(folder / f"split-{job.fold}.json")
    inputs = _inputs(config, store, folder)
    if not split.subject_disjoint:
        inputs = normalised_before(inputs, split, config.normalisation)
        config = replace(config, normalisation="none")
    workplace = folder / "work" / job.name
    workplace.mkdir(parents=True, exist_ok=True)
    context = Context(inputs, split, store, config, job.seed, workplace, progress)
    frames = [_predictions(output, context, job) for output in GROUPS[job.group].methods(context)]
    target = folder / "jobs" / f"{job.name}.parquet"
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(".partial")
    pd.concat(frames, ignore_index=True).to_parquet(partial)
    os.replace(partial, target)


def _predictions(output: MethodOutput, context: Context, job: Job) -> pd.DataFrame:
    table, classes = context.inputs.table.iloc[context.scored], context.classes
    frame = pd.DataFrame(
        {
            "segment": table["segment"].to_numpy(),
            "subject": table["subject"].to_numpy(),
            "fold": job.fold,
            "seed": job.seed,
            "truth": table["emotion"].to_numpy(),
            "prediction": output.labels(classes),
            "method": output.method,
            "family": output.family,
            "note": output.note,
            "seconds": output.seconds,
        }
    )
    if output.probabilities is not None:
        for k, name in enumerate(classes):
            frame[f"p_{name}"] = output.probabilities[:, k]
    return frame
