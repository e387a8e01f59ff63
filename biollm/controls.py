"""Inputs from which nothing can be learned: whatever reads them must end at chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data_builders.recording import LABELS
from encoders.inputs import SignalInputs

__all__ = ["noise_for_signal", "shuffle_labels"]


def shuffle_labels(
    inputs: SignalInputs, rows: np.ndarray, classes: tuple[str, ...], seed: int
) -> SignalInputs:
    """The inputs with the labels of some rows in random order, each kind of label by itself."""
    rng = np.random.default_rng(seed)
    shuffled = {}
    for name in LABELS:
        column = inputs.table[name].iloc[rows]
        known = column.isin(classes) if name == "emotion" else column.notna()
        labelled = rows[known.to_numpy(bool)]
        labels = inputs.table[name].to_numpy(copy=True)
        labels[labelled] = rng.permutation(labels[labelled])
        shuffled[name] = labels
    return replace(inputs, table=inputs.table.assign(**shuffled))


def noise_for_signal(inputs: SignalInputs, seed: int) -> SignalInputs:
    """The inputs with white noise for every stream and feature.

    Undefined features are filled too: that a window has no skin conductance response to measure is
    something that its signal says.
    """
    rng = np.random.default_rng(seed)
    streams = {
        name: rng.standard_normal(data.shape, dtype=np.float32) for name, data in inputs.streams.items()
    }
    features = pd.DataFrame(rng.standard_normal(inputs.features.shape), columns=inputs.features.columns)
    return replace(inputs, streams=streams, features=features)
