"""Classical baselines on hand-made features; a row of the table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["BASELINES"]


def majority(seed: int) -> Any:
    """Always the commonest class of the training part."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def svm_rbf(seed: int) -> Any:
    """Support vector machine with an RBF kernel, classes weighted; C chosen on validation subjects."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(impute, StandardScaler(), SVC(C=0.3, class_weight="balanced"))


def extra_trees(seed: int) -> Any:
    """Extremely randomised trees (Geurts et al. 2006), weighted; leaf size chosen on validation subjects."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    trees = ExtraTreesClassifier(
        n_estimators=500, min_samples_leaf=10, max_features="sqrt", class_weight="balanced", random_state=seed
    )
    return make_pipeline(impute, trees)


BASELINES: dict[str, Callable[[int], Any]] = {
    "majority": majority,
    "SVM-RBF": svm_rbf,
    "extra trees": extra_trees,
}
"""Name -> function of a seed that gives an unfitted scikit-learn classifier."""
