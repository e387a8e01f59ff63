"""Non-EEG as PhysioNet has it: two WFDB records a subject and the notes of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import wfdb

NOTES = ["Relax", "PhysicalStress", "EmotionalStress", "CognitiveStress", "Relax", "EmotionalStress"]
SECONDS = [90, 65, 40, 60, 90, 95]


def write(root: Path) -> dict[str, np.ndarray]:
    """Two subjects; returns the signals of Subject2."""
    rng = np.random.default_rng(0)
    n = sum(SECONDS)
    # as in the real files, the first note stands at sample 1: wfdb leaves out a note at 0
    onsets = np.maximum(np.cumsum([0, *SECONDS[:-1]]) * 8, 1)
    for subject in ("Subject2", "Subject10"):
        wrist, finger = rng.normal(size=(n * 8, 5)), rng.normal(90, 3, size=(n + 6, 2))
        names = ["ax", "ay", "az", "temp", "EDA"]
        wfdb.wrsamp(
            f"{subject}_AccTempEDA",
            fs=8,
            units=["NU", "NU", "NU", "degC", "NU"],
            sig_name=names,
            p_signal=wrist,
            fmt=["16"] * 5,
            write_dir=str(root),
        )
        wfdb.wrsamp(
            f"{subject}_SpO2HR",
            fs=1,
            units=["%", "bpm"],
            sig_name=["SpO2", "hr"],
            p_signal=finger,
            fmt=["16"] * 2,
            write_dir=str(root),
        )
        symbols = ['"'] * len(NOTES)
        wfdb.wrann(
            f"{subject}_AccTempEDA", "atr", onsets, symbol=symbols, aux_note=NOTES, write_dir=str(root)
        )
        if subject == "Subject2":
            first = {"gsr": wrist[:, 4:].T, "acceleration": wrist[:, :3].T, "heart_rate": finger[:, 1:].T}
    return first
