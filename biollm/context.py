"""What a method works on, one fold with one seed, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.splits import Split
from data_builders.store import SegmentStore
from encoders.inputs import SignalInputs

__all__ = ["Context", "MethodOutput", "prediction_table"]


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

    @property
    def classes(self) -> tuple[str, ...]:
        return self.store.classes

    def rows(self, *parts: str) -> np.ndarray:
        """Rows of the inputs in some parts of the split."""
        return np.flatnonzero(self.inputs.table["segment"].map(self.split.parts).isin(parts).to_numpy())

    def labelled(self, table: pd.DataFrame, on_grid: bool = False) -> np.ndarray:
        """Positions in a segment table of those with a label of any target (and not overlapping)."""
        wanted = np.zeros(len(table), bool)
        for target in self.targets:
            known = table[target].isin(self.classes) if target == "emotion" else table[target].notna()
            wanted |= known.to_numpy(bool)
        return np.flatnonzero(wanted & (table["on_grid"].to_numpy(bool) | (not on_grid)))

    @property
    def scored(self) -> np.ndarray:
        """Rows that are scored: labelled, not overlapping, in the scored part."""
        rows = self.rows(self.config.part)
        return rows[self.labelled(self.inputs.table.iloc[rows], on_grid=True)]

    @property
    def fitted_parts(self) -> tuple[str, ...]:
        """Parts that whatever needs no early stopping is fitted on."""
        return ("train",) if self.config.part == "validation" else ("train", "validation")


def prediction_table(output: MethodOutput, context: Context) -> pd.DataFrame:
    """A method's answers as a prediction set (see `biollm.evaluation.metrics`), with what is known of it."""
    table, classes = context.inputs.table.iloc[context.scored], context.classes
    frame = pd.DataFrame(
        {
            "segment": table["segment"].to_numpy(),
            "subject": table["subject"].to_numpy(),
            "fold": context.split.fold,
            "seed": context.seed,
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
