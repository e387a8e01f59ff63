"""DEAP as it is published: a Python 2 pickle or a MATLAB file a subject with data and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from written.python2 import dumps


def arrays(seed: int) -> dict[str, np.ndarray]:
    """Data (40, 40, 8064), every channel a ramp of its own, and labels (40, 4)."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, 8064)
    data = rng.uniform(1, 5, (40, 40))[:, :, None] * ramp
    return {"labels": rng.uniform(1, 9, (40, 4)).round(2), "data": data}


def write(root: Path) -> dict[str, np.ndarray]:
    """Subject s02 as ``.dat``; returns its arrays."""
    content = arrays(2)
    (root / "s02.dat").write_bytes(dumps(content))
    return content


def write_mat(root: Path, seed: int = 2) -> Path:
    """The same as ``.mat``."""
    path = root / "s02.mat"
    savemat(path, arrays(seed))
    return path
