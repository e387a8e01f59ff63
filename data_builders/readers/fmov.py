"""FMOV: facial EMG and skin conductance while emotional faces are seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FMOV"]

COLUMNS = (
    "skin conductance",
    "raw zygomaticus",
    "raw corrugator",
    "rectified zygomaticus",
    "rectified corrugator",
    "reference wave angry",
    "reference wave happy",
    "reference wave neutral",
)
SUFFIX = "_FMOV_preprocessed.txt"
SAMPLING_RATE = 100.0
HALF_WAVE = 2.5


class FMOV(Reader):
    """Facial EMG and skin conductance of the oxazepam study (Nilsonne et al.), a recording a subject.

    The label is the expression *seen*; a block of duration 0 stands at the onset of each face, the edge
    5 → 0 of its reference wave. Skin conductance is sampled at 100 Hz, but holds under a ten-thousandth
    of its power above 4 Hz. There are two orders of the faces, each starting and ending with a neutral
    one, so that an event's number in the session tells about its label.

    Parameters
    ----------
    root : str or Path
        Folder of ``NN_FMOV_preprocessed.txt``: tab-separated, no header, 8 columns (see its codebook).

    Raises
    ------
    FileNotFoundError
        If the folder holds no such file.
    """

    name: ClassVar[str] = "fmov"
    title = "FMOV: facial EMG and skin conductance while watching emotional faces"
    licence = "CC0 1.0"
    citation = "Nilsonne et al., oxazepam study 2: FMOV recordings."
    url = "https://github.com/GNilsonne/Data-and-analysis-code-Oxazepam-and-emotion-2"
    modalities: Mapping[str, SignalSpec] = {
        "emg": SignalSpec(SAMPLING_RATE, ("zygomaticus", "corrugator"), "mV"),
        "gsr": SignalSpec(SAMPLING_RATE, ("gsr",), "µS"),
    }
    labels: Mapping[str, str] = {"emotion": "expression of the face shown, from the reference waves"}
    baseline = "the first 120 s of the recording"
    left_out = (
        "the rectified EMG columns: biollm computes the envelope from the raw ones",
        "demographics.csv and the study's ratings: nothing of one moment",
    )
    caution = (
        "The label is the expression seen, not what was felt or shown. There are two orders of the faces, "
        "each starting and ending with a neutral one, so that an event's number tells about its label. EMG "
        "is at 100 Hz, which leaves 20-50 Hz of the usual 20-450 Hz."
    )
    classes = ("angry", "happy", "neutral")
    window = 8.0
    step = 0.0
    event = (2.0, 6.0)

    def __init__(self, root: str | Path | None) -> None:
        content = f"the recordings NN{SUFFIX}"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, f"*{SUFFIX}", self.name, content)

    def paths(self) -> list[Path]:
        """The text files, by subject."""
        return sorted(self.root.glob(f"*{SUFFIX}"))

    def read(self, path: str | Path) -> Recording:
        """One subject's file.

        Raises
        ------
        ValueError
            If the columns are not the 8 numeric ones of the codebook; names the file and the column.
        """
        path = Path(path)
        table = _read_table(path)
        subject = path.name.removesuffix(SUFFIX)
        signals = {
            "emg": Signal(table[:, 1:3].T, SAMPLING_RATE, ("zygomaticus", "corrugator"), "mV"),
            "gsr": Signal(table[:, :1].T, SAMPLING_RATE, ("gsr",), "µS"),
        }
        return Recording(signals, self.name, subject, blocks=tuple(_events(table[:, 5:], subject)))


def _read_table(path: Path) -> np.ndarray:
    """All samples, shape (n_samples, 8)."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, sep="\t", header=None, engine="c", low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: is not a table of {len(COLUMNS)} tab-separated columns: {error}"
        ) from error
    if frame.iloc[:, -1].isna().all():  # each row ends with a tab
        frame = frame.iloc[:, :-1]
    _check_columns(path, frame)
    table = frame.to_numpy(dtype=np.float32)
    _check_waves(path, table[:, 5:])
    return table


def _check_columns(path: Path, frame: pd.DataFrame) -> None:
    import pandas as pd

    count = frame.shape[1]
    if count != len(COLUMNS):
        lacking = f"column {count + 1} ({COLUMNS[count]}) is the first that lacks. " if count < 8 else ""
        raise ValueError(
            f"{path}: has {count} columns; allowed are the {len(COLUMNS)} of the codebook: "
            f"{', '.join(COLUMNS)}. {lacking}Export the file again with these columns."
        )
    bad = frame.apply(pd.to_numeric, errors="coerce").isna()
    problems = [
        f"column {column + 1} ({COLUMNS[column]}), row {int(bad[column].to_numpy().argmax()) + 1}"
        for column in frame.columns[bad.any()]
    ]
    if problems:
        raise ValueError(f"{path}: these hold no number: {'; '.join(problems)}. Mend or leave out the file.")


def _check_waves(path: Path, waves: np.ndarray) -> None:
    """Columns in another order are seen on the reference waves, which know two values only."""
    wrong = [COLUMNS[5 + k] for k in np.flatnonzero(~np.isin(waves, (0.0, 2 * HALF_WAVE)).all(axis=0))]
    if wrong:
        raise ValueError(
            f"{path}: {', '.join(wrong)}: allowed are 0 and {2 * HALF_WAVE:g} only. Are the columns in the "
            f"order {', '.join(COLUMNS)}?"
        )


def _events(waves: np.ndarray, subject: str) -> Iterator[Block]:
    """Blocks of duration 0 at the falling edges of the reference waves, shape (n_samples, 3)."""
    high = waves > HALF_WAVE
    samples, kinds = np.nonzero(high[:-1] & ~high[1:])
    for number, (sample, kind) in enumerate(zip(samples, kinds, strict=True)):
        labels = {"emotion": FMOV.classes[kind]}
        yield Block(float(sample + 1) / SAMPLING_RATE, 0.0, labels, trial=f"{subject}-{number}")
