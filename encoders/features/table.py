"""One row of named features a segment, over all modalities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from data_builders.preprocessing import envelopes
from data_builders.segments import Segments, SignalSpec
from encoders.features.cardiac import ecg_features, full_ecg_features, full_pulse_features, pulse_features
from encoders.features.channels import Features
from encoders.features.eeg import eeg_features
from encoders.features.eeg_full import full_eeg_features
from encoders.features.emg import emg_features, full_emg_features
from encoders.features.gsr import full_gsr_features, gsr_features
from encoders.features.peripheral import (
    acceleration_features,
    given_features,
    respiration_features,
    slow_features,
)

__all__ = ["FEATURES", "FEATURE_SETS", "FULL", "extract_features"]

Extractor = Callable[[np.ndarray, float, Sequence[str]], Features]
FEATURES: dict[str, Extractor] = {
    "emg": emg_features,
    "eeg": eeg_features,
    "ecg": ecg_features,
    "gsr": gsr_features,
    "temperature": slow_features,
    "acceleration": acceleration_features,
    "spo2": slow_features,
    "heart_rate": slow_features,
    "bvp": pulse_features,
    "ppg": pulse_features,
    "respiration": respiration_features,
    "eog": slow_features,
    "features": given_features,
}
FULL: dict[str, Extractor] = {
    "emg": full_emg_features,
    "eeg": full_eeg_features,
    "ecg": full_ecg_features,
    "gsr": full_gsr_features,
    "bvp": full_pulse_features,
    "ppg": full_pulse_features,
}
"""What the full set measures in place of `FEATURES`; modalities that are not here have one set only."""
FEATURE_SETS = ("standard", "full")
CONDUCTANCE = ("µS", "uS", "µmho", "umho")
SIZED = ("scr", "phasic")
"""How features of skin conductance begin that are found by their size in µS."""
CHUNK = 400_000  # values at a time: keeps the work in the cache and the memory flat


def extract_features(segments: Segments, features: str = "standard") -> pd.DataFrame:
    """Measure every segment by itself; nothing is fitted, and no row depends on another.

    Parameters
    ----------
    segments : Segments
    features : ``"standard"`` or ``"full"``
        ``full`` has all columns of ``standard`` and more (`encoders.features.catalogue`, docs/features.md),
        and is strict: a feature of the heart is NaN in windows below the literature's minimum length, and
        responses of skin conductance are NaN where noise hides them. `why_undefined` gives the reasons.

    Returns
    -------
    DataFrame, shape (n_segments, n_features), float64
        Columns ``<modality>_<feature>`` in [a-z0-9_]+, modalities in the order of `FEATURES`. NaN where
        the signal has a gap or the feature is undefined.

    Raises
    ------
    ValueError
        If a modality has no features, or `features` is no set of them.
    """
    if features not in FEATURE_SETS:
        raise ValueError(f"features is {features!r}; allowed are {list(FEATURE_SETS)}.")
    unknown = sorted(set(segments.signals) - set(FEATURES))
    if unknown:
        raise ValueError(
            f"segments hold the modalities {unknown} that have no features; allowed are {list(FEATURES)}. "
            "Leave them out, rename them, or add FEATURES[name] = function (docs/extending.md)."
        )
    extractors = FEATURES | FULL if features == "full" else FEATURES
    columns: Features = {}
    for modality in (name for name in FEATURES if name in segments.signals):
        spec, data = segments.specs[modality], segments.signals[modality]
        if made := envelopes(spec.channel_names):  # the amplitude of the others, which they tell themselves
            data = np.delete(data, made, axis=1)
            spec = replace(spec, channel_names=tuple(np.delete(spec.channel_names, made)))
        values = _in_chunks(extractors[modality], data, spec)
        if modality == "gsr" and spec.unit not in CONDUCTANCE:
            # Responses are found by their size in µS; of other units only levels and trends are comparable.
            sized = [name for name in values if name.startswith(SIZED)]
            values |= {name: np.full_like(values[name], np.nan) for name in sized}
        columns |= {f"{modality}_{name}": value for name, value in values.items()}
    return pd.DataFrame(columns)


def _in_chunks(measure: Extractor, data: np.ndarray, spec: SignalSpec) -> Features:
    if not len(data):
        # one blank segment tells the names
        blank = measure(np.zeros((1, *data.shape[1:])), spec.sampling_rate, spec.channel_names)
        return {name: value[:0] for name, value in blank.items()}
    size = max(1, CHUNK // max(1, data[0].size))
    parts = [
        measure(data[start : start + size], spec.sampling_rate, spec.channel_names)
        for start in range(0, len(data), size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
