"""SEED-IV as its owners hand it out: a folder a session of MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from written.seed import clips


def write(root: Path) -> dict[str, np.ndarray]:
    """One subject in three sessions, another in the first; returns the clips of the first file."""
    names = ("1/1_20160518.mat", "1/2_20150915.mat", "2/1_20161125.mat", "3/1_20161126.mat")
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(exist_ok=True)
        savemat(root / name, clips(24, seed, "cz"))
    return clips(24, 0, "cz")
