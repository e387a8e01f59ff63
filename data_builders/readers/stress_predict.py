"""Stress-Predict: an hour of an Empatica E4 wristband a subject, with three stress tasks between rests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from data_builders.readers._cells import numbers, read_table
from data_builders.readers.empatica import SPECS, read_signals
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording
from data_builders.segments import SignalSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LABEL_FILE", "StressPredict"]

LABEL_FILE = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"
COLUMNS = ("Participant", "HR", "respr", "Time(sec)", "Label")
NEEDED = ("Participant", "Time(sec)", "Label")
WORDS = ("rest", "stress")
UNLABELLED = "S01"
MODALITIES = ("bvp", "gsr", "temperature", "heart_rate")


class StressPredict(Reader):
    """Stress-Predict, a recording a subject: S02 to S35, rest with a Stroop test, an interview and
    hyperventilation in between.

    The labels are the ones at 1 Hz of the processed table, whose clock is that of the raw files: in 30 of 34
    subjects the six label changes are the first six presses of the button, to half a second. The table's
    own heart rate is HR.csv, but one second early in all subjects; it is not used. The recording starts
    with HR.csv, 10 s after the other files. On the blocks' own grids there are 1762 windows of 60 s, 68 %
    of them of rest.

    Parameters
    ----------
    root : str or Path
        Holds ``Raw_data/S02`` ... (folders of an E4, see `Empatica`) and ``Processed_data``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no ``Raw_data/S02`` ... or not the processed table.
    ValueError
        If the table lacks a column, or holds something else than numbers; names the rows and columns.
    """

    name: ClassVar[str] = "stress_predict"
    title = "Stress-Predict: wristband signals under induced stress"
    licence = "MIT"
    citation = (
        "Iqbal et al. (2022), Stress Monitoring Using Wearable Sensors: A Pilot Study and Stress-Predict "
        "Dataset, Sensors 22(21):8135."
    )
    url = "https://github.com/italha-d/Stress-Predict-Dataset"
    modalities: Mapping[str, SignalSpec] = {name: SPECS[name] for name in MODALITIES}
    labels: Mapping[str, str] = {
        "emotion": f"{LABEL_FILE}, at 1 Hz: 0 rest, 1 stress (Stroop, interview or hyperventilation)"
    }
    baseline = "the first 120 s of the recording: rest"
    left_out = (
        "S01: has no labels in the processed table",
        "ACC.csv: public copies of the data set lack it, and a store must not depend on the copy",
        "IBI.csv: beats at uneven times with gaps; biollm finds the beats in BVP",
        "respiratory rate of the processed table: an estimate out of BVP",
        "the first 10 s: HR.csv starts there",
    )
    caution = (
        "Skin conductance has 4 Hz: filters designed for 1000 Hz fail on it, and detectors find responses in "
        "white noise. The labels of S06 change at whole minutes, up to 11 minutes from its presses of the "
        "button, and cannot be checked; single presses of S17, S18 and S30 are 12 hours off. The order of "
        "the tasks is the same for all subjects, so that the time in the session alone tells about the label."
    )
    classes = WORDS
    window = 60.0
    step = 20.0

    def __init__(self, root: str | Path | None) -> None:
        content = f"Raw_data/S02 to S35 and {LABEL_FILE}"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, "Raw_data/S??/BVP.csv", self.name, content)
        files_in(self.root, LABEL_FILE, self.name, content)
        self.seconds = _read_labels(self.root / LABEL_FILE)

    def paths(self) -> list[Path]:
        """The subjects' folders, without S01, which has no labels."""
        folders = sorted(path for path in self.root.glob("Raw_data/S??") if path.is_dir())
        return [path for path in folders if path.name != UNLABELLED]

    def read(self, path: str | Path) -> Recording:
        """One subject's folder.

        Raises
        ------
        ValueError
            If a file is malformed, the table has no row of the subject, or its seconds are not those of
            the files; names the file and what was found.
        """
        path = Path(path)
        signals, start = read_signals(path, MODALITIES)
        recording = Recording(signals, self.name, path.name)
        seconds, labels = self._labels_of(path)
        blocks = tuple(_blocks(seconds - start, labels, recording.duration))
        if not blocks:
            raise ValueError(
                f"{path}: the files cover {start:.0f} to {start + recording.duration:.0f} (unix time in s), "
                f"its labels in {LABEL_FILE} {seconds[0]:.0f} to {seconds[-1]:.0f}; allowed are labels "
                "of the same session. Download the folder and the table again."
            )
        return Recording(signals, self.name, path.name, blocks=blocks)

    def _labels_of(self, folder: Path) -> tuple[np.ndarray, np.ndarray]:
        """Unix seconds and labels (0 or 1), each of shape (n_seconds,)."""
        of_subject = self.seconds["Participant"].map("S{:02.0f}".format) == folder.name
        rows = self.seconds[of_subject]
        seconds, labels = rows["Time(sec)"].to_numpy(), rows["Label"].to_numpy()
        if not len(rows) or (np.diff(seconds) != 1).any() or set(labels) - {0, 1}:
            raise ValueError(
                f"{self.root / LABEL_FILE}: has {len(rows)} rows of {folder.name}, with the labels "
                f"{sorted(set(labels))} and {int((np.diff(seconds) != 1).sum())} steps in 'Time(sec)' that "
                "are not 1 s; allowed is a row every second, with label 0 or 1. Download the table again."
            )
        return seconds, labels


def _read_labels(path: Path) -> pd.DataFrame:
    """The columns `NEEDED`, as numbers."""
    import pandas as pd

    frame = read_table(path)
    missing = sorted(set(NEEDED) - set(frame.columns))
    if missing:
        raise ValueError(
            f"{path}: has the columns {list(frame.columns)}, but not {missing}; allowed are {list(COLUMNS)}. "
            "Download the table again."
        )
    chosen = frame[list(NEEDED)]
    return pd.DataFrame(numbers(path, chosen, first_row=2), columns=list(NEEDED))


def _blocks(times: np.ndarray, labels: np.ndarray, duration: float) -> Iterator[Block]:
    """Stretches of one label, inside the recording; `times` in s of its start, one a label."""
    edges = [0, *np.flatnonzero(np.diff(labels)) + 1, len(labels)]
    for number, (first, last) in enumerate(pairwise(edges)):
        start, stop = max(float(times[first]), 0.0), min(float(times[last - 1]) + 1, duration)
        if start < stop:
            yield Block(start, stop - start, {"emotion": WORDS[int(labels[first])]}, trial=f"{number:02d}")
