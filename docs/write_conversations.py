"""python docs/write_conversations.py runs/noneeg-talk runs/simulated-talk

Writes docs/conversations.md: the text of docs/conversations.in.md and, behind it, the first ten conversations
of each task in each of the folders, which `biollm build` wrote (the page says how), with their ground truth.
Every answer is read back and held against the truth; the first wrong one ends the script.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_builders.conversation_plan import as_neighbours
from data_builders.tokenized import TokenizedSegments
from prompts import TASKS, Facts, Task, load_task

DOCS = Path(__file__).parent
SHOWN = 10
FIRST, LAST = 3, 2
TOKENS = re.compile(r"(?:<\|[^|]+\|>\s*)+")
PARTS = re.compile(r"\.(level|higher|by)$")
ROUNDED = 2
"""Decimals of shares, weights and probabilities; ratings have fewer, and quantities their own."""


def conversations(folder: Path) -> Iterator[dict[str, Any]]:
    for shard in sorted((folder / "train").glob("*.jsonl")):
        yield from map(json.loads, shard.read_text(encoding="utf-8").splitlines())


def facts_of(row: dict[str, Any], segments: TokenizedSegments, task: Task) -> list[Facts]:
    """What was known when a row was written, but for the signal text."""
    names = [name for name in (row["other_segment"], row["segment"]) if name]
    about = [segments.column("segment").tolist().index(name) for name in names]
    return as_neighbours(segments, about, [segments.facts(k, needs=task.needs) for k in about])


def check(row: dict[str, Any], facts: list[Facts], task: Task) -> None:
    """Hold what each answer claims against the truth, numbers as they are rounded."""
    truth = json.loads(row["truth"])
    digits = {"valence": 1, "arousal": 1, "arousal.by": 1}
    for quantity in facts[0].quantities:
        digits |= dict.fromkeys((quantity.key, f"{quantity.key}.by"), quantity.digits)
    for turn in row["conversations"][2::2]:
        claimed = task.parse(turn["value"], facts)
        if not claimed:
            raise ValueError(f"{row['id']}: {turn['value']!r} claims nothing that can be read")
        for key, value in claimed.items():
            if isinstance(value, float) and not isinstance(truth[key], str):
                right = abs(value - truth[key]) <= 0.5 * 10 ** -digits.get(key, ROUNDED) + 1e-9
            else:
                right = value == truth[key]
            if not right:
                raise ValueError(f"{row['id']}: {turn['value']!r} says {value} for {key}, not {truth[key]}")


def written(row: dict[str, Any]) -> str:
    """A conversation as an item of a numbered list."""
    system, *turns = row["conversations"]
    lines = [f"1. *system*: {system['value']}"]
    names = ("**question**", "**answer**")
    for k, turn in enumerate(turns):
        text = TOKENS.sub(shortened, turn["value"]).replace("\n", " ")
        lines.append(f"   - {names[k % 2]}: {text.strip()}")
    known = [row["other_segment"], row["segment"]]
    where = " and ".join(f"`{name}`" for name in known if name)
    return "\n".join([*lines, f"   - *truth* of {where}: {truth_in_words(json.loads(row['truth']))}"])


def shortened(match: re.Match[str]) -> str:
    tokens = re.findall(r"<\|[^|]+\|>", match[0])
    if len(tokens) <= FIRST + LAST:
        return f"`{''.join(tokens)}` "
    return f"`{''.join(tokens[:FIRST])} … {''.join(tokens[-LAST:])}` ({len(tokens)} tokens) "


def truth_in_words(truth: dict[str, Any]) -> str:
    """Each key with all that is known of it."""
    values: dict[str, list[str]] = {}
    for key, value in truth.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value).lower()
        values.setdefault(PARTS.sub("", key), []).append(shown)
    return ", ".join(f"{key} {' '.join(shown)}" for key, shown in values.items())


def main() -> None:
    found: dict[str, list[str]] = {name: [] for name in TASKS}
    tasks = {name: load_task(name) for name in TASKS}
    for folder in map(Path, sys.argv[1:]):
        segments = TokenizedSegments(folder / "segments")
        shown = dict.fromkeys(TASKS, 0)
        for row in conversations(folder):
            if shown[row["task"]] < SHOWN:
                task = tasks[row["task"]]
                check(row, facts_of(row, segments, task), task)
                found[row["task"]].append(written(row))
                shown[row["task"]] += 1
    few = {name: len(texts) for name, texts in found.items() if len(texts) < SHOWN}
    if few:
        raise SystemExit(f"{sys.argv[1:]} hold too few conversations of {few}; {SHOWN} of each are shown")
    parts = [(DOCS / "conversations.in.md").read_text(encoding="utf-8").rstrip()]
    parts += [f"## {name}\n\n" + "\n".join(texts) for name, texts in found.items()]
    (DOCS / "conversations.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
