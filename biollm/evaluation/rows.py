"""The rows of a report: metrics of each method, pooled, by fold and by subject, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from biollm.evaluation.bootstrap import bootstrap_values, interval, tallied_difference
from biollm.evaluation.learning_curves import mean_history
from biollm.evaluation.metrics import expected_calibration_error, per_class
from biollm.evaluation.ratings import average_precision
from biollm.evaluation.results import MethodResult
from biollm.evaluation.tallies import Tallies, mean_known, mean_metric, metric_names, tally

__all__ = ["method_rows"]

BASELINES = ("classical", "encoder")
RANKED = (*BASELINES, "llm")


def method_rows(
    methods: Sequence[MethodResult], classes: Sequence[str], primary: str, n_boot: int, seed: int
) -> list[dict[str, Any]]:
    """One row a method, in order; `build_report` documents their keys.

    Parameters
    ----------
    methods : sequence of MethodResult
        Checked.
    classes : sequence of str
    primary : str
        The metric of the intervals over subjects, of the ranking and of the paired differences.
    n_boot, seed : int
        Of the bootstrap over subjects.
    """
    tallies = {m.method: tally(m.predictions, classes) for m in methods}
    rows = [_row(m, tallies[m.method], primary, n_boot, seed) for m in methods]
    _add_paired(rows, methods, tallies, primary, n_boot, seed)
    _add_against_best(rows, tallies, primary, n_boot, seed)
    return rows


def _row(result: MethodResult, tallies: Tallies, primary: str, n_boot: int, seed: int) -> dict[str, Any]:
    names = metric_names(tallies)
    intervals = {name: interval(bootstrap_values(tallies, name, n_boot, seed)) for name in names}
    sums, function = tallies.source(primary)
    return {
        "method": result.method,
        "family": result.family,
        **{name: mean_metric(tallies, name) for name in names},
        **_other_metrics(result.predictions, tallies),
        "ci95": intervals[primary],
        "seconds": result.seconds,
        "parameters": result.parameters,
        "intervals": intervals,
        "seeds": tallies.seeds,
        f"{primary}_by_seed": function(sums.sum(axis=1)),
        "by_subject": dict(zip(tallies.subjects, mean_known(function(sums), axis=0), strict=True)),
        "folds": _folds(result.predictions, tallies.classes),
        "n_segments": result.predictions["segment"].nunique(),
        "n_subjects": len(tallies.subjects),
        "history": mean_history(result.histories),
        "note": result.note,
        "partial": result.partial,
        "paired": [],
        "against_best": None,
    }


def _other_metrics(predictions: pd.DataFrame, tallies: Tallies) -> dict[str, Any]:
    """What is not resampled: calibration, per-class scores, the confusion matrix, average precision."""
    found: dict[str, Any] = {"ece": None, "unparsable": 0.0, "per_class": {}, "confusion": []}
    if "classes" in tallies.sums:
        confusion = tallies.sums["classes"].sum(axis=(0, 1))
        found["ece"] = expected_calibration_error(predictions, tallies.classes)
        found["unparsable"] = float(confusion[:, -1].sum() / confusion.sum())
        found["per_class"] = per_class(confusion, tallies.classes)
        found["confusion"] = confusion.astype(int)
    if "transitions" in tallies.sums:
        found["transition_average_precision"] = average_precision(predictions)
    return found


def _folds(predictions: pd.DataFrame, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """All metrics of each fold, averaged over seeds."""
    by_fold = tally(predictions, classes, by="fold")
    values = {name: mean_known(f(sums), axis=0) for name in metric_names(by_fold)
              for sums, f in [by_fold.source(name)]}  # fmt: skip
    place = {name: number for number, name in enumerate(by_fold.subjects)}
    n_segments = predictions.groupby("fold")["segment"].nunique()
    return [
        {"fold": fold, "n_segments": n, **{name: v[place[str(fold)]] for name, v in values.items()}}
        for fold, n in n_segments.items()
    ]


def _add_paired(
    rows: Sequence[dict[str, Any]],
    methods: Sequence[MethodResult],
    tallies: Mapping[str, Tallies],
    primary: str,
    n_boot: int,
    seed: int,
) -> None:
    """Differences to the methods that a row names, and of LLM rows to the best baseline."""
    whole = {row["method"] for row in rows if not row["partial"]}
    best = _best(rows, BASELINES, primary)
    for row, result in zip(rows, methods, strict=True):
        against = list(result.compare_to)
        if result.family == "llm" and best is not None and best not in against:
            against.insert(0, best)
        for other in against if result.method in whole else ():
            if other in whole:
                args = tallies[result.method], tallies[other], primary, n_boot, seed
                (value, *ci95), _ = tallied_difference(*args)
                row["paired"].append(
                    {"against": other, "best_baseline": other == best, "difference": value, "ci95": ci95}
                )


def _add_against_best(
    rows: Sequence[dict[str, Any]], tallies: Mapping[str, Tallies], primary: str, n_boot: int, seed: int
) -> None:
    """Every classical, encoder and LLM row against the best of them; the best itself gets none."""
    best = _best(rows, RANKED, primary)
    for row in rows:
        if row["family"] in RANKED and not row["partial"] and row["method"] != best:
            args = tallies[row["method"]], tallies[str(best)], primary, n_boot, seed
            (value, *ci95), p = tallied_difference(*args)
            row["against_best"] = {"against": best, "difference": value, "ci95": ci95, "p": p}


def _best(rows: Sequence[dict[str, Any]], families: Sequence[str], primary: str) -> str | None:
    """The highest of the rows of some families that answered everything; None if there is none."""
    found = [row for row in rows if row["family"] in families and not row["partial"]]
    return max(found, key=lambda row: row[primary], default={"method": None})["method"]
