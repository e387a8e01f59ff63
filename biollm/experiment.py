"""Stage ``evaluate``: every row of the table on the same folds and seeds, in parallel, resumable."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import pandas as pd

from biollm.artefact import check_base
from biollm.base_model import base_identity
from biollm.building_config import RUNNING, BuildConfig
from biollm.context import Context, check_labelled, check_targets, checked_splits, prediction_table
from biollm.evaluation import render_summary
from biollm.finetune_config import FinetuneConfig
from biollm.finished_artefacts import check_alike, check_splits
from biollm.jobs import Job, run_jobs, wrong_runs
from biollm.known_subjects import normalised_before
from biollm.llm_readouts import READOUTS
from biollm.methods import GROUPS
from biollm.provenance import LIBRARIES, source_hash
from biollm.rating_scales import AFFECT, N_POINTS
from biollm.report_rows import gathered, write_report
from data_builders.normalisation import NORMALISATIONS
from data_builders.options import as_mapping, as_weights, unknown_names
from data_builders.provenance import library_versions
from data_builders.splits import Split
from data_builders.stage import file_stats, read_stamp, run_stage
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.input_cache import store_inputs
from encoders.inputs import SignalInputs
from encoders.signal_text import single_sources
from encoders.signal_tokenizer import SIGNAL_MODES, SignalTokenizer, SignalTokenizerConfig
from encoders.trainer_config import beside_problems
from prompts.tasks import TASKS
from prompts.words import RATINGS

__all__ = ["EvaluateConfig", "evaluate", "hide_inner_bars", "signal_inputs_of"]

SET_BY_JOBS = {
    "store", "signal_tokenizer", "out", "sources", "signal_mode", "seed", "model_name_or_path",
    "dataset_path", "load_in_4bit", "adapter", "max_length", *RUNNING,
}  # fmt: skip
"""Fields of `BuildConfig` and `FinetuneConfig` that each job sets."""
SET_BY_TARGETS = {"normalisation", "ranked_by"}
"""Fields of `SignalTokenizerConfig` that the evaluation's own options set."""


