"""Fit a baseline on one fold, with its hyper-parameters chosen inside the training part, and ask it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biollm.baselines.covariances import covariance_channels, read_covariances
from biollm.baselines.models import BASELINES, Baseline
from data_builders.normalisation import Normaliser
from encoders.inputs import SignalInputs
from encoders.streams import StreamSpec
from prompts.words import RATINGS

__all__ = ["Prediction", "predict_baseline", "why_not_applicable"]

INNER_FOLDS = 3


@dataclass(frozen=True)
class Prediction:
    """Answers of a baseline for the held rows, in order.

    Parameters
    ----------
    values : ndarray
        For ``emotion`` class probabilities, shape (n_rows, n_classes), or one-hot votes of a model
        that has no probabilities; for ``transition`` the probability (or vote) of one, shape (n_rows,);
        for ``valence`` and ``arousal`` the rating in the labels' own unit, shape (n_rows,).
    chosen : dict
        Hyper-parameters that the inner search chose; empty where there was no search.
    note : str
        The same in words.
    votes : bool
        Whether the values are votes, of which no calibration can be told.
    """

    values: np.ndarray
    chosen: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    votes: bool = False


def why_not_applicable(name: str, stream_specs: Sequence[StreamSpec], target: str = "emotion") -> str | None:
    """Why a baseline cannot answer for this target or read these streams; None if it can."""
    baseline = BASELINES[name]
    if (baseline.regressor if target in RATINGS else baseline.classifier) is None:
        return f"has no answer for {target!r}"
    if baseline.reads == "covariances" and not covariance_channels(stream_specs):
        return "needs a stream 'eeg' or 'emg' with 2 channels or more"
    return None


def predict_baseline(
    name: str,
    fitted: SignalInputs,
    held: SignalInputs,
    rows_fit: np.ndarray,
    rows_held: np.ndarray,
    target: str = "emotion",
    classes: tuple[str, ...] = (),
    normalisation: str = "subject",
    seed: int = 0,
    search: bool = True,
) -> Prediction:
    """Fit on some rows of the training part and answer for some rows of the held part.

    Parameters
    ----------
    name : str
        One of `BASELINES`.
    fitted, held : SignalInputs
        All windows of their subjects, which normalisation needs.
    rows_fit, rows_held : ndarray of int
        Positions in `fitted`, all with a label for `target`, and in `held`.
    target : {"emotion", "valence", "arousal", "transition"}
    classes : tuple of str
        In the order of the columns of the answer; for ``emotion`` only.
    normalisation : str
        One of `data_builders.normalisation.NORMALISATIONS`; for covariances see `recentre`.
    seed : int
    search : bool
        Choose the hyper-parameters by cross-validation over the fitted rows' subjects (3 folds, by
        balanced accuracy or mean absolute error), then fit on all of them; otherwise take fixed values.
        A fold that would learn a single class is left out. Where none is left, as with one subject, the
        fixed values are taken, and the note says so.

    Returns
    -------
    Prediction
        Where all fitted rows are of one class, which most classifiers refuse, that class for every row; the
        note says so.

    Raises
    ------
    ValueError
        If the baseline is not applicable, see `why_not_applicable`.
    """
    reason = why_not_applicable(name, fitted.stream_specs, target)
    if reason:
        raise ValueError(f"the baseline {name!r} {reason}; leave it out.")
    baseline = BASELINES[name]
    read = read_covariances if baseline.reads == "covariances" else _read_features
    x_fit, x_held = read(fitted, held, normalisation)
    y, groups = _labels(fitted, rows_fit, target), fitted.table["group"].to_numpy(str)[rows_fit]
    one_class = target not in RATINGS and len(set(y)) == 1
    wanted = _unfitted(baseline, target, seed)
    model = _unfitted(BASELINES["majority"], target, seed) if one_class else wanted
    grid = baseline.grid(x_fit[0].size) if search and not one_class else {}
    with _without_warnings():
        chosen, note = _fit(model, x_fit[rows_fit], y, groups, grid)
    note = "one class in the training part: always that one" if one_class else note
    votes = target not in RATINGS and not hasattr(wanted, "predict_proba")
    return Prediction(_answers(model, x_held[rows_held], target, classes), chosen, note, votes)


def _read_features(
    fitted: SignalInputs, held: SignalInputs, normalisation: str
) -> tuple[np.ndarray, np.ndarray]:
    tables = fitted.features.to_numpy(np.float32), held.features.to_numpy(np.float32)
    normaliser = Normaliser(normalisation).fit(tables[0], fitted.table)
    return normaliser.transform(tables[0], fitted.table), normaliser.transform(tables[1], held.table)


def _labels(inputs: SignalInputs, rows: np.ndarray, target: str) -> np.ndarray:
    labels = inputs.table[target].iloc[rows]
    kind = str if target == "emotion" else float if target in RATINGS else int
    return labels.to_numpy(kind)


def _unfitted(baseline: Baseline, target: str, seed: int) -> Any:
    """The pipeline; of a regressor, inside one that gives it ratings of mean 0 and standard deviation 1."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    if target not in RATINGS:
        assert baseline.classifier is not None
        return baseline.classifier(seed)
    assert baseline.regressor is not None
    return TransformedTargetRegressor(baseline.regressor(seed), transformer=StandardScaler())


