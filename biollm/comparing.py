"""Stage ``compare``: baselines and encoders on the same folds and seeds, in parallel, resumable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import pandas as pd

from biollm.compared_methods import METHODS, chosen_methods, method_key, run_method
from biollm.context import check_labelled, check_targets, checked_splits
from biollm.encoder_methods import ROWS, check_settings
from biollm.evaluation import render_summary
from biollm.jobs import Job, jobs_folder, run_jobs, wrong_runs
from biollm.report_rows import write_report
from data_builders.normalisation import NORMALISATIONS
from data_builders.options import as_mapping, unknown_names
from data_builders.provenance import code_hash
from data_builders.recording import LABELS
from data_builders.splits import Split
from data_builders.stage import content_hash, run_stage
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.input_cache import inputs_folder, store_inputs
from encoders.inputs import SignalInputs, streams_of
from encoders.trainer_config import training_problems

__all__ = ["CompareConfig", "applicable_methods", "compare"]

SET_ELSEWHERE = {"network", "quantizer", "quantizer_options", "targets", "normalisation", "beside"}
"""Fields of `EncoderConfig` that the rows, each one network, and other options set."""

REPORT = ("biollm/evaluation", "biollm/report_rows.py")
"""What makes the report of the jobs' answers, which is made anew by other code."""


