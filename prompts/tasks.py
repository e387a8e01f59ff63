"""Tasks: the system prompt, the questions and the answer of one kind of conversation, read from YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

FOLDER = Path(__file__).parent
TASKS = ("emotion",)
MIN_PHRASINGS = 12
PLACEHOLDERS = {"system": {"classes"}, "question": {"phrasing", "signal"}, "answer": {"label"}}


@dataclass(frozen=True)
class EmotionTask:
    """Name the state that a recording shows.

    Attributes
    ----------
    system_template : str
        System prompt with ``{classes}``.
    class_separator : str
        Text between two class names in the system prompt.
    question_template : str
        User turn with ``{phrasing}`` and ``{signal}``.
    phrasings : tuple of str
        The ways to ask, at least 12.
    answer_template : str
        Assistant turn with ``{label}`` after one space, so that " anger" is one token of the base.
    """

    system_template: str
    class_separator: str
    question_template: str
    phrasings: tuple[str, ...]
    answer_template: str

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> EmotionTask:
        """From the fields that `dataclasses.asdict` gave, lists in place of tuples or not."""
        return cls(**{**fields, "phrasings": tuple(fields["phrasings"])})

    def answers(self, classes: Sequence[str]) -> list[str]:
        """The whole answer for each class."""
        return [self.answer(label) for label in classes]

    @property
    def n_phrasings(self) -> int:
        return len(self.phrasings)

    def system(self, classes: Sequence[str]) -> str:
        """The system prompt that lists the classes."""
        return self.system_template.format(classes=self.class_separator.join(classes))

    def question(self, k: int, signal_text: str) -> str:
        """The user turn with phrasing ``k`` (taken modulo ``n_phrasings``) and the signal text below it."""
        return self.ask(self.phrasings[k % self.n_phrasings], signal_text)

    def ask(self, question: str, signal_text: str) -> str:
        """The user turn with a question in words of one's own and the signal text below it."""
        return self.question_template.format(phrasing=question, signal=signal_text)

    def answer(self, label: str) -> str:
        """The assistant turn that names the label."""
        return self.answer_template.format(label=label)

    def parse(self, text: str, classes: Sequence[str]) -> str | None:
        """The one class that a generated answer names, as a whole word in any case.

        Returns
        -------
        label : str or None
            One of ``classes``; None where the text names none of them or more than one. A longer class
            name wins over a shorter one inside it ("physical stress" over "stress").
        """
        by_lower = {label.lower(): label for label in classes}
        longest_first = sorted(map(re.escape, by_lower), key=len, reverse=True)
        named = set(re.findall(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", text.lower()))
        return by_lower[named.pop()] if len(named) == 1 else None


def load_task(name: str | Path) -> EmotionTask:
    """Read a task by its name ("emotion") or from a YAML file of one's own.

    Raises
    ------
    ValueError
        With every problem of the file at once, each with its key.
    """
    path = FOLDER / f"{name}.yaml" if name in TASKS else Path(name)
    if not path.is_file():
        raise ValueError(f"no task {str(name)!r}: give one of {list(TASKS)} or the path of a YAML file")
    content = read_mapping(path)
    problems = task_problems(content)
    if problems:
        raise ValueError("\n".join(f"{path}: {problem}" for problem in problems))
    return EmotionTask(
        system_template=content["system"],
        class_separator=content.get("class_separator", ", "),
        question_template=content.get("question", "{phrasing}\n{signal}"),
        phrasings=tuple(content["questions"]),
        answer_template=content["answer"],
    )


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file whose top level is a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: got a {type(content).__name__} at the top level, allowed is a mapping")
    return content


def task_problems(content: dict[str, Any]) -> list[str]:
    """Everything that is wrong with the content of a task file; empty if it is right."""
    allowed = {"system", "class_separator", "question", "questions", "answer"}
    problems = [
        f"key {key!r} is unknown; allowed: {sorted(allowed)}" for key in content if key not in allowed
    ]
    problems += [f"key {key!r} is missing" for key in ("system", "questions", "answer") if key not in content]
    for key, wanted in PLACEHOLDERS.items():
        if key in content:
            problems += template_problems(key, content[key], wanted)
    if isinstance(content.get("answer"), str) and not re.search(r"\S \{label\}", content["answer"]):
        problems.append(f"key 'answer' needs words and one space before {{label}}, got {content['answer']!r}")
    if not isinstance(content.get("class_separator", ""), str):
        problems.append("key 'class_separator' must be text")
    if "questions" in content:
        problems += phrasing_problems(content["questions"])
    return problems


def template_problems(key: str, template: object, wanted: set[str]) -> list[str]:
    """What is wrong with one template: not text, or other placeholders than the wanted ones."""
    if not isinstance(template, str):
        return [f"key {key!r} must be text, got {type(template).__name__}"]
    try:
        found = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        return [f"key {key!r}: {error} in {template!r}"]
    if sorted(found) == sorted(wanted):
        return []
    return [f"key {key!r} must hold {sorted(wanted)} once each as {{placeholders}}, got {found}"]


def phrasing_problems(phrasings: object) -> list[str]:
    """What is wrong with the list of questions."""
    if not isinstance(phrasings, list) or not all(isinstance(text, str) and text for text in phrasings):
        return ["key 'questions' must be a list of texts"]
    problems = []
    if len(set(phrasings)) < MIN_PHRASINGS:
        problems.append(
            f"key 'questions' needs {MIN_PHRASINGS} different phrasings, got {len(set(phrasings))}"
        )
    return problems
