"""Units of signals: what is known, what converts into what, and the unit of each modality."""

from __future__ import annotations

import numpy as np

__all__ = ["ARBITRARY", "MODALITY_UNITS", "UNITS", "canonical_unit", "convert", "unit_problem"]

ARBITRARY = "a.u."
"""Values without a physical unit, such as raw counts of a converter: left as they are."""

MODALITY_UNITS = {
    "eeg": "µV",
    "eog": "µV",
    "emg": "µV",
    "ecg": "mV",
    "gsr": "µS",
    "temperature": "°C",
    "acceleration": "g",
}
"""What each modality is converted to; one that is not named keeps its unit."""

UNITS: dict[str, tuple[str, float, float]] = {
    "V": ("voltage", 1.0, 0.0),
    "mV": ("voltage", 1e-3, 0.0),
    "µV": ("voltage", 1e-6, 0.0),
    "nV": ("voltage", 1e-9, 0.0),
    "S": ("conductance", 1.0, 0.0),
    "mS": ("conductance", 1e-3, 0.0),
    "µS": ("conductance", 1e-6, 0.0),
    "nS": ("conductance", 1e-9, 0.0),
    "Ohm": ("resistance", 1.0, 0.0),
    "kOhm": ("resistance", 1e3, 0.0),
    "MOhm": ("resistance", 1e6, 0.0),
    "°C": ("temperature", 1.0, 0.0),
    "°F": ("temperature", 5 / 9, -160 / 9),
    "K": ("temperature", 1.0, -273.15),
    "g": ("acceleration", 1.0, 0.0),
    "m/s²": ("acceleration", 1 / 9.80665, 0.0),
}
"""Unit -> kind, factor and offset to the kind's base unit: base = value * factor + offset."""

SPELLINGS = {
    "uV": "µV",
    "μV": "µV",  # the Greek letter; the micro sign is another character
    "uS": "µS",
    "μS": "µS",
    "mho": "S",
    "µmho": "µS",
    "umho": "µS",
    "Ω": "Ohm",
    "kΩ": "kOhm",
    "MΩ": "MOhm",
    "ohm": "Ohm",
    "kohm": "kOhm",
    "Mohm": "MOhm",
    "C": "°C",
    "degC": "°C",
    "F": "°F",
    "degF": "°F",
    "G": "g",
    "m/s2": "m/s²",
    "m/s^2": "m/s²",
    "au": ARBITRARY,
    "adc": ARBITRARY,
    "counts": ARBITRARY,
}


def canonical_unit(unit: str) -> str:
    """One spelling a unit: ``"uV"`` becomes ``"µV"``; a unit that is not known stays as it is."""
    return SPELLINGS.get(unit.strip(), unit.strip())


def unit_problem(unit: str, modality: str) -> str:
    """Why `unit` cannot be the unit of `modality`, or an empty text.

    Conductance may be given as resistance, since one is the other's reciprocal.
    """
    unit, target = canonical_unit(unit), MODALITY_UNITS.get(modality)
    if target is None or unit in (ARBITRARY, target):
        return ""
    allowed = _allowed(target)
    if unit in allowed:
        return ""
    return (
        f"unit {unit!r} does not convert to the {target} of {modality}; allowed are {[*allowed, ARBITRARY]}"
    )


def _allowed(target: str) -> list[str]:
    kinds = {UNITS[target][0]} | ({"resistance"} if target == "µS" else set())
    return [unit for unit, (kind, *_) in UNITS.items() if kind in kinds]


def convert(data: np.ndarray, unit: str, modality: str) -> tuple[np.ndarray, str]:
    """Values in the unit of their modality.

    Parameters
    ----------
    data : ndarray
    unit : str
        Of `data`; one that `unit_problem` finds nothing against.
    modality : str

    Returns
    -------
    data : ndarray of the same shape
    unit : str
        Of `MODALITY_UNITS`; the given one for `ARBITRARY` values and for other modalities.
    """
    unit = canonical_unit(unit)
    target = MODALITY_UNITS.get(modality, unit)
    if unit in (target, ARBITRARY):
        return data, unit
    kind, factor, offset = UNITS[unit]
    base = data * factor + offset
    if kind == "resistance":
        # An open circuit reads as 0 Ohm on some devices: infinite here, and found by the check.
        with np.errstate(divide="ignore"):
            base = 1 / base
    _, factor, offset = UNITS[target]
    return (base - offset) / factor, target
