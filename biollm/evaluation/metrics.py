"""Metrics of class predictions, computed from confusion counts; an answer that cannot be parsed is an error.

Confusion counts have the shape (..., n_classes, n_classes + 1): rows are the truth, columns the
prediction, and the last column counts the unparsable answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = [
    "METRICS",
    "Counts",
    "accuracy",
    "balanced_accuracy",
    "count_confusions",
    "expected_calibration_error",
    "macro_f1",
    "macro_precision",
    "per_class",
    "seeds_and_subjects",
]


@dataclass(frozen=True)
class Counts:
    """Confusion counts of one prediction set.

    Parameters
    ----------
    confusions : ndarray, shape (n_seeds, n_subjects, n_classes, n_classes + 1), float64
    seeds : ndarray, shape (n_seeds,)
    subjects : ndarray of str, shape (n_subjects,)
    classes : tuple of str
    """

    confusions: np.ndarray
    seeds: np.ndarray
    subjects: np.ndarray
    classes: tuple[str, ...]


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """Share of right answers; (..., n_classes, n_classes + 1) -> (...), NaN without any answer."""
    return _ratio(_hits(confusions).sum(-1), confusions.sum((-2, -1)))


def balanced_accuracy(confusions: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that the truth has; (..., n_classes, n_classes + 1) -> (...)."""
    support = confusions.sum(-1)
    return _mean_over(_ratio(_hits(confusions), support), support > 0)


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that the truth has; (..., n_classes, n_classes + 1) -> (...)."""
    support = confusions.sum(-1)
    predicted = confusions.sum(-2)[..., :-1]
    return _mean_over(_ratio(2 * _hits(confusions), support + predicted), support > 0)


def macro_precision(confusions: np.ndarray) -> np.ndarray:
    """Mean precision of the classes that the truth has, 0 for one that was never answered.

    An unparsable answer is no class's, so that it lowers no precision. Shapes as in `macro_f1`.
    """
    predicted = confusions.sum(-2)[..., :-1]
    precision = np.where(predicted > 0, _ratio(_hits(confusions), predicted), 0.0)
    return _mean_over(precision, confusions.sum(-1) > 0)


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "accuracy": accuracy,
    "macro_precision": macro_precision,
    "macro_recall": balanced_accuracy,
}
"""Name -> function of confusion counts; macro recall is the other name of balanced accuracy."""


def per_class(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Recall, precision, F1 and support of each class.

    Parameters
    ----------
    confusion : ndarray, shape (n_classes, n_classes + 1)
    classes : sequence of str, length n_classes

    Returns
    -------
    dict of dict
        NaN for the recall of a class without truth and the precision of one never predicted.
    """
    support, predicted = confusion.sum(-1), confusion.sum(-2)[:-1]
    hits = _hits(confusion)
    columns = zip(
        classes,
        _ratio(hits, support),
        _ratio(hits, predicted),
        _ratio(2 * hits, support + predicted),
        support,
        strict=True,
    )
    return {
        name: {"recall": float(r), "precision": float(p), "f1": float(f), "support": float(n)}
        for name, r, p, f, n in columns
    }


def expected_calibration_error(
    predictions: pd.DataFrame, classes: Sequence[str], n_bins: int = 15
) -> float | None:
    """Mean gap between confidence and accuracy over equally wide bins of confidence (Guo et al. 2017).

    Confidence is the highest class probability; answers without probabilities and segments without a true
    class are left out. Seeds are averaged.

    Returns
    -------
    float or None
        None if the prediction set has no ``p_<class>`` columns or no probabilities in them.
    """
    columns = [f"p_{name}" for name in classes]
    if not set(columns) <= set(predictions.columns):
        return None
    known = predictions.dropna(subset=[*columns, "truth"])
    errors = [_calibration_gap(group, columns, classes, n_bins) for _, group in known.groupby("seed")]
    return float(np.mean(errors)) if errors else None


def count_confusions(predictions: pd.DataFrame, classes: Sequence[str]) -> Counts:
    """Count the answers by seed, subject, truth and prediction; segments without a true class are left out.

    Parameters
    ----------
    predictions : DataFrame
        A prediction set.
    classes : sequence of str
    """
    index = pd.Index(classes)
    (seeds, seed_of), (subjects, subject_of) = seeds_and_subjects(predictions)
    truth = index.get_indexer(predictions["truth"])
    answer = index.get_indexer(predictions["prediction"].where(predictions["prediction"].notna(), None))
    answer = np.where(answer < 0, len(index), answer)
    shape = (len(seeds), len(subjects), len(index), len(index) + 1)
    # Subjects without any true class stay, with no counts, so that all metrics resample the same subjects.
    known = predictions["truth"].notna().to_numpy()
    place = tuple(numbers[known] for numbers in (seed_of, subject_of, truth, answer))
    cells = np.ravel_multi_index(place, shape)
    confusions = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape).astype(float)
    return Counts(confusions, seeds, subjects, tuple(classes))


def seeds_and_subjects(predictions: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """The seeds, sorted, and each answer's position among them; then the same of the subjects' names."""
    columns = predictions["seed"].to_numpy(), predictions["subject"].astype(str).to_numpy(str)
    return [np.unique(values, return_inverse=True) for values in columns]


def _calibration_gap(
    predictions: pd.DataFrame, columns: list[str], classes: Sequence[str], n_bins: int
) -> float:
    probabilities = predictions[columns].to_numpy(float)
    confidence = probabilities.max(axis=1)
    right = np.asarray(classes, dtype=object)[probabilities.argmax(axis=1)] == predictions["truth"].to_numpy()
    # Bins are closed on the right, as (0, 1/15], (1/15, 2/15], ...
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(predictions))


def _hits(confusions: np.ndarray) -> np.ndarray:
    return np.diagonal(confusions, axis1=-2, axis2=-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(
        numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=np.asarray(denominator) > 0
    )


def _mean_over(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _ratio(np.where(present, values, 0.0).sum(-1), present.sum(-1).astype(float))
