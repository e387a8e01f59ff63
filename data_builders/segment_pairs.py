"""Pairs of segments that questions about two are asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from data_builders.tokenized import TokenizedSegments

__all__ = ["PAIRINGS", "consecutive_pairs", "subject_pairs"]

SLACK = 1e-3
"""Seconds by which rounded starts may make neighbouring windows overlap."""
PARTNERS = 2
"""Segments that each segment is compared with at most."""


def consecutive_pairs(segments: TokenizedSegments, seed: int = 0) -> np.ndarray:
    """Each segment behind the last one of its recording that ends before it starts.

    Trials with a third one between them are no neighbours, even where all of its segments are unusable:
    the label says whether a trial differs from the one right before it.

    Parameters
    ----------
    segments : TokenizedSegments
    seed : int
        Not used; as in `subject_pairs`.

    Returns
    -------
    ndarray, shape (n_pairs, 2), int64
        Rows of the earlier and the later one; unusable segments are in no pair.
    """
    pairs, trial = [], _trial_numbers(segments)
    for rows in _groups(segments, "recording"):
        starts = segments.column("start")[rows]
        rows, starts = rows[np.argsort(starts, kind="stable")], np.sort(starts)
        ends = starts + segments.column("duration")[rows]
        by_end = np.argsort(ends, kind="stable")
        before = np.searchsorted(ends[by_end], starts + SLACK, side="right") - 1
        later = np.flatnonzero(before >= 0)
        first, second = rows[by_end[before[later]]], rows[later]
        near = trial[second] - trial[first] <= 1
        pairs.append(np.stack([first[near], second[near]], axis=1))
    return _joined(pairs)


def _trial_numbers(segments: TokenizedSegments) -> np.ndarray:
    """Which trial of its recording each segment is of, unusable ones too, counted on in order of time."""
    recording, trial = (
        np.unique(segments.column(name), return_inverse=True)[1] for name in ("recording", "trial")
    )
    order = np.lexsort((segments.column("start"), recording))
    new = (np.diff(recording[order]) != 0) | (np.diff(trial[order]) != 0)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(np.concatenate([[False], new]))
    return numbers


def subject_pairs(segments: TokenizedSegments, seed: int = 0) -> np.ndarray:
    """Each segment with a few random others of the same subject that it does not overlap.

    Two people differ in ways that no question is about, so that they are not compared.

    Parameters
    ----------
    segments : TokenizedSegments
    seed : int

    Returns
    -------
    ndarray, shape (n_pairs, 2), int64
        Unusable segments are in no pair, and none is paired with itself.
    """
    rng = np.random.default_rng(seed)
    recording = segments.column("recording")
    start, duration = segments.column("start"), segments.column("duration")
    pairs = []
    for rows in _groups(segments, "subject", "dataset"):
        first = np.repeat(rows, PARTNERS)
        second = rng.choice(rows, len(first))
        apart = (start[first] + duration[first] <= start[second] + SLACK) | (
            start[second] + duration[second] <= start[first] + SLACK
        )
        kept = (first != second) & (apart | (recording[first] != recording[second]))
        pairs.append(np.unique(np.stack([first, second], axis=1)[kept], axis=0))
    return _joined(pairs)


def _groups(segments: TokenizedSegments, *names: str) -> Iterator[np.ndarray]:
    """Rows of the usable segments that share some columns, in order."""
    groups: dict[tuple, list[int]] = {}
    usable = np.flatnonzero(segments.column("unusable") == "")
    keys = zip(*(segments.column(name)[usable] for name in names), strict=True)
    for row, key in zip(usable.tolist(), keys, strict=True):
        groups.setdefault(key, []).append(row)
    return map(np.array, groups.values())


def _joined(pairs: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs])


PAIRINGS: dict[str, Callable[[TokenizedSegments, int], np.ndarray]] = {
    "consecutive": consecutive_pairs,
    "subject": subject_pairs,
}
"""What the two segments of a task have to do with each other, by its `pairing`."""
