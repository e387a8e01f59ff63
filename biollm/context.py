"""What a method works on, one fold with one seed, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.duplicates import DuplicateSearch
from data_builders.leaks import check_leaks
from data_builders.recording import LABELS
from data_builders.splits import Split, load_splits, make_splits
from data_builders.store import SegmentStore
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows
from encoders.trainer_checks import labelled

__all__ = ["Context", "MethodOutput", "check_labelled", "check_targets", "checked_splits", "prediction_table"]


@dataclass
class MethodOutput:
    """One method's answers for the scored rows, in order.

    Parameters
    ----------
    method, family, note : str
    seconds : float
        Fitting and predicting.
    probabilities : ndarray, shape (n_rows, n_classes), or None
        Of the emotions.
    answers : list of str or None, optional
        Labels read from text, None where there was none; by default the most probable class.
    values : mapping of str to ndarray, shape (n_rows,)
        ``valence`` and ``arousal`` in the labels' own units, and the probability of a ``transition``.
    parameters : int or None
        Weights that were trained.
    history : list of dict
        One an epoch, of what is trained in epochs.
    """

    method: str
    family: str
    seconds: float
    probabilities: np.ndarray | None
    answers: list[str | None] | None = None
    note: str = ""
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    parameters: int | None = None
    history: list[dict] = field(default_factory=list)

    def labels(self, classes: tuple[str, ...]) -> list[str | None]:
        """The predicted label of each row."""
        if self.answers is not None:
            return self.answers
        assert self.probabilities is not None
        return [classes[k] for k in self.probabilities.argmax(axis=1)]


@dataclass(frozen=True)
class Context:
    """What a method works on: one fold, one seed."""

    inputs: SignalInputs
    split: Split
    store: SegmentStore
    config: Any  # EvaluateConfig or CompareConfig
    seed: int
    workplace: Path
    progress: bool
    targets: tuple[str, ...] = ("emotion",)
    tokenizers: Path | None = None  # folder of fitted signal tokenizers that jobs share

    @property
    def classes(self) -> tuple[str, ...]:
        return self.store.classes

    def rows(self, *parts: str) -> np.ndarray:
        """Rows of the inputs in some parts of the split."""
        return np.flatnonzero(self.inputs.table["segment"].map(self.split.parts).isin(parts).to_numpy())

    @property
    def scored(self) -> np.ndarray:
        """Rows that are scored: with a label of any target, not overlapping, in the scored part."""
        rows = self.rows(self.config.part)
        held = replace(self.inputs, streams={})[rows]
        return rows[labelled_rows(held, self.classes, on_grid=True, targets=self.targets)]

    @property
    def fitted_parts(self) -> tuple[str, ...]:
        """Parts that whatever needs no early stopping is fitted on."""
        return ("train",) if self.config.part == "validation" else ("train", "validation")


def check_targets(where: str, store: SegmentStore, targets: Sequence[str] | None = None) -> list[str]:
    """The targets that a store has at least two different labels for, or those of them that are asked for.

    Raises
    ------
    ValueError
        If the store has none, or lacks one that is asked for.
    """
    labels = store.table[store.table["emotion"].isin(store.classes) | store.table["emotion"].isna()]
    usable = [name for name in LABELS if labels[name].nunique() > 1]
    missing = [name for name in targets or () if name not in usable]
    if missing or not usable:
        raise ValueError(
            f"{where}: has no different labels for {missing or list(LABELS)}; targets that it can be "
            f"compared on are {usable}."
        )
    return [name for name in usable if not targets or name in targets]


def checked_splits(store: SegmentStore, path: str | None, protocol: str) -> list[Split]:
    """The splits of a file or folder, or those of a protocol; none of them leaks (see `check_leaks`)."""
    splits = load_splits(path) if path else make_splits(store.table, protocol)
    search = DuplicateSearch(store)
    for split in splits:
        check_leaks(store.table, split, search, store.fitted)
    return splits


def check_labelled(
    store: SegmentStore, splits: Sequence[Split], targets: Sequence[str], part: str, networks: bool = True
) -> None:
    """Refuse folds with nothing to learn of a target or nothing to score, and targets that no fold scores.

    Parameters
    ----------
    networks : bool
        Whether networks are trained, which choose their weights by labels of the validation part.

    Raises
    ------
    ValueError
        With all of them.
    """
    windows = store.table[store.table["on_grid"].astype(bool)]
    known = {target: labelled(windows, [target], store.classes) for target in targets}
    any_known = labelled(windows, targets, store.classes)
    bare = [
        f"fold {split.fold} has none of {target!r} in its {name} part"
        for split in splits
        for name in (("train", "validation") if networks else ("train",))
        for target in targets
        if not split.mask(known[target], name).any()
    ]
    bare += [
        f"fold {split.fold} has none of {list(targets)} in its {part} part"
        for split in splits
        if not split.mask(any_known, part).any()
    ]
    bare += [
        f"no fold has any of {target!r} in its {part} part"
        for target in targets
        if not any(split.mask(known[target], part).any() for split in splits)
    ]
    if bare:
        raise ValueError(
            f"{splits[0].protocol}: of the windows with labels, {'; '.join(bare)}. Leave a target out with "
            "--targets, give the other folds with --split, as a folder of 'biollm split', or take another "
            "protocol."
        )


def prediction_table(output: MethodOutput, context: Context) -> pd.DataFrame:
    """A method's answers as a prediction set (see `biollm.evaluation.predictions`), with what is known of it.

    A rating that a method has no answer for is NaN; ``history`` is JSON text.
    """
    table, classes = context.inputs.table.iloc[context.scored].reset_index(drop=True), context.classes
    known = {
        "segment": table["segment"],
        "subject": table["subject"],
        "fold": context.split.fold,
        "seed": context.seed,
        "method": output.method,
        "family": output.family,
        "note": output.note,
        "seconds": output.seconds,
        "parameters": np.nan if output.parameters is None else float(output.parameters),
        "history": json.dumps(output.history),
    }
    for target in context.targets:
        if target == "emotion":
            known |= {"truth": table["emotion"], "prediction": output.labels(classes)}
        else:
            known |= {
                f"{target}_truth": table[target].astype(float),
                target: output.values.get(target, np.nan),
            }
    frame = pd.DataFrame(known)
    if output.probabilities is not None:
        for k, name in enumerate(classes):
            frame[f"p_{name}"] = output.probabilities[:, k]
    return frame
