"""Channels in the words of a text: ``("emg", "corrugator")`` is the corrugator EMG."""

from __future__ import annotations

import re

__all__ = ["CHANNEL_WORDS", "MODALITY_WORDS", "channel_in_words"]

MODALITY_WORDS = {
    "emg": "EMG",
    "eeg": "EEG",
    "ecg": "ECG",
    "ppg": "photoplethysmogram",
    "bvp": "blood volume pulse",
    "gsr": "skin conductance",
    "respiration": "breathing",
    "acceleration": "acceleration",
    "temperature": "skin temperature",
    "heart_rate": "heart rate",
    "spo2": "oxygen saturation",
    "eog": "EOG",
    "features": "value",
    "ibi": "inter-beat interval",
}
"""What a text calls a modality; others keep their name with spaces."""

CHANNEL_WORDS = {
    "emg": {"zemg": "zygomaticus", "temg": "trapezius"},
    "acceleration": {"ax": "x", "ay": "y", "az": "z"},
    "eog": {"heog": "horizontal", "veog": "vertical"},
    "eeg": {
        "frontal_left": "left frontal",
        "frontal_right": "right frontal",
        "frontal_midline": "midline frontal",
        "temporal": "temporal",
        "central": "central",
        "parietal": "parietal",
        "occipital": "occipital",
    },
}
"""Channels whose name is no word, by modality, in the letters of a feature's name."""


def channel_in_words(modality: str, channel: str = "") -> str:
    """Name of a channel in words: what the channel is, then what is measured.

    Parameters
    ----------
    modality : str
    channel : str
        Its name in the recording or in a feature; empty for a modality with a single channel.
    """
    measured = MODALITY_WORDS.get(modality, modality.replace("_", " "))
    which = re.sub(r"[^a-z0-9]+", "_", channel.lower()).strip("_").removeprefix(f"{modality}_")
    if not which or which in (modality, modality.replace("_", "")):
        return measured
    if (number := which.removeprefix(modality)).isdigit():
        return f"{measured} {number}"
    words = CHANNEL_WORDS.get(modality, {}).get(which)
    if words is None:
        words = _electrode(which) if modality == "eeg" else which.replace("_", " ")
    return f"{words} {measured}"


def _electrode(which: str) -> str:
    """As the 10-20 system writes it: Fp1, Cz."""
    return re.sub(r"Z\b", "z", re.sub(r"\bFP", "Fp", which.upper().replace("_", "-")))
