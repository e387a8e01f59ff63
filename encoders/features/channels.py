"""From measures of the last axis to named features of a modality, with gaps kept as NaN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["Features", "Measure", "by_channel", "channel_keys", "checked", "measured"]

Features = dict[str, np.ndarray]
Measure = Callable[[np.ndarray, float], Features]


def channel_keys(channel_names: Sequence[str]) -> list[str]:
    """Channel names as parts of feature names, in [a-z0-9_]+; ``ch1`` and so on where nothing is left.

    Raises
    ------
    ValueError
        If two channels end up with the same key.
    """
    keys = [
        re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or f"ch{number}"
        for number, name in enumerate(channel_names, start=1)
    ]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(
            f"the channels {list(channel_names)} give the feature names {twice} more than once; "
            "allowed are names that differ in letters a-z and digits. Rename the channels."
        )
    return keys


def checked(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> np.ndarray:
    """`data` as float64 if its shape fits the channels; at least two samples are needed.

    Raises
    ------
    ValueError
        With all that does not fit.
    """
    data = np.asarray(data, dtype=np.float64)
    problems = []
    if data.ndim != 3 or data.shape[1] != len(channel_names):
        problems.append(
            f"data has shape {data.shape}; allowed is (n_segments, n_channels, n_samples) with the "
            f"{len(channel_names)} channels {list(channel_names)}"
        )
    if data.ndim == 3 and data.shape[2] < 2:
        problems.append(f"segments have {data.shape[2]} samples; allowed are 2 or more: use longer windows")
    if not sampling_rate > 0:
        problems.append(f"sampling_rate is {sampling_rate!r}; allowed is a positive number of Hz")
    if problems:
        raise ValueError("features: " + "; ".join(problems) + ".")
    return data


def measured(measure: Measure, data: np.ndarray, sampling_rate: float) -> Features:
    """Apply `measure` over the last axis; NaN wherever that axis holds a value that is not finite."""
    finite = np.isfinite(data).all(-1)
    if finite.all():
        return measure(data, sampling_rate)
    values = measure(np.where(finite[..., None], data, 0.0), sampling_rate)
    return {name: np.where(finite, value, np.nan) for name, value in values.items()}


def by_channel(
    measure: Measure, data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]
) -> Features:
    """Features of each channel, named ``<feature>_<channel>``; a lone channel needs no suffix."""
    data = checked(data, sampling_rate, channel_names)
    keys = channel_keys(channel_names)
    suffixes = [f"_{key}" for key in keys] if len(keys) > 1 else [""]
    values = measured(measure, data, sampling_rate)
    return {
        f"{name}{suffix}": value[:, channel]
        for channel, suffix in enumerate(suffixes)
        for name, value in values.items()
    }
