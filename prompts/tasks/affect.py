"""Rate valence and arousal on the scale of the ratings."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import claims
from prompts.tasks.task import MIN_ANSWERS, MIN_QUESTIONS, Task, Truth, base_rules
from prompts.wording import Rule, Texts
from prompts.words import RATINGS

__all__ = ["DIGITS", "AffectTask", "rating_names"]

DIGITS = 1


class AffectTask(Task):
    """Rate valence and arousal; where only one of them was rated, that one."""

    name: ClassVar[str] = "affect"
    needs: ClassVar[frozenset[str]] = frozenset({"ratings"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules("low", "high"),
        "questions_one": Texts(MIN_QUESTIONS // 2, ("name",)),
        "answers": Texts(MIN_ANSWERS, RATINGS),
        "answers_one": Texts(MIN_ANSWERS, ("name", "value")),
    }

    def truth(self, segments: Sequence[Facts]) -> Truth:
        ratings = {"valence": segments[0].valence, "arousal": segments[0].arousal}
        return {name: float(value) for name, value in ratings.items() if value is not None}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        names = rating_names(self.words.content["ratings"])
        found = claims(answer, names, dict.fromkeys(RATINGS, ""), self.words)
        values: Truth = {name: claim.number for name, claim in found.items() if claim.number is not None}
        return values or None

    def open_question(self, segments: Sequence[Facts], rng: random.Random) -> str:
        known = list(self.truth(segments))
        if len(known) == len(RATINGS):
            return super().open_question(segments, rng)
        question = rng.choice(self.texts["questions_one"]).format(name=self.words.word("ratings", known[0]))
        return self.words.question(question, [segments[0].signal])

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        known = self.truth(segments)
        written = {name: self.words.number(float(value), DIGITS) for name, value in known.items()}
        if len(written) == len(RATINGS):
            return self._say("answers", rng, **written)
        ((name, value),) = written.items()
        return self._say("answers_one", rng, name=self.words.word("ratings", name), value=value)

    def _missing(self, segments: Sequence[Facts]) -> str:
        if not self.truth(segments):
            return "neither valence nor arousal was rated"
        return "" if segments[0].scale else "the scale of the ratings is not known"

    def _system_values(self, segments: Sequence[Facts]) -> dict[str, str]:
        low, high = segments[0].scale or (0.0, 1.0)
        return {"low": self.words.plain_number(low), "high": self.words.plain_number(high)}


def rating_names(spelled: dict[str, list[str]]) -> dict[str, str]:
    """Spelling -> "valence" or "arousal"."""
    return {word: name for name, spellings in spelled.items() for word in spellings}
