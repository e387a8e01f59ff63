"""Metrics of valence and arousal ratings and of transitions, computed from sums that add up over subjects.

Moments have the shape (..., 8) and hold, in this order: the number of answers, the sums of truth, of
answer, of their squares, of their product, of the absolute errors and of the squared errors. Truth and
answer are taken relative to the mean truth of the prediction set, which changes no metric and keeps the
squares small. Transitions are counted as confusions of two classes, shape (..., 2, 3), so that a bootstrap
treats all targets alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from biollm.evaluation.metrics import Counts, count_confusions, seeds_and_subjects

__all__ = [
    "RATING_METRICS",
    "average_precision",
    "concordance",
    "count_moments",
    "count_transitions",
    "mean_absolute_error",
    "root_mean_squared_error",
    "transition_f1",
]

THRESHOLD = 0.5  # probability from which a transition is said to be there
TRANSITION = ("no", "yes")
# Sums of thousands of float64 products carry a relative error of about 1e-13: less spread than this is none.
NO_SPREAD = 1e-12


def concordance(moments: np.ndarray) -> np.ndarray:
    """Lin's concordance correlation coefficient (1989); (..., 8) -> (...), from -1 to 1.

    0 where the answers or the truths do not vary, also where both are the same constant: a constant answer
    knows nothing of the rating, and left out of a mean as NaN it would flatter the method. NaN only without
    any answer.
    """
    n, *sums = np.moveaxis(moments, -1, 0)
    truth, answer, truth_square, answer_square, product = (_mean(total, n) for total in sums[:5])
    covariance = product - truth * answer
    spread = truth_square - truth**2 + answer_square - answer**2 + (truth - answer) ** 2
    is_spread = spread > NO_SPREAD * (truth_square + answer_square)
    agreement = np.divide(2 * covariance, spread, out=np.zeros_like(spread), where=is_spread)
    return np.where(n > 0, agreement, np.nan)


def mean_absolute_error(moments: np.ndarray) -> np.ndarray:
    """Mean absolute error in the rating's unit; (..., 8) -> (...), NaN without any answer."""
    return _mean(moments[..., 6], moments[..., 0])


def root_mean_squared_error(moments: np.ndarray) -> np.ndarray:
    """Root of the mean squared error in the rating's unit; (..., 8) -> (...), NaN without any answer."""
    return np.sqrt(_mean(moments[..., 7], moments[..., 0]))


RATING_METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ccc": concordance,
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
}
"""Name -> function of moments (..., 8) -> (...)."""


def transition_f1(confusions: np.ndarray) -> np.ndarray:
    """F1 of the segments with a transition; (..., 2, 3) -> (...), NaN where the truth has none."""
    hits = confusions[..., 1, 1]
    there, said = confusions[..., 1, :].sum(-1), confusions[..., :, 1].sum(-1)
    return np.divide(2 * hits, there + said, out=np.full(hits.shape, np.nan), where=there > 0)


def count_moments(predictions: pd.DataFrame, ratings: Sequence[str]) -> np.ndarray:
    """Moments of each seed, subject and rating, over the segments that are rated.

    Parameters
    ----------
    predictions : DataFrame
        A prediction set with the columns ``<rating>_truth`` and ``<rating>``.
    ratings : sequence of str

    Returns
    -------
    ndarray, shape (n_seeds, n_subjects, n_ratings, 8)
        Seeds and subjects in the order of `count_confusions`.
    """
    (seeds, seed_of), (subjects, subject_of) = seeds_and_subjects(predictions)
    moments = np.zeros((len(seeds), len(subjects), len(ratings), 8))
    for number, name in enumerate(ratings):
        truth, answer = predictions[[f"{name}_truth", name]].to_numpy(float).T
        known = ~np.isnan(truth)
        place = seed_of[known], subject_of[known]
        np.add.at(moments[:, :, number], place, _terms(truth[known], answer[known]))
    return moments


def count_transitions(predictions: pd.DataFrame) -> Counts:
    """Confusion counts of the transitions at a probability of 0.5, over the segments with a truth."""
    said = np.asarray(TRANSITION)[(predictions["transition"] >= THRESHOLD).to_numpy(int)]
    truth = predictions["transition_truth"].astype(float).map(dict(enumerate(TRANSITION)))
    return count_confusions(predictions.assign(truth=truth, prediction=said), TRANSITION)


def average_precision(predictions: pd.DataFrame) -> float:
    """Mean precision over the recalls of the transitions, by falling probability; the mean over seeds.

    NaN where the truth has no transition.
    """
    from sklearn.metrics import average_precision_score

    known = predictions.dropna(subset=["transition_truth"])
    if not known["transition_truth"].any():
        return float("nan")
    runs = [run for _, run in known.groupby("seed") if run["transition_truth"].any()]
    return float(np.mean([average_precision_score(r["transition_truth"], r["transition"]) for r in runs]))


def _terms(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """What each answer adds to the moments, shape (n, 8)."""
    error = answer - truth
    centre = truth.mean() if truth.size else 0.0
    t, a = truth - centre, answer - centre
    return np.stack([np.ones_like(t), t, a, t * t, a * a, t * a, abs(error), error * error], axis=1)


def _mean(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.divide(total, n, out=np.full(np.shape(n), np.nan), where=np.asarray(n) > 0)
