"""Stage ``ablate``: the LLM with one thing changed at a time, on the same folds and seeds, resumable."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from biollm.ablation_table import ablation_figure, ablation_rows
from biollm.ablation_variants import DEFAULT, Variant, changed, chosen_variants
from biollm.base_model import base_identity
from biollm.context import Context, MethodOutput, check_labelled, checked_splits, prediction_table
from biollm.evaluation import render_summary
from biollm.evaluation.drawing import figure_png
from biollm.evaluation.report import json_values
from biollm.experiment import EvaluateConfig, hide_inner_bars, signal_inputs_of
from biollm.jobs import Job, jobs_folder, run_jobs
from biollm.llm_readouts import READOUTS
from biollm.methods import GROUPS
from biollm.provenance import LIBRARIES, source_hash
from biollm.report_rows import ceiling_rows, write_report
from data_builders.options import as_mapping
from data_builders.provenance import library_versions
from data_builders.splits import Split, inner_split
from data_builders.stage import content_hash, run_stage
from data_builders.store import SegmentStore

__all__ = ["AblateConfig", "ablate"]

MEAN = "mean of the sources"


@dataclass
class AblateConfig(EvaluateConfig):
    """Variants of the LLM's tokens, rows, teaching and read-out beside a default, on one protocol."""

    out: str = field(
        default="runs/ablation",
        metadata={
            "help": "folder to write the report to; finished jobs are kept in the one beside it, OUT.jobs"
        },
    )
    variants: list[str] = field(
        default_factory=lambda: ["all"],
        metadata={"help": "all, or names of variants and of groups of them"},
    )
    own: dict | str | None = field(
        default=None,
        metadata={"help": "variants of one's own: name -> what changes in the settings of 'biollm evaluate'"},
    )
    folds: list[int] | None = field(default=None, metadata={"help": "folds to run; default: all"})
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2], metadata={"help": "seeds of weights and sampling"}
    )
    groups: list[str] = field(
        default_factory=lambda: ["classical"],
        metadata={"help": "groups of methods of 'biollm evaluate' to run beside the variants"},
    )
    readouts: list[str] = field(
        default_factory=list,
        metadata={"help": f"further read-outs of all variants, which the default has: {list(READOUTS)}"},
    )
    part: str = field(
        default="validation",
        metadata={
            "help": "validation: the validation subjects are scored, and training subjects take their place; "
            "test: the test subjects, once the choices are made"
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.own = as_mapping(self.own)
        if self.artefact or "llm" in self.groups:
            raise ValueError("AblateConfig: takes no artefact and no group 'llm': it tunes an LLM a variant.")
        if self.targets != ["emotion"]:
            raise ValueError(
                f"AblateConfig: targets is {self.targets}, allowed is ['emotion']: variants are compared in "
                "balanced accuracy. Ratings are read by 'biollm evaluate'."
            )
        variants_to_run(self)


def variants_to_run(config: AblateConfig) -> dict[str, Variant]:
    """The default and what differs from it; of groups and of "all", what changes nothing is left out.

    Raises
    ------
    ValueError
        If a variant is unknown, changes what it may not, or is named and changes nothing.
    """
    own, plain = as_mapping(config.own), changed(config, Variant(""))
    variants = chosen_variants(config.variants, own)
    same = []
    for name, variant in variants.items():
        try:
            if changed(config, variant) == plain and name != DEFAULT:
                same.append(name)
        except ValueError as error:
            raise ValueError(f"AblateConfig: the variant {name!r}: {error}") from error
    if named := sorted({*config.variants, *own} & set(same)):
        raise ValueError(f"AblateConfig: the variants {named} are the default here; leave them out.")
    return {name: variant for name, variant in variants.items() if name not in same}


def ablate(config: AblateConfig, progress: bool = True) -> Path:
    """Run all jobs that are not done yet, then write the report and ``ablation.json`` with its figure.

    Signal tokenizers that several variants read are fitted once. The answers of each job are kept in
    ``OUT.jobs`` under the hash of data, split, settings and code, so that a stopped run goes on and variants
    can be added; the folder may be deleted at any time.
    """
    store = SegmentStore(config.store)
    splits = checked_splits(store, config.split, config.protocol)
    known = [split.fold for split in splits]
    wanted = known if config.folds is None else config.folds
    if not wanted or set(wanted) - set(known):
        raise ValueError(f"AblateConfig: folds is {wanted}; allowed are those of the protocol, {known}.")
    splits = [split for split in splits if split.fold in wanted]
    if not all(split.subject_disjoint for split in splits):
        raise ValueError(
            f"AblateConfig: in {splits[0].protocol!r} the test subjects are known; ablations are run on new "
            "ones. Take a protocol by subject, see 'biollm split --help'."
        )
    if config.part == "validation":
        splits = [inner_split(store.table, split) for split in splits]
    check_labelled(store, splits, config.targets, "test")
    kept = jobs_folder(config.out)
    variants = variants_to_run(config)
    jobs = list(_jobs(config, variants, store, splits, kept, progress))
    settings = asdict(config) | {"out": None, "jobs": None}
    inputs = {"config": settings, "jobs": [job.target.name for job in jobs]}

    def work(partial: Path) -> None:
        signal_inputs_of(config, store, config.jobs)
        run_jobs(jobs, config.jobs, "ablate", progress)
        for split in splits:
            split.save(partial / f"split-{split.fold}.json")
        predictions = pd.concat([pd.read_parquet(job.target) for job in jobs], ignore_index=True)
        about = {"base_model": config.model_name_or_path}
        write_report(
            predictions, store, splits, partial, config.normalisation, config.part, _order(predictions),
            about_split=about,
        )  # fmt: skip
        known = pd.concat([predictions, *ceiling_rows(store, predictions)], ignore_index=True)
        rows = ablation_rows(known, variants, store.classes)
        (partial / "ablation.png").write_bytes(figure_png(ablation_figure(rows, store.about["dataset"])))
        (partial / "ablation.json").write_text(json.dumps(json_values(rows), indent=1, allow_nan=False))

    out = run_stage("ablate", config.out, inputs, work)
    if progress:
        print(render_summary(out))
    return out


def _order(predictions: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(predictions["method"]))


def _jobs(
    config: AblateConfig,
    variants: Mapping[str, Variant],
    store: SegmentStore,
    splits: Sequence[Split],
    kept: Path,
    progress: bool,
) -> Iterator[Job]:
    """Groups of baselines, then variants; each on one fold with one seed."""
    runs = [(name, "", Variant(""), GROUPS[name].cost) for name in config.groups]
    runs += [("llm", name, variant, 6) for name, variant in variants.items()]
    for group, variant, chosen, cost in runs:
        settings = changed(config, chosen)
        where = [store.key, source_hash(settings.languages), library_versions(LIBRARIES)]
        plain, name = asdict(settings) | dict.fromkeys(("out", "jobs", "seeds", "groups")), variant or group
        for seed in config.seeds[:1] if group in config.once else config.seeds:
            for split in splits:
                base = base_identity(settings.model_name_or_path)
                key = content_hash([group, variant, plain, where, base, split.hash, split.fold, seed])
                file = f"{re.sub('[^a-z0-9]+', '-', name.lower())}-fold{split.fold}-seed{seed}-{key}"
                workplace, shown = kept / "work" / file, progress and config.jobs == 1
                arguments = (group, variant, chosen.own_head, settings, split, seed, workplace, shown)
                what = f"{name}, fold {split.fold}, seed {seed}"
                yield Job(what, kept / f"{file}.parquet", run_one, arguments, cost)


def run_one(
    group: str,
    variant: str,
    own_head: bool,
    config: EvaluateConfig,
    split: Split,
    seed: int,
    workplace: Path,
    progress: bool,
) -> pd.DataFrame:
    """The predictions of a group, or of the LLM in a variant, on one fold with one seed."""
    if config.jobs > 1:
        hide_inner_bars()
    store = SegmentStore(config.store)
    workplace.mkdir(parents=True, exist_ok=True)
    settings, inputs = replace(config, part="test"), signal_inputs_of(config, store)
    shared = workplace.parents[1] / "tokenizers"
    context = Context(inputs, split, store, settings, seed, workplace, progress, tokenizers=shared)
    outputs = list(GROUPS[group].methods(context))
    if variant:
        outputs = list(_of_variant(variant, own_head, outputs))
    table = pd.concat([prediction_table(output, context) for output in outputs], ignore_index=True)
    shutil.rmtree(workplace, ignore_errors=True)
    return table


def _of_variant(name: str, own_head: bool, outputs: Sequence[MethodOutput]) -> Iterator[MethodOutput]:
    """Named after the variant, with the average of its sources; the head only of an encoder of its own."""
    for output in outputs:
        if output.family == "llm" or own_head:
            what = output.method.removeprefix("LLM on ").replace("encoder of the tokens", "encoder")
            yield replace(output, method=f"{name}: {what}")
    read = {
        output.method: output.probabilities
        for output in outputs
        if output.family == "llm" and "," not in output.method and output.probabilities is not None
    }
    if len(read) > 1:
        mean = np.mean(list(read.values()), axis=0)
        yield replace(outputs[-1], method=f"{name}: average", probabilities=mean, answers=None, note=MEAN)
