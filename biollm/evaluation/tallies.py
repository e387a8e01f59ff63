"""The sums by seed and subject that every metric of a prediction set follows from.

Sums of several subjects add up, so that a metric of any set of subjects, a resample among them, needs no
second look at the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from biollm.evaluation.metrics import METRICS, count_confusions, seeds_and_subjects
from biollm.evaluation.predictions import answered_ratings, answers_transitions
from biollm.evaluation.ratings import RATING_METRICS, count_moments, count_transitions, transition_f1

__all__ = ["Metric", "Tallies", "mean_known", "mean_metric", "metric_names", "tally"]

Function = Callable[[np.ndarray], np.ndarray]
Metric = str | Function


@dataclass(frozen=True)
class Tallies:
    """What was counted of one prediction set; a target that it does not answer is not there.

    Parameters
    ----------
    sums : mapping of str to ndarray, shape (n_seeds, n_subjects, ...)
        ``classes``: confusion counts (n_classes, n_classes + 1); ``ratings``: moments (n_ratings, 8);
        ``transitions``: confusion counts (2, 3).
    seeds : ndarray, shape (n_seeds,)
    subjects : ndarray of str, shape (n_subjects,)
    classes, ratings : tuple of str
    """

    sums: Mapping[str, np.ndarray]
    seeds: np.ndarray
    subjects: np.ndarray
    classes: tuple[str, ...]
    ratings: tuple[str, ...]

    def source(self, metric: Metric) -> tuple[np.ndarray, Function]:
        """The sums that a metric needs, (n_seeds, n_subjects, ...), and what it makes of them.

        `metric` is one of `metric_names`, or a function of confusion counts of the classes.
        """
        if callable(metric):
            return self.sums["classes"], metric
        functions = _functions(self)
        if metric not in functions:
            raise ValueError(
                f"metric is {metric!r}; allowed are {sorted(functions)} or a function of confusion counts."
            )
        target, function = functions[metric]
        return self.sums[target], function


def tally(predictions: pd.DataFrame, classes: Sequence[str], by: str = "subject") -> Tallies:
    """Count a checked prediction set by seed and by subject, or by another of its columns, such as fold."""
    units = predictions.assign(subject=predictions[by])
    (seeds, _), (subjects, _) = seeds_and_subjects(units)
    ratings = answered_ratings(units)
    sums = {"classes": count_confusions(units, classes).confusions} if classes else {}
    if ratings:
        sums["ratings"] = count_moments(units, ratings)
    if answers_transitions(units):
        sums["transitions"] = count_transitions(units).confusions
    return Tallies(sums, seeds, subjects, tuple(classes), ratings)


def metric_names(tallies: Tallies) -> tuple[str, ...]:
    """The metrics that can be computed: those of classes, of ratings together and each, of transitions."""
    return tuple(_functions(tallies))


def mean_metric(tallies: Tallies, metric: Metric) -> float:
    """Metric of all subjects' answers together, averaged over seeds."""
    sums, function = tallies.source(metric)
    return float(mean_known(function(sums.sum(axis=1)), axis=0))


def mean_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis without the NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.divide(total, n, out=np.full(np.shape(total), np.nan), where=n > 0)


def _functions(tallies: Tallies) -> dict[str, tuple[str, Function]]:
    """Metric -> the sums that it needs, and the function of them; ``ccc`` is the mean over the ratings."""
    found: dict[str, tuple[str, Function]] = {}
    if "classes" in tallies.sums:
        found |= {name: ("classes", function) for name, function in METRICS.items()}
    if "ratings" in tallies.sums:
        found |= {name: ("ratings", _over_ratings(function)) for name, function in RATING_METRICS.items()}
        for number, rating in enumerate(tallies.ratings):
            for name, function in RATING_METRICS.items():
                found[f"{rating}_{name}"] = ("ratings", _of_rating(function, number))
    if "transitions" in tallies.sums:
        found["transition_f1"] = ("transitions", transition_f1)
    return found


def _over_ratings(function: Function) -> Function:
    return lambda moments: function(moments).mean(axis=-1)


def _of_rating(function: Function, number: int) -> Function:
    return lambda moments: function(moments[..., number, :])
