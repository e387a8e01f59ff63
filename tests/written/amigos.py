"""AMIGOS as it is published: a MATLAB file a participant with four variables of 20 cells each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

SHORT = ["10", "13", "138", "18", "19", "20", "23", "30", "31", "34", "36", "4", "5", "58", "80", "9"]
LONG = ["N1", "P1", "B1", "U1"]
SECONDS = {"N1": 95.0, "U1": 88.5}
"""With the 5 s of baseline; 35 s where nothing is said."""
N_CLIPS = {"N1": 6, "U1": 6}
"""Annotated clips; 3 where nothing is said."""


def cells(items: list[Any]) -> np.ndarray:
    """A (1, n) cell array."""
    array = np.empty((1, len(items)), dtype=object)
    for position, item in enumerate(items):
        array[0, position] = item
    return array


def variables(seed: int) -> dict[str, np.ndarray]:
    """One participant's variables, with the videos in an order of his own."""
    rng = np.random.default_rng(seed)
    videos = [*rng.permutation(SHORT), *rng.permutation(LONG)]
    signals, own, external = [], [], []
    for video in videos:
        n_clips = N_CLIPS.get(video, 3)
        signals.append(rng.normal(size=(round(SECONDS.get(video, 35.0) * 128), 17)))
        own.append(np.concatenate([rng.uniform(1, 9, 5), rng.integers(0, 2, 7)])[None])
        external.append(np.column_stack([np.arange(1, n_clips + 1), rng.uniform(-1, 1, (n_clips, 2))]))
    return {
        "joined_data": cells(signals),
        "labels_selfassessment": cells(own),
        "labels_ext_annotation": cells(external),
        "VideoIDs": cells([str(video) for video in videos]),
    }


def save(root: Path, subject: str, content: dict[str, np.ndarray]) -> Path:
    """Each file is in a folder of its own, as the archives unpack."""
    folder = root / f"Data_Preprocessed_{subject}"
    folder.mkdir(exist_ok=True)
    path = folder / f"Data_Preprocessed_{subject}.mat"
    savemat(path, content)
    return path


def write(root: Path) -> dict[str, dict[str, np.ndarray]]:
    """P01, and P08, who did not see the long videos and lacks a short one; returns the variables."""
    written = {"P01": variables(1), "P08": variables(8)}
    for position in range(16, 20):
        for name in ("joined_data", "labels_selfassessment", "labels_ext_annotation"):
            written["P08"][name][0, position] = np.zeros((0, 0))
    written["P08"]["joined_data"][0, 3][:, 16] = np.nan
    for subject, content in written.items():
        save(root, subject, content)
    return written
