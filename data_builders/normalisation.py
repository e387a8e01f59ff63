"""Values relative to their subject: the whole session, or a causal baseline, or none."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

__all__ = ["NORMALISATIONS", "Normaliser"]

NORMALISATIONS = {
    "subject": "z-score over all windows of the subject (transductive: uses unlabelled test data)",
    "baseline": "centred on the subject's first two minutes, scaled by training statistics (causal)",
    "none": "training statistics only",
}


class Normaliser:
    """Put features or signals on a common scale without looking at another subject's test data.

    Parameters
    ----------
    how : {"subject", "baseline", "none"}
        See `NORMALISATIONS`. With ``"subject"`` nothing is learned from the training part.

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
            With ``subject`` and ``reference``.
        """
        if self.how not in NORMALISATIONS:
            raise ValueError(f"normalisation is {self.how!r}; allowed are {list(NORMALISATIONS)}.")
        centred = self._relative_to_subject(values, table)
        self.mean_, self.scale_ = _moments(centred[~table["reference"].to_numpy(bool)])
        return self

    def transform(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """Normalise; `values` must hold all windows of each of its subjects. NaN stays NaN."""
        centred = self._relative_to_subject(values, table)
        return (centred - _columns(self.mean_, values)) / _columns(self.scale_, values)

    def _relative_to_subject(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        if self.how == "none":
            return values
        result = np.empty_like(values)
        reference = table["reference"].to_numpy(bool)
        seen = reference if self.how == "baseline" else ~reference
        for subject, rows in table.groupby("subject", sort=False).indices.items():
            rows = np.asarray(rows)
            if not seen[rows].any():
                raise ValueError(
                    f"subject {subject!r} has no windows to normalise by ({NORMALISATIONS[self.how]})."
                )
            mean, scale = _moments(values[rows[seen[rows]]])
            result[rows] = values[rows] - _columns(mean, values)
            if self.how == "subject":
                result[rows] /= _columns(scale, values)
        return result


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; constant and empty columns get scale 1."""
    axes = (0,) if values.ndim == 2 else (0, 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|Degrees of freedom")
        mean = np.nanmean(values, axis=axes, dtype=np.float64)
        scale = np.nanstd(values, axis=axes, dtype=np.float64)
    constant = ~(scale > 1e-9 * np.maximum(1.0, np.abs(mean)))
    mean = np.nan_to_num(mean)
    return mean.astype(np.float32), np.where(constant, 1.0, scale).astype(np.float32)


def _columns(moments: np.ndarray, values: np.ndarray) -> np.ndarray:
    return moments if values.ndim == 2 else moments[:, None]
