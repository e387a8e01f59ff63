"""What each conversation is about: its task, its segments and its source, balanced over what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import merge
from itertools import repeat
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from data_builders.segment_pairs import PAIRINGS
from data_builders.tokenized import TokenizedSegments
from prompts.facts import Facts

if TYPE_CHECKING:
    from prompts import Task

__all__ = ["Plan", "as_neighbours", "plan_conversations"]

SHOWN = 5
"""Reasons that an error gives, the most frequent ones."""
KEPT = 4096
"""Segments whose facts are kept while pairs are looked through; those of a subject lie together."""


@dataclass(frozen=True)
class Plan:
    """What each of some conversations is about, one entry each.

    Attributes
    ----------
    tasks, sources : tuple of str
        What ``task`` and ``source`` point to.
    number : ndarray, shape (n,), int64
        Of the conversation.
    task, source : ndarray, shape (n,), int16
    segments : ndarray, shape (n, 2), int32
        Rows of the segments; -1 in the second place for tasks about one.
    """

    tasks: tuple[str, ...]
    sources: tuple[str, ...]
    number: np.ndarray
    task: np.ndarray
    source: np.ndarray
    segments: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, which: slice) -> Plan:
        parts = (array[which] for array in (self.number, self.task, self.source, self.segments))
        return Plan(self.tasks, self.sources, *parts)


@dataclass(frozen=True)
class _Candidates:
    """Segments that a task can be asked about, by stratum; and why not about the others."""

    strata: dict[str, np.ndarray]  # each of shape (n, 2)
    reasons: Counter[str]


def plan_conversations(
    segments: TokenizedSegments,
    tasks: Mapping[str, Task],
    weights: Mapping[str, float],
    sources: Sequence[str],
    n: int | None = None,
    per_segment: float | None = None,
    seed: int = 0,
    sources_of: Mapping[str, Sequence[str]] | None = None,
    balanced: bool = True,
) -> Plan:
    """Say what each conversation is about.

    Each task has its share of any first so many conversations; within a task its strata (classes, for
    example), the sources and the segments of a stratum come equally often, in random order. A plan for more
    conversations begins with the one for fewer.

    Parameters
    ----------
    segments : TokenizedSegments
    tasks : mapping of str to Task
    weights : mapping of str to float
        Of the tasks that are asked; their shares of the conversations follow from them.
    sources : sequence of str
        Token sources that are written.
    n : int, optional
        Number of conversations.
    per_segment : float, optional
        The number as a multiple of the number of segments, in place of `n`.
    seed : int
    sources_of : mapping of str to sequence of str, optional
        Task -> those of the sources that it is asked on; all where it is not named.
    balanced : bool
        Whether the strata of a task come equally often; else the segments do.

    Raises
    ------
    ValueError
        If a task or source is unknown, a weight is not positive, a task can be asked about no segment, or an
        emotion class has none: all problems at once.
    """
    count = _number(segments, n, per_segment)
    _check_choice(segments, tasks, weights, sources)
    names = tuple(weights)
    candidates = _candidates(segments, {name: tasks[name] for name in names}, seed)
    _check_candidates(segments, candidates)
    task = _interleaved(np.array([weights[name] for name in names], dtype=float), count)
    source = np.zeros(count, dtype=np.int16)
    chosen = np.full((count, 2), -1, dtype=np.int32)
    for index, name in enumerate(names):
        at = np.flatnonzero(task == index)
        strata, own = list(candidates[name].strata.values()), (sources_of or {}).get(name, sources)
        strata = strata if balanced else [np.concatenate(strata)]
        chosen[at], drawn = _dealt(strata, len(own), len(at), [seed, crc32(name.encode())])
        source[at] = np.array([list(sources).index(one) for one in own])[drawn]
    return Plan(names, tuple(sources), np.arange(count), task, source, chosen)


def as_neighbours(segments: TokenizedSegments, about: Sequence[int], facts: Sequence[Facts]) -> list[Facts]:
    """The facts of one segment, or those of two as they are beside each other.

    Parameters
    ----------
    segments : TokenizedSegments
    about : sequence of int
        Their rows.
    facts : sequence of Facts
    """
    if len(facts) == 1 or facts[1].transition is None or not _same_trial(segments, *about):
        return list(facts)
    # The label says whether a block differs from the one before it, whichever of its windows is meant.
    # Emotions are of a block; ratings may be of single windows where there are emotions too.
    emotions = [one.emotion for one in facts]
    states = [(one.valence, one.arousal, one.transition) for one in facts] if None in emotions else emotions
    if states[0] != states[1]:
        return list(facts)  # two blocks of the trial, and the label is of these
    # Of two that both differ from the one before, it does not tell whether they are of one block.
    told = states[1] != (None, None, True)
    return [facts[0], replace(facts[1], transition=False if told else None)]


def _same_trial(segments: TokenizedSegments, first: int, second: int) -> bool:
    columns = (segments.column(name) for name in ("recording", "trial"))
    return all(column[first] == column[second] for column in columns)


def _number(segments: TokenizedSegments, n: int | None, per_segment: float | None) -> int:
    if (n is None) == (per_segment is None):
        raise ValueError(f"give one of n and per_segment; got n={n} and per_segment={per_segment}.")
    usable = np.count_nonzero(segments.column("unusable") == "")
    count = n if n is not None else round((per_segment or 0) * usable)
    if count < 1:
        raise ValueError(
            f"got n={n}, per_segment={per_segment} for {usable} usable segments; allowed is one "
            "conversation or more."
        )
    return count


def _check_choice(
    segments: TokenizedSegments,
    tasks: Mapping[str, Task],
    weights: Mapping[str, float],
    sources: Sequence[str],
) -> None:
    problems = [
        f"task {name!r} is unknown, allowed are {list(tasks)}" for name in weights if name not in tasks
    ]
    problems += [
        f"the weight of task {name!r} is {weight}, allowed are numbers above 0"
        for name, weight in weights.items()
        if not 0 < weight < float("inf")
    ]
    problems += [
        f"there are no texts of the source {name!r}, allowed are {segments.sources}"
        for name in sources
        if name not in segments.sources
    ]
    problems += [
        f"no {what} is given" for what, given in (("task", weights), ("source", sources)) if not given
    ]
    if problems:
        raise ValueError("; ".join(problems) + ".")


def _candidates(segments: TokenizedSegments, tasks: Mapping[str, Task], seed: int) -> dict[str, _Candidates]:
    """Ask all tasks about every segment, or every pair that their kind of pairing gives."""
    needs = {need for task in tasks.values() for need in task.needs}
    known = lru_cache(KEPT)(lambda row: segments.facts(row, needs=needs))
    paired = {name: PAIRINGS[task.pairing] for name, task in tasks.items() if task.pairing}
    asked = [(np.arange(len(segments))[:, None], [name for name in tasks if name not in paired])]
    asked += [(pairing(segments, seed), [name]) for name, pairing in paired.items()]
    strata: dict[str, dict[str, list[tuple[int, ...]]]] = {name: {} for name in tasks}
    reasons: dict[str, Counter[str]] = {name: Counter() for name in tasks}
    for about, names in _by_row(asked):
        facts = as_neighbours(segments, about, [known(row) for row in about])
        for name in names:
            reason = tasks[name].lacks(facts)
            if reason:
                reasons[name][reason] += 1
            else:
                strata[name].setdefault(tasks[name].stratum(facts), []).append(about)
    return {
        name: _Candidates({label: _in_pairs(found[label]) for label in sorted(found)}, reasons[name])
        for name, found in strata.items()
    }


def _by_row(asked: Sequence[tuple[np.ndarray, list[str]]]) -> Iterator[tuple[tuple[int, ...], list[str]]]:
    """Segments and pairs, each with the tasks that it is for, so that what lies together comes together.

    The facts of a segment are then read once for all tasks, however many segments there are.
    """
    of_all = [zip(map(tuple, tuples.tolist()), repeat(names)) for tuples, names in asked]
    return merge(*of_all, key=lambda one: one[0][0])


def _in_pairs(about: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Segments or pairs as rows of two, -1 in the second place where there is none."""
    both = np.full((len(about), 2), -1, dtype=np.int32)
    both[:, : len(about[0])] = about
    return both


