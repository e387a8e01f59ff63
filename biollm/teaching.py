"""Soft labels: what a classical baseline says of training subjects that it was not fitted on."""

from __future__ import annotations

import numpy as np

from biollm.baselines import predict_baseline
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows

__all__ = ["TEACHERS", "soft_labels"]

TEACHERS = ("logistic regression", "LDA", "random forest", "extra trees", "gradient boosting")
"""Baselines whose answers are probabilities."""

FOLDS = 5


def soft_labels(
    inputs: SignalInputs,
    classes: tuple[str, ...],
    teacher: str,
    normalisation: str = "subject",
    share: float = 0.5,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Probabilities of the classes for each labelled segment, mixed with its own label.

    The teacher answers for the subjects of each of five folds after it was fitted on those of the others, so
    that it is as unsure as it is of new people (Hinton et al. 2015 on distilling; cross-fitting is ours).

    Parameters
    ----------
    inputs : SignalInputs
        All windows of the training subjects.
    classes : tuple of str
    teacher : str
        One of `TEACHERS`.
    normalisation : str
    share : float
        Of the teacher's probabilities; the rest is the label.
    seed : int

    Returns
    -------
    dict of str to list of float
        Segment -> probabilities, in the order of the classes.

    Raises
    ------
    ValueError
        If the teacher is unknown, or there are fewer groups of subjects than two.
    """
    from sklearn.model_selection import GroupKFold

    if teacher not in TEACHERS:
        raise ValueError(f"teacher is {teacher!r}; allowed are {list(TEACHERS)}.")
    rows = labelled_rows(inputs, classes)
    groups = inputs.table["group"].to_numpy(str)
    n_groups = len(np.unique(groups[rows]))
    if n_groups < 2:
        raise ValueError(f"a teacher needs two training subjects or more to be cross-fitted; got {n_groups}.")
    truth = inputs.table["emotion"].to_numpy()[rows][:, None] == np.array(classes)
    soft = np.empty((len(rows), len(classes)))
    splitter = GroupKFold(min(FOLDS, n_groups))
    for _, held in splitter.split(rows, groups=groups[rows]):
        away = np.isin(groups, groups[rows[held]])
        soft[held] = _answers(inputs, ~away, away, rows[held], classes, teacher, normalisation, seed)
    mixed = share * soft + (1 - share) * truth
    return dict(zip(inputs.table["segment"].to_numpy()[rows], mixed.tolist(), strict=True))


def _answers(
    inputs: SignalInputs,
    fitted: np.ndarray,
    held: np.ndarray,
    rows: np.ndarray,
    classes: tuple[str, ...],
    teacher: str,
    normalisation: str,
    seed: int,
) -> np.ndarray:
    """The teacher's probabilities for some rows of the held subjects, fitted on the others."""
    known, new = inputs[np.flatnonzero(fitted)], inputs[np.flatnonzero(held)]
    place = np.searchsorted(np.flatnonzero(held), rows)
    made = predict_baseline(
        teacher,
        known,
        new,
        labelled_rows(known, classes),
        place,
        classes=classes,
        normalisation=normalisation,
        seed=seed,
        search=False,
    )
    return made.values
