"""The quantities that are described in words: which features, in which unit, against which range.

Ranges are of healthy adults at rest where the literature has one that holds for any sensor site. Where it
has none, as for amplitudes of EMG, the range is that of the training subjects' windows, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_builders.channel_words import channel_in_words
from data_builders.segments import SignalSpec
from encoders.features.cardiac import MINIMUM
from encoders.features.catalogue import CATALOGUE, row_of

__all__ = [
    "DESCRIBED",
    "TRAINING",
    "Described",
    "described",
    "parts_of_column",
    "quantity_values",
    "with_training_ranges",
]

ABOVE = " above the baseline"
TRAINING = "10th to 90th percentile of the training subjects' windows"
PERCENTILES = (10, 90)
STEPS = 20
"""A range of the training subjects is written with decimals enough to tell this many steps of it apart."""

UNITS = {
    "µV": ("microvolts", 1.0),
    "uV": ("microvolts", 1.0),
    "mV": ("microvolts", 1e3),
    "V": ("microvolts", 1e6),
    "µS": ("microsiemens", 1.0),
    "uS": ("microsiemens", 1.0),
    "µmho": ("microsiemens", 1.0),
    "umho": ("microsiemens", 1.0),
    "°C": ("degrees Celsius", 1.0),
    "bpm": ("beats per minute", 1.0),
    "1/min": ("beats per minute", 1.0),
    "%": ("percent", 1.0),
    "g": ("g", 1.0),
    "g/64": ("g", 1 / 64),
}
"""A recording's unit in words, and by how much its values are multiplied for it."""
CONDUCTANCE = [unit for unit, (words, _) in UNITS.items() if words == "microsiemens"]
UNKNOWN_UNIT = "recorded units"
DECIBELS = 20 / math.log(10)


@dataclass(frozen=True)
class Described:
    """A feature of the standard set that is written in words.

    Parameters
    ----------
    key : str
        In `DESCRIBED` the feature's name without the channel; from `described`, the column.
    name : str
        In words; ``{signal}`` is the channel's.
    unit : str
        As written behind a number; ``{unit}`` is the recording's.
    digits : int
        Decimals that are written.
    low, high : float or None
        Reference range in `unit`; None where it is that of the training subjects, until it is known.
    source : str
        Of the range.
    expects : str
        The recording's unit, in words, that the range holds for; empty where it does not matter. In another
        unit the range is that of the training subjects.
    scale : float
        Factor from the feature to `unit`.
    shortest : float
        Windows in s for which the literature's range holds; in shorter ones the training subjects' is taken.
    positive : bool
        Whether 0 says that there was nothing to measure, as no amplitude without a response.
    level : bool
        Whether it is another where the recording's baseline was subtracted.
    """

    key: str
    name: str
    unit: str
    digits: int
    low: float | None = None
    high: float | None = None
    source: str = TRAINING
    expects: str = ""
    scale: float = 1.0
    shortest: float = 0.0
    positive: bool = False
    level: bool = False


# American Heart Association, "All about heart rate": 60 to 100 beats per minute at rest, adults.
RATE = ("beats per minute", 0, 60.0, 100.0, "American Heart Association")
# Nunan et al. 2010, Pacing Clin Electrophysiol 33: lowest and highest of the means of 44 studies of 5 min.
# These numbers are from memory of its table; the review and its mean of 50 ms for SDNN were looked up.
RMSSD = ("heart rate variability (RMSSD)", "milliseconds", 0, 19.0, 75.0, "Nunan et al. 2010")
SDNN = ("heart rate variability (SDNN)", "milliseconds", 0, 32.0, 93.0, "Nunan et al. 2010")

SATURATION = ("percent", 1, 95.0, 100.0, "adults, textbooks")

DESCRIBED: tuple[Described, ...] = (
    # Of rows of one name the first that a store has is taken: one segment has one heart rate.
    Described("heart_rate_mean", "heart rate", *RATE, expects="beats per minute", level=True),
    *(Described(f"{name}_heart_rate", "heart rate", *RATE) for name in ("ecg", "ppg", "bvp")),
    # Of the ECG alone: in pulse waves of the wrist, movement hides beats, and the median RMSSD of
    # Stress-Predict's windows comes out at 311 ms.
    # SDNN grows with the length of the recording (Task Force 1996), RMSSD hardly.
    Described("ecg_rmssd", *RMSSD, shortest=MINIMUM["rmssd"]),
    Described("ecg_sdnn", *SDNN, shortest=300.0),
    # 2 to 20 µS and 0.1 to 1 µS (Dawson, Schell and Filion 2007) hold for palm and fingers. At the wrist
    # most windows lie far below, and a recording does not say where it was measured.
    Described("gsr_level", "{signal} level", "{unit}", 2, expects="microsiemens", level=True),
    Described("gsr_slope", "slope of the {signal}", "{unit} per minute", 2, expects="microsiemens"),
    Described(
        "gsr_scr_rate",
        "rate of {signal} responses",
        "responses per minute",
        1,
        1.0,
        3.0,
        "Dawson, Schell and Filion 2007, without stimuli",
        expects="microsiemens",
        # One response is a whole step of 60 / window a minute.
        shortest=60.0,
    ),
    Described(
        "gsr_scr_amplitude",
        "mean amplitude of the {signal} responses",
        "{unit}",
        2,
        expects="microsiemens",
        positive=True,
    ),
    # Skin temperature follows the room and the site; published ranges of finger and wrist do not overlap.
    Described("temperature_mean", "{signal}", "{unit}", 1, expects="degrees Celsius", level=True),
    Described(
        "temperature_slope", "slope of the {signal}", "{unit} per minute", 2, expects="degrees Celsius"
    ),
    Described(
        "respiration_rate", "breathing rate", "breaths per minute", 0, 12.0, 20.0, "adults at rest, textbooks"
    ),
    Described("spo2_mean", "oxygen saturation", *SATURATION, expects="percent", level=True),
    Described("acceleration_magnitude_std", "strength of movement", "{unit}", 3, expects="g"),
    Described("emg_rms", "{signal} amplitude", "{unit}", 1, expects="microvolts"),
    # ln of a ratio of amplitudes, here 20 log10 of it. No spectrum of the EMG: at the 100 to 128 Hz of many
    # recordings half of it and more is missing, and what is left shows the mains.
    Described("emg_contrast", "late-to-early ratio of the {signal} amplitude", "decibels", 1, scale=DECIBELS),
    *(
        Described(
            f"eeg_{band}_relative", f"relative {band} power of the {{signal}}", "percent", 0, scale=100.0
        )
        for band in ("theta", "alpha", "beta")
    ),
    Described("eeg_faa", "frontal alpha asymmetry", "log units", 2),
)
"""In the order in which they are written."""


