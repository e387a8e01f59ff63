"""WESAD as it is published: a Python 2 pickle a subject with both devices' signals and 700 Hz labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from written.python2 import dumps

RUNS = ((0, 20), (1, 30), (0, 5), (2, 20), (5, 3), (4, 10), (3, 12.5), (6, 2), (4, 10), (0, 4))
"""(label, seconds)"""
CHEST = {"ACC": 3, "ECG": 1, "EMG": 1, "EDA": 1, "Temp": 1, "Resp": 1}
WRIST = {"ACC": (3, 32), "BVP": (1, 64), "EDA": (1, 4), "TEMP": (1, 4)}


def content(subject: str, seed: int) -> dict[str, Any]:
    """A subject's dict."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([np.full(round(seconds * 700), value, np.int32) for value, seconds in RUNS])
    seconds = len(label) / 700
    chest = {key: rng.normal(size=(len(label), width)) for key, width in CHEST.items()}
    wrist = {key: rng.normal(size=(int(seconds * rate), width)) for key, (width, rate) in WRIST.items()}
    return {"signal": {"chest": chest, "wrist": wrist}, "label": label, "subject": subject}


def save(root: Path, subject: str, made: dict[str, Any]) -> Path:
    folder = root / subject
    folder.mkdir(exist_ok=True)
    path = folder / f"{subject}.pkl"
    path.write_bytes(dumps(made))
    return path


def write(root: Path) -> dict[str, Any]:
    """Subjects S2 and S10; returns the dict of S2."""
    made = content("S2", 2)
    save(root, "S2", made)
    save(root, "S10", content("S10", 10))
    return made
