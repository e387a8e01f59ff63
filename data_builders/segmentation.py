"""Recordings -> segments: windows on blocks, windows around events, and the causal baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from data_builders.recording import LABELS, Block, Recording
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec

__all__ = ["cut", "event_windows", "reference_windows", "tile", "windows"]

TOLERANCE = 1e-6
"""Seconds by which rounding may put a window out of its place."""

Window = tuple[float, Block | None, bool, bool]
"""(start in s, block, on_grid, reference)"""


def windows(recording: Recording, length: float, step: float) -> list[Window]:
    """Windows of `length` s that lie wholly inside a labelled block.

    Those side by side from the block's start are marked ``on_grid``: only they are evaluated, and
    they are the same for every `step`. Those every `step` s between them are for training; with a
    step of 0 there are none.
    """
    found: list[Window] = []
    for block in recording.blocks:
        room = min(block.start + block.duration, recording.duration) - length - block.start
        grid = _every(length, room)
        steps = _every(step, room) if step else []
        between = [o for o in steps if abs(o - length * round(o / length)) > TOLERANCE]
        offsets = sorted([(o, True) for o in grid] + [(o, False) for o in between])
        starts = [(block.start + o, on_grid) for o, on_grid in offsets]
        found += [(start, block, on_grid, False) for start, on_grid in starts if start >= 0]
    return found


def _every(step: float, room: float) -> list[float]:
    """Multiples of `step` from 0 to `room`, which may be missed by rounding."""
    return [k * step for k in range(math.floor(room / step + TOLERANCE) + 1)]


def event_windows(recording: Recording, before: float, after: float, step: float = 0.0) -> list[Window]:
    """Windows from `before` s ahead of each event to `after` s behind it.

    With a `step`, copies shifted by one step either way are added for training (not ``on_grid``).

    Raises
    ------
    ValueError
        If a shifted copy would hold less than half of the event's own window.
    """
    if step > (before + after) / 2:
        raise ValueError(
            f"step is {step} s; allowed around events is up to half of the window's {before + after} s, "
            "since a copy shifted further would show another moment under the event's label."
        )
    shifts = [0.0] if not step else [0.0, -step, step]
    found: list[Window] = []
    for block in recording.blocks:
        for shift in shifts:
            start = block.start - before + shift
            if start >= 0 and start + before + after <= recording.duration + TOLERANCE:
                found.append((start, block, shift == 0.0, False))
    return found


def reference_windows(recording: Recording, length: float) -> list[Window]:
    """Windows side by side over the recording's baseline: all that a causal baseline may know."""
    first, stop = recording.baseline
    room = min(stop, recording.duration) - first - length
    return [(first + offset, None, False, True) for offset in _every(length, room)]


def tile(recording: Recording, length: float) -> list[Window]:
    """Windows side by side over a whole recording, with the label of the block that holds them."""
    found: list[Window] = []
    for start in _every(length, recording.duration - length):
        inside = [b for b in recording.blocks if _holds(b, start, length)]
        found.append((start, inside[0] if inside else None, True, False))
    return found


def _holds(block: Block, start: float, length: float) -> bool:
    stop = block.start + block.duration
    return block.start <= start + TOLERANCE and start + length <= stop + TOLERANCE


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
            f"{recording.duration:.1f} s recording with {len(recording.blocks)} labelled blocks. "
            "Choose a shorter window, or label blocks that are as long as one."
        )
    signals = {}
    for name, signal in recording.signals.items():
        n_samples = round(length * signal.sampling_rate)
        first = np.array([round(start * signal.sampling_rate) for start, *_ in chosen])
        first = np.minimum(first, signal.data.shape[1] - n_samples)
        index = first[:, None] + np.arange(n_samples)
        signals[name] = signal.data[:, index].transpose(1, 0, 2)
    specs = {
        name: SignalSpec(s.sampling_rate, s.channel_names, s.unit, s.above_baseline)
        for name, s in recording.signals.items()
    }
    rows = [_row(recording, window, length) for window in chosen]
    table = pd.DataFrame(rows, columns=list(TABLE_COLUMNS)).astype(dict.fromkeys(LABELS[1:], float))
    # Blocks of a trial may overlap, as AMIGOS's clips do: a window of two of them is a segment of each.
    again = table.groupby("segment").cumcount()
    table["segment"] = table["segment"].where(again == 0, table["segment"] + "/" + again.astype(str))
    return Segments(signals, table, specs)


def _row(recording: Recording, window: Window, length: float) -> dict:
    start, block, on_grid, reference = window
    trial = block.trial if block else "reference" if reference else ""
    place = "/".join(filter(None, (recording.id, "" if trial == recording.name else trial)))
    labels = {name: block.labels.get(name) if block else None for name in LABELS}
    return {
        "segment": f"{place}/{start:.2f}",
        "dataset": recording.dataset,
        "recording": recording.id,
        "group": recording.group or recording.subject,
        "subject": recording.subject,
        "session": recording.session,
        "trial": trial,
        "stimulus": block.stimulus if block else "",
        "source": "",
        "start": float(start),
        "duration": float(length),
        "on_grid": on_grid,
        "reference": reference,
        **labels,
    }
