"""Evaluation: metrics, intervals over subjects, and the report with every method on one split."""

from biollm.evaluation.bootstrap import Difference, bootstrap_ci, paired_difference
from biollm.evaluation.metrics import (
    METRICS,
    PredictionError,
    accuracy,
    balanced_accuracy,
    check_predictions,
    count_confusions,
    expected_calibration_error,
    macro_f1,
    per_class,
)
from biollm.evaluation.report import MethodResult, build_report, write_report
from biollm.evaluation.table import FAMILIES, render_table, split_mark, split_warning

__all__ = [
    "FAMILIES",
    "METRICS",
    "Difference",
    "MethodResult",
    "PredictionError",
    "accuracy",
    "balanced_accuracy",
    "bootstrap_ci",
    "build_report",
    "check_predictions",
    "count_confusions",
    "expected_calibration_error",
    "macro_f1",
    "paired_difference",
    "per_class",
    "render_table",
    "split_mark",
    "split_warning",
    "write_report",
]
