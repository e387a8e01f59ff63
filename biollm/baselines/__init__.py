"""Classical baselines: scikit-learn pipelines on hand-made features, and Riemannian ones on covariances.

One call fits and asks a baseline on one fold, and chooses its hyper-parameters inside the training part::

    made = predict_baseline("SVM-RBF", fitted, held, rows_fit, rows_held, "emotion", classes)
    made.values  # probabilities of the held rows, shape (len(rows_held), n_classes)
    made.note  # "C=1, gamma=0.017"

`why_not_applicable` tells beforehand which baselines cannot read a store or have no answer for a target.
"""

from biollm.baselines.covariances import window_covariances
from biollm.baselines.models import BASELINES, Baseline
from biollm.baselines.predicting import Prediction, predict_baseline, why_not_applicable

__all__ = [
    "BASELINES",
    "Baseline",
    "Prediction",
    "predict_baseline",
    "why_not_applicable",
    "window_covariances",
]
