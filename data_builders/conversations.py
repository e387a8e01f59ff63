"""A plan of conversations -> ShareGPT rows.

A row is determined by the seed and its number alone, so that parts of a plan can be made anywhere, in any
order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_builders._sharegpt_rules import DEFAULT_ROLES, SYSTEM, Roles
from data_builders.conversation_plan import Plan, as_neighbours
from data_builders.tokenized import TokenizedSegments
from prompts.facts import Facts

if TYPE_CHECKING:
    from prompts import Task

__all__ = ["COLUMNS", "rows"]

IDS = ("segment", "dataset", "subject", "session", "trial", "stimulus")
COLUMNS = ("id", *IDS, "other_segment", "task", "label", "part", "source", "truth")
"""Keys of every row beside ``conversations``, all of them text and in each row, empty where unknown: readers
of JSON take the columns from the first rows."""


def rows(
    segments: TokenizedSegments,
    tasks: Mapping[str, Task],
    plan: Plan,
    seed: int = 0,
    roles: Roles = DEFAULT_ROLES,
    label_words: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the ShareGPT row of each conversation of a plan, or of a part of it.

    Parameters
    ----------
    segments : TokenizedSegments
    tasks : mapping of str to Task
    plan : Plan
    seed : int
        Of the copies and phrasings.
    roles : Roles
    label_words : mapping of str to str, optional
        Class -> the word that is written for it, others as they are; ``label`` and ``truth`` stay classes.
    """
    for index, number, source, about in zip(
        plan.task.tolist(), plan.number.tolist(), plan.source.tolist(), plan.segments.tolist(), strict=True
    ):
        name = plan.tasks[index]
        key, asked = f"{seed}/{number}", [row for row in about if row >= 0]
        row = _row(segments, tasks[name], plan.sources[source], asked, key, roles, label_words or {})
        yield {"id": f"{name}-{number:07d}", **row}


def _row(
    segments: TokenizedSegments,
    task: Task,
    source: str,
    about: list[int],
    key: str,
    roles: Roles,
    label_words: Mapping[str, str],
) -> dict[str, Any]:
    rng = random.Random(key)
    copies = [rng.randrange(segments.n_copies(row, source)) for row in about]
    alone = [segments.facts(row, source, copy, task.needs) for row, copy in zip(about, copies, strict=True)]
    facts = as_neighbours(segments, about, alone)
    told = [_worded(one, label_words) for one in facts] if label_words else facts
    return {
        "conversations": _turns(task.system(told, rng), task.turns(told, rng), roles),
        **{name: segments.value(about[-1], name) for name in IDS},
        "other_segment": segments.value(about[0], "segment") if len(about) == 2 else "",
        "task": task.name,
        "label": facts[-1].emotion or "",
        "part": segments.value(about[-1], "part"),
        "source": source,
        "truth": json.dumps(task.truth(facts), ensure_ascii=False),
    }


def _worded(facts: Facts, words: Mapping[str, str]) -> Facts:
    """The facts with the classes in other words."""

    def word(label: str | None) -> str | None:
        return None if label is None else words.get(label, label)

    classes = tuple(words.get(label, label) for label in facts.classes)
    return replace(facts, emotion=word(facts.emotion), reading=word(facts.reading), classes=classes)


def _turns(system: str, pairs: Sequence[tuple[str, str]], roles: Roles) -> list[dict[str, str]]:
    """The system prompt as the first turn: all trainers read it there, and only some under a key."""
    sides = (roles.human, roles.gpt)
    said = [(side, text) for pair in pairs for side, text in zip(sides, pair, strict=True)]
    return [{"from": side, "value": text} for side, text in [(SYSTEM, system), *said]]
