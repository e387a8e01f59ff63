"""DREAMER as it is published: one MATLAB file with a struct of all subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

ELECTRODES = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
N_CLIPS = 3
CLIP_SECONDS = (12, 10, 15)
REST_SECONDS = 61


def column(items: list[np.ndarray]) -> np.ndarray:
    """An (n, 1) cell array."""
    array = np.empty((len(items), 1), dtype=object)
    array[:, 0] = items
    return array


def subject(seed: int) -> dict[str, Any]:
    """A subject's struct, with 3 of the 18 clips."""
    rng = np.random.default_rng(seed)
    signals = {
        field: {
            "baseline": column([rng.normal(4200, 9, (REST_SECONDS * rate, width)) for _ in range(N_CLIPS)]),
            "stimuli": column([rng.normal(4200, 9, (s * rate, width)) for s in CLIP_SECONDS]),
        }
        for field, rate, width in (("EEG", 128, 14), ("ECG", 256, 2))
    }
    scores = {
        name: rng.integers(1, 6, (N_CLIPS, 1)) for name in ("ScoreValence", "ScoreArousal", "ScoreDominance")
    }
    return {"Age": "22", "Gender": "male", **signals, **scores}


def content(n_subjects: int = 2) -> dict[str, Any]:
    """The struct."""
    people = np.empty((1, n_subjects), dtype=object)
    people[0] = [subject(seed) for seed in range(n_subjects)]
    return {
        "Data": people,
        "EEG_SamplingRate": 128,
        "ECG_SamplingRate": 256,
        "EEG_Electrodes": np.array(ELECTRODES, dtype=object)[None],
        "noOfSubjects": n_subjects,
        "noOfVideoSequences": N_CLIPS,
    }


def save(root: Path, struct: dict[str, Any]) -> Path:
    path = root / "DREAMER.mat"
    savemat(path, {"DREAMER": struct})
    return path


def write(root: Path) -> dict[str, Any]:
    """Two subjects; returns the struct."""
    struct = content()
    save(root, struct)
    return struct