@dataclass
class EvaluateConfig:
    """Baselines, encoders, LLM read-outs and controls on one protocol, subject-disjoint by default."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(default="runs/evaluation", metadata={"help": "folder to write the report to"})
    protocol: str = field(
        default="gkf5",
        metadata={"help": "gkfN, holdout, loso, losoN, leave-stimulus, ...: see 'biollm split --help'"},
    )
    split: str | None = field(default=None, metadata={"help": "file or folder of splits to use instead"})
    artefact: list[str] = field(
        default_factory=list,
        metadata={
            "help": "evaluate the LLMs of these artefacts, each on the split of --split that it was made on, "
            "several of one split as its seeds; rows beside them have as many seeds or more, their tokens "
            "and base, and want the build, training and finetune that they were made with"
        },
    )
    targets: list[str] = field(
        default_factory=lambda: ["emotion"],
        metadata={"help": "what is read: emotion, or of valence and arousal those that are rated"},
    )
    seeds: list[int] = field(
        default_factory=lambda: [0],
        metadata={"help": "seeds of weights and sampling; artefacts have the first"},
    )
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
        default="",
        metadata={
            "help": "base: nano (embedded), a hub id or a folder; default: nano, or what the artefacts have, "
            "for which it says where that is now"
        },
    )
    load_in_4bit: bool = field(default=True, metadata={"help": "nf4 weights through bitsandbytes"})
    normalisation: str = field(
        default="subject", metadata={"help": "subject or recording (transductive), baseline (causal) or none"}
    )
    tokenizer: dict | str | None = field(
        default=None, metadata={"help": "SignalTokenizerConfig: a mapping in YAML, JSON as a flag"}
    )
    build: dict | str | None = field(
        default=None,
        metadata={
            "help": "n_conversations, copies, ... of BuildConfig; answer_forms is 1, the one that is read"
        },
    )
    training: dict | str | None = field(
        default=None, metadata={"help": "max_steps, learning_rate, ... of TRL"}
    )
    finetune: dict | str | None = field(
        default=None, metadata={"help": "lora_r, token_init, train_tokens, ... of FinetuneConfig"}
    )
    sources: list[str] = field(
        default_factory=lambda: ["codes+bins"], metadata={"help": "token sources that the LLM learns"}
    )
    signal_mode: str = field(
        default="tokens", metadata={"help": "how signals are written: tokens (new rows), words or digits"}
    )
    alignment: dict | str | None = field(
        default=None,
        metadata={
            "help": "a stage before: tasks, n_conversations, ... of BuildConfig, and max_steps of training"
        },
    )
    n_phrasings: int = field(default=2, metadata={"help": "phrasings that a likelihood is averaged over"})
    readouts: list[str] = field(
        default_factory=lambda: ["generated"],
        metadata={"help": f"ways to read the answer beside the mean likelihood: {list(READOUTS)}"},
    )
    jobs: int = field(
        default=1, metadata={"help": "processes; each works on one fold, seed and group at a time"}
    )

    def __post_init__(self) -> None:
        if not self.artefact:
            self.model_name_or_path = self.model_name_or_path or "nano"
        for name in ("tokenizer", "build", "training", "finetune", "alignment"):
            setattr(self, name, as_mapping(getattr(self, name)))
        problems = [
            *wrong_runs(self.seeds, self.jobs),
            *unknown_names("groups", [*self.groups, *self.once], GROUPS),
            *unknown_names("part", [self.part], ("validation", "test")),
            *unknown_names("normalisation", [self.normalisation], NORMALISATIONS),
            *unknown_names("signal_mode", [self.signal_mode], SIGNAL_MODES),
            *unknown_names("sources", single_sources(self.sources), SignalTokenizer.sources),
            *unknown_names("readouts", self.readouts, READOUTS),
            *unknown_names("finetune", as_mapping(self.finetune), _names(FinetuneConfig) - SET_BY_JOBS),
            *unknown_names(
                "alignment", as_mapping(self.alignment), (_names(BuildConfig) - SET_BY_JOBS) | {"max_steps"}
            ),
            *unknown_names(
                "tokenizer", as_mapping(self.tokenizer), _names(SignalTokenizerConfig) - SET_BY_TARGETS
            ),
            *unknown_names(
                "tokenizer.encoder",
                as_mapping(as_mapping(self.tokenizer).get("encoder")),
                _names(EncoderConfig) - {"normalisation"},
            ),
            *unknown_names("build", as_mapping(self.build), _names(BuildConfig) - SET_BY_JOBS),
        ]
        encoder = as_mapping(as_mapping(self.tokenizer).get("encoder"))
        problems += [f"tokenizer.encoder: {p.removesuffix('.')}" for p in beside_problems(encoder)]
        if self.n_phrasings < 1:
            problems.append(f"n_phrasings is {self.n_phrasings}, allowed is 1 or more")
        if not isinstance(self.artefact, list):
            problems.append(f"artefact is {self.artefact!r}, allowed are lists of folders")
        problems += self._target_problems()
        problems = problems or self._build_problems()
        if self.artefact and self.part != "test":
            problems.append(
                "part must be 'test' with an artefact, which has learned from the validation part"
            )
        if problems:
            raise ValueError("EvaluateConfig: " + "; ".join(problems) + ".")

    def _target_problems(self) -> list[str]:
        if self.targets == ["emotion"]:
            return []
        if not self.targets or len(set(self.targets) & set(RATINGS)) < len(self.targets):
            return [f"targets is {self.targets}, allowed are ['emotion'] and one or both of {list(RATINGS)}"]
        problems = []
        if set(self.targets) - set(as_weights(self.build_settings["rating_points"])):
            problems.append(f"build.rating_points lacks one of the targets {self.targets}; add it")
        taught = as_mapping(as_mapping(self.tokenizer).get("encoder")).get("targets", self.targets)
        if not self.artefact and list(taught) != list(self.targets):
            problems.append(
                f"tokenizer.encoder.targets is {taught}, but the encoder is taught {self.targets}, the "
                "targets; leave it out"
            )
        return problems

    def _build_problems(self) -> list[str]:
        """Values that the jobs would stop at once their signal tokenizer is fitted."""
        alignment = {k: v for k, v in as_mapping(self.alignment).items() if k != "max_steps"}
        problems = []
        for name, settings in (("build", self.build_settings), ("alignment", alignment)):
            try:
                BuildConfig(**settings)
            except ValueError as error:
                problems.append(f"{name}: {str(error).removesuffix('.')}")
        if training := as_mapping(self.training):
            from biollm.finetuning import FinetuneTraining  # TRL takes seconds to import

            if unknown := sorted(set(training) - (_names(FinetuneTraining) - {"seed", "output_dir"})):
                problems.append(f"training {unknown} unknown, 'biollm finetune --help' lists what is allowed")
        return problems

    @property
    def build_settings(self) -> dict:
        """Fields of `BuildConfig` by which the LLM is taught what it will be asked for.

        Likelihoods are read on the first answer form alone.
        """
        settings: dict = {"answer_forms": 1}
        if "emotion" not in self.targets:
            settings |= {"tasks": {AFFECT: 1.0}, "rating_points": dict.fromkeys(self.targets, N_POINTS)}
        return settings | as_mapping(self.build)

    @property
    def languages(self) -> list[str]:
        """Languages that conversations are written in, where they are named."""
        stages = (as_mapping(self.build), as_mapping(self.alignment))
        return [stage["language"] for stage in stages if "language" in stage]

    @property
    def tokenizer_settings(self) -> dict:
        """Fields of `SignalTokenizerConfig`, with the normalisation in its place."""
        return as_mapping(self.tokenizer) | {"normalisation": self.normalisation}


def _names(config: type) -> set[str]:
    return {f.name for f in fields(config)}


def evaluate(config: EvaluateConfig, progress: bool = True) -> Path:
    """Run all jobs that are not done yet, then write ``report.json``, ``report.html`` and figures."""
    store = SegmentStore(config.store)
    check_targets(config.store, store, config.targets)
    config = _as_artefacts(config, store) if config.artefact else config
    splits = checked_splits(store, config.split, config.protocol)
    n_artefacts = check_splits(config.artefact, splits)
    if n_artefacts > len(config.seeds):  # a mean is held against means of as many
        further = [seed for seed in range(n_artefacts + len(config.seeds)) if seed not in config.seeds]
        config = replace(config, seeds=[*config.seeds, *further][:n_artefacts])
    untrained = {"classical", "llm"} if config.artefact else {"classical"}
    check_labelled(store, splits, config.targets, config.part, networks=bool(set(config.groups) - untrained))
    if not config.artefact and not all(split.subject_disjoint for split in splits):
        _check_nothing_measured(config, splits[0].protocol)
    settings = asdict(config) | {"out": None, "jobs": None}
    inputs = {"config": settings, "store": store.key, "splits": [split.hash for split in splits]}
    inputs |= {"base": base_identity(config.model_name_or_path), "source": source_hash(config.languages)}
    inputs["libraries"] = library_versions(LIBRARIES)
    if config.artefact:
        # The models that an evaluation keeps are stamped with its own job alone.
        inputs["artefacts"] = [
            [read_stamp(folder, "finetune")["key"], file_stats(folder)] for folder in config.artefact
        ]

    def work(partial: Path) -> None:
        signal_inputs_of(config, store, config.jobs)
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        jobs = _jobs(config, splits, partial, progress, n_artefacts)
        run_jobs(jobs, config.jobs, "evaluate", progress)
        predictions = gathered(partial, store.classes)
        about = {"base_model": config.model_name_or_path}
        write_report(
            predictions, store, splits, partial, config.normalisation, config.part, about_split=about
        )

    out = run_stage("evaluate", config.out, inputs, work)
    if progress:
        print(render_summary(out))
    return out


def _as_artefacts(config: EvaluateConfig, store: SegmentStore) -> EvaluateConfig:
    """Rows beside artefacts have their tokens and base, whatever was asked for; how they are taught was."""
    card, tokenizer = check_alike(config.artefact)
    card.check_taught("emotion" if config.targets == ["emotion"] else AFFECT, "evaluate")
    if card.store["hash"] != store.about["content"]:
        raise ValueError(
            f"{config.store}: holds {store.about['content']}, but {config.artefact[0]} was made from "
            f"{card.store['hash']}, other data or otherwise prepared. Give the store that it was made from."
        )
    if config.model_name_or_path not in ("", card.model_name_or_path):
        check_base(card, config.model_name_or_path)
    return replace(
        config,
        tokenizer={key: value for key, value in tokenizer["config"].items() if key not in SET_BY_TARGETS},
        normalisation=tokenizer["config"]["normalisation"],
        sources=card.sources,
        signal_mode=tokenizer["signal_mode"],
        model_name_or_path=config.model_name_or_path or card.model_name_or_path,
        load_in_4bit=card.load_in_4bit,
    )


def _jobs(
    config: EvaluateConfig, splits: list[Split], folder: Path, progress: bool, n_artefacts: int
) -> list[Job]:
    """One group of methods on one fold with one seed each; the artefacts of a fold have the first seeds."""
    jobs = []
    for group in config.groups:
        seeds = config.seeds[:1] if group in config.once else config.seeds
        if group == "llm" and n_artefacts:
            seeds = config.seeds[:n_artefacts]
        for seed in seeds:
            for split in splits:
                name = f"{group}-fold{split.fold}-seed{seed}"
                arguments = (group, split.fold, seed, config, folder, progress and config.jobs == 1)
                target = folder / "jobs" / f"{name}.parquet"
                jobs.append(Job(name, target, run_group, arguments, GROUPS[group].cost))
    return jobs


def signal_inputs_of(config: EvaluateConfig, store: SegmentStore, jobs: int = 1) -> SignalInputs:
    """Streams and features, computed once for all jobs, which map them into memory."""
    frame_seconds = config.tokenizer_settings.get("frame_seconds", 2.0)
    features = config.tokenizer_settings.get("features", "standard")
    return store_inputs(store, frame_seconds, jobs, features=features)


def _check_nothing_measured(config: EvaluateConfig, protocol: str) -> None:
    """Of known subjects, all is normalised before: features have no units any more, and copies no scale."""
    stages = (config.build_settings, as_mapping(config.alignment))
    asked = {name for stage in stages for name in as_weights(stage.get("tasks"))}
    tasks = {name for name in asked if TASKS[name].says_values or "spoiled" in TASKS[name].needs}
    levels = {"levels"} & set(single_sources(config.sources))
    if tasks or levels:
        raise ValueError(
            f"EvaluateConfig: {sorted(tasks | levels)} say measured values, or are taught of signals as they "
            f"were recorded; in {protocol!r} the subjects are known and their signals and features are "
            "normalised before. Leave these out, or take a protocol by subject, see 'biollm split --help'."
        )


def run_group(
    group: str, fold: int, seed: int, config: EvaluateConfig, folder: Path, progress: bool
) -> pd.DataFrame:
    """The predictions of one group on one fold with one seed."""
    if config.jobs > 1:
        hide_inner_bars()
    store = SegmentStore(config.store)
    split = Split.load(folder / f"split-{fold}.json")
    inputs = signal_inputs_of(config, store)
    # The signal tokenizer of a finished artefact has scales of its own, and applies them.
    if not split.subject_disjoint and not (config.artefact and group == "llm"):
        inputs = normalised_before(inputs, split, config.normalisation)
        config = replace(config, normalisation="none")
    workplace = folder / "work" / f"{group}-fold{fold}-seed{seed}"
    workplace.mkdir(parents=True, exist_ok=True)
    context = Context(inputs, split, store, config, seed, workplace, progress, tuple(config.targets))
    outputs = GROUPS[group].methods(context)
    return pd.concat([prediction_table(output, context) for output in outputs], ignore_index=True)


def hide_inner_bars() -> None:
    """Leave the progress bar of the processes' parent alone."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
