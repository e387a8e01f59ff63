"""A split: which part each segment is in, and what no two parts may share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.places import write_whole
from data_builders.stage import content_hash

__all__ = ["PARTS", "UNITS", "Split", "load_splits"]

PARTS = ("train", "validation", "test")
UNITS = {
    "subject": "no subject, and no group of subjects, is in two parts",
    "stimulus": "no stimulus is in two parts; subjects are",
    "session": "no session of a subject is in two parts; subjects are",
    "trial": "no trial is in two parts; subjects are",
    "moment": "no moment of a recording is in two parts; subjects, and perhaps trials, are",
    "nothing": "nothing is kept apart: overlapping windows stand on both sides (leaky)",
}
"""What a split may claim that no two of its parts share; `check_leaks` holds it to that."""


@dataclass(frozen=True)
class Split:
    """Which part each segment is in.

    Parameters
    ----------
    parts : dict of str to str
        Segment id -> ``train``, ``validation`` or ``test``; a segment that is not named is left out.
    protocol : str
        How it was made, for reports.
    fold : int
    unit : str
        What no two parts share, one of `UNITS`.

    Raises
    ------
    ValueError
        If the unit is unknown.
    """

    parts: dict[str, str] = field(repr=False)
    protocol: str
    fold: int = 0
    unit: str = "subject"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit is {self.unit!r}; allowed are {list(UNITS)}.")

    @property
    def hash(self) -> str:
        """Of the assignment; whatever is fitted on a split carries it."""
        return content_hash(self.parts)

    @property
    def subject_disjoint(self) -> bool:
        """Whether the test subjects are new to the model; if not, results do not hold for new people."""
        return self.unit == "subject"

    @property
    def leaky(self) -> bool:
        """Whether the split leaks by design, to reproduce the figures of others."""
        return self.unit == "nothing"

    def mask(self, table: pd.DataFrame, part: str) -> np.ndarray:
        """Which rows of a segment table are in a part; shape (n_segments,), bool."""
        return (table["segment"].map(self.parts) == part).to_numpy()

    def save(self, path: str | Path) -> None:
        """Write as JSON, whole or not at all."""
        content = {"protocol": self.protocol, "fold": self.fold, "unit": self.unit, "hash": self.hash}
        write_whole(Path(path), json.dumps(content | {"parts": self.parts}))

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read what `save` wrote; refuses a file whose assignment does not fit its hash.

        A file without a unit is held to the strictest one, the subject.
        """
        content = _read_json(Path(path))
        missing = sorted({"protocol", "fold", "hash", "parts"} - set(content))
        if missing:
            raise ValueError(f"{path}: lacks the keys {missing}; write splits with Split.save.")
        unit = content.get("unit", "subject")
        if unit not in UNITS:
            raise ValueError(f"{path}: unit is {unit!r}; allowed are {list(UNITS)}.")
        split = cls(content["parts"], content["protocol"], content["fold"], unit)
        if split.hash != content["hash"]:
            raise ValueError(f"{path}: was changed by hand: hash {split.hash}, written {content['hash']}.")
        return split


def _read_json(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such split; 'biollm split' writes them.")
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: is no split: {error}. Write splits with 'biollm split'.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: is no split, but a {type(content).__name__}.")
    return content


def load_splits(path: str | Path) -> list[Split]:
    """The split of a file, or all of a folder that ``biollm split`` wrote, by fold.

    Raises
    ------
    FileNotFoundError
        If the folder holds no ``split-<fold>.json``.
    ValueError
        If two of its files are of one fold, or they keep different things apart.
    """
    path = Path(path)
    if not path.is_dir():
        return [Split.load(path)]
    splits = [Split.load(file) for file in path.glob("split-*.json")]
    if not splits:
        raise FileNotFoundError(f"{path}: holds no split-<fold>.json; 'biollm split' writes them.")
    folds = [split.fold for split in splits]
    if twice := sorted({fold for fold in folds if folds.count(fold) > 1}):
        raise ValueError(
            f"{path}: several files are of the folds {twice}; give each a number of its own, under its key "
            "'fold'."
        )
    if len(units := sorted({split.unit for split in splits})) > 1:
        raise ValueError(
            f"{path}: the files have the units {units}; give a folder of splits with one unit, since answers "
            "for known and for new subjects have no common score."
        )
    return sorted(splits, key=lambda split: split.fold)