@dataclass
class CompareConfig:
    """Baselines, encoders and controls on one protocol, subject-disjoint by default."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(
        default="runs/comparison",
        metadata={
            "help": "folder to write the report to; finished jobs are kept in the one beside it, OUT.jobs"
        },
    )
    methods: list[str] = field(
        default_factory=lambda: ["all"],
        metadata={"help": "all, or names of rows and families: classical, encoders, controls"},
    )
    protocol: str = field(
        default="gkf5",
        metadata={"help": "gkfN, holdout, loso, losoN, leave-stimulus, ...: see 'biollm split'"},
    )
    split: str | None = field(default=None, metadata={"help": "file or folder of splits to use instead"})
    seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "seeds of weights and sampling"})
    targets: list[str] | None = field(
        default=None,
        metadata={"help": "emotion, valence, arousal, transition; by default all that the store has"},
    )
    normalisation: str = field(
        default="subject", metadata={"help": "subject or recording (transductive), baseline (causal) or none"}
    )
    features: str = field(default="standard", metadata={"help": "hand-made features: standard or full"})
    frame_seconds: dict | str | None = field(
        default=None,
        metadata={
            "help": "length of the networks' frames in s by stream, with 'default' for the rest; 2 s each"
        },
    )
    preset: str = field(
        default="full", metadata={"help": "full, or quick: networks are trained for a third of the epochs"}
    )
    encoder: dict | str | None = field(
        default=None,
        metadata={
            "help": "dim, training, ... of EncoderConfig, for all networks that do not set them themselves; "
            "of training the fields that are named here, for all"
        },
    )
    part: str = field(
        default="test",
        metadata={
            "help": "part that is scored; validation while choosing settings (networks also stop by it)"
        },
    )
    jobs: int = field(
        default=1, metadata={"help": "processes; each works on one method, fold and seed at a time"}
    )

    def __post_init__(self) -> None:
        self.encoder, self.frame_seconds = as_mapping(self.encoder), as_mapping(self.frame_seconds)
        rows = as_mapping(self.encoder_settings.get("network_options"))
        own = {f.name for f in fields(EncoderConfig)} - set(SET_ELSEWHERE)
        problems = [
            *unknown_names("targets", self.targets or (), LABELS),
            *unknown_names("normalisation", [self.normalisation], NORMALISATIONS),
            *unknown_names("features", [self.features], ("standard", "full")),
            *unknown_names("preset", [self.preset], ("quick", "full")),
            *unknown_names("part", [self.part], ("validation", "test")),
            *unknown_names("encoder", self.encoder, own),
            *wrong_runs(self.seeds, self.jobs),
        ]
        if unknown := sorted(set(rows) - set(ROWS)):
            problems.append(
                f"encoder.network_options of {unknown}, allowed are rows of networks {list(ROWS)}"
            )
        if not problems:
            training = self.encoder_settings.get("training", {})
            problems += [p.removesuffix(".") for p in training_problems({"encoder.training": training})]
        if problems:
            raise ValueError("CompareConfig: " + "; ".join(problems) + ".")
        chosen_methods(self.methods)

    @property
    def encoder_settings(self) -> dict:
        """Fields of `EncoderConfig` that are set for all networks."""
        return as_mapping(self.encoder)

    @property
    def frame_lengths(self) -> dict | float:
        """Length of a frame in s, for all streams or by stream."""
        return as_mapping(self.frame_seconds) or 2.0


def compare(config: CompareConfig, progress: bool = True) -> Path:
    """Run all jobs that are not done yet, then write ``report.json``, ``report.html`` and figures.

    The answers of each job are kept in ``OUT.jobs``, under the hash of all that they depend on: data,
    split, settings, and the code that made them. So a stopped run goes on, rows can be added to a finished
    table, and nothing stale is read. The folder may be deleted at any time. Of two processes that write to
    the same place, the second waits for the first.
    """
    store = SegmentStore(config.store)
    config = replace(config, targets=check_targets(config.store, store, config.targets))
    splits = checked_splits(store, config.split, config.protocol)
    costs, absent = applicable_methods(config, store)
    networks = any(METHODS[name].made_by == "encoders" for name in costs)
    check_labelled(store, splits, config.targets or (), config.part, networks)
    kept = jobs_folder(config.out)
    jobs = list(_jobs(config, store, splits, costs, kept, progress))
    settings = asdict(config) | {"out": None, "jobs": None}
    inputs = {"config": settings, "jobs": [job.target.name for job in jobs], "absent": absent}
    inputs["report"] = code_hash(*REPORT)

    def work(partial: Path) -> None:
        _inputs(config, store, config.jobs)
        run_jobs(jobs, config.jobs, "compare", progress)
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        predictions = pd.concat([pd.read_parquet(job.target) for job in jobs], ignore_index=True)
        about = {"targets": config.targets, "features": config.features, "preset": config.preset}
        about |= {"not_applicable": [f"{name}: {reason}" for name, reason in absent.items()]}
        write_report(
            predictions, store, splits, partial, config.normalisation, config.part, list(METHODS), about
        )

    out = run_stage("compare", config.out, inputs, work)
    if progress:
        print(render_summary(out))
    return out


def applicable_methods(config: CompareConfig, store: SegmentStore) -> tuple[dict[str, float], dict[str, str]]:
    """Rows that can read a store, and those that cannot.

    Returns
    -------
    costs : dict of str to float
        Row -> seconds that a fold may take.
    absent : dict of str to str
        Row -> why it cannot.

    Raises
    ------
    ValueError
        If no row can, if a network refuses the options that are given for it, or if settings are not allowed.
    """
    streams = streams_of(store.specs, store.about["window"], config.frame_lengths)
    if config.encoder_settings:
        try:
            check_settings(config.encoder_settings)
        except (ValueError, TypeError) as error:  # a TypeError where a value is of another kind
            raise ValueError(f"CompareConfig: encoder: {error}") from error
    probed = {name: METHODS[name].probe(config, store, streams) for name in chosen_methods(config.methods)}
    absent = {name: reason for name, (reason, _) in probed.items() if reason}
    settings = config.encoder_settings
    asked = as_mapping(settings.pop("network_options", None))
    plain = replace(config, encoder=settings)
    for name in asked:
        if name in absent and not METHODS[name].probe(plain, store, streams)[0]:
            raise ValueError(f"CompareConfig: encoder.network_options of {name}: {absent[name]}")
    if all(name in absent or METHODS[name].family == "controls" for name in probed):
        lines = "".join(f"\n- {name}: {reason}" for name, reason in absent.items())
        raise ValueError(f"{config.store}: none of the methods is applicable.{lines}")
    return {name: seconds for name, (reason, seconds) in probed.items() if not reason}, absent


def _inputs(config: CompareConfig, store: SegmentStore, jobs: int = 1) -> SignalInputs:
    """Streams and features, computed once for all jobs, which map them into memory."""
    return store_inputs(store, config.frame_lengths, jobs, features=config.features)


def _jobs(
    config: CompareConfig,
    store: SegmentStore,
    splits: list[Split],
    costs: dict[str, float],
    kept: Path,
    progress: bool,
) -> Iterator[Job]:
    """One method on one fold with one seed each, its file named after all that it depends on."""
    # The folder of the inputs is named after the store and the code that computes them.
    data = [inputs_folder(store).name, config.frame_seconds, config.features, config.normalisation,
            config.part, config.targets]  # fmt: skip
    for name, cost in costs.items():
        own = method_key(name, config)
        for seed in config.seeds[:1] if METHODS[name].once else config.seeds:
            for split in splits:
                key = content_hash([own, data, split.hash, split.unit, split.fold, seed])
                file = f"{re.sub('[^a-z0-9]+', '-', name.lower())}-fold{split.fold}-seed{seed}-{key}"
                workplace, shown = kept / "work" / file, progress and config.jobs == 1
                arguments = (name, split, seed, config, store.key, workplace, shown)
                what = f"{name}, fold {split.fold}, seed {seed}"
                yield Job(what, kept / f"{file}.parquet", run_method, arguments, cost)
