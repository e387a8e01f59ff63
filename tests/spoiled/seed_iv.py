"""SEED-IV, spoiled; one file of a session will do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from spoiled.case import Case, cut, folder_instead


def clips(n_clips: int = 24, n_channels: int = 62) -> dict[str, np.ndarray]:
    return {f"cz_eeg{k}": np.ones((n_channels, 800 + k), np.int16) for k in range(1, n_clips + 1)}


def case(spoil: Callable[[Path], object], said: str) -> Case:
    def spoiled(root: Path) -> None:
        for name in ("1/1_20160518.mat", "2/1_20161125.mat", "3/1_20161126.mat"):
            (root / name).parent.mkdir()
            savemat(root / name, clips())
        spoil(root / "1" / "1_20160518.mat")

    return Case(spoiled, said, "seed_iv")


CASES = {
    "truncated": case(cut, r"1_20160518\.mat: is cut off"),
    "clips of SEED": case(lambda p: savemat(p, clips(15)), r"1_20160518\.mat: holds the clips"),
    "61 channels": case(
        lambda p: savemat(p, clips() | {"cz_eeg9": np.ones((61, 800))}),
        r"1_20160518\.mat: cz_eeg9 has shape \(61, 800\)",
    ),
    "a session is missing": case(
        lambda p: shutil.rmtree(p.parents[1] / "2"),
        r"'seed_iv'.*no \.mat files in the session folders \['2'\]",
    ),
    "only a directory": case(folder_instead, r"1_20160518\.mat: there is no such file"),
}