def described(
    columns: Sequence[str], specs: Mapping[str, SignalSpec] | None = None, window: float | None = None
) -> list[Described]:
    """What of a store's features is described, with channels and units filled in.

    Parameters
    ----------
    columns : sequence of str
        Of the features.
    specs : mapping of str to SignalSpec, optional
        By modality, for their units; without them each signal is taken to be in the unit that is expected.
    window : float, optional
        Length of a segment in s; without it, long enough for every range.

    Returns
    -------
    list of Described
        In the order of `DESCRIBED`, channels in the order of `columns`; `key` is the column.
    """
    parsed = [(column, *parts_of_column(column)) for column in columns]
    found: dict[str, Described] = {}
    for row in DESCRIBED:
        for column, modality, base, channel in parsed:
            if f"{modality}_{base}" == row.key and not _is_resistance(modality, specs):
                one = _filled(row, column, modality, channel, specs, window)
                found.setdefault(one.name.removesuffix(ABOVE), one)
    return list(found.values())


def _is_resistance(modality: str, specs: Mapping[str, SignalSpec] | None) -> bool:
    """Whether skin conductance was recorded as resistance or in an unknown unit: it falls where conductance
    rises, and what counts as a response is given in µS."""
    return modality == "gsr" and specs is not None and specs["gsr"].unit not in CONDUCTANCE


def parts_of_column(column: str) -> tuple[str, str, str]:
    """Modality, feature and channel of a column of the features; all empty for a value that was given."""
    modalities = [name for name in CATALOGUE if column.startswith(f"{name}_")]
    if not modalities or modalities == ["features"]:
        return "", "", ""
    modality = max(modalities, key=len)
    feature = column[len(modality) + 1 :]
    names = [
        name for name in row_of(modality, feature).names if feature == name or feature.startswith(f"{name}_")
    ]
    base = max(names, key=len)
    return modality, base, feature[len(base) + 1 :]


def _filled(
    row: Described,
    column: str,
    modality: str,
    channel: str,
    specs: Mapping[str, SignalSpec] | None,
    window: float | None,
) -> Described:
    """The row of one column: its channel in words, its unit, and whether the literature's range holds."""
    words, scale = row.expects, 1.0
    if specs is not None and row.expects:
        recorded = specs[modality].unit
        words, scale = UNITS.get(recorded, (recorded or UNKNOWN_UNIT, 1.0))
    signal = channel_in_words(modality, channel)
    filled = replace(row, key=column, name=row.name.format(signal=signal))
    if "{" in row.unit or row.unit == row.expects:
        unit = row.unit.format(unit=words) if "{" in row.unit else words
        filled = replace(filled, unit=unit, scale=row.scale * scale)
    if row.level and specs is not None and specs[modality].above_baseline:
        return replace(filled, name=filled.name + ABOVE, low=None, high=None, source=TRAINING)
    if words != row.expects or (window is not None and window < row.shortest):
        return replace(filled, low=None, high=None, source=TRAINING)
    return filled


def quantity_values(features: pd.DataFrame, rows: Sequence[Described]) -> np.ndarray:
    """Values of some described features in their units, shape (n_segments, n_rows); NaN where undefined."""
    values = features[[row.key for row in rows]].to_numpy(np.float64, copy=True)
    for k, row in enumerate(rows):
        if row.positive:
            values[values[:, k] == 0, k] = np.nan
    return values * np.array([row.scale for row in rows])


def with_training_ranges(rows: Sequence[Described], values: np.ndarray) -> list[Described]:
    """The rows with the training subjects' range where the literature has none.

    Parameters
    ----------
    rows : sequence of Described
    values : ndarray, shape (n_segments, n_rows)
        `quantity_values` of training subjects only.

    Returns
    -------
    list of Described
        Ranges of the training subjects are rounded as values are written. Where all windows have one value
        there is none. Quantities that are undefined in all windows are left out.
    """
    known = ((row, column[np.isfinite(column)]) for row, column in zip(rows, values.T, strict=True))
    return [row if row.low is not None else _ranged(row, column) for row, column in known if column.size]


def _ranged(row: Described, values: np.ndarray) -> Described:
    low, high = np.percentile(values, PERCENTILES)
    if not low < high:
        return row
    digits = max(row.digits, math.ceil(-math.log10((high - low) / STEPS)))
    return replace(row, low=round(float(low), digits), high=round(float(high), digits), digits=digits)
