"""GAMEEMO: EEG of a wearable headset while four computer games are played."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from data_builders.readers._cells import numbers, read_table
from data_builders.readers._matlab import read_mat
from data_builders.readers.reader import Reader, existing_folder, one_below
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["GAMEEMO"]

CHANNELS = ("AF3", "AF4", "F3", "F4", "F7", "F8", "FC5", "FC6", "O1", "O2", "P7", "P8", "T7", "T8")
SAMPLING_RATE = 128.0
N_SAMPLES = 38_252
WORD_OF_GAME = {"G1": "boring", "G2": "calm", "G3": "horror", "G4": "funny"}
FOLDER_OF_DATA = {"preprocessed": "Preprocessed EEG Data", "raw": "Raw EEG Data"}
FORMATS = ("csv", "mat")
N_PAIRS = 14
COPIES = (
    "Subject k and subject k+14 are near-copies in all four games, as derived features show: classification "
    "leaves one subject out with .90, but one pair with .35 (chance .25)."
)


class GAMEEMO(Reader):
    """GAMEEMO's EEG, a recording a game: 28 subjects, four games of five minutes each.

    Parameters
    ----------
    root : str or Path
        The folder ``GAMEEMO``: ``(S01)`` ... ``(S28)``, each with ``Preprocessed EEG Data`` and
        ``Raw EEG Data``, and these with ``.csv format`` and ``.mat format``.
    data : {"preprocessed", "raw"}
        The authors' cleaned signals, or what the headset gave.
    format : {"csv", "mat"}
    pairs : bool
        Give subjects k and k+14, which are near-copies, one `Recording.group`, which no split separates.

    Raises
    ------
    FileNotFoundError
        If the folder holds no subject, or a subject lacks a game; names all of them.
    ValueError
        If an option is none of those allowed; names all of them.

    Warns
    -----
    UserWarning
        Without `pairs`, since results by subject are then results on copies.
    """

    name: ClassVar[str] = "gameemo"
    title = "GAMEEMO: EEG of a 14-channel headset while playing four computer games"
    licence = "as its owners say (Kaggle, Mendeley Data); not redistributed"
    citation = (
        "Alakus, Gonen and Turkoglu (2020), Database for an emotion recognition system based on EEG signals "
        "and various computer games - GAMEEMO, Biomedical Signal Processing and Control 60."
    )
    url = "https://www.kaggle.com/datasets/sigfest/database-for-emotion-recognition-system-gameemo"
    modalities: Mapping[str, SignalSpec] = {"eeg": SignalSpec(SAMPLING_RATE, CHANNELS, "µV")}
    labels: Mapping[str, str] = {"emotion": "the game: G1 boring, G2 calm, G3 horror, G4 funny"}
    baseline = "none: the files hold the games alone"
    left_out = (
        "SAM Ratings: PDF scans of the questionnaires, a word a game and not a number a moment",
        "Gameplays: videos",
    )
    caution = (
        f"{COPIES} Pairs are kept together by default (option pairs). The label is the game, four labels of "
        "four games, so that no game can be held out: a model may know the game and not the emotion."
    )
    classes = tuple(WORD_OF_GAME.values())
    window = 4.0
    step = 2.0

    def __init__(
        self, root: str | Path | None, data: str = "preprocessed", format: str = "csv", pairs: bool = True
    ) -> None:
        _check_options(data, format)
        self.data, self.format, self.pairs = data, format, pairs
        self.root = existing_folder(root, self.name, "the folders (S01) to (S28)")
        self._check_games()
        if not pairs:
            warnings.warn(f"reader 'gameemo': {COPIES} Use pairs=True, or report this.", stacklevel=2)

    def paths(self) -> list[Path]:
        """The games' files, by subject and game."""
        return [path for folder in self._folders() for path in sorted(_games(folder, self.format).values())]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The one game of a file.

        Raises
        ------
        ValueError
            If the name is not that of a game's file, or the channels are not the 14 that are named in
            the file, in any order; names the file, the rows and the columns.
        """
        found = _named(Path(path))
        if not found:
            raise ValueError(
                f"{path}: allowed is a name such as S01G1AllChannels.csv or S01G1AllRawChannels.mat."
            )
        subject, game = found
        others = {folder for data, folder in FOLDER_OF_DATA.items() if data != self.data}
        raw = self.data != "raw" and "raw" in Path(path).name.lower()
        if raw or others & set(Path(path).parts):
            raise ValueError(f"{path}: is not of the {self.data} signals, which are read here.")
        channels = _read_mat(Path(path)) if Path(path).suffix == ".mat" else _read_csv(Path(path))
        signal = Signal(np.stack([channels[name] for name in CHANNELS]), SAMPLING_RATE, CHANNELS, "µV")
        if signal.data.shape[1] < N_SAMPLES:
            warnings.warn(
                f"{path}: holds {signal.data.shape[1]} of a game's {N_SAMPLES} samples: was it cut off?",
                stacklevel=2,
            )
        block = Block(0.0, signal.duration, {"emotion": WORD_OF_GAME[game]}, game, game)
        group = _pair(subject) if self.pairs else ""
        # A game fills its file, and nothing is known of the minutes before it.
        yield Recording(
            {"eeg": signal}, self.name, subject, "", (block,), game, group=group, baseline=(0.0, 0.0)
        )

    def _folders(self) -> list[Path]:
        """A folder a subject, of the data and format asked for."""
        subjects = sorted(path for path in self.root.glob("(S*)") if path.is_dir())
        return [path / FOLDER_OF_DATA[self.data] / f".{self.format} format" for path in subjects]

    def _check_games(self) -> None:
        problems = [
            f"{folder} lacks {missing}"
            for folder in self._folders()
            if (missing := sorted(set(WORD_OF_GAME) - set(_games(folder, self.format))))
        ]
        if problems or not self._folders():
            raise FileNotFoundError(
                f"reader 'gameemo': {self.root}: {'; '.join(problems) or 'has no folder (S01)'}; it needs a "
                f"folder a subject, (S01) to (S28), each with S01G1AllChannels.{self.format} to S01G4... in "
                f"{FOLDER_OF_DATA[self.data]!r}, '.{self.format} format'. Place the files, or move the "
                f"subject's folder away.{one_below(self.root, '(S*)')}"
            )


def _check_options(data: str, format: str) -> None:
    problems = []
    if data not in FOLDER_OF_DATA:
        problems.append(f"data is {data!r}; allowed are {list(FOLDER_OF_DATA)}")
    if format not in FORMATS:
        problems.append(f"format is {format!r}; allowed are {list(FORMATS)}")
    if problems:
        raise ValueError(f"reader 'gameemo': {'; '.join(problems)}.")


def _games(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a subject's folder by game; some raw ones lack the word Raw."""
    return {found[1]: path for path in sorted(folder.glob(f"*.{suffix}")) if (found := _named(path))}


