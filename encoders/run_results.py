"""Scores of an encoder's answers on segments that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prompts.words import RATINGS

__all__ = ["render_report", "score_answers"]

Answers = Mapping[str, np.ndarray]


def score_answers(table: pd.DataFrame, answers: Answers, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Metrics by target, over the segments that have its label.

    Parameters
    ----------
    table : DataFrame, n_segments rows
        With the labels: ``emotion`` a class, ``valence`` and ``arousal`` ratings, ``transition`` 0 or 1.
    answers : mapping of str to ndarray
        By target, as `SignalEncoder.predict` gives them.
    classes : sequence of str

    Returns
    -------
    dict of dict
        ``n`` segments of each target, and for ``emotion`` accuracy, balanced accuracy and macro F1 (over the
        classes that the truth has), AUC (one against the rest, mean), precision, recall, F1 and support of
        each class, and the confusion matrix (rows are the truth); for ratings MAE, RMSE and Lin's CCC in the
        labels' own unit; for ``transition`` F1, precision, recall and AUC. None where undefined.
    """
    scores = {}
    for target, values in answers.items():
        labels = table[target]
        known = (labels.isin(classes) if target == "emotion" else labels.notna()).to_numpy()
        truth, given = labels[known].to_numpy(), np.asarray(values)[known]
        score = {"emotion": _classes, "transition": _transition}.get(target, _rating)
        scores[target] = {"n": int(known.sum()), **(score(truth, given, classes) if len(truth) else {})}
    return scores


def _classes(truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    numbers = np.arange(len(classes))
    true = np.array([classes.index(name) for name in truth])
    guess = probabilities.argmax(axis=1)
    columns = precision_recall_fscore_support(true, guess, labels=numbers, zero_division=0)
    precision, recall, f1, support = (np.asarray(column) for column in columns)
    present = support > 0
    areas = [_area(true == k, probabilities[:, k]) for k in numbers]
    defined = [area for area in areas if area is not None]
    return {
        "accuracy": float((true == guess).mean()),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "auc": float(np.mean(defined)) if defined else None,
        "per_class": {
            name: {
                "precision": float(precision[k]), "recall": float(recall[k]) if present[k] else None,
                "f1": float(f1[k]), "auc": areas[k], "support": int(support[k]),
            }
            for k, name in enumerate(classes)
        },
        "confusion": confusion_matrix(true, guess, labels=numbers).tolist(),
    }  # fmt: skip


def _transition(truth: np.ndarray, probability: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    true, guess = truth.astype(float) > 0.5, probability > 0.5
    precision, recall, f1, _ = precision_recall_fscore_support(true, guess, average="binary", zero_division=0)
    found = {"f1": f1, "precision": precision, "recall": recall}
    return {name: float(value) for name, value in found.items()} | {"auc": _area(true, probability)}


def _rating(truth: np.ndarray, values: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    import torch

    from encoders.losses import concordance

    error = values - truth.astype(float)
    agreement = concordance(torch.as_tensor(values), torch.as_tensor(truth.astype(float)))
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "ccc": agreement,
    }


def _area(true: np.ndarray, score: np.ndarray) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(true, score)) if 0 < true.sum() < len(true) else None


def render_report(
    table: pd.DataFrame, answers: Answers, classes: Sequence[str], scores: Mapping[str, Mapping[str, Any]]
) -> str:
    """Scikit-learn's classification report of each target with classes, and a line a rating, as text."""
    from sklearn.metrics import classification_report

    parts = []
    for target, values in answers.items():
        labels = table[target]
        if not scores[target]["n"]:
            parts.append(f"{target}: no test segment has this label\n")
        elif target in RATINGS:
            numbers = ", ".join(f"{name} {scores[target][name]:.4f}" for name in ("mae", "rmse", "ccc"))
            parts.append(f"{target}: {numbers}, {scores[target]['n']} segments\n")
        else:
            names = list(classes) if target == "emotion" else ["no transition", "transition"]
            known = (labels.isin(classes) if target == "emotion" else labels.notna()).to_numpy()
            found = labels[known].map(classes.index) if target == "emotion" else labels[known] > 0.5
            given = np.asarray(values)[known]
            guess = given.argmax(axis=1) if target == "emotion" else given > 0.5
            report = classification_report(
                found.to_numpy(int), guess.astype(int), labels=range(len(names)), target_names=names,
                digits=3, zero_division=0,
            )  # fmt: skip
            parts.append(f"{target}\n{report}")
    return "\n".join(parts)
