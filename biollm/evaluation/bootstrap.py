"""95 % intervals by resampling subjects, whose windows are not independent of each other.

All methods that were scored on the same subjects are resampled alike, so that differences are paired.
The seeds of a method are averaged within each resample: the intervals tell how far the result may
carry over to other people, not how much it varies from one training run to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from biollm.evaluation.predictions import PredictionError, check_predictions, classes_of
from biollm.evaluation.tallies import Metric, Tallies, mean_known, mean_metric, tally

__all__ = ["Difference", "bootstrap_ci", "bootstrap_values", "interval", "paired_difference"]

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
        A prediction set, see `biollm.evaluation.predictions`.
    metric : str or callable
        A name of `metric_names`, such as ``accuracy``, ``ccc`` (the mean over the ratings), ``valence_mae``
        or ``transition_f1``, or a function of confusion counts (..., n_classes, n_classes + 1) -> (...).
    n_boot, seed : int
        Number of resamples and seed of their random numbers.
    classes : sequence of str, optional
        By default those that the prediction set names.

    Returns
    -------
    low, high : float
        NaN if there are fewer than two subjects.
    """
    return interval(bootstrap_values(_tally(predictions, classes), metric, n_boot, seed))


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
        If the two were not scored on the same segments of the same subjects.
    """
    if classes is None:
        classes = sorted({*classes_of(a), *classes_of(b)})
    ours, theirs = (set(zip(rows["segment"], rows["subject"], strict=True)) for rows in (a, b))
    if only := {segment for segment, _ in ours ^ theirs}:
        raise PredictionError(
            f"the two prediction sets differ in {len(only)} segments, such as {sorted(map(str, only))[:3]}; "
            "a paired difference needs the same segments of the same subjects. Score both on the same split."
        )
    return tallied_difference(_tally(a, classes), _tally(b, classes), metric, n_boot, seed)[0]


def tallied_difference(
    a: Tallies, b: Tallies, metric: Metric, n_boot: int, seed: int
) -> tuple[Difference, float]:
    """`paired_difference` of tallies with the same subjects, and its two-sided bootstrap p value.

    The p value is twice the smaller share of resamples whose difference is on one side of zero, with the
    observed difference counted among them (Davison and Hinkley 1997); NaN with fewer than two subjects.
    """
    resampled = bootstrap_values(a, metric, n_boot, seed) - bootstrap_values(b, metric, n_boot, seed)
    value = mean_metric(a, metric) - mean_metric(b, metric)
    return Difference(value, *interval(resampled)), _p_value(resampled)


def bootstrap_values(tallies: Tallies, metric: Metric, n_boot: int, seed: int) -> np.ndarray:
    """Metric of each resample, averaged over seeds; equal subjects and `seed` give equal resamples.

    Returns
    -------
    ndarray, shape (n_boot,)
        NaN if there are fewer than two subjects.
    """
    n_subjects = len(tallies.subjects)
    if n_subjects < 2:
        return np.full(n_boot, np.nan)
    weights = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n_boot)
    sums, function = tallies.source(metric)
    by_subject = sums.swapaxes(0, 1).reshape(n_subjects, -1)
    n_seeds, _, *cells = sums.shape
    values = function((weights @ by_subject).reshape(n_boot, n_seeds, *cells))
    # A seed that tested none of the resampled subjects says nothing about this resample.
    return mean_known(values, axis=1)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 and 97.5 % percentiles of resampled values, NaN if none is known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, PERCENTILES)
    return float(low), float(high)


def _p_value(resampled: np.ndarray) -> float:
    known = resampled[~np.isnan(resampled)]
    if not known.size:
        return float("nan")
    smaller = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (smaller + 1) / (known.size + 1)))


def _tally(predictions: pd.DataFrame, classes: Sequence[str] | None) -> Tallies:
    classes = classes_of(predictions) if classes is None else classes
    check_predictions(predictions, classes)
    return tally(predictions, classes)
