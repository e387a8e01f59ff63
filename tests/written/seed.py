"""SEED as its owners hand it out: a MATLAB file a session, its clips named after the subject, and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

LABELS = [1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1]
"""The real ones."""


def clips(n_clips: int, seed: int, initials: str = "djc") -> dict[str, np.ndarray]:
    """Clips of 5 s and some samples more each, as in the real files all of different lengths."""
    rng = np.random.default_rng(seed)
    return {f"{initials}_eeg{k}": rng.normal(0, 20, size=(62, 1000 + k)) for k in range(1, n_clips + 1)}


def write(root: Path) -> dict[str, np.ndarray]:
    """Two subjects, one of them with two sessions; returns the clips of the first session."""
    names = ("1_20131027.mat", "1_20131030.mat", "10_20131130.mat")
    for seed, name in enumerate(names):
        savemat(root / name, clips(15, seed), do_compression=True)
    savemat(root / "label.mat", {"label": np.array([LABELS], np.int16)})
    return clips(15, 0)
