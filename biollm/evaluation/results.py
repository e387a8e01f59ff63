"""What a method hands in for the table, and what is wrong with what all of them handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from biollm.evaluation.predictions import (
    TRUTHS,
    PredictionError,
    answered_ratings,
    answers_transitions,
    check_predictions,
)
from biollm.evaluation.table import FAMILIES

__all__ = ["MethodResult", "check_results", "primary_metric", "reference_result"]


@dataclass(frozen=True)
class MethodResult:
    """The answers of one row of the table.

    Parameters
    ----------
    method : str
        The row's name, for example ``"LLM on VQ tokens, likelihood"``.
    family : str
        One of `FAMILIES`: majority, classical, encoder, llm, control, ceiling.
    predictions : DataFrame
        A prediction set, see `biollm.evaluation.predictions`.
    seconds : float or None
        What fitting and answering took.
    note : str
        What a reader must know, for example that a normalisation is transductive.
    compare_to : tuple of str
        Methods to give the paired difference to; LLM rows are also compared to the best baseline.
    partial : bool
        Declares that not every seed answered all segments; such a row is marked in the report and gets
        no paired differences.
    parameters : int or None
        Number of fitted numbers; None where that says nothing, as of a forest.
    histories : sequence of sequences of mapping
        What each training, one a fold and seed, recorded of its epochs: ``epoch``, ``train_loss``, of the
        validation segments ``loss`` and scores.
    """

    method: str
    family: str
    predictions: pd.DataFrame
    seconds: float | None = None
    note: str = ""
    compare_to: tuple[str, ...] = ()
    partial: bool = False
    parameters: int | None = None
    histories: Sequence[Sequence[Mapping[str, float]]] = ()


def primary_metric(methods: Sequence[MethodResult], classes: Sequence[str]) -> str:
    """What rows are ranked by: balanced accuracy, without classes the mean CCC, else the transitions' F1."""
    if classes:
        return "balanced_accuracy"
    return "ccc" if any(answered_ratings(m.predictions) for m in methods) else "transition_f1"


def reference_result(methods: Sequence[MethodResult]) -> MethodResult:
    """The first method that answered the most segments."""
    return max(methods, key=lambda m: (not m.partial, m.predictions["segment"].nunique()))


def check_results(methods: Sequence[MethodResult], classes: Sequence[str]) -> None:
    """Fail with all problems of all methods at once.

    Raises
    ------
    PredictionError
        On no methods, equal names, unknown families, prediction sets that cannot be scored, and answers to
        other segments, or with other truths, than those of the other methods.
    """
    problems: list[str] = [] if methods else ["there are no results; evaluate at least one method."]
    names = [m.method for m in methods]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            f"{name}: the name is given to {names.count(name)} methods; name each one differently."
        )
    for result in methods:
        problems += _result_problems(result, names, classes)
    if not problems:
        problems += _coverage_of_all(methods, classes)
    if problems:
        raise PredictionError("\n".join(problems))


def _result_problems(result: MethodResult, names: list[str], classes: Sequence[str]) -> Iterator[str]:
    if result.family not in FAMILIES:
        yield f"{result.method}: family is {result.family!r}; allowed are {list(FAMILIES)}."
    unknown = [name for name in result.compare_to if name not in names]
    if unknown:
        yield f"{result.method}: compare_to names {unknown}; allowed are the methods {names}."
    if any("epoch" not in row for history in result.histories for row in history):
        yield f"{result.method}: an epoch of its histories has no 'epoch'; give one dict an epoch with it."
    try:
        check_predictions(result.predictions, classes, result.method)
    except PredictionError as error:
        yield str(error)


def _coverage_of_all(methods: Sequence[MethodResult], classes: Sequence[str]) -> Iterator[str]:
    reference = reference_result(methods)
    keys = ["segment", "subject", *(["truth"] if classes else [])]
    for result in methods:
        yield from _coverage_problems(result, reference, keys)
    if not classes:
        yield from _target_problems(methods)
    for truth in TRUTHS[1:]:
        given = [m for m in methods if truth in m.predictions]
        for result in given[1:]:
            yield from _truth_problems(result, given[0], truth)


def _coverage_problems(result: MethodResult, reference: MethodResult, keys: list[str]) -> Iterator[str]:
    """Every row of the table must answer the same segments, with the same truth and subjects."""
    wanted = pd.MultiIndex.from_frame(reference.predictions[keys].drop_duplicates())
    for seed, answers in result.predictions.groupby("seed"):
        got = pd.MultiIndex.from_frame(answers[keys].drop_duplicates())
        strange, absent = got.difference(wanted), wanted.difference(got)
        where = f"{result.method}, seed {seed}"
        if len(strange):
            yield (
                f"{where}: {len(strange)} segments differ from those of {reference.method!r}, for example "
                f"({', '.join(keys)}) = {tuple(strange[0])}. Score all methods on the same split."
            )
        elif len(absent) and not result.partial:
            yield (
                f"{where}: {len(absent)} of {len(wanted)} segments have no answer, such as {absent[0][0]!r}. "
                "Answer all, or declare the row with partial=True."
            )


def _target_problems(methods: Sequence[MethodResult]) -> Iterator[str]:
    """Without classes, rows are ranked by ratings (or transitions), which all of them must then answer."""
    wanted = tuple(dict.fromkeys(name for m in methods for name in answered_ratings(m.predictions)))
    for result in methods:
        absent = [name for name in wanted if name not in answered_ratings(result.predictions)]
        if absent:
            yield f"{result.method}: does not answer {absent}, which rank the table; answer them in all rows."
        if not wanted and not answers_transitions(result.predictions):
            yield f"{result.method}: does not answer 'transition', which ranks the table; answer it in all."
        elif not wanted and not result.predictions["transition_truth"].any():
            yield f"{result.method}: 'transition_truth' holds no transition, so that nothing ranks the table."


def _truth_problems(result: MethodResult, other: MethodResult, truth: str) -> Iterator[str]:
    ours, theirs = (
        m.predictions.drop_duplicates("segment").set_index("segment")[truth].astype(float)
        for m in (result, other)
    )
    ours, theirs = ours.align(theirs, join="inner")
    differing = ours.index[(ours != theirs) & (ours.notna() | theirs.notna())]
    if len(differing):
        yield (
            f"{result.method}: {truth!r} of {len(differing)} segments differs from that of {other.method!r}, "
            f"first of {differing[0]!r}. Score all methods on the same labels."
        )
