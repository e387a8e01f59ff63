"""Evaluation: metrics, intervals over subjects, and the report with every method on one split."""

from biollm.evaluation.bootstrap import Difference, bootstrap_ci, paired_difference
from biollm.evaluation.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    count_confusions,
    expected_calibration_error,
    macro_f1,
    macro_precision,
    per_class,
)
from biollm.evaluation.predictions import PredictionError, check_predictions
from biollm.evaluation.ratings import (
    RATING_METRICS,
    average_precision,
    concordance,
    count_moments,
    mean_absolute_error,
    root_mean_squared_error,
    transition_f1,
)
from biollm.evaluation.report import build_report, write_report
from biollm.evaluation.results import MethodResult
from biollm.evaluation.table import FAMILIES, render_summary, render_table, split_mark, split_warning

__all__ = [
    "FAMILIES",
    "METRICS",
    "RATING_METRICS",
    "Difference",
    "MethodResult",
    "PredictionError",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "bootstrap_ci",
    "build_report",
    "check_predictions",
    "concordance",
    "count_confusions",
    "count_moments",
    "expected_calibration_error",
    "macro_f1",
    "macro_precision",
    "mean_absolute_error",
    "paired_difference",
    "per_class",
    "render_summary",
    "render_table",
    "root_mean_squared_error",
    "split_mark",
    "split_warning",
    "transition_f1",
    "write_report",
]
