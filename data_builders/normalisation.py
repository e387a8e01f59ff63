"""Values relative to their subject, their recording or a causal baseline, or to none of these."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

__all__ = ["NORMALISATIONS", "TRANSDUCTIVE", "Normaliser", "windows_seen"]

NORMALISATIONS = {
    "subject": "z-score over all windows of the subject (transductive: uses unlabelled test data)",
    "recording": "z-score over all windows of the recording (transductive: uses unlabelled test data)",
    "baseline": "centred on the first two minutes or a trial's own, scaled by training statistics (causal)",
    "none": "training statistics only",
}
TRANSDUCTIVE = ("subject", "recording")
"""Those that look at a test subject's unlabelled windows; results with them are rows of their own."""

GROUPS = {
    "subject": ["subject"],
    "recording": ["recording"],
    # Each session has first two minutes of its own, and a later session's lie in the future.
    "baseline": ["subject", "session"],
}


class Normaliser:
    """Put features or signals on a common scale without looking at another subject's test data.

    Parameters
    ----------
    how : {"subject", "recording", "baseline", "none"}
        See `NORMALISATIONS`. With ``"subject"`` and ``"recording"`` nothing is learned from the training
        part, and `mean_` and `scale_` are 0 and 1.

    Attributes
    ----------
    mean_, scale_ : ndarray, shape (n_columns,)
        Of the training part, after centring; columns are features or channels.
    """

    def __init__(self, how: str = "subject") -> None:
        self.how = how

    def fit(self, values: np.ndarray, table: pd.DataFrame) -> Normaliser:
        """Learn scales on the training part.

        Parameters
        ----------
        values : ndarray, shape (n_segments, n_features) or (n_segments, n_channels, n_samples)
        table : DataFrame, n_segments rows
            With ``subject``, ``recording``, ``session`` and ``reference``, as far as `how` needs them, and
            ``source`` where there are copies.
        """
        if self.how not in NORMALISATIONS:
            raise ValueError(f"normalisation is {self.how!r}; allowed are {list(NORMALISATIONS)}.")
        if self.how in TRANSDUCTIVE:
            self.mean_ = np.zeros(values.shape[1], np.float32)
            self.scale_ = np.ones(values.shape[1], np.float32)
            return self
        centred = self._relative_to_subject(values, table)
        mean, self.scale_ = _moments(centred[~table["reference"].to_numpy(bool)])
        self.mean_ = np.nan_to_num(mean)
        return self

    def transform(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """Normalise; `values` must hold all windows of each of its subjects (or recordings).

        NaN stays NaN; a feature that all of a subject's baseline lacks becomes NaN.
        """
        result = self._relative_to_subject(values, table)
        if self.how in TRANSDUCTIVE:
            return result
        result -= _columns(self.mean_, values)
        result /= _columns(self.scale_, values)
        return result

    def _relative_to_subject(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        if self.how == "none":
            return values.astype(np.result_type(values, np.float32))
        result = np.empty(values.shape, np.result_type(values, np.float32))
        for rows, seen in windows_seen(table, self.how):
            mean, scale = _moments(values[seen])
            result[rows] = values[rows] - _columns(mean, values)
            if self.how in TRANSDUCTIVE:
                result[rows] /= _columns(scale, values)
        return result


def windows_seen(table: pd.DataFrame, how: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that are normalised together, and those that tell their level and scale.

    With ``"baseline"`` these are the recording's own reference windows, or where it has none, those of its
    session that lie before it: of earlier rows of the table, or of recordings that hold nothing else.

    Parameters
    ----------
    table : DataFrame
        With ``subject``, ``recording``, ``session`` and ``reference``, as far as `how` needs them, and
        ``source`` where there are copies.
    how : {"subject", "recording", "baseline"}

    Raises
    ------
    ValueError
        If a subject, recording or session has none to tell by, or a recording none before it.
    """
    reference = table["reference"].to_numpy(bool)
    # Augmented copies, which only training subjects have, tell nothing of a person's level and scale.
    real = np.asarray(table.get("source", "") == "")
    seen = reference if how == "baseline" else ~reference & real
    by = GROUPS[how]
    for whose, found in table.groupby(by, sort=False).indices.items():
        rows = np.asarray(found)
        if not seen[rows].any():
            raise ValueError(
                f"{' and '.join(by)} {whose!r}: no windows to normalise by ({NORMALISATIONS[how]})."
            )
        if how != "baseline":
            yield rows, rows[seen[rows]]
            continue
        by_trial = table.iloc[rows].groupby("recording", sort=False).indices
        trials = {name: rows[part] for name, part in by_trial.items()}
        known = [part for part in trials.values() if seen[part].all()]
        for recording, part in trials.items():
            before = [*known, rows[rows < part.min()]]  # what a later trial has lies in this one's future
            own = part[seen[part]] if seen[part].any() else np.unique(np.concatenate(before))
            if not seen[own].any():
                raise ValueError(
                    f"recording {recording!r}: no windows to normalise by, in it or before it in its session "
                    f"({NORMALISATIONS[how]})."
                )
            yield part, own[seen[own]]


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; constant and empty columns get scale 1.

    What is constant is judged relative to the mean, since units such as V² make tiny values.
    """
    axes = (0,) if values.ndim == 2 else (0, 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|Degrees of freedom")
        mean = np.asarray(np.nanmean(values, axis=axes, dtype=np.float64))
        scale = np.asarray(np.nanstd(values, axis=axes, dtype=np.float64))
    varies = scale > np.maximum(1e-9 * np.abs(mean), np.finfo(np.float32).tiny)
    return mean.astype(np.float32), np.where(varies, scale, 1.0).astype(np.float32)


def _columns(moments: np.ndarray, values: np.ndarray) -> np.ndarray:
    return moments if values.ndim == 2 else moments[:, None]
