"""Random facts of segments, and the segments that a task may be asked about."""

from __future__ import annotations

import random
from dataclasses import replace

from prompts import Clue, Facts, Fault, Quantity, Task
from prompts.facts import FAULTS

CLASSES = ("calm", "fear", "physical stress", "stress", "low", "high")
CHANNELS = ("skin conductance", "corrugator EMG", "heart rate", "ECG 2")
REASONS = ("the signal is noise", "all channels are flat", "the reading is too uncertain")
NAMES = [
    ("heart_rate_mean", "heart rate", "beats per minute", 60.0, 100.0, 0),
    ("ecg_rmssd", "heart rate variability (RMSSD)", "milliseconds", 19.0, 75.0, 0),
    ("gsr_level", "skin conductance level", "microsiemens", None, 20.0, 2),
    ("gsr_slope", "trend of the skin conductance", "microsiemens per minute", -0.4, 0.35, 2),
    ("gsr_scr_rate", "rate of skin conductance responses", "responses per minute", 1.0, None, 1),
    ("spo2_mean", "oxygen saturation", "percent", 95.0, 100.0, 1),
    ("emg_corrugator_rms", "corrugator EMG amplitude", "microvolts", None, None, 1),
    ("emg_2_rms", "EMG 2 amplitude", "microvolts", 1.5, 12.25, 1),
    ("eeg_low_power", "low frequency power of the EEG", "units as recorded", 0.5, 2.0, 3),
]
SPREAD = {0: 150, 1: 30, 2: 3, 3: 3}


def quantities(rng: random.Random) -> tuple[Quantity, ...]:
    chosen = sorted(rng.sample(range(len(NAMES)), rng.randint(1, len(NAMES))))
    return tuple(
        Quantity(key, name, rng.uniform(-0.2, 1) * SPREAD[digits], unit, low, high, digits)
        for key, name, unit, low, high, digits in (NAMES[i] for i in chosen)
    )


def faults(rng: random.Random) -> tuple[Fault, ...]:
    channels = rng.sample(CHANNELS, rng.randint(0, len(CHANNELS)))
    return tuple(
        Fault(channel, rng.choice(FAULTS), rng.choice([0.001, 1.0, rng.random()])) for channel in channels
    )


def usable(rng: random.Random, signal: str = "<|a|><|b|>") -> Facts:
    """Facts of a segment of which much is known, at random."""
    label = rng.choice(CLASSES)
    return Facts(
        signal=signal,
        classes=CLASSES,
        emotion=label,
        valence=rng.choice([None, rng.uniform(1, 9)]),
        arousal=rng.uniform(1, 9),
        scale=(1.0, 9.0),
        quantities=quantities(rng),
        faults=faults(rng),
        clues=tuple(Clue(name, rng.uniform(-0.2, 0.5)) for name in CHANNELS),
        reading=label,
        confidence=rng.random(),
    )


def unusable(rng: random.Random) -> Facts:
    return Facts(
        signal=f"<|{rng.random()}|>",
        classes=CLASSES,
        scale=(1.0, 9.0),
        described=tuple(name for _, name, *_ in NAMES),
        unusable=rng.choice(REASONS),
    )


def segments_for(task: Task, rng: random.Random) -> list[Facts]:
    if task.name == "refuse":
        return [unusable(rng)]
    segments = [usable(rng, signal) for signal in ("<|a|><|b|>", "<|c|>")[: task.n_segments]]
    if task.name == "transition" and rng.random() < 0.5:
        segments = [replace(facts, emotion=None, transition=rng.random() < 0.5) for facts in segments]
    if task.name == "compare" and rng.random() < 0.5:
        segments = [replace(f, arousal=None, quantities=(fixed(rng.randint(50, 52)),)) for f in segments]
    return segments


def fixed(value: float) -> Quantity:
    return Quantity("heart_rate_mean", "heart rate", value, "beats per minute", 60.0, 100.0, 0)
