"""Two sets of descriptors compared: discrepancy, coverage, and classifiers between and across them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["coverage", "discrepancy", "told_apart", "transfer"]

N_PERMUTATIONS = 200
N_COMPARED = 500
NEIGHBOURS = 5
FEWEST_SUBJECTS = 4

Part = tuple[pd.DataFrame, pd.DataFrame]
"""Descriptors of segments and their table."""


def _thinned(values: np.ndarray, most: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).permutation(len(values))[:most]
    return values[np.sort(rows)]


def discrepancy(real: np.ndarray, made: np.ndarray, seed: int) -> dict[str, float]:
    """Unbiased squared MMD under a Gaussian kernel as wide as the median distance, and its p."""
    from scipy.spatial.distance import pdist, squareform

    size = min(len(real), len(made), N_COMPARED)
    both = np.vstack([_thinned(real, size, seed), _thinned(made, size, seed + 1)])
    distances = pdist(both, "sqeuclidean")
    kernel = squareform(np.exp(-distances / max(float(np.median(distances)), np.finfo(float).tiny)))
    sides = np.repeat([1.0, -1.0], size)
    rng = np.random.default_rng(seed)
    drawn = np.array([sides, *(rng.permutation(sides) for _ in range(N_PERMUTATIONS))])
    within = np.einsum("pi,ij,pj->p", drawn, kernel, drawn, optimize=True) + kernel.sum()
    across = kernel.sum() - within / 2
    values = within / 2 / (size * (size - 1)) - across / size**2
    return {"mmd2": float(values[0]), "p": float((values >= values[0] - 1e-12).mean())}


def coverage(real: np.ndarray, made: np.ndarray, seed: int) -> float:
    """Share of real segments that have a made one within the distance of their fifth real neighbour."""
    from sklearn.neighbors import NearestNeighbors

    size = min(len(real), len(made))
    real, made = _thinned(real, size, seed), _thinned(made, size, seed + 1)
    radius = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(real).kneighbors()[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(made).kneighbors(real)[0][:, 0]
    return float((nearest <= radius).mean())


def _trees(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(200, min_samples_leaf=2, class_weight="balanced", random_state=seed)


def told_apart(
    real: np.ndarray, made: np.ndarray, real_table: pd.DataFrame, made_table: pd.DataFrame, seed: int
) -> tuple[dict[str, float | str], tuple[np.ndarray, np.ndarray]]:
    """Cross-validated AUC of made against real, and the curve; a subject is on one side of a fold.

    With under `FEWEST_SUBJECTS` subjects, segments and what was made of them are kept together instead.
    """
    from sklearn.metrics import roc_auc_score, roc_curve
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    truth = np.repeat([0, 1], [len(real), len(made)])
    ids = ["segment", "source", "subject"]
    tables = pd.concat([real_table[ids], made_table[ids]], ignore_index=True)
    own = tables["segment"].where(tables["source"] == "", tables["source"].str.split("+").str[0])
    by = "subject" if real_table["subject"].nunique() >= FEWEST_SUBJECTS else "source"
    groups = tables["subject"] if by == "subject" else own
    n_folds = min(5, groups.nunique())
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    guess = cross_val_predict(
        _trees(seed), np.vstack([real, made]), truth, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]
    rates = roc_curve(truth, guess)[:2]
    return {"auc": float(roc_auc_score(truth, guess)), "groups": by}, (rates[0], rates[1])


def transfer(real: Part, made: Part, held_out: Part, seed: int) -> dict[str, float] | None:
    """Balanced accuracies on held-out subjects, and the standard error of their difference.

    Descriptors are relative to each subject's own. None where the parts have under two classes in common.
    """
    classes = set.intersection(*(set(table["emotion"].dropna()) for _, table in (real, made, held_out)))
    if len(classes) < 2:
        return None
    x, y = _labelled(*held_out, classes)
    right = {
        name: _trees(seed).fit(*_labelled(*part, classes)).predict(x) == y
        for name, part in (("real", real), ("made", made))
    }
    recall = pd.DataFrame(right).astype(float).assign(difference=right["made"] * 1.0 - right["real"])
    by_class = recall.groupby(y)
    error = np.sqrt(by_class["difference"].var(ddof=0).div(by_class.size()).sum()) / len(classes)
    return {**by_class.mean().mean().to_dict(), "error": float(error), "chance": 1 / len(classes)}


def _labelled(values: pd.DataFrame, table: pd.DataFrame, classes: set[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = table["emotion"].isin(classes).to_numpy()
    return _by_subject(values, table)[rows], table["emotion"][rows].to_numpy(dtype=str)


def _by_subject(values: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    groups = values.groupby(table["subject"].to_numpy())
    sd = groups.transform("std", ddof=0)
    return ((values - groups.transform("mean")) / sd.where(sd > 1e-9, 1)).to_numpy()
