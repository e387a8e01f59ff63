"""Refuse to answer about a segment that nothing should be read from."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import find_words, template_pattern
from prompts.tasks.describe import ASKED, DescribeTask
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules
from prompts.wording import Rule, Texts

__all__ = ["RefuseTask"]

STATES = ("emotion", "evidence", "dialogue")
"""Tasks that ask for the state."""


class RefuseTask(Task):
    """Any task's question about an unusable segment, and a refusal with its reason: no label, no number.

    Of a segment whose reading is too uncertain only the state is asked for: what was measured can be said.

    System prompt and question are those of another task, drawn by the signal text, and its own only where no
    other fits: a model that could tell a refusal from what is asked would not look at the signal. So the
    others are to be those that are taught beside it. Measured values are asked for, all at once or a few by
    name, where others' are described.
    """

    name: ClassVar[str] = "refuse"
    needs: ClassVar[frozenset[str]] = frozenset({"certainty", "spoiled"})
    borrows: ClassVar[tuple[str, ...]] = ("emotion", "affect", "describe", "evidence", "dialogue")
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules(),
        "answers": Texts(MIN_ANSWERS, ("reason",)),
        "uncertain": Texts(1),
        "signs": Texts(1),
    }

    def system(self, segments: Sequence[Facts], rng: random.Random | None = None) -> str:
        asked = self._asked(segments)
        return super().system(segments, rng) if asked is self else asked.system(segments, rng)

    def open_question(self, segments: Sequence[Facts], rng: random.Random) -> str:
        asked, names = self._asked(segments), segments[0].described
        if isinstance(asked, DescribeTask) and rng.random() < 0.5:
            few = rng.sample(names, rng.randint(1, min(ASKED, len(names))))
            question = asked.question_of(few, rng)
        else:
            question = rng.choice(asked.texts["questions"])
        return self.words.question(question, [segments[0].signal])

    def truth(self, segments: Sequence[Facts]) -> Truth:
        return {"refused": True}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        """Whether an answer refuses; one that names a class or a number does not, others are unreadable."""
        if self._is_refusal(answer):
            return {"refused": True}
        classes = {name: name for name in segments[0].classes}
        return {"refused": False} if find_words(answer, classes) or re.search(r"\d", answer) else None

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        return self._say("answers", rng, reason=rng.choice(self._reasons(segments[0])))

    def _reasons(self, facts: Facts) -> list[str]:
        return [self.words.named(facts.unusable)] if facts.unusable else self.texts["uncertain"]

    def _is_refusal(self, answer: str) -> bool:
        by_form = any(template_pattern(form).fullmatch(answer.strip()) for form in self.texts["answers"])
        return by_form or bool(find_words(answer, {sign: sign for sign in self.texts["signs"]}))

    def _asked(self, segments: Sequence[Facts]) -> Task:
        facts = segments[0]
        fits = {"emotion": facts.classes, "affect": facts.scale, "describe": facts.described}
        fits["evidence"] = fits["dialogue"] = facts.classes
        tasks = [task for name, task in self.others.items() if fits[name]]
        if not facts.unusable:
            tasks = [self.others[name] for name in STATES if name in self.others]
        return random.Random(facts.signal).choice(tasks or [self])

    def _unusable(self, segments: Sequence[Facts]) -> str:
        facts = segments[0]
        if facts.unusable:
            return ""
        if not facts.uncertain:
            return "the segment is usable"
        return "" if set(STATES) & set(self.others) else "its reading is uncertain, and no task asks for one"

    def _missing(self, segments: Sequence[Facts]) -> str:
        for reason in self._reasons(segments[0]):
            if find_words(reason, {name: name for name in segments[0].classes}) or re.search(r"\d", reason):
                return f"the reason {reason!r} holds a class or a number, which no refusal may"
        return ""
