"""SEED: EEG of three sessions a subject while film clips of three emotions are seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_builders.readers._matlab import read_mat
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["CHANNELS", "NO_BASELINE", "SAMPLING_RATE", "SEED", "read_clips", "subject_and_date"]

MONTAGE = (
    "FP1 FPZ FP2 AF3 AF4 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4 "
    "C6 T8 TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 CB1 "
    "O1 OZ O2 CB2"
)
CHANNELS = tuple(MONTAGE.split())
"""Of both data sets, in the order of their "channel-order" sheet; the files hold no names."""
SAMPLING_RATE = 200.0
NO_BASELINE = (0.0, 0.0)
"""The clips are cut out of the session, and nothing before them is in the files."""
N_CLIPS = 15
WORD_OF_LABEL = {-1: "negative", 0: "neutral", 1: "positive"}
NAME = "SUBJECT_YYYYMMDD.mat"


class SEED(Reader):
    """SEED's preprocessed EEG, a recording a clip: 15 subjects, three sessions of 15 clips each.

    The session is the date in the file's name. All sessions of all subjects show the same 15 films in the
    same order, so that the clip's number is the film: it is the `stimulus`, and tells the label.

    Parameters
    ----------
    root : str or Path
        The folder ``Preprocessed_EEG``: ``1_20131027.mat`` ... with ``label.mat``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such file, or no ``label.mat``.
    ValueError
        If ``label.mat`` has not 15 labels of -1, 0 and 1.
    """

    name: ClassVar[str] = "seed"
    title = "SEED: EEG while watching positive, neutral and negative film clips"
    licence = "SEED licence agreement: on request, for research; no redistribution"
    citation = (
        "Zheng and Lu (2015), Investigating Critical Frequency Bands and Channels for EEG-based Emotion "
        "Recognition with Deep Neural Networks, IEEE TAMD 7(3); Duan, Zhu and Lu (2013), IEEE EMBS NER."
    )
    url = "https://bcmi.sjtu.edu.cn/home/seed/seed.html"
    modalities: Mapping[str, SignalSpec] = {"eeg": SignalSpec(SAMPLING_RATE, CHANNELS, "µV")}
    labels: Mapping[str, str] = {
        "emotion": "the film's intended emotion (label.mat: -1 negative, 0 neutral, 1 positive)"
    }
    baseline = "none: the files hold the clips alone"
    left_out = (
        "ExtractedFeatures: biollm computes features from the signals",
        "eye movements: of 12 subjects only, and not evenly sampled",
    )
    caution = (
        "The label is the film's, and all see the same 15 films: hold out films (leave one stimulus out) as "
        "well as subjects, or a model may know the film and not the emotion. The files state no unit; it is "
        "taken for µV, as other loaders do, and no channel names: the order of the channel sheet is assumed."
    )
    classes = ("negative", "neutral", "positive")
    window = 4.0
    step = 2.0

    def __init__(self, root: str | Path | None) -> None:
        content = f"Preprocessed_EEG: {NAME} and label.mat"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, "*_*.mat", self.name, content)
        files_in(self.root, "label.mat", self.name, content)
        self.words = _read_labels(self.root / "label.mat")

    def paths(self) -> list[Path]:
        """The sessions' files, by subject and date."""
        return sorted(self.root.glob("*_*.mat"), key=subject_and_date)

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The 15 clips of one session.

        Raises
        ------
        ValueError
            If the name is not ``SUBJECT_YYYYMMDD.mat``, a clip is missing, or one has not 62 channels;
            names the file and every such clip.
        """
        subject, date = subject_and_date(path)
        for number, signal in read_clips(path, N_CLIPS):
            block = Block(0.0, signal.duration, self.words[number], f"{number:02d}", f"film-{number:02d}")
            yield Recording(
                {"eeg": signal}, self.name, str(subject), date, (block,), block.trial, baseline=NO_BASELINE
            )


def _read_labels(path: Path) -> dict[int, dict[str, str]]:
    """Labels by the clip's number, from 1."""
    values = np.ravel(read_mat(path, ["label"])["label"]).tolist()
    if len(values) != N_CLIPS or set(values) - set(WORD_OF_LABEL):
        raise ValueError(
            f"{path}: 'label' is {values}; allowed are {N_CLIPS} values of {sorted(WORD_OF_LABEL)}, one a "
            "clip. Copy the file again."
        )
    return {number: {"emotion": WORD_OF_LABEL[value]} for number, value in enumerate(values, start=1)}


def subject_and_date(path: str | Path) -> tuple[int, str]:
    """What the name of a session's file tells.

    Raises
    ------
    ValueError
        If the name is not ``SUBJECT_YYYYMMDD.mat``.
    """
    found = re.fullmatch(r"(\d+)_(\d{8})\.mat", Path(path).name)
    if not found:
        raise ValueError(
            f"{path}: the name is {Path(path).name!r}; allowed is {NAME}, such as 1_20131027.mat."
        )
    return int(found[1]), found[2]


def read_clips(path: str | Path, n_clips: int) -> Iterator[tuple[int, Signal]]:
    """The clips of a session's file, in order of their numbers.

    Parameters
    ----------
    path : str or Path
        Holds ``X_eeg1``, ``X_eeg2``, ... of shape (62, n_samples) at 200 Hz, for any X.
    n_clips : int

    Yields
    ------
    number : int, from 1
    signal : Signal

    Raises
    ------
    ValueError
        If clips are missing, there twice or too many, or have not 62 rows of numbers; names all of them.
    """
    found = read_mat(path)
    keys = [(int(match[1]), key) for key in found if (match := re.fullmatch(r".*_eeg(\d+)", key))]
    numbers = sorted(number for number, _ in keys)
    if numbers != list(range(1, n_clips + 1)):
        raise ValueError(
            f"{path}: holds the clips {numbers}; allowed are ..._eeg1 to ..._eeg{n_clips}, each once. "
            "Copy the file again."
        )
    _check_shapes(path, [(key, found[key]) for _, key in sorted(keys)])
    for number, key in sorted(keys):
        yield number, Signal(found.pop(key), SAMPLING_RATE, CHANNELS, "µV")


def _check_shapes(path: str | Path, clips: Sequence[tuple[str, Any]]) -> None:
    problems = [
        f"{key} has shape {clip.shape} of {clip.dtype}"
        for key, clip in clips
        if clip.ndim != 2 or len(clip) != len(CHANNELS) or not clip.shape[1] or clip.dtype.kind not in "fiu"
    ]
    if problems:
        raise ValueError(
            f"{path}: {'; '.join(problems)}; allowed are numbers of shape ({len(CHANNELS)}, n_samples), a "
            "row a channel. Copy the file again, or transpose what was exported."
        )
