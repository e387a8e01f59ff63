"""FMOV as the study has it: a tab-separated text file a subject, each row ending with a tab."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def events_table() -> np.ndarray:
    """30 s: an angry face at 5 s, a neutral one at 15 s, a happy one at 22.5 s."""
    table = np.random.default_rng(1).normal(size=(3000, 8)).round(5)
    table[:, 5:] = 0
    for column, onset in ((5, 500), (7, 1500), (6, 2250)):
        table[onset - 20 : onset, column] = 5
    return table


def write_table(root: Path, table: np.ndarray, name: str = "09_FMOV_preprocessed.txt") -> Path:
    """A table of any shape as such a file."""
    path = root / name
    path.write_text("".join("\t".join(f"{value:g}" for value in row) + "\t\n" for row in table))
    return path


def write(root: Path) -> np.ndarray:
    """One subject; returns the table."""
    table = events_table()
    write_table(root, table)
    return table
