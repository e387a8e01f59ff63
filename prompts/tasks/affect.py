"""Rate valence and arousal on the scale of the ratings."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import claims
from prompts.tasks.task import MIN_ANSWERS, MIN_QUESTIONS, Task, Truth, base_rules
from prompts.wording import Rule, Texts
from prompts.words import RATINGS, sentence

__all__ = ["DIGITS", "AffectTask", "RatingTask", "rating_names"]

DIGITS = 1


class AffectTask(Task):
    """Rate valence and arousal; where only one of them was rated, that one."""

    name: ClassVar[str] = "affect"
    needs: ClassVar[frozenset[str]] = frozenset({"ratings"})
    digits: ClassVar[int] = DIGITS
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules("low", "high"),
        "questions_one": Texts(MIN_QUESTIONS // 2, ("name",)),
        "answers": Texts(MIN_ANSWERS, RATINGS),
        "answers_one": Texts(MIN_ANSWERS, ("name", "value")),
    }

    def on_scale(self, rating: str, edges: Sequence[float]) -> RatingTask:
        """The task that asks for one rating, as a point of a scale; `RatingTask` says what the edges are."""
        return RatingTask(self.texts, self.words, self.others, rating=rating, edges=tuple(edges))

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
        written = {name: self.words.number(float(value), self.digits) for name, value in known.items()}
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


@dataclass(frozen=True, kw_only=True)
class RatingTask(AffectTask):
    """Ask for one rating, and write it as a point of a scale: a whole number from 1.

    So few answers can be told apart by their likelihoods. These are read on the first system prompt and the
    first answer form.

    Attributes
    ----------
    rating : {"valence", "arousal"}
    edges : tuple of float
        Ratings between the points, ascending; a rating on an edge belongs to the point above it.
    """

    rating: str
    edges: tuple[float, ...]
    digits: ClassVar[int] = 0

    @property
    def n_points(self) -> int:
        return len(self.edges) + 1

    @property
    def n_phrasings(self) -> int:
        return len(self.texts["questions_one"])

    def instruction(self) -> str:
        """The system prompt with the ends of the scale."""
        return self.texts["system"][0].format(**self._system_values([]))

    def question(self, k: int, signal_text: str) -> str:
        """The user turn with phrasing ``k`` (taken modulo ``n_phrasings``) and the signal text below it."""
        phrasing = self.texts["questions_one"][k % self.n_phrasings]
        return self.words.question(phrasing.format(name=self._spelled), [signal_text])

    def answers(self) -> list[str]:
        """The whole answer for each point, in the first form."""
        points = (self.words.number(point, self.digits) for point in range(1, self.n_points + 1))
        form = self.texts["answers_one"][0]
        return [sentence(form.format(name=self._spelled, value=point)) for point in points]

    def point(self, text: str) -> int | None:
        """The point that an answer names; None where it names none, or a number that is no point."""
        number = (self.parse(text, []) or {}).get(self.rating)
        return next((point for point in range(1, self.n_points + 1) if point == number), None)

    def stratum(self, segments: Sequence[Facts]) -> str:
        return f"{int(self.truth(segments)[self.rating]):03d}"

    def truth(self, segments: Sequence[Facts]) -> Truth:
        known = super().truth(segments)
        if self.rating not in known:
            return {}
        return {self.rating: float(bisect_right(self.edges, float(known[self.rating])) + 1)}

    @property
    def _spelled(self) -> str:
        return self.words.word("ratings", self.rating)

    def _missing(self, segments: Sequence[Facts]) -> str:
        return "" if self.truth(segments) else f"{self.rating} was not rated"

    def _system_values(self, segments: Sequence[Facts]) -> dict[str, str]:
        ends = {"low": 1.0, "high": float(self.n_points)}
        return {name: self.words.number(end, self.digits) for name, end in ends.items()}


def rating_names(spelled: dict[str, list[str]]) -> dict[str, str]:
    """Spelling -> "valence" or "arousal"."""
    return {word: name for name, spellings in spelled.items() for word in spellings}
