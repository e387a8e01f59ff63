"""What all splitters share: units go to sides whole, and whatever would leak is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from data_builders.splits.overlap import overlapping

__all__ = ["COLUMNS", "Splitter", "check_columns", "joined", "natural"]

COLUMNS = (
    "segment", "dataset", "recording", "group", "subject", "session", "trial", "stimulus", "source",
    "start", "duration", "reference", "emotion",
)  # fmt: skip


@dataclass(frozen=True)
class Splitter:
    """Cross-validation over a segment table, with scikit-learn's interface.

    `split` takes the segment table as X, so that a splitter serves as `cv` of ``cross_val_score`` and
    of searches; `make_splits` adds a validation part. Units are never cut. Windows of a training side that
    overlap one of the test side in time are left out, and augmented segments are only ever trained on,
    beside their sources.

    Parameters
    ----------
    seed : int

    Attributes
    ----------
    unit : str
        What no two parts share, one of `UNITS`.
    protocol : str
        For reports.
    """

    seed: int = 0
    unit: ClassVar[str]

    @property
    def protocol(self) -> str:
        raise NotImplementedError

    def units(self, table: pd.DataFrame) -> np.ndarray:
        """The unit of each segment, shape (n_segments,), str; empty for those that are always trained on."""
        raise NotImplementedError

    def folds(self, table: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each fold, the units of the training side and those of the test part."""
        raise NotImplementedError

    def gap_seconds(self, table: pd.DataFrame) -> float:
        """How far apart windows of one recording must be to stand on two sides."""
        return 0.0

    def get_n_splits(self, X: pd.DataFrame, y: object = None, groups: object = None) -> int:
        """Number of folds of a segment table."""
        return sum(1 for _ in self.folds(X))

    def split(
        self, X: pd.DataFrame, y: object = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions of the training and of the test segments of each fold.

        Parameters
        ----------
        X : DataFrame
            A segment table; it may have further columns, such as features.
        y, groups : ignored
        """
        check_columns(X)
        units = self.units(X)
        for rest, tested in self.folds(X):
            part = self.parts(X, units, {"test": tested, "train": rest})
            yield np.flatnonzero(part == "train"), np.flatnonzero(part == "test")

    def parts(self, table: pd.DataFrame, units: np.ndarray, sides: Mapping[str, np.ndarray]) -> np.ndarray:
        """The part of each segment, shape (n_segments,), str; empty for those that are left out.

        Parameters
        ----------
        units : ndarray of str, shape (n_segments,)
        sides : mapping of str to ndarray of str
            Part -> its units.
        """
        side = {unit: part for part, names in sides.items() for unit in names} | {"": "train"}
        part = pd.Series(units).map(side).fillna("").to_numpy(dtype=object)
        if self.unit not in ("subject", "nothing"):
            _leave_out_overlaps(table, part, self.gap_seconds(table))
        _leave_out_copies(table, part)
        return part.astype(str)


def _leave_out_overlaps(table: pd.DataFrame, part: np.ndarray, gap: float) -> None:
    """Test segments all stay; validation makes way for test, and training for both."""
    for kept, others in (("test", ("validation", "train")), ("validation", ("train",))):
        rows = np.flatnonzero(np.isin(part, others))
        near = overlapping(table.iloc[rows], table[part == kept], gap) >= 0
        part[rows[near]] = ""


def _leave_out_copies(table: pd.DataFrame, part: np.ndarray) -> None:
    """Keep an augmented segment only where it and all of its sources are trained on."""
    copies = np.flatnonzero((table["source"] != "").to_numpy())
    trained = set(table["segment"].to_numpy()[part == "train"])
    sources = table["source"].to_numpy()
    for row in copies:
        if part[row] != "train" or not trained.issuperset(sources[row].split("+")):
            part[row] = ""


def check_columns(table: pd.DataFrame) -> None:
    """Raise a ValueError that names the columns which a segment table lacks."""
    missing = sorted(set(COLUMNS) - set(table.columns))
    if missing:
        raise ValueError(
            f"the segment table lacks the columns {missing}; it has {list(table.columns)}. "
            "Take the table of a store that 'biollm prepare' wrote."
        )


def joined(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Several id columns as one."""
    ids = table[columns[0]].astype(str)
    for column in columns[1:]:
        ids = ids + "\x1f" + table[column].astype(str)
    return ids


def natural(name: object) -> list[tuple[int, int, str]]:
    """Sort key that puts S2 before S10."""
    pieces = re.findall(r"\d+|\D+", str(name))
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pieces]
