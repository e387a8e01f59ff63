"""Splitters whose test subjects are new to the model: hold-out, K folds, one subject at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from data_builders.splits.splitter import Splitter, natural

__all__ = [
    "LeaveOneSubjectOut",
    "SubjectHoldout",
    "SubjectKFold",
]

Folds = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class _BySubject(Splitter):
    """By the column ``group``: the subject, or subjects whom no split may separate."""

    unit: ClassVar[str] = "subject"

    def units(self, table: pd.DataFrame) -> np.ndarray:
        return table["group"].to_numpy(dtype=object)


@dataclass(frozen=True)
class SubjectHoldout(_BySubject):
    """One fold: some of the subjects are the test part.

    Parameters
    ----------
    n_test : int or float
        Number of test subjects (AMIGOS' usual 30-7: 7), or their share.
    """

    n_test: int | float = 0.25

    @property
    def protocol(self) -> str:
        share = f"{self.n_test:.0%} of the" if isinstance(self.n_test, float) else str(self.n_test)
        return f"hold-out of {share} subjects"

    def folds(self, table: pd.DataFrame) -> Folds:
        subjects = np.random.default_rng(self.seed).permutation(sorted(table["group"].unique()))
        share = isinstance(self.n_test, float)
        held = max(1, round(len(subjects) * self.n_test)) if share else int(self.n_test)
        if held < 1 or len(subjects) - held < 2:
            raise ValueError(
                f"{len(subjects)} subjects are too few for train, validation and {held} test subjects."
            )
        yield subjects[held:], subjects[:held]


@dataclass(frozen=True)
class SubjectKFold(_BySubject):
    """Each subject is tested once (scikit-learn's GroupKFold over shuffled subjects).

    Parameters
    ----------
    n_folds : int
    """

    n_folds: int = 5

    @property
    def protocol(self) -> str:
        return f"GroupKFold-{self.n_folds}"

    def folds(self, table: pd.DataFrame) -> Folds:
        from sklearn.model_selection import GroupKFold

        subjects, n_folds = np.array(sorted(table["group"].unique())), self.n_folds
        if not 2 <= n_folds <= len(subjects) or len(subjects) - math.ceil(len(subjects) / n_folds) < 2:
            raise ValueError(
                f"{len(subjects)} subjects cannot make {n_folds} folds; allowed are 2 folds or more, at most "
                "one a subject, that leave each fold a training and a validation subject."
            )
        folds = GroupKFold(n_folds, shuffle=True, random_state=self.seed).split(subjects, groups=subjects)
        for rest, tested in folds:
            yield subjects[rest], subjects[tested]


@dataclass(frozen=True)
class LeaveOneSubjectOut(_BySubject):
    """A fold a subject, or for some of the subjects only; all others are trained on.

    Parameters
    ----------
    which : {"all", "first", "random"}
        The first by name, with numbers in order; or drawn.
    n_subjects : int
        How many, unless all.
    """

    which: str = "all"
    n_subjects: int = 0

    @property
    def protocol(self) -> str:
        chosen = "" if self.which == "all" else f" ({self.which} {self.n_subjects})"
        return f"leave one subject out{chosen}"

    def folds(self, table: pd.DataFrame) -> Folds:
        subjects = np.array(sorted(table["group"].unique(), key=natural))
        wanted = len(subjects) if self.which == "all" else self.n_subjects
        if not 1 <= wanted <= len(subjects) or len(subjects) < 3:
            raise ValueError(
                f"leave-one-subject-out for {wanted} of {len(subjects)} subjects; allowed are 1 to all "
                "subjects, of whom there must be at least 3: for train, validation and test."
            )
        tested = subjects[:wanted]
        if self.which == "random":
            tested = np.random.default_rng(self.seed).permutation(subjects)[:wanted]
        for subject in tested:
            yield subjects[subjects != subject], np.array([subject])
