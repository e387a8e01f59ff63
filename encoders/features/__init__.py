"""Hand-made features of physiological signals: named numbers that a researcher knows."""

from __future__ import annotations

from encoders.features.cardiac import ecg_features, pulse_features
from encoders.features.eeg import eeg_features
from encoders.features.emg import emg_features
from encoders.features.envelopes import raw_and_features
from encoders.features.gsr import gsr_features
from encoders.features.peripheral import acceleration_features, slow_features
from encoders.features.reasons import why_undefined
from encoders.features.table import FEATURE_SETS, FEATURES, extract_features

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "acceleration_features",
    "ecg_features",
    "eeg_features",
    "emg_features",
    "extract_features",
    "gsr_features",
    "pulse_features",
    "raw_and_features",
    "slow_features",
    "why_undefined",
]
