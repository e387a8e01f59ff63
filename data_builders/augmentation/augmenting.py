"""Stage ``augment``: a store and a split -> a store with augmented copies of the training segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from data_builders.augmentation.copies import AugmentationConfig, augment, suitable
from data_builders.augmentation.generator import GenerativeConfig
from data_builders.augmentation.synthesis import ABOUT as SYNTHESIS
from data_builders.augmentation.synthesis import Synthesis
from data_builders.augmentation.validation import CHECKS, validate
from data_builders.options import as_mapping
from data_builders.provenance import code_behind
from data_builders.segments import Segments, concatenate
from data_builders.splits import Split
from data_builders.stage import run_stage
from data_builders.store import SegmentStore, write_shards

__all__ = ["JUDGED", "AugmentConfig", "augment_store"]

JUDGED = {"basic": ("transfer",), "intermediate": ("transfer",), "generative": tuple(CHECKS)}
"""What a level's copies may not fail: noise and gaps are there to be seen, but must leave the labels."""
GENERATORS, REPORT, SPLIT = "generators", "augmentation_report", "split.json"
N_FITTED = 1000
"""Segments that generators learn from, at most: memory stays flat."""
N_JUDGED = 500


@dataclass
class AugmentConfig(AugmentationConfig):
    """A segment store with augmented copies of its training segments."""

    store: str = field(default="runs/store", metadata={"help": "folder of the store to augment"})
    split: str = field(default="runs/split.json", metadata={"help": "file of the split; its training part"})
    out: str = field(default="runs/augmented", metadata={"help": "folder to write the new store to"})
    force: bool = field(default=False, metadata={"help": "use the copies even if their validation fails"})


def augment_store(config: AugmentConfig, progress: bool = True) -> Path:
    """Write a store of all segments and the copies, or leave the one that is there for the same inputs.

    Beside the shards it holds ``augmentation_report/`` on a sample of the copies, ``split.json`` with the
    copies in the training part, and ``generators/`` of the generative level. The key ``augmentation`` of
    its description says what was done, and what the generators were `fitted` on, for `check_leaks`.

    Raises
    ------
    ValueError
        If the copies fail their validation, with the report's figures; the generators and the report stay
        in the partial folder, from which a run with `force` goes on.
    """
    store, split = SegmentStore(config.store), Split.load(config.split)
    _check_store(store, config)
    chosen = {name: value for name, value in asdict(config).items() if name not in PLACES}
    inputs = {"store": store.key, "split": split.hash, "augmentation": chosen, "code": code_behind(__file__)}

    def work(partial: Path) -> None:
        synthesis = None
        if config.level == "generative":
            synthesis = _synthesis(store, config, split, partial / GENERATORS, progress)
        passed = _judge(store, config, split, synthesis, partial / REPORT)
        fitted = {"generators": list(synthesis.fitted_on_)} if synthesis else {}
        plan = {} if synthesis else suitable(config, store.specs)
        done = {**chosen, "split": split.hash, "plan": plan, "passed": passed, "fitted": fitted}
        kept = {name: value for name, value in store.about.items() if name not in REWRITTEN}
        parts: dict[str, str] = {}
        shards = _shards(store, config, split, synthesis, parts, progress)
        write_shards(shards, partial, {**kept, "augmentation": done})
        replace(split, parts={**split.parts, **parts}).save(partial / SPLIT)

    out = run_stage("prepare", config.out, inputs, work)
    if not config.force and not SegmentStore(out).about["augmentation"]["passed"]:
        raise ValueError(
            f"{out}: was written by a run with force, although the copies failed their validation, see "
            f"{out / REPORT}. Give force again to use it, or other settings."
        )
    return out


PLACES = ("store", "split", "out", "force")
REWRITTEN = ("specs", "shards", "n_segments", "content")


def _check_store(store: SegmentStore, config: AugmentConfig) -> None:
    problems = []
    if (store.table["source"] != "").any():
        problems.append("it holds augmented copies already; start from the store that they were made of")
    if Path(config.out).resolve() == Path(config.store).resolve():
        problems.append("out is the store itself; choose another folder")
    if problems:
        raise ValueError(f"the store {config.store} cannot be augmented: {'; '.join(problems)}.")
    if config.level != "generative":
        suitable(config, store.specs)


def _augmentable(store: SegmentStore, split: Split) -> np.ndarray:
    """Positions of the training segments but reference windows."""
    return split.mask(store.table, "train") & ~store.table["reference"].to_numpy(bool)


def _sample(store: SegmentStore, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Up to `most` of some rows (a mask), as evenly over subjects and emotions as they allow."""
    table = store.table[rows].sample(frac=1, random_state=seed)
    rank = table.groupby(["subject", "emotion"], dropna=False).cumcount()
    return np.sort(rank.sort_values(kind="stable").index[:most].to_numpy())


def _synthesis(
    store: SegmentStore, config: AugmentConfig, split: Split, folder: Path, progress: bool
) -> Synthesis:
    """Generators fitted on the training part, or those that an earlier, unfinished run has left."""
    if (folder / SYNTHESIS).is_file():
        return Synthesis.load(folder)
    rows = _augmentable(store, split) & store.table["emotion"].notna().to_numpy()
    segments = store.segments(_sample(store, rows, N_FITTED, config.seed))
    options = {"seed": config.seed, **as_mapping(config.generator_options)}
    synthesis = Synthesis(config.generator, GenerativeConfig(**options)).fit(segments, progress)
    synthesis.save(folder)
    return synthesis


def _judge(
    store: SegmentStore, config: AugmentConfig, split: Split, synthesis: Synthesis | None, folder: Path
) -> bool:
    """Validate one copy each of a sample; whether it passed what its level is judged by."""
    grid = store.table["on_grid"].to_numpy(bool)
    known = store.table["emotion"].notna().to_numpy() if synthesis else np.ones(len(store), bool)
    real = store.segments(_sample(store, _augmentable(store, split) & grid & known, N_JUDGED, config.seed))
    held_rows = split.mask(store.table, "validation") & grid & split.subject_disjoint
    held = store.segments(_sample(store, held_rows, N_JUDGED, config.seed)) if held_rows.any() else None
    made = augment(real, replace(config, ratio=1), split, synthesis)
    report = validate(real, made, held, config.seed)
    page = report.save(folder)
    failures = report.failures(JUDGED[config.level])
    if failures and not config.force:
        raise ValueError(
            f"{config.level} copies failed their validation:\n- "
            + "\n- ".join(failures)
            + f"\nSee {page}. Train longer or weaken the transforms; to use them all the same, set force."
        )
    return not failures


def _shards(
    store: SegmentStore,
    config: AugmentConfig,
    split: Split,
    synthesis: Synthesis | None,
    parts: dict[str, str],
    progress: bool,
) -> Iterator[tuple[str, Segments]]:
    """Segments with their copies, some of one recording at a time; puts the copies into `parts`."""
    from tqdm.auto import tqdm

    chosen = _augmentable(store, split)
    if synthesis:
        chosen &= store.table["emotion"].isin(synthesis.classes_).to_numpy()
    with tqdm(
        total=len(store), desc=f"augment ({config.level})", unit="segment", disable=not progress
    ) as bar:
        for name, rows in store.recordings():
            segments = store.segments(rows)
            made = [segments]
            if chosen[rows].any():
                made.append(augment(segments[np.flatnonzero(chosen[rows])], config, split, synthesis))
                parts.update(dict.fromkeys(made[1].table["segment"], "train"))
            yield name, concatenate(made)
            bar.update(len(rows))
