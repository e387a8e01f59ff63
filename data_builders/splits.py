"""Subject-disjoint splits, and the check that nothing leaks between their sides."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.stage import content_hash

__all__ = ["LeakError", "Split", "check_leaks", "group_kfold", "subject_holdout"]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Which part each segment is in.

    Parameters
    ----------
    parts : dict of str to str
        Segment id -> ``train``, ``validation`` or ``test``.
    protocol : str
        How it was made, for reports.
    fold : int
    """

    parts: dict[str, str] = field(repr=False)
    protocol: str
    fold: int = 0

    @property
    def hash(self) -> str:
        """Of the assignment; whatever is fitted on a split carries it."""
        return content_hash(self.parts)

    def mask(self, table: pd.DataFrame, part: str) -> np.ndarray:
        """Which rows of a segment table are in a part; shape (n_segments,), bool."""
        return (table["segment"].map(self.parts) == part).to_numpy()

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        content = {"protocol": self.protocol, "fold": self.fold, "hash": self.hash, "parts": self.parts}
        Path(path).write_text(json.dumps(content))

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read what `save` wrote; refuses a file whose assignment does not fit its hash."""
        content = json.loads(Path(path).read_text())
        missing = sorted({"protocol", "fold", "hash", "parts"} - set(content))
        if missing:
            raise ValueError(f"{path}: lacks the keys {missing}; write splits with Split.save.")
        split = cls(content["parts"], content["protocol"], content["fold"])
        if split.hash != content["hash"]:
            raise ValueError(f"{path}: was changed by hand: hash {split.hash}, written {content['hash']}.")
        return split


class LeakError(ValueError):
    """The two sides of a split know each other."""


def group_kfold(
    table: pd.DataFrame, n_folds: int = 5, n_validation: float = 0.25, seed: int = 0
) -> list[Split]:
    """K folds over subjects (scikit-learn's GroupKFold over shuffled subjects).

    Parameters
    ----------
    table : DataFrame
        Segment table with ``segment`` and ``subject``.
    n_folds : int
    n_validation : float
        Share of each fold's training subjects that becomes the validation part; at least one subject
        goes to each of the two.
    seed : int

    Returns
    -------
    list of Split, one a fold; every subject is in one fold's test part
    """
    from sklearn.model_selection import GroupKFold

    subjects = np.array(sorted(table["subject"].unique()))
    if not 2 <= n_folds <= len(subjects) or len(subjects) - math.ceil(len(subjects) / n_folds) < 2:
        raise ValueError(
            f"{len(subjects)} subjects cannot make {n_folds} folds; allowed are 2 folds or more, at most one "
            "a subject, that leave each fold a training and a validation subject."
        )
    folds = GroupKFold(n_folds, shuffle=True, random_state=seed).split(subjects, groups=subjects)
    return [
        _by_subject(table, subjects[rest], subjects[test], n_validation, seed, f"GroupKFold-{n_folds}", fold)
        for fold, (rest, test) in enumerate(folds)
    ]


def subject_holdout(
    table: pd.DataFrame, n_test: float = 0.25, n_validation: float = 0.25, seed: int = 0
) -> Split:
    """One split that holds out a share of the subjects for test."""
    subjects = np.random.default_rng(seed).permutation(sorted(table["subject"].unique()))
    held = max(1, round(len(subjects) * n_test))
    if len(subjects) - held < 2:
        raise ValueError(
            f"{len(subjects)} subjects are too few for train, validation and {held} test subjects."
        )
    return _by_subject(
        table, subjects[held:], subjects[:held], n_validation, seed, f"hold-out of {held} subjects", 0
    )


def _by_subject(table, rest, test, n_validation, seed, protocol, fold) -> Split:
    rest = np.random.default_rng(seed + 1000 * (fold + 1)).permutation(rest)
    n_held = min(max(1, round(len(rest) * n_validation)), len(rest) - 1)
    part = dict.fromkeys(test, "test") | dict.fromkeys(rest[:n_held], "validation")
    part |= dict.fromkeys(rest[n_held:], "train")
    return Split(dict(zip(table["segment"], table["subject"].map(part), strict=True)), protocol, fold)


def check_leaks(table: pd.DataFrame, split: Split) -> None:
    """Fail if two parts of a split share a subject, a trial or a moment of a recording.

    Raises
    ------
    LeakError
        With every leak found: what is shared, between which parts, and examples.
    """
    part = table["segment"].map(split.parts)
    problems = []
    unknown = sorted(set(part.dropna()) - set(PARTS))
    if unknown:
        problems.append(f"parts {unknown} are unknown; allowed are {list(PARTS)}")
    for one, other in combinations(PARTS, 2):
        a, b = table[part == one], table[part == other]
        for what, columns in {"subjects": ["subject"], "trials": ["subject", "session", "trial"]}.items():
            shared = sorted(set(map(tuple, a[columns].to_numpy())) & set(map(tuple, b[columns].to_numpy())))
            if shared:
                names = ", ".join("/".join(s) for s in shared[:3])
                problems.append(f"{one} and {other} share {len(shared)} {what}: {names}")
        overlapping = _overlaps(a, b)
        if overlapping:
            problems.append(
                f"{one} and {other} hold windows that overlap in time: {', '.join(overlapping[:3])}"
            )
    empty = [p for p in ("train", "test") if not (part == p).any()]
    problems += [f"the {p} part is empty" for p in empty]
    if problems:
        raise LeakError(
            f"the split '{split.protocol}' (fold {split.fold}) leaks:\n- " + "\n- ".join(problems)
        )


def _overlaps(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Windows of one table that share a moment of a recording with one of the other, and which one."""
    keys = ["dataset", "subject", "session"]
    common = a[keys].drop_duplicates().merge(b[keys].drop_duplicates(), on=keys)
    both = pd.concat([a.assign(in_b=False), b.assign(in_b=True)]).merge(common, on=keys)
    recordings = both.sort_values("start", kind="stable").groupby(keys, sort=False, dropna=False)
    return [pair for _, windows in recordings for pair in _overlapping_pairs(windows)]


def _overlapping_pairs(windows: pd.DataFrame) -> list[str]:
    """In windows of one recording, by start: each with one of the other table that it begins within."""
    names, start, in_b = (windows[column].to_numpy() for column in ("segment", "start", "in_b"))
    stop = start + windows["duration"].to_numpy()
    pairs = []
    for side in (in_b, ~in_b):
        reached = np.maximum.accumulate(np.where(side, stop, -np.inf))
        for i in np.flatnonzero(~side & (start < reached - 1e-6)):
            pairs.append(f"{names[i]} with {names[int(np.argmax(side & (stop == reached[i])))]}")
    return pairs
