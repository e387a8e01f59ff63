"""Segments in which nothing is to be read: noise or a flat line in place of a person's signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from data_builders.recording import LABELS
from data_builders.segment_faults import channels_in_words
from data_builders.segments import Segments
from encoders.inputs import SignalInputs, signal_inputs

__all__ = ["SPOILED", "spoil", "spoiled_faults"]

SPOILED = {"noise": "the signals are nothing but noise", "flat": "the signals are flat lines"}
"""Kind, as the segment's id ends in it -> why nothing should be read."""


def spoil(
    inputs: SignalInputs,
    segments: Segments,
    rows: Sequence[int] | np.ndarray,
    normalisation: str,
    frame_seconds: float | dict,
    features: str,
    seed: int,
) -> tuple[SignalInputs, list[str]]:
    """Append spoiled copies of some segments to the inputs, every second one of each kind.

    Noise is white, with the mean and the standard deviation of the subject's channel, so that its size does
    not give it away; a flat channel stays at the segment's first known sample. Streams and features are
    measured on the spoiled signals. The copies are marked so that no subject is normalised by them.

    Parameters
    ----------
    inputs : SignalInputs
        All windows of their subjects.
    segments : Segments
        The same windows.
    rows : sequence of int
        Which of them.
    normalisation : str
        The tokenizer's.
    frame_seconds, features
        As `signal_inputs` takes them.
    seed : int

    Returns
    -------
    SignalInputs
        Those that were given, then one row a copy: without labels, and ``~noise`` or ``~flat`` behind the id.
    list of str
        The copies' kinds, of `SPOILED`.
    """
    rows = np.asarray(rows, dtype=int)
    kinds = [list(SPOILED)[k % len(SPOILED)] for k in range(len(rows))]
    rng = np.random.default_rng(seed)
    table = segments.table.iloc[rows].reset_index(drop=True)
    ids = [f"{name}~{kind}" for name, kind in zip(table["segment"], kinds, strict=True)]
    # The baseline looks at reference windows only, all other ways only at the rest.
    table = table.assign(segment=ids, reference=normalisation != "baseline", **dict.fromkeys(LABELS))
    signals = {
        name: _spoiled(data, segments.table, rows, kinds, rng) for name, data in segments.signals.items()
    }
    made = signal_inputs(Segments(signals, table, segments.specs), frame_seconds, features)
    return _joined(inputs, made), kinds


def _spoiled(
    data: np.ndarray, table: pd.DataFrame, rows: np.ndarray, kinds: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """The signals of one modality, shape (n_rows, n_channels, n_samples)."""
    known = np.isfinite(data[rows]).argmax(axis=-1)[..., None]
    out = np.repeat(np.take_along_axis(data[rows], known, axis=-1), data.shape[-1], axis=-1)
    whose = table["subject"].to_numpy()
    for k, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        if kind == "noise":
            own = data[whose == whose[row]]
            mean, scale = np.nanmean(own, axis=(0, 2)), np.nanstd(own, axis=(0, 2))
            out[k] = mean[:, None] + scale[:, None] * rng.standard_normal(out.shape[1:])
    return out


def _joined(inputs: SignalInputs, more: SignalInputs) -> SignalInputs:
    streams = {name: np.concatenate([data, more.streams[name]]) for name, data in inputs.streams.items()}
    features = pd.concat([inputs.features, more.features], ignore_index=True)
    # Columns of nothing but None would change the type of those that they join.
    table = pd.concat([inputs.table, more.table.astype(inputs.table.dtypes)], ignore_index=True)
    return replace(inputs, streams=streams, features=features, table=table)


def spoiled_faults(segments: Segments, kind: str) -> list[tuple[str, str, float]]:
    """Channel, fault and share of a spoiled copy: all channels, from end to end."""
    words = [word for name, spec in segments.specs.items() for word in channels_in_words(spec, name)]
    return [(word, kind, 1.0) for word in words]
