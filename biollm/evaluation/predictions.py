"""Prediction sets: which columns they have, and what is wrong with one.

A *prediction set* is a DataFrame with one row an answer and the columns ``segment``, ``subject``, ``fold``
and ``seed``. Beside them it answers at least one of

- classes: ``truth`` and ``prediction`` (a class, or None where the answer could not be parsed) and,
  optionally, one ``p_<class>`` a class;
- ratings: ``valence_truth`` and ``valence``, ``arousal_truth`` and ``arousal``, floats in one unit;
- transitions: ``transition_truth`` (0 or 1) and ``transition``, the probability of a transition.

A truth may be missing (NaN, or None for a class) where the segment has another one; whatever has a truth
needs an answer. A column of truths without any answer is not scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from prompts.words import RATINGS

__all__ = [
    "NUMBERS",
    "RATINGS",
    "TRUTHS",
    "PredictionError",
    "answered_ratings",
    "answers_transitions",
    "check_predictions",
    "classes_of",
]

NUMBERS = (*RATINGS, "transition")
"""Answers that are numbers."""
TRUTHS = ("truth", *(f"{name}_truth" for name in NUMBERS))
COLUMNS = ("segment", "subject", "fold", "seed")
CLASS_COLUMNS = ("truth", "prediction")


class PredictionError(ValueError):
    """A prediction set that cannot be scored; the message lists all its problems."""


def classes_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The classes that the truth or the predictions name, sorted; none if there are no such columns."""
    columns = [predictions[name] for name in CLASS_COLUMNS if name in predictions.columns]
    return tuple(sorted(set(pd.concat(columns).dropna()))) if columns else ()


def answered_ratings(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Those of `RATINGS` that have both truths and answers."""
    return tuple(name for name in RATINGS if _is_answered(predictions, name))


def answers_transitions(predictions: pd.DataFrame) -> bool:
    """Whether there are both truths and probabilities of a transition."""
    return _is_answered(predictions, "transition")


def check_predictions(predictions: pd.DataFrame, classes: Sequence[str], where: str = "predictions") -> None:
    """Fail with all problems of a prediction set at once.

    Parameters
    ----------
    predictions : DataFrame
    classes : sequence of str
        Those that the truth and the answers may name; empty where no classes are scored.
    where : str
        What the messages call the set.

    Raises
    ------
    PredictionError
        On missing columns, no rows, rows without any truth, unknown classes, repeated segments,
        probabilities outside 0 to 1 or that do not sum to one, and truths without an answer.
    """
    problems = list(_problems(predictions, classes))
    if problems:
        raise PredictionError("\n".join(f"{where}: {problem}" for problem in problems))


def _is_answered(predictions: pd.DataFrame, name: str) -> bool:
    columns = (f"{name}_truth", name)
    return all(column in predictions.columns and predictions[column].notna().any() for column in columns)


def _problems(predictions: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    needed = [*COLUMNS, *(CLASS_COLUMNS if classes else ())]
    missing = [name for name in needed if name not in predictions.columns]
    if missing:
        yield f"the columns {missing} are missing; needed are {needed}."
        return
    if predictions.empty:
        yield "has no rows; score at least one answer."
        return
    yield from _truth_problems(predictions, classes)
    if classes:
        yield from _class_problems(predictions, classes)
        yield from _probability_problems(predictions, classes)
    for name in NUMBERS:
        yield from _number_problems(predictions, name)
    repeated = predictions.loc[predictions.duplicated(["seed", "fold", "segment"]), "segment"]
    if len(repeated):
        yield f"{len(repeated)} answers repeat a segment of their seed and fold, first {repeated.iloc[0]!r}."


def _truth_problems(predictions: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    if not classes and not any(_is_answered(predictions, name) for name in NUMBERS):
        yield (
            "nothing can be scored; give 'truth' and 'prediction' with the names of the classes, or one of "
            f"{list(NUMBERS)} with its '_truth'."
        )
        return
    truths = [name for name in TRUTHS if name in predictions.columns and (classes or name != "truth")]
    bare = predictions.loc[predictions[truths].isna().all(axis=1), "segment"]
    if len(bare):
        yield f"{len(bare)} rows have no truth in {truths}, first segment {bare.iloc[0]!r}; leave them out."


def _class_problems(predictions: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    unknown = sorted({str(name) for name in predictions["truth"].dropna()} - set(classes))
    if unknown:
        yield f"column 'truth': got {unknown}; allowed are the classes {list(classes)}."
    unknown = sorted({str(name) for name in predictions["prediction"].dropna()} - set(classes))
    if unknown:
        yield (
            f"column 'prediction': got {unknown}; allowed are the classes {list(classes)}, and None for an "
            "answer that cannot be parsed."
        )


def _probability_problems(predictions: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    columns = [f"p_{name}" for name in classes]
    missing = [name for name in columns if name not in predictions.columns]
    if len(missing) == len(columns):
        return
    if missing:
        yield f"the columns {missing} are missing; give probabilities for all classes or for none."
        return
    known = predictions[columns].dropna()
    outside = known[((known < 0) | (known > 1)).any(axis=1)]
    if len(outside):
        yield f"{len(outside)} rows have probabilities outside 0 to 1, the first {outside.iloc[0].to_dict()}."
    sums = known.sum(axis=1)
    # Softmax in float16 over a dozen classes is off by less than this.
    wrong = sums.index[(sums - 1).abs() > 0.01]
    if len(wrong):
        yield f"the probabilities of {len(wrong)} rows do not sum to 1, the first to {sums[wrong[0]]:.3f}."


def _number_problems(predictions: pd.DataFrame, name: str) -> Iterator[str]:
    truth_name = f"{name}_truth"
    if name in predictions.columns and truth_name not in predictions.columns:
        yield f"column {name!r} has no column {truth_name!r} beside it; give both or neither."
    if not _is_answered(predictions, name):
        return
    columns = predictions[[truth_name, name]]
    for column, values in columns.items():
        if not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            yield f"column {column!r} holds {values.dtype}, not numbers; give floats, NaN where unknown."
            return
    truth, answer = columns.to_numpy(float).T
    unanswered = int((~np.isnan(truth) & np.isnan(answer)).sum())
    if unanswered:
        yield f"{unanswered} rows have a {truth_name!r} but no {name!r}; answer all that are scored."
    for column, values in ((truth_name, truth), (name, answer)):
        yield from _range_problems(column, values)


def _range_problems(column: str, values: np.ndarray) -> Iterator[str]:
    known = values[~np.isnan(values)]
    if column == "transition_truth":
        wrong, allowed = known[~np.isin(known, (0, 1))], "0, 1 and NaN"
    elif column == "transition":
        wrong, allowed = known[~((known >= 0) & (known <= 1))], "probabilities from 0 to 1"
    else:
        wrong, allowed = known[np.isinf(known)], "finite numbers and NaN"
    if len(wrong):
        yield f"column {column!r}: {len(wrong)} rows hold other than {allowed}, first {wrong[0]}."
