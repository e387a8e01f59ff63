"""A simulated table of precomputed features: what the reader ``kaggle`` gives, without its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from data_builders.readers.kaggle import WORDS, KaggleEEG
from data_builders.readers.reader import Reader
from data_builders.recording import Block, Recording, Signal
from data_builders.simulation import draw_feature_table

__all__ = ["SimulatedFeatures"]

NAME = "table"
MOST_PARTS = 30
"""Beyond it a clip has a row or two, and no neighbours."""


class SimulatedFeatures(Reader):
    """One recording of 2132 rows of 2548 features, in which each row is nearly a copy of the one before.

    Parameters
    ----------
    root : None
        There is no folder to read.
    seed : int
    part : int
        4 gives a quarter of the rows.

    Raises
    ------
    ValueError
        If there is a root, or `part` leaves clips without rows.
    """

    name: ClassVar[str] = "simulated_features"
    title = "Simulated table of features, in the shape of Kaggle's EEG Brainwave Dataset"
    licence = "MIT"
    citation = "biollm; see data_builders.simulation.feature_table"
    labels: Mapping[str, str] = {"emotion": "negative, neutral or positive: that of the clip the row is from"}
    baseline = "none: the table holds labelled rows alone"
    left_out = ("signals: there are features only",)
    caution = (
        "Simulated: it shows what a shuffled split of overlapping windows does, and nothing about people. "
        "Its rows are in order of time, other than those of the data set whose shape it has."
    )
    classes = WORDS
    window = KaggleEEG.window
    step = KaggleEEG.step

    def __init__(self, root: str | Path | None = None, seed: int = 0, part: int = 1) -> None:
        if root is not None or not 1 <= part <= MOST_PARTS:
            raise ValueError(
                f"reader 'simulated_features': root is {root} and part is {part}; allowed are no root, since "
                f"nothing is read, and a part of 1 to {MOST_PARTS}. Read a table with the reader 'kaggle'."
            )
        self.seed, self.part = seed, part

    def paths(self) -> list[str]:
        """The one table."""
        return [NAME]

    def read(self, path: str | Path) -> Recording:
        """All rows, a block and a trial each, as the reader ``kaggle`` has them."""
        frame = draw_feature_table(self.seed, self.part)
        words = [str(label).lower() for label in frame.pop("label")]
        names = tuple(str(column).removeprefix("# ") for column in frame.columns)
        signal = Signal(frame.to_numpy(dtype=np.float32).T, 1.0, names, "")
        blocks = tuple(
            Block(float(row), 1.0, {"emotion": word}, trial=str(row + 1)) for row, word in enumerate(words)
        )
        return Recording({"features": signal}, self.name, "unknown", blocks=blocks, baseline=(0.0, 0.0))
