"""Say which of two segments is more aroused or, without ratings, has the higher of one measured quantity."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import ClassVar

from prompts.facts import Facts, Quantity
from prompts.reading import claims, find_words
from prompts.tasks.affect import DIGITS, rating_names
from prompts.tasks.describe import quantity_names, quantity_units
from prompts.tasks.task import MIN_ANSWERS, MIN_QUESTIONS, Task, Truth, base_rules
from prompts.wording import Rule, Text, Texts
from prompts.words import SIDES

__all__ = ["CompareTask"]


class CompareTask(Task):
    """Which of two segments is higher, and by how much.

    Truths and claims are "<key>.higher" ("first", "second" or "equal") and "<key>.by" (0 or more), the key
    being "arousal" or a quantity's. Differences are those of the numbers as written.
    """

    name: ClassVar[str] = "compare"
    pairing: ClassVar[str] = "subject"
    says_values: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"ratings", "quantities"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules(),
        "questions_of": Texts(MIN_QUESTIONS // 2, ("name",)),
        "answers": Texts(MIN_ANSWERS, ("side", "by")),
        "by_rating": Text(("by", "low", "high")),
        "answers_equal": Texts(MIN_ANSWERS),
        "answers_of": Texts(MIN_ANSWERS, ("name", "side", "by")),
        "answers_of_equal": Texts(MIN_ANSWERS, ("name",)),
        "signs_equal": Texts(1),
    }

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        if self._rated(segments):
            return super().turns(segments, rng)
        quantity, _ = rng.choice(self._shared(segments))
        name = self.words.named(quantity.name)
        question = rng.choice(self.texts["questions_of"]).format(name=name)
        signals = [facts.signal for facts in segments]
        return [(self.words.question(question, signals), self._quantity_reply(segments, quantity, rng))]

    def stratum(self, segments: Sequence[Facts]) -> str:
        return str(self.truth(segments)["arousal.higher"]) if self._rated(segments) else ""

    def truth(self, segments: Sequence[Facts]) -> Truth:
        if self._rated(segments):
            return _difference("arousal", *(float(facts.arousal or 0) for facts in segments), digits=DIGITS)
        found: Truth = {}
        for first, second in self._shared(segments):
            found |= _difference(first.key, first.value, second.value, digits=first.digits)
        return found

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        quantities = [first for first, _ in self._shared(segments)]
        names = rating_names({"arousal": self.words.content["ratings"]["arousal"]})
        names |= quantity_names(quantities, self.words)
        units = {"arousal": "", **quantity_units(quantities, self.words)}
        keys = {key for _, _, key in find_words(answer, names)}
        side = self._side(answer, units.values())
        if side is None or len(keys) != 1:
            return None
        (key,) = keys
        if side == "equal":
            return {f"{key}.higher": side, f"{key}.by": 0.0}
        claim = claims(answer, names, units, self.words).get(key)
        by: Truth = {} if claim is None or claim.number is None else {f"{key}.by": claim.number}
        return {f"{key}.higher": side, **by}

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        truth = self.truth(segments)
        if truth["arousal.higher"] == "equal":
            return self._say("answers_equal", rng)
        low, high = map(self.words.plain_number, segments[0].scale or (0, 1))
        by = self.words.number(float(truth["arousal.by"]), DIGITS)
        by = self.texts["by_rating"].format(by=by, low=low, high=high)
        return self._say("answers", rng, side=self._written_side(truth, "arousal"), by=by)

    def _quantity_reply(self, segments: Sequence[Facts], quantity: Quantity, rng: random.Random) -> str:
        truth, name = self.truth(segments), self.words.named(quantity.name)
        if truth[f"{quantity.key}.higher"] == "equal":
            return self._say("answers_of_equal", rng, name=name)
        by = self.words.difference(quantity, float(truth[f"{quantity.key}.by"]))
        return self._say("answers_of", rng, name=name, side=self._written_side(truth, quantity.key), by=by)

    def _written_side(self, truth: Truth, key: str) -> str:
        return self.words.word("sides", str(truth[f"{key}.higher"]))

    def _side(self, answer: str, units: Iterable[str]) -> str | None:
        for unit in filter(None, units):  # "per second" names no side
            answer = answer.replace(unit, "")
        spelled = {word: side for side in SIDES for word in self.words.content["sides"][side]}
        if find_words(answer, {word: word for word in self.texts["signs_equal"]}):
            return "equal"
        sides = {side for _, _, side in find_words(answer, spelled)}
        return sides.pop() if len(sides) == 1 else None

    def _rated(self, segments: Sequence[Facts]) -> bool:
        scale = segments[0].scale
        rated = all(facts.arousal is not None for facts in segments)
        return rated and scale is not None and segments[1].scale == scale

    def _shared(self, segments: Sequence[Facts]) -> list[tuple[Quantity, Quantity]]:
        """Quantities that both segments have, in the same unit."""
        pairs = [(quantity, segments[1].quantity(quantity.key)) for quantity in segments[0].quantities]
        return [(first, second) for first, second in pairs if second and second.unit == first.unit]

    def _missing(self, segments: Sequence[Facts]) -> str:
        if self._rated(segments) or self._shared(segments):
            return ""
        return "the two have neither ratings of arousal nor a quantity in common"


def _difference(key: str, first: float, second: float, *, digits: int) -> Truth:
    by = round(round(second, digits) - round(first, digits), digits)
    higher = "equal" if by == 0 else "second" if by > 0 else "first"
    return {f"{key}.higher": higher, f"{key}.by": float(abs(by))}
