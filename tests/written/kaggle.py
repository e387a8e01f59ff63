"""Kaggle's ``emotions.csv``: 2548 feature columns, the first with a sharp in its name, and the label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = ["NEGATIVE", "NEUTRAL", "POSITIVE", "POSITIVE", "NEUTRAL", "NEGATIVE"]
STATISTICS = [f"{kind}_{k}_{half}" for half in "ab" for kind in ("mean", "stddev") for k in range(262)]
NAMES = [*STATISTICS, *(f"fft_{k}_{half}" for half in "ab" for k in range(750))]
"""1048 statistics and 1500 values of spectra."""


def write_table(root: Path, values: np.ndarray, words: list[str], names: list[str]) -> Path:
    """Such a file, of any columns and rows."""
    rows = [
        ",".join(f"{value:.3e}" for value in row) + f",{word}"
        for row, word in zip(values, words, strict=True)
    ]
    path = root / "emotions.csv"
    path.write_text("\n".join(["# " + ",".join([*names, "label"]), *rows]) + "\n")
    return path


def table() -> np.ndarray:
    """Six rows of all columns."""
    return np.random.default_rng(3).normal(0, 100, size=(len(WORDS), len(NAMES)))


def write(root: Path) -> np.ndarray:
    """Returns the values, shape (6, 2548)."""
    write_table(root, table(), WORDS, NAMES)
    return table()
