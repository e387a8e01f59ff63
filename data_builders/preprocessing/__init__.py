"""What happens to a recording before it is cut: filters and cleaning by modality, and resampling."""

from data_builders.preprocessing.chain import cautions, preprocess
from data_builders.preprocessing.components import envelopes
from data_builders.preprocessing.config import ECG, EEG, EMG, GSR, PreprocessingConfig, Steps
from data_builders.preprocessing.resampling import HIGHEST_RATES, bridged, resample

__all__ = [
    "ECG",
    "EEG",
    "EMG",
    "GSR",
    "HIGHEST_RATES",
    "PreprocessingConfig",
    "Steps",
    "bridged",
    "cautions",
    "envelopes",
    "preprocess",
    "resample",
]
