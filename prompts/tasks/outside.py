"""Answer questions that no biosignal can answer: say so, and say what this recording can tell."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import find_words, template_pattern
from prompts.tasks.task import MIN_ANSWERS, MIN_QUESTIONS, Task, Truth
from prompts.wording import Groups, Rule, Text, Texts
from prompts.words import RATINGS

__all__ = ["OutsideTask"]


class OutsideTask(Task):
    """Diagnosis, identity, medication, tomorrow's mood, the weather: not in the signal.

    The system prompt is at times another task's, drawn by the signal text, as such questions come up there.
    """

    name: ClassVar[str] = "outside"
    needs: ClassVar[frozenset[str]] = frozenset({"quantities"})
    borrows: ClassVar[tuple[str, ...]] = ("emotion", "affect", "describe")
    rules: ClassVar[dict[str, Rule]] = {
        "system": Texts(2),
        "topics": Groups(minimum=MIN_QUESTIONS),
        "answers": Texts(MIN_ANSWERS, ("topic", "can")),
        "can_emotion": Texts(2),
        "can_describe": Texts(2, ("name",)),
        "can_signal": Text(),
        "signs": Texts(1),
    }

    def system(self, segments: Sequence[Facts], rng: random.Random | None = None) -> str:
        fitting = [task for task in self.others.values() if not task.lacks(segments)]
        task = random.Random(segments[0].signal).choice([self, *fitting])
        return super().system(segments, rng) if task is self else task.system(segments, rng)

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        question, answer = self.exchange(segments, rng)
        return [(self.words.question(question, [segments[0].signal]), answer)]

    def exchange(self, segments: Sequence[Facts], rng: random.Random) -> tuple[str, str]:
        """A question, without the signal text, and its answer."""
        topic = rng.choice(list(self.texts["topics"]))
        can = self.words.listed(self._can(segments, rng))
        return rng.choice(self.texts["topics"][topic]), self._say("answers", rng, topic=topic, can=can)

    def truth(self, segments: Sequence[Facts]) -> Truth:
        return {"outside": True}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        by_form = any(template_pattern(form).fullmatch(answer.strip()) for form in self.texts["answers"])
        signs = find_words(answer, {sign: sign for sign in self.texts["signs"]})
        return {"outside": True} if by_form or signs else None

    def _can(self, segments: Sequence[Facts], rng: random.Random) -> list[str]:
        facts, ratings = segments[0], {"valence": segments[0].valence, "arousal": segments[0].arousal}
        can = [rng.choice(self.texts["can_emotion"])] if facts.classes else []
        can += [self.words.word("ratings", name) for name in RATINGS if ratings[name] is not None]
        if facts.quantities:
            name = self.words.named(rng.choice(facts.quantities).name)
            can.append(rng.choice(self.texts["can_describe"]).format(name=name))
        return can or [self.texts["can_signal"]]

    def _missing(self, segments: Sequence[Facts]) -> str:
        return ""
