"""Signals of known content, for the tests of features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_builders.segments import Segments, SignalSpec

EPOC = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
SPECS = {
    "gsr": SignalSpec(8.0, ("EDA",), "µS"),
    "acceleration": SignalSpec(8.0, ("ax", "ay", "az"), "g"),
    "heart_rate": SignalSpec(1.0, ("hr",), "bpm"),
    "spo2": SignalSpec(1.0, ("SpO2",), "%"),
    "temperature": SignalSpec(4.0, ("temp",), "°C"),
    "ppg": SignalSpec(64.0, ("finger",), "a.u."),
    "bvp": SignalSpec(64.0, ("wrist",), "a.u."),
    "ecg": SignalSpec(128.0, ("II",), "mV"),
    "eeg": SignalSpec(128.0, EPOC, "µV"),
    "emg": SignalSpec(500.0, ("zygomaticus", "corrugator"), "µV"),
    "respiration": SignalSpec(32.0, ("belt",), "a.u."),
    "eog": SignalSpec(128.0, ("hEOG", "vEOG"), "µV"),
    "features": SignalSpec(4.0, ("mean_0_a", "fft_749_b"), ""),
}


def sine(frequency: float, sampling_rate: float, seconds: float = 20, amplitude: float = 1.0) -> np.ndarray:
    """One segment of one channel, shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return amplitude * np.sin(2 * np.pi * frequency * time)[None, None]


def ecg_like(beats: np.ndarray, sampling_rate: float, seconds: float) -> np.ndarray:
    """R waves as narrow Gaussians at `beats` (s), shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    return np.exp(-(((time - beats[:, None]) / 0.012) ** 2) / 2).sum(0)[None, None]


def scr_train(sampling_rate: float, onsets: np.ndarray, amplitude: float, seconds: float = 60) -> np.ndarray:
    """Biexponential responses (Alexander et al. 2005, 0.75 and 2 s) on 5 µS, shape (1, 1, n_samples)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate - onsets[:, None]
    time, peak = np.maximum(time, 0), np.log(2 / 0.75) / (1 / 0.75 - 1 / 2)
    responses = np.exp(-time / 2) - np.exp(-time / 0.75)
    return 5 + amplitude / (np.exp(-peak / 2) - np.exp(-peak / 0.75)) * responses.sum(0)[None, None]


def batch(n_segments: int = 5, seconds: float = 20, seed: int = 0) -> Segments:
    """Noise on a level in every modality, beats in the cardiac ones."""
    rng = np.random.default_rng(seed)
    signals = {}
    for name, spec in SPECS.items():
        shape = (n_segments, len(spec.channel_names), round(seconds * spec.sampling_rate))
        data = 3 + rng.normal(scale=0.02, size=shape)
        if name in ("ecg", "ppg", "bvp"):
            data += ecg_like(np.arange(0.4, seconds, 0.8), spec.sampling_rate, seconds)
        signals[name] = data.astype(np.float32)
    return Segments(signals, pd.DataFrame({"segment": [str(row) for row in range(n_segments)]}), SPECS)
