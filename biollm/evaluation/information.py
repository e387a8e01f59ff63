"""How many bits of the label the answers carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from biollm.evaluation.metrics import count_confusions

__all__ = ["label_information"]


def label_information(predictions: pd.DataFrame, classes: Sequence[str]) -> float:
    """Mutual information of answer and label in bits, mean over seeds.

    From the counts of the confusion matrix, less the bias of small counts (Miller and Madow 1955); answers
    without a class are a class of their own. It is not below 0.

    Parameters
    ----------
    predictions : DataFrame
        A prediction set, see `biollm.evaluation.predictions`.
    classes : sequence of str
    """
    of_seeds = count_confusions(predictions, classes).confusions.sum(axis=1)
    return float(np.mean([_bits(confusion) for confusion in of_seeds]))


def _bits(confusion: np.ndarray) -> float:
    n = confusion.sum()
    joint = confusion / n
    truth, answer = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    filled = joint > 0
    bits = float((joint[filled] * np.log2(joint[filled] / (truth * answer)[filled])).sum())
    bias = (filled.sum() - (truth > 0).sum() - (answer > 0).sum() + 1) / (2 * n * np.log(2))
    return max(0.0, bits - bias)
