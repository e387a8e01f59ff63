"""Planned conversations in shards, which are made anywhere, in any order, with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_builders._sharegpt_files import FORMATS
from data_builders._sharegpt_rules import DEFAULT_ROLES, Roles
from data_builders.conversation_plan import Plan
from data_builders.conversations import rows
from data_builders.engines import ENGINES
from data_builders.sharegpt import write_sharegpt
from data_builders.tokenized import TokenizedSegments

if TYPE_CHECKING:
    from prompts import Task

__all__ = ["FORMATS", "Shard", "make_shard", "plan_shards", "write_shards"]


@dataclass(frozen=True)
class Shard:
    """All that is needed to make one file of conversations.

    Attributes
    ----------
    file : Path
        Its suffix says the format.
    segments : Path or TokenizedSegments
        Folder of tokenized segments, or they themselves for work in this process.
    tasks : mapping of str to Task
    plan : Plan
        The part of the plan that goes into this file.
    seed : int
    roles : Roles
    label_words : mapping, optional
        See `data_builders.conversations.rows`.
    """

    file: Path
    segments: Path | TokenizedSegments
    tasks: Mapping[str, Task]
    plan: Plan
    seed: int = 0
    roles: Roles = DEFAULT_ROLES
    label_words: Mapping[str, str] | None = None


def make_shard(shard: Shard) -> Path:
    """Write a shard, or leave it where it is there: shards are written whole or not at all."""
    if not shard.file.is_file():
        segments = shard.segments
        if isinstance(segments, Path):
            segments = TokenizedSegments(segments)
        drawn = rows(segments, shard.tasks, shard.plan, shard.seed, shard.roles, shard.label_words)
        write_sharegpt(drawn, shard.file, shard.roles)
    return shard.file


def plan_shards(
    folder: Path,
    segments: Path | TokenizedSegments,
    tasks: Mapping[str, Task],
    plan: Plan,
    shard_size: int,
    file_format: str,
    seed: int = 0,
    roles: Roles = DEFAULT_ROLES,
    label_words: Mapping[str, str] | None = None,
) -> list[Shard]:
    """The shards of a plan: ``00000.jsonl`` and so on, each of `shard_size` conversations but the last.

    Raises
    ------
    ValueError
        If the format is unknown or the size is below one.
    """
    if file_format not in FORMATS or shard_size < 1:
        raise ValueError(
            f"file_format is {file_format!r} and shard_size {shard_size}; allowed are {list(FORMATS)} and "
            "one conversation or more a shard."
        )
    starts = range(0, len(plan), shard_size)
    return [
        Shard(
            folder / f"{number:05d}.{file_format}",
            segments,
            tasks,
            plan[start : start + shard_size],
            seed,
            roles,
            label_words,
        )
        for number, start in enumerate(starts)
    ]


def write_shards(
    shards: Sequence[Shard], jobs: int = 1, engine: str = "local", ray_address: str | None = None
) -> Iterator[Path]:
    """Make all shards that are not there yet, and yield each file when it is done.

    Parameters
    ----------
    shards : sequence of Shard
        Of one folder.
    jobs : int
    engine : {"local", "ray"}
    ray_address : str, optional
        See `data_builders.engines`.
    """
    yield from ENGINES[engine](make_shard, shards, jobs, ray_address)
    for folder in {shard.file.parent for shard in shards}:
        # What a killed run left half-written: readers of other trainers take every file of a folder.
        for rest in [*folder.glob(".*.partial"), *folder.glob(".*.staged")]:
            rest.unlink()
