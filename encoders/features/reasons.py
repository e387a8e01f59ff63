"""Why a feature of the full set is undefined in a segment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_builders.segments import Segments, SignalSpec
from encoders.features.catalogue import row_of
from encoders.features.channels import channel_keys
from encoders.features.gsr import CRITERION, MOST_NOISE
from encoders.features.row import Row
from encoders.features.table import CONDUCTANCE, FEATURES, SIZED, extract_features

__all__ = ["why_undefined"]


def why_undefined(segments: Segments) -> pd.DataFrame:
    """The reason for each NaN of ``extract_features(segments, "full")``.

    Parameters
    ----------
    segments : Segments

    Returns
    -------
    DataFrame of str, shape (n_segments, n_features)
        The columns of the full set; empty where a feature has a value. The first that holds of: a gap in
        the signal; a window below the feature's shortest; a rate below its lowest; for responses of
        skin conductance a unit other than µS, and noise; and what the feature's row in
        `encoders.features.catalogue` says.
    """
    parts = []
    for modality in (name for name in FEATURES if name in segments.signals):
        spec, data = segments.specs[modality], segments.signals[modality]
        alone = Segments({modality: data}, segments.table, {modality: spec})
        parts.append(_of_modality(modality, extract_features(alone, "full"), data, spec))
    return pd.concat(parts, axis=1)


def _of_modality(modality: str, values: pd.DataFrame, data: np.ndarray, spec: SignalSpec) -> pd.DataFrame:
    gaps = ~np.isfinite(data).all(-1)
    reasons = {}
    for column in values:
        feature = str(column).removeprefix(f"{modality}_")
        row = row_of(modality, feature)
        found = np.full(len(values), row.undefined, dtype=object)
        if modality == "gsr":
            _noise(found, row, values, feature)
        _limits(found, row, spec, data.shape[-1] / spec.sampling_rate)
        found[_gap(feature, spec, gaps)] = "the signal has a gap"
        reasons[column] = np.where(values[column].isna(), found, "")
    return pd.DataFrame(reasons)


def _limits(found: np.ndarray, row: Row, spec: SignalSpec, seconds: float) -> None:
    """What holds for all segments, the strongest last."""
    if row.name.startswith(SIZED) and spec.unit not in CONDUCTANCE:
        found[:] = f"the unit is {spec.unit!r}; responses are found by their size in µS"
    if spec.sampling_rate < row.lowest_rate:
        found[:] = f"the rate of {spec.sampling_rate:g} Hz is below {row.lowest_rate:g} Hz"
    if seconds < row.minimum:
        found[:] = f"the window of {seconds:g} s is below {row.minimum:g} s"


def _noise(found: np.ndarray, row: Row, values: pd.DataFrame, feature: str) -> None:
    noise = values[f"gsr_scr_noise{feature.removeprefix(row.name)}"].to_numpy()
    for segment in np.flatnonzero(noise > MOST_NOISE):
        found[segment] = (
            f"noise of {noise[segment]:.2g} µS (allowed: {MOST_NOISE:.2g}) hides responses of {CRITERION} µS"
        )


def _gap(feature: str, spec: SignalSpec, gaps: np.ndarray) -> np.ndarray:
    """Segments with a gap in a channel that the feature names, or in any where it names none.

    The autoregression behind ``pdc`` is one of all channels, whichever two of them a column names.
    """
    if feature.startswith("pdc_"):
        return np.asarray(gaps.any(1))
    named = [f"_{key}_" in f"_{feature}_" for key in channel_keys(spec.channel_names)]
    return np.asarray((gaps[:, named] if any(named) else gaps).any(1))
