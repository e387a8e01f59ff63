"""The unfitted pipelines of all baselines, and the hyper-parameters that are searched for each.

Every classifier weighs the classes equally where it can, since balanced accuracy is what is reported first.
The last step of each pipeline is named ``model``; the grids name its parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["BASELINES", "Baseline"]


def _no_grid(n_features: int) -> dict[str, list]:
    """Nothing to choose."""
    return {}


@dataclass(frozen=True)
class Baseline:
    """What answers a classification and a rating, and what is chosen inside the training part.

    Parameters
    ----------
    classifier : callable or None
        Seed -> unfitted scikit-learn classifier, with the values that are taken where nothing is searched;
        None if it has no answer for classes.
    regressor : callable or None
        The same for ratings, which it gets with mean 0 and standard deviation 1.
    grid : callable
        Number of features -> values to try for each parameter of the last step.
    reads : {"features", "covariances"}
        Hand-made features of shape (n, n_features), or covariance matrices of EEG and EMG channels of
        shape (n, n_channels, n_channels).
    twin : str
        Of a classifier, the name of the regression that answers for ratings in its row, where both are asked
        for.
    seeded : bool
        Whether it draws random numbers: the others give the same answers under every seed, and run once.
    seconds : float
        That a fold of 1,500 windows takes, roughly.
    """

    classifier: Callable[[int], Any] | None = None
    regressor: Callable[[int], Any] | None = None
    grid: Callable[[int], dict[str, list]] = _no_grid
    reads: str = "features"
    twin: str = ""
    seeded: bool = False
    seconds: float = 1.0


def _pipeline(model: Any, scale: bool = True) -> Any:
    """Median for NaN, unit variance, model."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    impute = ("impute", SimpleImputer(strategy="median", keep_empty_features=True))
    before = [impute, ("scale", StandardScaler())] if scale else [impute]
    return Pipeline([*before, ("model", model)])


def majority(seed: int) -> Any:
    """Always the commonest class of the training part, with the classes' shares as probabilities."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def mean_rating(seed: int) -> Any:
    """Always the mean of the training part."""
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


def _logistic(seed: int, C: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, class_weight="balanced", max_iter=5000, random_state=seed)


def logistic_regression(seed: int) -> Any:
    """Multinomial, L2 penalty, classes weighted."""
    return _pipeline(_logistic(seed, C=0.1))


def ridge(seed: int) -> Any:
    """Linear regression with an L2 penalty."""
    from sklearn.linear_model import Ridge

    return _pipeline(Ridge(alpha=100.0))


def lda(seed: int) -> Any:
    """Linear discriminant analysis with the shrinkage of Ledoit and Wolf (2004); priors are the shares."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return _pipeline(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


def svm_rbf(seed: int) -> Any:
    """Support vector machine with an RBF kernel, classes weighted; it votes, without probabilities."""
    from sklearn.svm import SVC

    return _pipeline(SVC(C=0.3, class_weight="balanced"))


def svr_rbf(seed: int) -> Any:
    """Support vector regression with an RBF kernel."""
    from sklearn.svm import SVR

    return _pipeline(SVR(C=0.3))


def knn(seed: int) -> Any:
    """Nearest neighbours, weighted by the inverse distance."""
    from sklearn.neighbors import KNeighborsClassifier

    return _pipeline(KNeighborsClassifier(15, weights="distance"))


def knn_rating(seed: int) -> Any:
    """Mean of the nearest neighbours, weighted by the inverse distance."""
    from sklearn.neighbors import KNeighborsRegressor

    return _pipeline(KNeighborsRegressor(15, weights="distance"))


def random_forest(seed: int) -> Any:
    """Random forest (Breiman 2001), classes weighted in each bootstrap sample."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        200, min_samples_leaf=5, class_weight="balanced_subsample", random_state=seed
    )
    return _pipeline(forest, scale=False)


def random_forest_rating(seed: int) -> Any:
    """Random forest of regression trees that look at a third of the features."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(200, min_samples_leaf=5, max_features=1 / 3, random_state=seed)
    return _pipeline(forest, scale=False)


def extra_trees(seed: int) -> Any:
    """Extremely randomised trees (Geurts et al. 2006), classes weighted."""
    from sklearn.ensemble import ExtraTreesClassifier

    trees = ExtraTreesClassifier(
        n_estimators=500, min_samples_leaf=10, max_features="sqrt", class_weight="balanced", random_state=seed
    )
    return _pipeline(trees, scale=False)