def _check_candidates(segments: TokenizedSegments, candidates: Mapping[str, _Candidates]) -> None:
    problems = []
    for name, found in candidates.items():
        missing = [label for label in segments.classes if label not in found.strata]
        if not found.strata:
            most = found.reasons.most_common(SHOWN)
            why = (
                "; ".join(f"{reason} ({count})" for reason, count in most) or "there are no pairs of segments"
            )
            problems.append(
                f"task {name!r} can be asked about none of {len(segments)} segments: {why}. Leave the task "
                "out, or take a store that has what it asks for"
            )
        elif name == "emotion" and missing:
            problems.append(
                f"task {name!r}: no training segment is labelled {missing}; the classes are "
                f"{list(segments.classes)}"
            )
    if problems:
        raise ValueError("; ".join(problems) + ".")


def _interleaved(weights: np.ndarray, n: int) -> np.ndarray:
    """Index of a task for each of n numbers: of any first k numbers each task has its share within one."""
    share = weights / weights.sum()
    counts = np.ceil(share * n).astype(int) + 1
    due = [(np.arange(count) + 0.5) / part for count, part in zip(counts, share, strict=True)]
    index = np.repeat(np.arange(len(share), dtype=np.int16), counts)
    return index[np.argsort(np.concatenate(due), kind="stable")[:n]]


def _dealt(
    strata: Sequence[np.ndarray], n_sources: int, n: int, seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Segments and source of n conversations: every stratum and source equally often, in random order."""
    cell = _decks(len(strata) * n_sources, n, [*seed, 0])
    stratum, source = np.divmod(cell, n_sources)
    chosen = np.full((n, 2), -1, dtype=np.int32)
    for index, candidates in enumerate(strata):
        at = np.flatnonzero(stratum == index)
        chosen[at] = candidates[_decks(len(candidates), len(at), [*seed, 1, index])]
    return chosen, source


def _decks(size: int, n: int, seed: Sequence[int]) -> np.ndarray:
    """The first n of 0 .. size - 1 in one random order after another."""
    decks = np.tile(np.arange(size), (-(-n // size), 1))
    return np.random.default_rng(seed).permuted(decks, axis=1).ravel()[:n]
