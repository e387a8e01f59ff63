"""Kaggle's "EEG Brainwave Dataset: Feeling Emotions": a table of features that others computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from data_builders.readers._cells import numbers, read_table
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal

__all__ = ["KaggleEEG"]

FILE = "emotions.csv"
LABEL = "label"
N_FEATURES = 2548
WORDS = ("negative", "neutral", "positive")


class KaggleEEG(Reader):
    """The feature table ``emotions.csv``, one recording: a row is a second, a column a channel.

    The rows are features of overlapping windows of four electrodes of a headset, from two people. Each row
    is a block and a trial of its own, numbered from 1; the modality is ``features``.

    Parameters
    ----------
    root : str or Path
        Folder that holds ``emotions.csv``: 2548 columns of numbers and ``label``, of 2132 rows.

    Raises
    ------
    FileNotFoundError
        If the folder holds no ``emotions.csv``.
    """

    name: ClassVar[str] = "kaggle"
    title = "EEG Brainwave Dataset: Feeling Emotions (precomputed features)"
    licence = "as its owner says on Kaggle; not redistributed"
    citation = (
        "Bird, Faria, Manso, Ekart and Buckingham (2019), A Deep Evolutionary Approach to Bioinspired "
        "Classifier Optimisation for Brain-Machine Interaction, Complexity 2019."
    )
    url = "https://www.kaggle.com/datasets/birdy654/eeg-brainwave-dataset-feeling-emotions"
    labels: Mapping[str, str] = {
        "emotion": "column 'label': NEGATIVE, NEUTRAL or POSITIVE, the film clip's intended emotion"
    }
    baseline = "none: the order of the rows is not that of time (the first three have three labels)"
    left_out = ("signals: the table holds features only",)
    caution = (
        "No honest subject split exists: there are no subject ids, two people were recorded, and the rows' "
        "windows overlap. A shuffled split tests on neighbours of what it trained on. Contiguous blocks of "
        "rows, which belong beside it, are no cure, since the rows are not in order of time. Report neither "
        "as a result on new people."
    )
    classes = WORDS
    window = 1.0
    step = 1.0

    def __init__(self, root: str | Path | None) -> None:
        content = f"the table {FILE}"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, FILE, self.name, content)

    def paths(self) -> list[Path]:
        """The table."""
        return [self.root / FILE]

    def read(self, path: str | Path) -> Recording:
        """All rows.

        Raises
        ------
        ValueError
            If the columns are not 2548 of numbers and ``label``, or a label is unknown; names the file,
            the rows and the columns.
        """
        frame = read_table(path)
        if frame.shape[1] != N_FEATURES + 1 or LABEL not in frame or not len(frame):
            lacks = "" if LABEL in frame else f", none of them {LABEL!r}"
            raise ValueError(
                f"{path}: has {len(frame)} rows and {frame.shape[1]} columns{lacks}; allowed are "
                f"{N_FEATURES} feature columns and {LABEL!r}, and a row or more. Download {FILE} again."
            )
        words = _words(path, frame.pop(LABEL).to_numpy())
        names = tuple(str(column).removeprefix("# ") for column in frame.columns)
        signal = Signal(numbers(path, frame, first_row=2).T, 1.0, names, "")
        blocks = tuple(
            Block(float(row), 1.0, {"emotion": word}, trial=str(row + 1)) for row, word in enumerate(words)
        )
        return Recording({"features": signal}, self.name, "unknown", blocks=blocks, baseline=(0.0, 0.0))


def _words(path: str | Path, labels: np.ndarray) -> list[str]:
    words = [str(label).strip().lower() for label in labels]
    bad = [
        f"row {row}: {words[row - 2]!r}" for row in range(2, len(words) + 2) if words[row - 2] not in WORDS
    ]
    if bad:
        raise ValueError(
            f"{path}: {len(bad)} labels are unknown: {'; '.join(bad[:5])}; allowed in the column {LABEL!r} "
            f"are {[word.upper() for word in WORDS]}."
        )
    return words