def _fit(
    model: Any, x: np.ndarray, y: np.ndarray, groups: np.ndarray, grid: dict[str, list]
) -> tuple[dict[str, Any], str]:
    """Fit in place, with the best of the grid; what was chosen, in values and in words."""
    inner = _inner_folds(model, y, groups) if grid else []
    if not inner:
        few = [key for key in model.get_params() if key.endswith("n_neighbors")]
        model.set_params(**{key: min(model.get_params()[key], len(x)) for key in few}).fit(x, y)
        why = "one subject" if len(set(groups)) < 2 else "one class in each inner fold"
        return {}, f"{why}: fixed values" if grid else ""
    prefix = "regressor__model__" if hasattr(model, "regressor") else "model__"
    best = _search(model, x, y, inner, {prefix + key: values for key, values in grid.items()})
    model.set_params(**best).fit(x, y)
    chosen = {key.removeprefix(prefix): value for key, value in best.items()}
    return chosen, ", ".join(f"{key}={_in_words(value)}" for key, value in chosen.items())


def _inner_folds(model: Any, y: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds over subjects; none that would learn one class, which most classifiers refuse."""
    from sklearn.base import is_regressor
    from sklearn.model_selection import GroupKFold

    n_folds = min(INNER_FOLDS, len(set(groups)))
    folds = GroupKFold(n_folds).split(y, groups=groups) if n_folds > 1 else ()
    return [(train, held) for train, held in folds if is_regressor(model) or len(set(y[train])) > 1]


def _search(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    inner: list[tuple[np.ndarray, np.ndarray]],
    grid: dict[str, list],
) -> dict[str, Any]:
    from sklearn.base import is_regressor
    from sklearn.model_selection import GridSearchCV

    score = "neg_mean_absolute_error" if is_regressor(model) else "balanced_accuracy"
    fewest = min(len(train) for train, _ in inner)
    for key in (key for key in grid if key.endswith("n_neighbors")):
        # A fold cannot have more neighbours than it has rows.
        grid = grid | {key: [n for n in grid[key] if n <= fewest] or [fewest]}
    search = GridSearchCV(model, grid, scoring=score, cv=inner, refit=False, error_score="raise")
    search.fit(x, y)
    return search.best_params_


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Of what is meant: a rare class may be missing from a fold, and a feature may be NaN everywhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true|A single label was found")
        warnings.filterwarnings("ignore", "Degrees of freedom <= 0|All-NaN slice")
        yield


def _in_words(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _answers(model: Any, x: np.ndarray, target: str, classes: tuple[str, ...]) -> np.ndarray:
    if target in RATINGS:
        return model.predict(x)
    if target == "transition":
        return _class_scores(model, x, (0, 1))[:, 1]
    return _class_scores(model, x, classes)


def _class_scores(model: Any, x: np.ndarray, classes: Sequence) -> np.ndarray:
    """Probabilities in the order of `classes`; a model without them votes for its prediction."""
    if hasattr(model, "predict_proba"):
        scores = model.predict_proba(x)
    else:
        scores = (model.predict(x)[:, None] == model.classes_).astype(float)
    result = np.zeros((len(x), len(classes)))
    for column, name in enumerate(model.classes_):
        result[:, list(classes).index(name)] = scores[:, column]
    return result
