"""Stage ``evaluate``: every row of the table on the same folds and seeds, in parallel, resumable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biollm.methods import GROUPS, Context, MethodOutput
from data_builders.options import as_mapping
from data_builders.preparing import make_reader
from data_builders.splits import Split, check_leaks, group_kfold, subject_holdout
from data_builders.stage import run_stage
from data_builders.store import SegmentStore
from encoders.inputs import SignalInputs, signal_inputs, streams_of

__all__ = ["EvaluateConfig", "Job", "evaluate"]


@dataclass
class EvaluateConfig:
    """Baselines, encoders, LLM read-outs and controls on one subject-disjoint protocol."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(default="runs/evaluation", metadata={"help": "folder to write the report to"})
    protocol: str = field(default="gkf5", metadata={"help": "gkf5 (5-fold by subject) or holdout"})
    split: str | None = field(default=None, metadata={"help": "split.json to use instead of a protocol"})
    artefact: str | None = field(
        default=None, metadata={"help": "evaluate this artefact's LLM on its own split"}
    )
    seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "seeds of weights and sampling"})
    control_seeds: list[int] = field(
        default_factory=lambda: [0], metadata={"help": "seeds the controls are run for"}
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
        default="subject", metadata={"help": "subject (transductive), baseline (causal) or none"}
    )
    tokenizer: dict | str | None = field(
        default=None, metadata={"help": "SignalTokenizerConfig, as JSON or YAML"}
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
        unknown = sorted(set(self.groups) - set(GROUPS))
        if unknown:
            raise ValueError(f"groups {unknown} are unknown; allowed are {list(GROUPS)}.")

    @property
    def tokenizer_settings(self) -> dict:
        """Fields of `SignalTokenizerConfig`, with the normalisation in its place."""
        return as_mapping(self.tokenizer) | {"normalisation": self.normalisation}


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
    splits = _splits(config, store)
    for split in splits:
        check_leaks(store.table, split)
    settings = asdict(config) | {"out": None, "jobs": None}
    inputs = {"config": settings, "store": store.key, "splits": [split.hash for split in splits]}

    def work(partial: Path) -> None:
        _save_inputs(config, store, partial)
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        _run_jobs(_jobs(config, splits), config, partial, progress)
        _report(config, store, splits, partial)

    return run_stage("evaluate", config.out, inputs, work)


def _splits(config: EvaluateConfig, store: SegmentStore) -> list[Split]:
    if config.split:
        return [Split.load(config.split)]
    if config.protocol == "holdout":
        return [subject_holdout(store.table)]
    if config.protocol.startswith("gkf") and config.protocol[3:].isdigit():
        return group_kfold(store.table, int(config.protocol[3:]))
    raise ValueError(
        f"protocol is {config.protocol!r}; allowed are 'holdout' and 'gkf' with a number, as 'gkf5'."
    )


def _jobs(config: EvaluateConfig, splits: list[Split]) -> list[Job]:
    """The LLM first: its jobs are the longest."""
    order = sorted(config.groups, key=lambda group: -GROUPS[group].cost)
    return [
        Job(group, split.fold, seed)
        for seed in config.seeds
        for group in order
        for split in splits
        if not GROUPS[group].control or seed in config.control_seeds
    ]


def _save_inputs(config: EvaluateConfig, store: SegmentStore, folder: Path) -> None:
    """Streams and features once for all jobs, which map them into memory."""
    target = folder / "inputs"
    if target.is_dir():
        return
    making = folder / "inputs.partial"
    making.mkdir(exist_ok=True)
    signal_inputs(store.segments(), config.tokenizer_settings.get("frame_seconds", 2.0)).save(making)
    making.rename(target)


def _load_inputs(config: EvaluateConfig, store: SegmentStore, folder: Path) -> SignalInputs:
    frame_seconds = config.tokenizer_settings.get("frame_seconds", 2.0)
    specs = streams_of(store.specs, store.about["window"], frame_seconds)
    return SignalInputs.load(folder / "inputs", store.table, specs)


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

    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()


def run_job(job: Job, config: EvaluateConfig, folder: Path, progress: bool) -> None:
    """Run one group on one fold and seed and write its predictions, atomically."""
    store = SegmentStore(config.store)
    split = Split.load(folder / f"split-{job.fold}.json")
    inputs = _load_inputs(config, store, folder)
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


def _report(config: EvaluateConfig, store: SegmentStore, splits: list[Split], folder: Path) -> None:
    from biollm.evaluation import MethodResult, build_report

    frames = [pd.read_parquet(path) for path in sorted((folder / "jobs").glob("*.parquet"))]
    predictions = pd.concat([*frames, *_averages(pd.concat(frames), store.classes)], ignore_index=True)
    predictions = pd.concat([predictions, *_ceiling(store, predictions)], ignore_index=True)
    results = {}
    for method in [name for name in ORDER if name in set(predictions["method"])]:
        rows = predictions[predictions["method"] == method]
        seconds = rows.groupby(["fold", "seed"])["seconds"].first().mean()
        kept = rows.drop(columns=["method", "family", "note", "seconds"]).dropna(axis=1, how="all")
        family, note = rows[["family", "note"]].iloc[0]
        beside = tuple(name for name in COMPARED.get(method, ()) if name in set(predictions["method"]))
        results[method] = MethodResult(method, family, kept, float(seconds), note, beside)
    data = store.describe() | {"normalisation": config.normalisation, "scored_part": config.part}
    data["classes"] = list(store.classes)
    about = {"protocol": splits[0].protocol, "hashes": [s.hash for s in splits], "seeds": config.seeds,
             "base_model": config.model_name_or_path}  # fmt: skip
    build_report(results, data, about, folder)


COMPARED = {
    "LLM on codes": ("encoder of the tokens",),
    "LLM on bins": ("extra trees",),
    "LLM on codes and bins": ("encoder of the tokens", "encoder + extra trees"),
}
"""LLM rows get the paired difference to what reads the same source without an LLM."""

ORDER = (
    "ceiling (oracle)",
    "majority",
    "SVM-RBF",
    "extra trees",
    "CNN",
    "TCN",
    "LSTM",
    "encoder of the tokens",
    "encoder + extra trees",
    "LLM on floats",
    "LLM on codes",
    "LLM on codes, generated",
    "LLM on bins",
    "LLM on codes and bins",
    "LLM, shuffled labels",
    "LLM, noise for signal",
)

AVERAGES = {
    "LLM on codes and bins": ("LLM on codes", "LLM on bins", "llm", "mean likelihood of two prompts"),
    "encoder + extra trees": (
        "encoder of the tokens",
        "extra trees",
        "encoder",
        "matched control of 'codes and bins': the same sources averaged without an LLM",
    ),
}
"""Rows that average two others' probabilities: name -> the two, family, note."""


def _averages(predictions: pd.DataFrame, classes: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    columns = [f"p_{name}" for name in classes]
    keys = ["segment", "fold", "seed"]
    for method, (one, other, family, note) in AVERAGES.items():
        pair = [predictions[predictions["method"] == name].set_index(keys) for name in (one, other)]
        if any(frame.empty for frame in pair):
            continue
        a, b = pair[0], pair[1].loc[pair[0].index]
        mean = (a[columns] + b[columns]) / 2
        labels = np.asarray(classes)[mean.to_numpy().argmax(1)]
        seconds = a["seconds"] + (b["seconds"] if family != "llm" else 0)
        fields = {"prediction": labels, "method": method, "family": family, "note": note, "seconds": seconds}
        yield a.assign(**{name: mean[name] for name in columns}, **fields).reset_index()


def _ceiling(store: SegmentStore, predictions: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """What an oracle reaches that sees the simulation's true parameters; nothing for real data."""
    reader: Any = make_reader(store.about["dataset"], store.about["root"], store.about["reader_options"])
    if not hasattr(reader, "oracle"):
        return
    rows = predictions[predictions["method"] == predictions["method"].iloc[0]]
    table = rows[["segment"]].merge(store.table, on="segment")
    posterior = reader.oracle(table)
    frame = rows.reset_index(drop=True).assign(
        prediction=np.asarray(store.classes)[posterior.argmax(1)],
        method="ceiling (oracle)",
        family="ceiling",
        note="sees the simulation's true parameters",
        seconds=0.0,
    )
    for k, name in enumerate(store.classes):
        frame[f"p_{name}"] = posterior[:, k]
    yield frame
