"""Tasks: kinds of conversation about segments, worded by YAML files of one language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

from prompts.tasks.affect import AffectTask, RatingTask
from prompts.tasks.compare import CompareTask
from prompts.tasks.describe import DescribeTask
from prompts.tasks.dialogue import DialogueTask
from prompts.tasks.emotion import EmotionTask
from prompts.tasks.evidence import EvidenceTask
from prompts.tasks.outside import OutsideTask
from prompts.tasks.quality import QualityTask
from prompts.tasks.refuse import RefuseTask
from prompts.tasks.task import Task, Truth
from prompts.tasks.transition import TransitionTask
from prompts.wording import FOLDER, read_mapping, wording_problems
from prompts.words import Words

__all__ = [
    "LANGUAGES",
    "TASKS",
    "AffectTask",
    "CompareTask",
    "DescribeTask",
    "DialogueTask",
    "EmotionTask",
    "EvidenceTask",
    "OutsideTask",
    "QualityTask",
    "RatingTask",
    "RefuseTask",
    "Task",
    "TransitionTask",
    "Truth",
    "language_folder",
    "load_task",
    "task_from_fields",
]

TASKS: dict[str, type[Task]] = {
    "emotion": EmotionTask,
    "affect": AffectTask,
    "transition": TransitionTask,
    "compare": CompareTask,
    "describe": DescribeTask,
    "quality": QualityTask,
    "evidence": EvidenceTask,
    "dialogue": DialogueTask,
    "refuse": RefuseTask,
    "outside": OutsideTask,
}
LANGUAGES = ("en",)
WORDS = "words"


@overload
def load_task(name: Literal["emotion"], language: str | Path = "en") -> EmotionTask: ...
@overload
def load_task(name: str, language: str | Path = "en") -> Task: ...
def load_task(name: str, language: str | Path = "en") -> Task:
    """Read a task in a shipped language, or from a folder with wording files of one's own.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    language : str or path
        One of `LANGUAGES`, or a folder that holds ``words.yaml``, ``<name>.yaml`` and the files of the
        tasks that this one borrows from.

    Raises
    ------
    ValueError
        With every missing file, and every problem of the others with its key, at once.
    """
    if name not in TASKS:
        raise ValueError(f"no task {str(name)!r}: allowed are {list(TASKS)}")
    return _build(name, _read(language_folder(language), name))


def language_folder(language: str | Path) -> Path:
    """The folder with the wording files of a language, see `load_task`."""
    folder = FOLDER / language if language in LANGUAGES else Path(language)
    if not folder.is_dir():
        raise ValueError(
            f"no language {str(language)!r}: give one of {list(LANGUAGES)} or a folder with wording files"
        )
    return folder


def task_from_fields(fields: Mapping[str, Any]) -> Task:
    """The task whose `Task.fields` these are, from JSON or not."""
    others = {name: task_from_fields(other) for name, other in fields["others"].items()}
    return TASKS[fields["task"]](fields["texts"], Words(fields["words"]), others)


def _read(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The content of each file that a task needs, by name."""
    contents, problems = {}, []
    for wanted in (WORDS, *_needed(name)):
        path = folder / f"{wanted}.yaml"
        if not path.is_file():
            problems.append(f"{path}: missing; task {name!r} needs it, as in {FOLDER / 'en' / path.name}")
            continue
        contents[wanted] = read_mapping(path)
        rules = Words.rules if wanted == WORDS else TASKS[wanted].rules
        problems += [f"{path}: {problem}" for problem in wording_problems(contents[wanted], rules)]
    if problems:
        raise ValueError("\n".join(problems))
    return contents


def _needed(name: str) -> list[str]:
    """A task and all that it borrows from, each once."""
    borrowed = [task for other in TASKS[name].borrows for task in _needed(other)]
    return list(dict.fromkeys([name, *borrowed]))


def _build(name: str, contents: Mapping[str, dict[str, Any]]) -> Task:
    others = {other: _build(other, contents) for other in TASKS[name].borrows}
    return TASKS[name](contents[name], Words(contents[WORDS]), others)
