"""Describe a segment in measured quantities, with units and where they lie in their reference range."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts, Quantity
from prompts.reading import claims
from prompts.tasks.task import MIN_ANSWERS, MIN_QUESTIONS, Task, Truth, base_rules
from prompts.wording import Forms, Rule, Text, Texts
from prompts.words import Words, sentence

__all__ = ["ASKED", "DescribeTask", "main_quantities", "quantity_names", "quantity_units"]

LONGEST = 6
"""An answer to an open question gives so many quantities; more would not be read."""
FIRST = 3
"""So many of the first quantities are always among them."""
ASKED = 3
"""A question names at most so many quantities."""


class DescribeTask(Task):
    """Describe a segment in measured values: the main ones of all, or those that the question names.

    The main ones are the first few, those out of their range and, where there is room, others.
    """

    name: ClassVar[str] = "describe"
    needs: ClassVar[frozenset[str]] = frozenset({"quantities"})
    says_values: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules(),
        "asked": Text(("name",)),
        "questions_of": Texts(MIN_QUESTIONS // 2, ("quantities",)),
        "answers": Forms(
            MIN_ANSWERS,
            {"text": ("items",), "item": ("name", "value", "level", "range"), "plain": ("name", "value")},
        ),
    }

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        quantities = segments[0].quantities
        if rng.random() < 0.5:
            return [(self.open_question(segments, rng), self.reply(segments, rng))]
        asked = rng.sample(quantities, rng.randint(1, min(ASKED, len(quantities))))
        question = self.question_of([quantity.name for quantity in asked], rng)
        return [(self.words.question(question, [segments[0].signal]), self.reply_of(asked, rng))]

    def question_of(self, names: Sequence[str], rng: random.Random) -> str:
        """A question for the quantities with these names."""
        asked = [self.texts["asked"].format(name=self.words.named(name)) for name in names]
        return rng.choice(self.texts["questions_of"]).format(quantities=self.words.listed(asked))

    def truth(self, segments: Sequence[Facts]) -> Truth:
        """Each quantity under its key, and its level, where it has a range, under "<key>.level"."""
        found: Truth = {}
        for quantity in segments[0].quantities:
            found[quantity.key] = float(quantity.value)
            if quantity.level:
                found[f"{quantity.key}.level"] = quantity.level
        return found

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        """Value and level are read apart: a level that the value's range contradicts is seen."""
        quantities = segments[0].quantities
        found: Truth = {}
        units = quantity_units(quantities, self.words)
        for key, claim in claims(answer, quantity_names(quantities, self.words), units, self.words).items():
            if claim.number is not None:
                found[key] = claim.number
            if claim.level is not None:
                found[f"{key}.level"] = claim.level
        return found or None

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        return self.reply_of(main_quantities(segments[0].quantities), rng)

    def reply_of(self, quantities: Sequence[Quantity], rng: random.Random) -> str:
        """The answer that gives these quantities."""
        form = rng.choice(self.texts["answers"])
        return sentence(form["text"].format(items=self.words.items(self._item(q, form) for q in quantities)))

    def _item(self, quantity: Quantity, form: dict[str, str]) -> str:
        values = {"name": self.words.named(quantity.name), "value": self.words.value(quantity)}
        if quantity.level is None:
            return form["plain"].format(**values)
        level = self.words.word("levels", quantity.level)
        return form["item"].format(**values, level=level, range=self.words.range(quantity))

    def _missing(self, segments: Sequence[Facts]) -> str:
        return "" if segments[0].quantities else "no quantity was measured"


def main_quantities(quantities: Sequence[Quantity]) -> list[Quantity]:
    """The main quantities, in their order: to leave out what is not normal would say that all is."""
    rest = sorted(quantities[FIRST:], key=lambda quantity: quantity.level in (None, "normal"))
    main = [*quantities[:FIRST], *rest[: LONGEST - FIRST]]
    return [quantity for quantity in quantities if quantity in main]


def quantity_names(quantities: Sequence[Quantity], words: Words) -> dict[str, str]:
    """Name as it is written -> key."""
    return {words.named(quantity.name): quantity.key for quantity in quantities}


def quantity_units(quantities: Sequence[Quantity], words: Words) -> dict[str, str]:
    """Key -> unit as it is written."""
    return {quantity.key: words.named(quantity.unit) for quantity in quantities}
