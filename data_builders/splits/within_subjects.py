"""Splitters with the same subjects on both sides: by stimulus, session, trial, block, or leaky by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from data_builders.splits.splitter import Splitter, joined, natural

__all__ = [
    "BlockKFold",
    "LeaveOneSessionOut",
    "ShuffledKFold",
    "StimulusKFold",
    "TrialKFold",
]

Folds = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class _WithinSubjects(Splitter):
    """Subjects are on both sides; `keys` tell the units, which rows without ids follow or stay out of."""

    keys: ClassVar[list[str]]

    def units(self, table: pd.DataFrame) -> np.ndarray:
        """Windows of a baseline go with their recording where it is of one unit, else are trained on."""
        named = (table[self.keys[-1]] != "") & ~table["reference"].astype(bool)
        units = joined(table, self.keys).where(named, "")
        of_recording = units[named].groupby(table["recording"][named]).agg(["nunique", "first"])
        alone = of_recording.loc[of_recording["nunique"] == 1, "first"]
        return units.where(named, table["recording"].map(alone)).fillna("").to_numpy(dtype=object)

    def _names(self, table: pd.DataFrame, n_folds: int) -> np.ndarray:
        """All units in order; there must be three, and one a fold."""
        without = int(((table[self.keys[-1]] == "") & ~table["reference"].astype(bool)).sum())
        names = sorted(set(self.units(table)) - {""}, key=natural)
        if without or not max(3, n_folds) <= len(names) or n_folds < 2:
            raise ValueError(
                f"{self.protocol}: got {len(names)} units and {without} segments without "
                f"{self.keys[-1]!r}; allowed are 2 folds or more of at least {max(3, n_folds)} units, and no "
                "segment without. Use 'blocksN', which needs no ids, or 'gkfN'."
            )
        return np.array(names, dtype=object)


@dataclass(frozen=True)
class StimulusKFold(_WithinSubjects):
    """Stimuli that the model has not met, of subjects whom it has; a fold a stimulus by default.

    Parameters
    ----------
    n_folds : int or None
        Deal the stimuli to so many folds.
    """

    n_folds: int | None = None
    unit: ClassVar[str] = "stimulus"
    keys: ClassVar[list[str]] = ["dataset", "stimulus"]

    @property
    def protocol(self) -> str:
        return "leave one stimulus out" if self.n_folds is None else f"stimuli in {self.n_folds} folds"

    def folds(self, table: pd.DataFrame) -> Folds:
        names = self._names(table, 2 if self.n_folds is None else self.n_folds)
        if self.n_folds is None:
            dealt = np.arange(len(names))
        else:
            dealt = np.random.default_rng(self.seed).permutation(np.arange(len(names)) % self.n_folds)
        for fold in range(dealt.max() + 1):
            yield names[dealt != fold], names[dealt == fold]


@dataclass(frozen=True)
class LeaveOneSessionOut(_WithinSubjects):
    """Another day of the same subjects: fold k tests the k-th session of each subject, by name.

    Sessions are counted within a subject since data sets name them by number or by date.
    """

    unit: ClassVar[str] = "session"
    keys: ClassVar[list[str]] = ["dataset", "subject", "session"]

    @property
    def protocol(self) -> str:
        return "leave one session out"

    def units(self, table: pd.DataFrame) -> np.ndarray:
        return joined(table, self.keys).to_numpy(dtype=object)

    def folds(self, table: pd.DataFrame) -> Folds:
        sessions = pd.DataFrame({"name": sorted(set(self.units(table)), key=natural)})
        number = sessions.groupby(sessions["name"].str.rsplit("\x1f", n=1).str[0]).cumcount().to_numpy()
        names = sessions["name"].to_numpy(dtype=object)
        if number.max() < 1 or len(names) < 4:
            raise ValueError(
                f"leave one session out: got {len(names)} sessions of {int((number == 0).sum())} subjects; "
                "allowed are two subjects or more with two sessions each. Use 'gkfN' or 'trialN'."
            )
        for fold in range(number.max() + 1):
            yield names[number != fold], names[number == fold]


@dataclass(frozen=True)
class TrialKFold(_WithinSubjects):
    """Subject-dependent: each subject's trials are dealt to the folds, label by label.

    Parameters
    ----------
    n_folds : int
    """

    n_folds: int = 5
    unit: ClassVar[str] = "trial"
    keys: ClassVar[list[str]] = ["dataset", "group", "session", "trial"]

    @property
    def protocol(self) -> str:
        return f"trials within subjects in {self.n_folds} folds"

    def folds(self, table: pd.DataFrame) -> Folds:
        self._names(table, self.n_folds)
        trials = table.assign(unit=self.units(table), label=_labels(table))
        trials = trials[trials["unit"] != ""].groupby("unit", sort=True)[["subject", "label"]].max()
        trials["order"] = np.random.default_rng(self.seed).permutation(len(trials))
        trials = trials.sort_values(["subject", "label", "order"])
        names, dealt = trials.index.to_numpy(dtype=object), np.arange(len(trials)) % self.n_folds
        for fold in range(self.n_folds):
            yield names[dealt != fold], names[dealt == fold]


def _labels(table: pd.DataFrame) -> pd.Series:
    """What trials are stratified by: the emotion, or an empty text, which sorts before all others."""
    return table["emotion"].where(table["emotion"].notna(), "").astype(str)


@dataclass(frozen=True)
class BlockKFold(Splitter):
    """Where no trials are known: each subject's time is cut into contiguous blocks.

    Parameters
    ----------
    n_folds : int
        Blocks a subject; fold k tests the k-th block of each.
    gap : float
        Windows, as multiples of a window's length, that are left out beside a tested block: neighbours
        in time are alike.
    """

    n_folds: int = 5
    gap: float = 1.0
    unit: ClassVar[str] = "moment"

    @property
    def protocol(self) -> str:
        return f"contiguous blocks in {self.n_folds} folds"

    def gap_seconds(self, table: pd.DataFrame) -> float:
        return self.gap * float(table["duration"].max())

    def units(self, table: pd.DataFrame) -> np.ndarray:
        recordings = {name: k for k, name in enumerate(sorted(table["recording"].unique(), key=natural))}
        moments = pd.DataFrame({"recording": table["recording"].map(recordings), "start": table["start"]})
        units = np.empty(len(table), dtype=object)
        for subject, found in table.groupby("subject", sort=False).indices.items():
            rows = np.asarray(found)
            place = moments.iloc[rows].groupby(["recording", "start"]).ngroup().to_numpy()
            block = place * self.n_folds // (place.max() + 1)
            units[rows] = [f"{subject}\x1f{k}" for k in block]
        return units

    def folds(self, table: pd.DataFrame) -> Folds:
        names = np.array(sorted(set(self.units(table)), key=natural), dtype=object)
        block = np.array([int(name.rsplit("\x1f", 1)[1]) for name in names])
        if self.n_folds < 3 or set(block) != set(range(self.n_folds)):
            raise ValueError(
                f"{len(table)} segments cannot make {self.n_folds} contiguous blocks of a subject's time; "
                "allowed are 3 blocks or more, and a subject with at least as many windows."
            )
        for fold in range(self.n_folds):
            yield names[block != fold], names[block == fold]


@dataclass(frozen=True)
class ShuffledKFold(Splitter):
    """Windows at random, neighbours and overlapping ones on both sides: to reproduce others' figures only.

    Parameters
    ----------
    n_folds : int
    """

    n_folds: int = 5
    unit: ClassVar[str] = "nothing"

    @property
    def protocol(self) -> str:
        return f"leaky: shuffled windows in {self.n_folds} folds"

    def units(self, table: pd.DataFrame) -> np.ndarray:
        return table["segment"].to_numpy(dtype=object)

    def folds(self, table: pd.DataFrame) -> Folds:
        names = np.array(sorted(table["segment"]), dtype=object)
        if not 2 <= self.n_folds <= len(names) - 1:
            raise ValueError(
                f"{len(names)} segments cannot make {self.n_folds} folds; allowed are 2 or more."
            )
        dealt = np.random.default_rng(self.seed).permutation(np.arange(len(names)) % self.n_folds)
        for fold in range(self.n_folds):
            yield names[dealt != fold], names[dealt == fold]
