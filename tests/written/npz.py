"""A folder of one recording that `save_recording` wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_builders.recording import Block, Recording, Signal, save_recording


def write(root: Path) -> Recording:
    """Returns what was saved."""
    rng = np.random.default_rng(2)
    blocks = (
        Block(0.0, 20.0, {"emotion": "joy", "valence": 0.5}, "t1", "film"),
        Block(20.0, 20.0, {"emotion": "calm", "transition": 1}, "t2"),
    )
    signals = {
        "ecg": Signal(rng.normal(size=(1, 4000)), 100.0, ("lead_ii",), "mV"),
        "gsr": Signal(rng.normal(size=(1, 160)), 4.0, ("gsr",), "µS"),
    }
    recording = Recording(signals, "mine", "p1", "s1", blocks)
    save_recording(recording, root / "p1.npz")
    return recording
