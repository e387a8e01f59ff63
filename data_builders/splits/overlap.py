"""Which windows share a moment of a recording."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TOLERANCE", "overlapping"]

TOLERANCE = 1e-6
"""Seconds by which rounding may let windows that touch seem to overlap."""


def overlapping(windows: pd.DataFrame, others: pd.DataFrame, gap: float = 0.0) -> np.ndarray:
    """For each window, one of the others that overlaps it in time.

    Parameters
    ----------
    windows, others : DataFrame
        Rows of segment tables, with ``recording`` (one time axis), ``start`` and ``duration`` in s.
    gap : float
        Windows that are less than so many seconds apart count too.

    Returns
    -------
    ndarray of int, shape (n_windows,)
        A position in `others`, or -1 where none overlaps.
    """
    found = np.full(len(windows), -1)
    theirs = others.groupby("recording", sort=False).indices
    ours = windows.groupby("recording", sort=False).indices
    for recording in theirs.keys() & ours.keys():
        rows, other_rows = np.asarray(ours[recording]), np.asarray(theirs[recording])
        hit = _reaching(_edges(windows, rows), _edges(others, other_rows), gap - TOLERANCE)
        found[rows] = np.where(hit < 0, -1, other_rows[hit])
    return found


def _edges(windows: pd.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    start = windows["start"].to_numpy(float)[rows]
    return start, start + windows["duration"].to_numpy(float)[rows]


def _reaching(
    ours: tuple[np.ndarray, np.ndarray], others: tuple[np.ndarray, np.ndarray], gap: float
) -> np.ndarray:
    """Of the others that begin before each of ours ends, the one that ends last, if it ends late enough."""
    order = np.argsort(others[0], kind="stable")
    start, stop = others[0][order], others[1][order]
    reach = np.maximum.accumulate(stop)
    holder = np.maximum.accumulate(np.where(stop == reach, np.arange(len(stop)), 0))
    before = np.searchsorted(start, ours[1] + gap) - 1
    hit = (before >= 0) & (reach[before] > ours[0] - gap)
    return np.where(hit, order[holder[before]], -1)