def _named(path: Path) -> tuple[str, str] | None:
    """Subject and game of a file's name."""
    found = re.fullmatch(r"(S\d\d)(G[1-4])All(?:Raw)?Channels\.(?:csv|mat)", path.name, re.IGNORECASE)
    return (found[1].upper(), found[2].upper()) if found else None


def _pair(subject: str) -> str:
    first = (int(subject[1:]) - 1) % N_PAIRS + 1
    return f"S{first:02d}+S{first + N_PAIRS:02d}"


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    """The channels by the names in the header; each row ends with a comma."""
    frame = read_table(path, skipinitialspace=True)
    frame.columns = [str(column).strip() for column in frame.columns]
    if str(frame.columns[-1]).startswith("Unnamed") and frame.iloc[:, -1].isna().all():
        frame = frame.iloc[:, :-1]
    _check_channels(path, list(frame.columns))
    if not len(frame):
        raise ValueError(f"{path}: holds a header and no samples. Copy the file again.")
    values = numbers(path, frame, first_row=2)
    return {str(name): values[:, column] for column, name in enumerate(frame.columns)}


def _read_mat(path: Path) -> dict[str, np.ndarray]:
    """The channels by the names of the variables, each a column of samples."""
    found: Mapping[str, np.ndarray] = {k: v for k, v in read_mat(path).items() if not k.startswith("__")}
    _check_channels(path, list(found))
    problems = [
        f"{name} has shape {value.shape} of {value.dtype}"
        for name, value in found.items()
        if not value.size or value.size != max(value.shape) or value.dtype.kind not in "fiu"
    ]
    lengths = {value.size for value in found.values()}
    if problems or len(lengths) > 1:
        text = "; ".join(problems) or f"the channels have the lengths {sorted(lengths)}"
        raise ValueError(f"{path}: {text}; allowed is one column of numbers a channel, all of one length.")
    return {name: value.ravel() for name, value in found.items()}


def _check_channels(path: Path, names: list[str]) -> None:
    if sorted(names) != sorted(CHANNELS):
        missing, unknown = sorted(set(CHANNELS) - set(names)), sorted(set(names) - set(CHANNELS))
        raise ValueError(
            f"{path}: has {len(names)} channels, of which {unknown} are unknown; {missing} are missing. "
            f"Allowed are the {len(CHANNELS)} {list(CHANNELS)}, each once, in any order. Copy it again."
        )
