"""Normalisation where a split has the same people in training and test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_builders.normalisation import Normaliser
from data_builders.splits import Split
from encoders.inputs import SignalInputs

__all__ = ["normalised_before"]


def normalised_before(inputs: SignalInputs, split: Split, how: str) -> SignalInputs:
    """Streams and features relative to all of a subject's windows, whichever part they are in.

    Within a part there would be other statistics for the same person than in the next one. What is
    learned of scales is learned on the training part; the methods then normalise by "none".
    """
    table = inputs.table
    # A subject's first two minutes may lie in another part: they centre its values, and count for no scale.
    seen = np.flatnonzero(split.mask(table, "train") | table["reference"].to_numpy(bool))

    def scaled(values: np.ndarray) -> np.ndarray:
        return Normaliser(how).fit(values[seen], table.iloc[seen]).transform(values, table)

    features = inputs.features.copy()
    features[:] = scaled(inputs.features.to_numpy(dtype=np.float64))
    streams = {name: scaled(np.asarray(data)) for name, data in inputs.streams.items()}
    return replace(inputs, streams=streams, features=features)
