"""Quantile bins: from a feature's value to one of a few codes in order."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

__all__ = ["QuantileBins"]


class QuantileBins(TransformerMixin, BaseEstimator):
    """Bins that hold equally many training values, for each feature on its own.

    Parameters
    ----------
    n_bins : int
        Bins a feature; a feature with many equal values gets fewer, since equal edges fall together.

    Attributes
    ----------
    edges_ : list of ndarray
        Inner edges of each feature, ascending; a value on an edge belongs to the bin above it.
    n_bins_ : ndarray, shape (n_features,)
        Bins of each feature.
    """

    def __init__(self, n_bins: int = 16):
        self.n_bins = n_bins

    def fit(self, values: np.ndarray, y: object = None) -> Self:
        """Find the edges on training `values`, shape (n_segments, n_features); NaN is left out."""
        if self.n_bins < 2:
            raise ValueError(f"n_bins is {self.n_bins}; allowed are whole numbers from 2.")
        values = _matrix(values)
        self.edges_ = [_quantile_edges(column[~np.isnan(column)], self.n_bins) for column in values.T]
        self.n_bins_ = np.array([len(edges) + 1 for edges in self.edges_])
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value, int64 of the shape of `values`; -1 for NaN.

        Raises
        ------
        ValueError
            If `values` has another number of features than in `fit`.
        """
        check_is_fitted(self)
        values = _matrix(values)
        if values.shape[1] != self.n_features_in_:
            raise ValueError(
                f"values have {values.shape[1]} features; the bins were fitted on {self.n_features_in_}."
            )
        columns = zip(self.edges_, values.T, strict=True)
        codes = np.stack([np.searchsorted(edges, column, side="right") for edges, column in columns], axis=1)
        return np.where(np.isnan(values), -1, codes)


def _matrix(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"values have shape {values.shape}; allowed is (n_segments, n_features).")
    return values


def _quantile_edges(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the inner edges, all of them values above the minimum, so that no bin is empty."""
    if len(values) == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, n_bins) / n_bins, method="higher"))
    return edges[edges > values.min()]
