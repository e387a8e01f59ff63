"""Protocols by name, and splits of a segment table with a validation part.

==================  ================================================  ================
name                test part of a fold                               new subjects?
==================  ================================================  ================
``holdout``         a quarter of the subjects, one fold               yes
``holdout-N``       N subjects, one fold (AMIGOS' 30-7: N = 7)        yes
``gkfN``            each subject once, in N folds                     yes
``loso``            each subject in a fold of its own                 yes
``losoN``           N drawn subjects, each in a fold of its own       yes
``loso-firstN``     the first N subjects, each in a fold of its own   yes
``leave-stimulus``  each stimulus in a fold of its own                no
``stimulusN``       each stimulus once, in N folds                    no
``leave-session``   the k-th session of each subject                  no
``trialN``          each subject's trials once, in N folds            no
``blocksN``         the k-th of N stretches of each subject's time    no
``shuffledN``       windows at random: leaks, and is marked so        no
==================  ================================================  ================
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from data_builders.splits.between_subjects import LeaveOneSubjectOut, SubjectHoldout, SubjectKFold
from data_builders.splits.split import PARTS, Split
from data_builders.splits.splitter import Splitter, check_columns
from data_builders.splits.within_subjects import (
    BlockKFold,
    LeaveOneSessionOut,
    ShuffledKFold,
    StimulusKFold,
    TrialKFold,
)

__all__ = ["PROTOCOLS", "find_splitter", "group_kfold", "make_splits", "subject_holdout"]

PROTOCOLS: dict[str, Callable[..., Splitter]] = {
    "holdout": lambda seed: SubjectHoldout(seed),
    "holdout-N": lambda seed, n: SubjectHoldout(seed, n),
    "gkfN": lambda seed, n: SubjectKFold(seed, n),
    "loso": lambda seed: LeaveOneSubjectOut(seed),
    "losoN": lambda seed, n: LeaveOneSubjectOut(seed, "random", n),
    "loso-firstN": lambda seed, n: LeaveOneSubjectOut(seed, "first", n),
    "leave-stimulus": lambda seed: StimulusKFold(seed),
    "stimulusN": lambda seed, n: StimulusKFold(seed, n),
    "leave-session": lambda seed: LeaveOneSessionOut(seed),
    "trialN": lambda seed, n: TrialKFold(seed, n),
    "blocksN": lambda seed, n: BlockKFold(seed, n),
    "shuffledN": lambda seed, n: ShuffledKFold(seed, n),
}
"""Name, with N for a number -> splitter of a seed and that number."""


def find_splitter(protocol: str, seed: int = 0) -> Splitter:
    """The splitter of a protocol's name.

    Raises
    ------
    ValueError
        If there is no such protocol; the message lists those that exist.
    """
    for name, make in PROTOCOLS.items():
        match = re.fullmatch(re.escape(name).replace("N", r"(\d+)"), protocol)
        if match:
            return make(seed, *map(int, match.groups()))
    raise ValueError(
        f"protocol is {protocol!r}; allowed are {list(PROTOCOLS)}, with a number for N, as 'gkf5'."
    )


def make_splits(
    table: pd.DataFrame, protocol: str | Splitter = "gkf5", seed: int = 0, n_validation: float = 0.25
) -> list[Split]:
    """Splits of a segment table into train, validation and test.

    Parameters
    ----------
    table : DataFrame
        Segment table, see `data_builders.segments.Segments`.
    protocol : str or Splitter
        A name of `PROTOCOLS`, or a splitter, which has a seed of its own.
    seed : int
    n_validation : float
        Share of each fold's training units (subjects, trials, ...) that becomes the validation part; at
        least one goes to each of the two.

    Returns
    -------
    list of Split, one a fold

    Raises
    ------
    ValueError
        If the protocol is unknown, or the table has too few units for it.
    """
    check_columns(table)
    splitter = find_splitter(protocol, seed) if isinstance(protocol, str) else protocol
    units = splitter.units(table)
    return [
        _with_validation(table, splitter, units, rest, tested, n_validation, fold)
        for fold, (rest, tested) in enumerate(splitter.folds(table))
    ]


def _with_validation(table, splitter, units, rest, tested, n_validation, fold) -> Split:
    rest = np.random.default_rng(splitter.seed + 1000 * (fold + 1)).permutation(rest)
    n_held = min(max(1, round(len(rest) * n_validation)), len(rest) - 1)
    sides = {"test": tested, "validation": rest[:n_held], "train": rest[n_held:]}
    part = splitter.parts(table, units, sides)
    empty = [name for name in PARTS if not (part == name).any()]
    if empty:
        raise ValueError(
            f"{splitter.protocol}, fold {fold}: no segments are left for {empty} once those that overlap the "
            "other parts are left out. Use fewer folds, shorter windows or another protocol."
        )
    chosen = zip(table["segment"], part, strict=True)
    parts = {segment: str(name) for segment, name in chosen if name}
    return Split(parts, splitter.protocol, fold, splitter.unit)


def group_kfold(
    table: pd.DataFrame, n_folds: int = 5, n_validation: float = 0.25, seed: int = 0
) -> list[Split]:
    """K folds over subjects: ``gkfN`` as a function."""
    return make_splits(table, SubjectKFold(seed, n_folds), n_validation=n_validation)


def subject_holdout(
    table: pd.DataFrame, n_test: int | float = 0.25, n_validation: float = 0.25, seed: int = 0
) -> Split:
    """One split that holds out a share (or, as an int, a number) of the subjects for test."""
    return make_splits(table, SubjectHoldout(seed, n_test), n_validation=n_validation)[0]