def extra_trees_rating(seed: int) -> Any:
    """Extremely randomised regression trees that look at a third of the features."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(200, min_samples_leaf=10, max_features=1 / 3, random_state=seed)
    return _pipeline(trees, scale=False)


# Early stopping would hold out rows at random, whose neighbours in time it is fitted on: it stays off. With
# some thousand windows 64 bins tell as much as 255, in half the time.
BOOSTING: dict[str, Any] = {
    "max_iter": 60,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "max_bins": 64,
    "early_stopping": False,
}


def gradient_boosting(seed: int) -> Any:
    """Histogram gradient boosting, classes weighted; NaN goes to the better side of a split."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _boosted(HistGradientBoostingClassifier(**BOOSTING, class_weight="balanced", random_state=seed))


def gradient_boosting_rating(seed: int) -> Any:
    """Histogram gradient boosting of regression trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return _boosted(HistGradientBoostingRegressor(**BOOSTING, random_state=seed))


def _boosted(model: Any) -> Any:
    """The model behind a step that drops columns without two values, which it cannot bin."""
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import Pipeline

    return Pipeline([("varying", VarianceThreshold()), ("model", model)])


def mdm(seed: int) -> Any:
    """Minimum distance to the classes' Riemannian means (Barachant et al. 2012)."""
    from pyriemann.classification import MDM

    return MDM(metric="riemann")


def _tangent_space(model: Any) -> Any:
    from pyriemann.tangentspace import TangentSpace
    from sklearn.pipeline import Pipeline

    return Pipeline([("tangent", TangentSpace(metric="riemann")), ("model", model)])


def tangent_space(seed: int) -> Any:
    """Logistic regression in the tangent space at the training mean (Barachant et al. 2012)."""
    return _tangent_space(_logistic(seed, C=0.1))


def tangent_space_rating(seed: int) -> Any:
    """Ridge regression in the tangent space at the training mean."""
    from sklearn.linear_model import Ridge

    return _tangent_space(Ridge(alpha=100.0))


def _penalties(n_features: int) -> dict[str, list]:
    return {"C": [0.0001, 0.001, 0.01, 0.1, 1.0]}


def _ridge_grid(n_features: int) -> dict[str, list]:
    return {"alpha": [1.0, 10.0, 100.0, 1000.0, 10000.0]}


def _kernel_grid(n_features: int) -> dict[str, list]:
    # Distances of standardised rows grow with the number of columns.
    return {"C": [0.1, 1.0, 10.0], "gamma": [width / n_features for width in (0.1, 0.3, 1.0)]}


def _shrinkage_grid(n_features: int) -> dict[str, list]:
    return {"shrinkage": ["auto", 0.1, 0.5, 0.9]}


def _neighbour_grid(n_features: int) -> dict[str, list]:
    return {"n_neighbors": [5, 15, 45, 135]}


def _leaf_grid(n_features: int) -> dict[str, list]:
    return {"min_samples_leaf": [5, 20, 60]}


def _boosting_grid(n_features: int) -> dict[str, list]:
    return {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [4, 12]}


BASELINES: dict[str, Baseline] = {
    "majority": Baseline(majority, mean_rating, seconds=0.1),
    "logistic regression": Baseline(logistic_regression, None, _penalties, twin="ridge"),
    "ridge": Baseline(None, ridge, _ridge_grid),
    "LDA": Baseline(lda, None, _shrinkage_grid),
    "SVM-RBF": Baseline(svm_rbf, svr_rbf, _kernel_grid, seconds=10.0),
    "k-NN": Baseline(knn, knn_rating, _neighbour_grid),
    "random forest": Baseline(random_forest, random_forest_rating, _leaf_grid, seeded=True, seconds=25.0),
    "extra trees": Baseline(extra_trees, extra_trees_rating, _leaf_grid, seeded=True, seconds=15.0),
    "gradient boosting": Baseline(gradient_boosting, gradient_boosting_rating, _boosting_grid, seconds=10.0),
    "MDM": Baseline(mdm, reads="covariances"),
    "tangent space": Baseline(tangent_space, None, _penalties, "covariances", "tangent space, ridge"),
    "tangent space, ridge": Baseline(None, tangent_space_rating, _ridge_grid, "covariances"),
}
"""Name -> baseline, a row of the table each."""
