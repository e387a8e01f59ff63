"""Tokenized segments of known content, whose texts say what they are of."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pyarrow

from data_builders.tokenized import SegmentsCard, TokenizedSegments, segment_schema

CLASSES = ("calm", "tense", "bored")
SOURCES = ("codes", "bins")
WINDOW = 10.0
QUANTITIES = [
    {"key": "heart_rate_mean", "name": "heart rate", "unit": "beats per minute", "low": 60.0, "high": 100.0,
     "digits": 0},
    {"key": "gsr_level", "name": "skin conductance level", "unit": "microsiemens", "low": 2.0, "high": 20.0,
     "digits": 1},
]  # fmt: skip


def made_segments(
    n_subjects: int = 6,
    n_trials: int = 4,
    n_windows: int = 5,
    step: float = WINDOW / 2,
    copies: int = 2,
    sources: Sequence[str] = SOURCES,
    classes: Sequence[str] = CLASSES,
    spoiled: bool = True,
    n_tokens: int = 3,
) -> TokenizedSegments:
    """One recording a subject, whose trials lie a minute apart; two thirds of the trials are calm."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(n_subjects):
        earlier = None
        for trial in range(n_trials):
            emotion = classes[0] if rng.random() < 0.66 else classes[1 + int(rng.integers(len(classes) - 1))]
            changed = None if earlier is None else emotion != earlier
            earlier = emotion
            for window in range(n_windows):
                start = 60.0 * trial + step * window
                row = _row(subject, trial, start, emotion, changed, len(rows), rng)
                for source in sources:
                    texts = [f"{source} {c} {len(rows)}" + " <|x|>" * n_tokens for c in range(copies + 1)]
                    row[f"text_{source}"] = texts
                rows.append(row)
                if spoiled and window == 0:
                    rows.append(_spoilt(row, sources, len(rows)))
    card = SegmentsCard(list(classes), list(sources), (1.0, 9.0), QUANTITIES, copies)
    return TokenizedSegments(pyarrow.Table.from_pylist(rows, schema=segment_schema(sources)), card)


def _row(
    subject: int, trial: int, start: float, emotion: str, changed: bool | None, number: int, rng
) -> dict:
    return {
        "segment": f"d/S{subject}/{trial}/{start:.2f}",
        "dataset": "d",
        "recording": f"d/S{subject}",
        "subject": f"S{subject}",
        "session": "",
        "trial": f"T{trial}",
        "stimulus": "film",
        "part": "validation" if subject % 6 == 5 else "train",
        "start": start,
        "duration": WINDOW,
        "emotion": emotion,
        "valence": round(float(rng.uniform(1, 9)), 1),
        "arousal": round(float(rng.uniform(1, 9)), 1),
        "transition": changed,
        "reading": emotion,
        "confidence": 0.9,
        "unusable": "",
        "values": [60.0 + number % 50, 5.0 if number % 3 else math.nan],
        "faults": json.dumps([["skin conductance", "flat", 0.25]] if number % 4 == 0 else []),
        "clues": json.dumps([["heart rate", 0.4], ["skin conductance", 0.1]]),
    }


def _spoilt(row: dict, sources: Sequence[str], number: int) -> dict:
    unknown = dict.fromkeys(("emotion", "valence", "arousal", "transition", "reading", "confidence", "clues"))
    texts = {f"text_{source}": [f"{source} 0 {number} noise"] for source in sources}
    return {
        **row,
        **unknown,
        **texts,
        "segment": row["segment"] + "~noise",
        "unusable": "the signal is noise",
        "values": [math.nan] * len(QUANTITIES),
        "faults": None,
    }
