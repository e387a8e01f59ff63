"""Inputs from which nothing can be learned: whatever reads them must end at chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from encoders.inputs import SignalInputs

__all__ = ["noise_for_signal", "shuffle_labels"]


def shuffle_labels(
    inputs: SignalInputs, rows: np.ndarray, classes: tuple[str, ...], seed: int
) -> SignalInputs:
    """The inputs with the labels of some rows in random order."""
    labels = inputs.table["emotion"].to_numpy(dtype=object).copy()
    labelled = rows[inputs.table["emotion"].iloc[rows].isin(classes).to_numpy()]
    labels[labelled] = np.random.default_rng(seed).permutation(labels[labelled])
    return replace(inputs, table=inputs.table.assign(emotion=labels))


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
