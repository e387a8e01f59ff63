"""E4 folders as E4 connect exports them: row 1 the unix time of the start, row 2 the rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

START = 1644227574
SECONDS = 130
RATES = {"BVP": 64, "EDA": 4, "TEMP": 4, "HR": 1, "ACC": 32}
LATER = {"HR": 10}
"""HR.csv starts 10 s after the others."""
TAGS = (40.0, 70.5, 100.0)
"""Presses of the button, in s from the start."""


def track(name: str, seconds: float = SECONDS) -> np.ndarray:
    """Samples of a file, shape (n_samples, n_columns), with two decimals; those of ACC are whole numbers."""
    rng = np.random.default_rng(sorted(RATES).index(name))
    count = int((seconds - LATER.get(name, 0)) * RATES[name])
    if name == "ACC":
        return rng.integers(-64, 65, size=(count, 3)).astype(float)
    return rng.normal(30, 5, size=(count, 1)).round(2)


def write_track(folder: Path, name: str, seconds: float = SECONDS, start: float = START) -> None:
    """One file."""
    values = track(name, seconds)
    header = [[start + LATER.get(name, 0)] * values.shape[1], [RATES[name]] * values.shape[1]]
    rows = [", ".join(f"{value:.6f}" for value in row) for row in header]
    rows += [",".join(f"{value:.2f}" for value in row) for row in values]
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


def write_subject(folder: Path, names: tuple[str, ...] = tuple(RATES)) -> None:
    """A subject's folder, with beats and tags; the files stop at different times."""
    folder.mkdir(parents=True)
    for name in names:
        write_track(folder, name, SECONDS + {"EDA": 1.5, "TEMP": 3}.get(name, 0))
    (folder / "IBI.csv").write_text(f"{START}.000000, IBI\n35.484375,0.890625\n36.343750,0.859375\n")
    (folder / "tags.csv").write_text("".join(f"{START + tag:.2f}\r\n" for tag in TAGS))
    (folder / "info.txt").write_text(".csv files in this archive are in the following format:\n")


def write(root: Path) -> None:
    """Two subjects."""
    for subject in ("P01", "P02"):
        write_subject(root / subject)
