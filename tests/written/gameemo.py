"""GAMEEMO as its owners hand it out: a folder a subject, raw and preprocessed, csv and mat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

CHANNELS = ("AF3", "AF4", "F3", "F4", "F7", "F8", "FC5", "FC6", "O1", "O2", "P7", "P8", "T7", "T8")
N_SAMPLES = 640
KINDS = {"preprocessed": ("Preprocessed EEG Data", "All"), "raw": ("Raw EEG Data", "AllRaw")}
SUBJECTS = ("S01", "S02", "S15")


def signals(subject: str, game: int, data: str = "preprocessed") -> np.ndarray:
    """Shape (14, 640), in µV with three decimals."""
    seed = [int(subject[1:]), game, sorted(KINDS).index(data)]
    return np.random.default_rng(seed).normal(0, 10, size=(len(CHANNELS), N_SAMPLES)).round(3)


def file_of(root: Path, subject: str, game: int, data: str = "preprocessed", suffix: str = "csv") -> Path:
    """Path of a game's file; one raw file lacks the word Raw, as some of the real ones do."""
    folder, word = KINDS[data]
    word = "All" if (subject, game) == ("S02", 3) else word
    return root / f"({subject})" / folder / f".{suffix} format" / f"{subject}G{game}{word}Channels.{suffix}"


def write_csv(path: Path, data: np.ndarray, names: tuple[str, ...] = CHANNELS) -> None:
    """Header and rows that end with a comma."""
    rows = [",".join(names), *(",".join(f"{value:g}" for value in row) for row in data.T)]
    path.write_text("".join(row + ",\n" for row in rows))


def write(root: Path) -> np.ndarray:
    """Three subjects, two of them a pair; returns the preprocessed first game of the first."""
    for subject in SUBJECTS:
        for game in range(1, 5):
            for data in KINDS:
                values = signals(subject, game, data)
                for suffix in ("csv", "mat"):
                    file_of(root, subject, game, data, suffix).parent.mkdir(parents=True, exist_ok=True)
                write_csv(file_of(root, subject, game, data), values)
                columns = {name: values[row][:, None] for row, name in enumerate(CHANNELS)}
                savemat(file_of(root, subject, game, data, "mat"), columns)
    return signals("S01", 1)
