"""A simulated table of precomputed features, in the shape of Kaggle's ``emotions.csv``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["draw_feature_table"]

ROWS = {"NEGATIVE": 708, "NEUTRAL": 716, "POSITIVE": 708}
"""Rows of each label in the data set."""
N_CLIPS = 12
"""Stretches of rows of one label, each with an offset of its own, as a clip or a session has."""
N_SOURCES = 24
PERSISTENCE = 0.95
CLIP_SPREAD, LABEL_SPREAD = 1.0, 0.7


def draw_feature_table(seed: int = 0, part: int = 1) -> pd.DataFrame:
    """Rows of overlapping windows in order of time: each is nearly a copy of the one before.

    A row's features follow a few hidden sources, which wander slowly around the mean of their clip, and the
    clips of a label lie around that label's mean. Who has seen a row's neighbours knows its clip, and so its
    label; who has not must know the label from other clips. The data set's own rows are not in order of time.

    Parameters
    ----------
    seed : int
    part : int
        Clips have one of so many rows: 4 makes a quarter of the table.

    Returns
    -------
    DataFrame, 2132 rows with a part of 1
        2548 columns of numbers and ``label``.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 2132])
    labels = list(ROWS)
    lengths = {label: np.array_split(range(ROWS[label] // part), N_CLIPS) for label in labels}
    clips = [(label, len(rows)) for label in labels for rows in lengths[label]]
    means = LABEL_SPREAD * rng.standard_normal((len(labels), N_SOURCES))
    order = rng.permutation(len(clips))
    sources = np.concatenate([means[labels.index(clips[k][0])] + _clip(rng, clips[k][1]) for k in order])
    values = sources @ rng.standard_normal((N_SOURCES, len(_columns()))) / np.sqrt(N_SOURCES)
    values += 0.5 * _shared_by_neighbours(rng, *values.shape)
    values *= np.exp(2.0 * rng.standard_normal(values.shape[1]))  # features have different units
    frame = pd.DataFrame(values, columns=_columns())
    return frame.assign(label=np.repeat([clips[k][0] for k in order], [clips[k][1] for k in order]))


def _columns() -> list[str]:
    """1274 names of each half of a window, a and b: 750 Fourier features, as in the data set, and others."""
    names = [f"stat_{k}" for k in range(524)] + [f"fft_{k}" for k in range(750)]
    columns = [f"{name}_{half}" for half in "ab" for name in names]
    return [f"# {columns[0]}", *columns[1:]]


def _clip(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """Sources of one clip's rows around its label's mean, shape (n_rows, n_sources)."""
    steps = np.sqrt(1 - PERSISTENCE**2) * rng.standard_normal((n_rows, N_SOURCES))
    wandering = np.empty_like(steps)
    state = rng.standard_normal(N_SOURCES)
    for row, step in enumerate(steps):
        state = wandering[row] = PERSISTENCE * state + step
    return CLIP_SPREAD * rng.standard_normal(N_SOURCES) + 0.5 * wandering


def _shared_by_neighbours(rng: np.random.Generator, n_rows: int, n_columns: int) -> np.ndarray:
    """Noise of unit variance of windows that overlap by half."""
    halves = rng.standard_normal((n_rows + 1, n_columns))
    return (halves[1:] + halves[:-1]) / np.sqrt(2)
