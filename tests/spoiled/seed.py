"""SEED, spoiled; one file of a session will do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat
from written import seed

from spoiled.case import Case, cut, empty, two_gigabytes

FILE = "1_20131027.mat"


def clips(n_clips: int) -> dict[str, np.ndarray]:
    return {f"djc_eeg{k}": np.ones((62, 1000 + k), np.int16) for k in range(1, n_clips + 1)}


def case(spoil: Callable[[Path], object], said: str) -> Case:
    def spoiled(root: Path) -> None:
        savemat(root / FILE, clips(15))
        savemat(root / "label.mat", {"label": np.array([seed.LABELS], np.int16)})
        spoil(root / FILE)

    return Case(spoiled, said, "seed")


def clip(path: Path, data: np.ndarray) -> None:
    savemat(path, clips(15) | {"djc_eeg3": data})


def labels(path: Path, values: list[int]) -> None:
    savemat(path.with_name("label.mat"), {"label": np.array([values])})


CASES = {
    "empty": case(empty, r"1_20131027\.mat: is no MATLAB file.*0 bytes"),
    "truncated": case(cut, r"1_20131027\.mat: is cut off"),
    "2 GB in the header": case(two_gigabytes, r"1_20131027\.mat: is cut off.*claims 2000000000 bytes"),
    "a clip is missing": case(lambda p: savemat(p, clips(14)), r"1_20131027\.mat: holds the clips"),
    "samples x channels": case(
        lambda p: clip(p, np.zeros((1000, 62))), r"1_20131027\.mat: djc_eeg3 has shape \(1000, 62\)"
    ),
    "NaN only": case(
        lambda p: clip(p, np.full((62, 1000), np.nan)),
        r"1_20131027\.mat: seed/1/20131027/03: 'eeg' is NaN throughout in all 62",
    ),
    "NaN in a channel": case(
        lambda p: clip(p, np.where(np.arange(62)[:, None] == 5, np.nan, np.ones((62, 1000)))),
        r"1_20131027\.mat: seed/1/20131027/03: 'eeg' is NaN throughout in \['F7'\]",
    ),
    "unknown label": case(lambda p: labels(p, [*seed.LABELS[:-1], 7]), r"label\.mat: 'label' is .*7\]"),
    "too few labels": case(lambda p: labels(p, seed.LABELS[:-1]), r"label\.mat: 'label' is .*allowed are 15"),
    "no labels": case(lambda p: p.with_name("label.mat").unlink(), r"holds no label\.mat"),
    "another name": case(
        lambda p: p.rename(p.with_name("1_october.mat")), r"1_october\.mat: .*allowed is SUBJECT_YYYYMMDD"
    ),
}
