"""The page of conversations shows ten of each task and build, in today's wording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prompts import TASKS, load_task
from prompts.reading import template_pattern

PAGE = (Path(__file__).parents[1] / "docs" / "conversations.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BUILDS = {"compare": 2}
"""Builds that the page shows ten conversations of, where it is not one."""


def templates(task) -> list[str]:
    """All texts of a task and of those that it borrows from, but for those of a placeholder alone."""
    found: list[str] = []
    left = [task.texts, *(other.texts for other in task.others.values())]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.append(value)
        else:
            left += value.values() if isinstance(value, dict) else value
    return [text for text in found if re.sub(r"\{\w+\}|\W", "", text)]


@pytest.mark.parametrize("name", TASKS)
def test_the_page_shows_ten_of_each_task_in_the_wording_of_the_prompts(name):
    conversations = SECTIONS[name].strip().split("\n1. ")
    patterns = [template_pattern(text) for text in templates(load_task(name))]
    assert len(conversations) == 10 * BUILDS.get(name, 1)
    for text in conversations:
        asked = re.findall(r"\*\*question\*\*: (.*)", text)
        said = re.findall(r"\*system\*: (.*)", text)
        assert asked
        assert len(said) == 1
        for line in [*asked, *said]:
            words = re.sub(r"( First:)? `<\|.*", "", line)
            assert any(pattern.fullmatch(words) for pattern in patterns), f"write the page anew: {words!r}"


def test_answers_differ():
    """Variation: of a task's ten, most first questions and answers are there once."""
    for name, text in SECTIONS.items():
        answers = re.findall(r"\*\*answer\*\*: (.*)", text)
        assert len(set(answers)) >= 0.6 * len(answers), name
