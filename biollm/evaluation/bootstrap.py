"""95 % intervals by resampling subjects, whose windows are not independent of each other.

All methods that were scored on the same subjects are resampled alike, so that differences are paired.
The seeds of a method are averaged within each resample: the intervals tell how far the result may
carry over to other people, not how much it varies from one training run to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from biollm.evaluation.metrics import (
    METRICS,
    Counts,
    PredictionError,
    check_predictions,
    classes_of,
    count_confusions,
)

__all__ = ["Difference", "bootstrap_ci", "bootstrap_values", "mean_metric", "paired_difference"]

Metric = str | Callable[[np.ndarray], np.ndarray]
PERCENTILES = (2.5, 97.5)


class Difference(NamedTuple):
    """How much higher one method scores than another, with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap_ci(
    predictions: pd.DataFrame,
    metric: Metric = "balanced_accuracy",
    n_boot: int = 1000,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> tuple[float, float]:
    """95 % percentile interval of a metric by cluster bootstrap over subjects.

    Parameters
    ----------
    predictions : DataFrame
        A prediction set, see `biollm.evaluation.metrics`.
    metric : str or callable
        A name in `METRICS`, or a function of confusion counts (..., n_classes, n_classes + 1) -> (...).
    n_boot, seed : int
        Number of resamples and seed of their random numbers.
    classes : sequence of str, optional
        By default those that the prediction set names.

    Returns
    -------
    low, high : float
        NaN if there are fewer than two subjects.
    """
    return interval(bootstrap_values(_counts(predictions, classes), metric, n_boot, seed))


def paired_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    metric: Metric = "balanced_accuracy",
    n_boot: int = 1000,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Difference:
    """Metric of `a` minus metric of `b`, both scored on the same resampled subjects.

    Raises
    ------
    PredictionError
        If the two were not scored on the same segments.
    """
    if classes is None:
        classes = sorted({*classes_of(a), *classes_of(b)})
    only = set(a["segment"]) ^ set(b["segment"])
    if only:
        raise PredictionError(
            f"the two prediction sets differ in {len(only)} segments, such as {sorted(map(str, only))[:3]}; "
            "a paired difference needs the same segments. Score both on the same split."
        )
    return counted_difference(_counts(a, classes), _counts(b, classes), metric, n_boot, seed)


def counted_difference(a: Counts, b: Counts, metric: Metric, n_boot: int, seed: int) -> Difference:
    """`paired_difference` of counts with the same subjects."""
    resampled = bootstrap_values(a, metric, n_boot, seed) - bootstrap_values(b, metric, n_boot, seed)
    return Difference(mean_metric(a, metric) - mean_metric(b, metric), *interval(resampled))


def mean_metric(counts: Counts, metric: Metric) -> float:
    """Metric of all subjects' answers together, averaged over seeds."""
    return float(np.nanmean(_function(metric)(counts.confusions.sum(axis=1))))


def bootstrap_values(counts: Counts, metric: Metric, n_boot: int, seed: int) -> np.ndarray:
    """Metric of each resample, averaged over seeds; equal subjects and `seed` give equal resamples.

    Returns
    -------
    ndarray, shape (n_boot,)
        NaN if there are fewer than two subjects.
    """
    n_subjects = len(counts.subjects)
    if n_subjects < 2:
        return np.full(n_boot, np.nan)
    weights = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n_boot)
    by_subject = counts.confusions.swapaxes(0, 1).reshape(n_subjects, -1)
    n_seeds, _, *cells = counts.confusions.shape
    values = _function(metric)((weights @ by_subject).reshape(n_boot, n_seeds, *cells))
    # A seed that tested none of the resampled subjects says nothing about this resample.
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(n_boot, np.nan), where=known.any(axis=1))


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 and 97.5 % percentiles of resampled values, NaN if none is known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, PERCENTILES)
    return float(low), float(high)


def _counts(predictions: pd.DataFrame, classes: Sequence[str] | None) -> Counts:
    classes = classes_of(predictions) if classes is None else classes
    check_predictions(predictions, classes)
    return count_confusions(predictions, classes)


def _function(metric: Metric) -> Callable[[np.ndarray], np.ndarray]:
    if callable(metric):
        return metric
    if metric not in METRICS:
        raise ValueError(
            f"metric is {metric!r}; allowed are {sorted(METRICS)} or a function of confusion counts."
        )
    return METRICS[metric]
