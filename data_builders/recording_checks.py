"""What a recording must hold so that anything can be learned from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from data_builders.recording import LABELS, Block, Recording

__all__ = ["check_recording", "spelled_twice"]


def check_recording(recording: Recording, where: str) -> None:
    """Refuse a recording that cannot be used as it is.

    Parameters
    ----------
    recording : Recording
    where : str
        File, and name in it, for the message.

    Raises
    ------
    ValueError
        With all problems: no signals or samples, channels without a single finite value, blocks out of
        order or outside of the recording, labels that are unknown or of the wrong kind.
    """
    problems = [] if recording.signals else ["holds no signals"]
    for name, signal in recording.signals.items():
        dead = np.flatnonzero(~np.isfinite(signal.data).any(axis=1))
        if signal.data.shape[1] == 0:
            problems.append(f"signal {name!r} has no samples")
        elif len(dead):
            names = [signal.channel_names[k] for k in dead]
            where_dead = f"all {len(dead)} channels" if len(dead) == len(signal.data) else f"{names}"
            problems.append(f"{name!r} is NaN throughout in {where_dead}")
        infinite = np.isinf(signal.data).sum(axis=1)
        if infinite.any():
            names = [f"{n} ({k})" for n, k in zip(signal.channel_names, infinite, strict=True) if k]
            problems.append(f"{name!r} holds infinite values in {', '.join(names)}")
    duration, latest = recording.duration if recording.signals else np.inf, 0.0
    for block in recording.blocks:
        problems += [f"block {block.trial!r}: {said}" for said in _block_problems(block, latest, duration)]
        latest = max(latest, block.start)
    if problems:
        raise ValueError(f"{where}: {'; '.join(problems)}. Mend the file or leave it out.")


def _block_problems(block: Block, latest: float, duration: float) -> Iterator[str]:
    if not latest <= block.start:
        yield f"starts at {block.start} s; allowed is from {latest} s on, where the one ahead of it starts"
    if block.start > duration:
        yield f"starts at {block.start} s, but the recording ends at {duration:.2f} s"
    if not block.duration >= 0:
        yield f"lasts {block.duration} s; allowed is 0 or more"
    unknown = sorted(set(block.labels) - set(LABELS))
    if unknown:
        yield f"has the labels {unknown}; allowed are {list(LABELS)}"
    for label, value in block.labels.items():
        if value is not None and label in LABELS and not _is_label(label, value):
            allowed = {"emotion": "a word", "transition": "0 or 1"}.get(label, "a number")
            yield f"{label} is {value!r}; allowed is {allowed}"


def _is_label(label: str, value: Any) -> bool:
    if label == "emotion":
        return isinstance(value, str) and bool(value.strip())
    if label == "transition":
        return value in (0, 1)
    return isinstance(value, (int, float, np.number)) and bool(np.isfinite(value))


def spelled_twice(subjects: Iterable[str]) -> list[list[str]]:
    """Names that are most likely one person: ``"S1"``, ``"s01"`` and ``"S-001"``.

    A split by subject would put such a person on both of its sides.
    """
    spellings: dict[str, list[str]] = {}
    for subject in sorted(set(subjects)):
        spellings.setdefault(_plain(subject), []).append(subject)
    return [same for same in spellings.values() if len(same) > 1]


def _plain(subject: str) -> str:
    together = re.sub(r"(?<=[a-z])[\s_-]+(?=\d)", "", subject.strip().casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", together)
