"""Recordings -> segments: windows on blocks, windows around events, and the causal baseline."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from data_builders.recording import LABELS, Block, Recording
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec

__all__ = ["BASELINE_SECONDS", "cut", "event_windows", "reference_windows", "tile", "windows"]

BASELINE_SECONDS = 120.0
"""Length of the stretch at the start of a recording that a causal baseline may look at."""

Window = tuple[float, Block | None, bool, bool]
"""(start in s, block, on_grid, reference)"""


def windows(recording: Recording, length: float, step: float) -> list[Window]:
    """Windows of `length` s every `step` s that lie wholly inside a labelled block.

    Those at whole multiples of `length` from the block's start are marked ``on_grid``: they do
    not overlap, and only they are evaluated. The others are for training.
    """
    found: list[Window] = []
    for block in recording.blocks:
        last = min(block.start + block.duration, recording.duration) - length
        offsets = np.arange(0.0, max(last - block.start, -1.0) + 1e-6, step)
        found += [(block.start + o, block, bool(np.isclose(o % length, 0) or np.isclose(o % length, length)), False)
                  for o in offsets]  # fmt: skip
    return found


def event_windows(recording: Recording, before: float, after: float, step: float = 0.0) -> list[Window]:
    """Windows from `before` s ahead of each event to `after` s behind it.

    With a `step`, copies shifted by one step either way are added for training (not ``on_grid``).
    """
    shifts = [0.0] if not step else [0.0, -step, step]
    found: list[Window] = []
    for block in recording.blocks:
        for shift in shifts:
            start = block.start - before + shift
            if start >= 0 and start + before + after <= recording.duration + 1e-6:
                found.append((start, block, shift == 0.0, False))
    return found


def reference_windows(recording: Recording, length: float) -> list[Window]:
    """Windows side by side over the first two minutes: all that a causal baseline may know."""
    stop = min(BASELINE_SECONDS, recording.duration)
    return [(start, None, False, True) for start in np.arange(0.0, stop - length + 1e-6, length)]


def tile(recording: Recording, length: float) -> list[Window]:
    """Windows side by side over a whole recording, with the label of the block that holds them."""
    found: list[Window] = []
    for start in np.arange(0.0, recording.duration - length + 1e-6, length):
        inside = [b for b in recording.blocks if b.start <= start and start + length <= b.start + b.duration]
        found.append((float(start), inside[0] if inside else None, True, False))
    return found


def cut(recording: Recording, chosen: Iterable[Window], length: float) -> Segments:
    """Cut windows of `length` s out of a recording.

    Raises
    ------
    ValueError
        If no window is left; the message names the recording and both durations.
    """
    chosen = list(chosen)
    if not chosen:
        raise ValueError(
            f"{recording.dataset} subject {recording.subject}: no window of {length} s fits into a "
            f"{recording.duration:.1f} s recording with {len(recording.blocks)} blocks. Choose a shorter window."
        )
    signals = {}
    for name, signal in recording.signals.items():
        n_samples = round(length * signal.sampling_rate)
        first = np.array([round(start * signal.sampling_rate) for start, *_ in chosen])
        first = np.minimum(first, signal.data.shape[1] - n_samples)
        index = first[:, None] + np.arange(n_samples)
        signals[name] = signal.data[:, index].transpose(1, 0, 2)
    specs = {n: SignalSpec(s.sampling_rate, s.channel_names, s.unit) for n, s in recording.signals.items()}
    rows = [_row(recording, window, length) for window in chosen]
    return Segments(signals, pd.DataFrame(rows, columns=list(TABLE_COLUMNS)), specs)


def _row(recording: Recording, window: Window, length: float) -> dict:
    start, block, on_grid, reference = window
    trial = block.trial if block else "reference" if reference else ""
    place = "/".join(filter(None, (recording.dataset, recording.subject, recording.session, trial)))
    labels = {name: block.labels.get(name) if block else None for name in LABELS}
    return {
        "segment": f"{place}/{start:.2f}",
        "dataset": recording.dataset,
        "subject": recording.subject,
        "session": recording.session,
        "trial": trial,
        "stimulus": block.stimulus if block else "",
        "start": float(start),
        "duration": float(length),
        "on_grid": on_grid,
        "reference": reference,
        **labels,
    }
