"""Which hand-made features say most of what a model is taught."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prompts.words import RATINGS

__all__ = ["by_information"]

N_NEIGHBOURS = 3


def by_information(
    values: np.ndarray, table: pd.DataFrame, labels: Sequence[str], classes: Sequence[str]
) -> list[int]:
    """Columns by falling mutual information with some labels, summed (Kraskov's estimate, Ross 2014).

    Parameters
    ----------
    values : ndarray, shape (n_segments, n_features)
        Of training segments; an undefined one is taken for 0, the mean of normalised features.
    table : DataFrame
        Their labels; a segment counts for those that it has.
    labels : sequence of str
        Of ``emotion``, ``valence``, ``arousal`` and ``transition``.
    classes : sequence of str
        Emotions that count.

    Raises
    ------
    ValueError
        If too few segments have one of the labels.
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    information = np.zeros(values.shape[1])
    for label in labels:
        column = table[label]
        known = (column.isin(classes) if label == "emotion" else column.notna()).to_numpy()
        if known.sum() <= N_NEIGHBOURS:
            raise ValueError(
                f"features are ranked by {label!r}, which {known.sum()} training segments have; allowed are "
                f"{N_NEIGHBOURS + 1} or more. Name other labels in ranked_by, or take a store with more."
            )
        estimate = mutual_info_regression if label in RATINGS else mutual_info_classif
        information += estimate(
            np.nan_to_num(values[known]), column[known], n_neighbors=N_NEIGHBOURS, random_state=0
        )
    return np.argsort(-information, kind="stable").tolist()
