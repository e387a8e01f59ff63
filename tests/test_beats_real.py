"""The beat detector against the reference beats of a real ECG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from wfdb.processing import compare_annotations

from encoders.features.cardiac import r_peaks

RECORD = Path(__file__).parents[2] / "shared" / "data" / "samples" / "mitdb_100"
BEATS = set("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols of MIT-BIH that are beats; the others are rhythm changes, noise and comments."""
TOLERANCE = 0.075

pytestmark = pytest.mark.skipif(
    not RECORD.with_suffix(".atr").is_file(), reason="MIT-BIH record 100 is not in ../shared/data/samples"
)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """Samples of the 2273 reference beats."""
    notes = wfdb.rdann(str(RECORD), "atr")
    return notes.sample[[symbol in BEATS for symbol in notes.symbol]]


def f1(found: np.ndarray, reference: np.ndarray, sampling_rate: float) -> float:
    """Each reference beat is met once, by the nearest detection within the tolerance."""
    # wfdb leaves the end of the window out
    compared = compare_annotations(reference, found, round(TOLERANCE * sampling_rate) + 1)
    return 2 * compared.tp / (2 * compared.tp + compared.fp + compared.fn)


@pytest.mark.parametrize("lead", [0, 1])
def test_the_beats_of_mit_bih_100_are_found(lead: int, reference: np.ndarray) -> None:
    record = wfdb.rdrecord(str(RECORD), channels=[lead])
    assert len(reference) == 2273
    # .9993 when written: 3 of 2273 beats missed, none invented; the ANSI/AAMI EC57 tolerance is 150 ms
    assert f1(r_peaks(record.p_signal[:, 0], record.fs), reference, record.fs) >= 0.995


def test_the_measure_tells_a_shift_beyond_the_tolerance(reference: np.ndarray) -> None:
    """75 ms are 27 samples: beats that are 28 late all count as missed and as invented."""
    assert f1(reference + 27, reference, 360) == 1
    assert f1(reference + 28, reference, 360) == 0
