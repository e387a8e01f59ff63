"""The words that all tasks of a language share: how turns, numbers, ranges and lists are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from prompts.facts import FAULTS, LEVELS, Quantity
from prompts.wording import Groups, Names, Rule, Text

__all__ = ["Words", "sentence"]

SIDES = ("first", "second")
RATINGS = ("valence", "arousal")


@dataclass(frozen=True)
class Words:
    """The words of one language, from its ``words.yaml``.

    Attributes
    ----------
    content : dict
        As in the file, whose keys are those of `rules`.
    """

    content: dict[str, Any]

    rules: ClassVar[dict[str, Rule]] = {
        "question": Text(("phrasing", "signal")),
        "pair_question": Text(("phrasing", "first", "second")),
        "class_separator": Text(),
        "list_separator": Text(),
        "list_last": Text(),
        "item_separator": Text(),
        "decimal": Text(),
        "range": Text(("low", "high")),
        "range_to": Text(("high",)),
        "range_from": Text(("low",)),
        "levels": Groups(LEVELS),
        "faults": Groups(FAULTS),
        "ratings": Groups(RATINGS),
        "sides": Groups(SIDES),
        "units": Groups(),
        "differences": Names(),
        "one": Names(),
        "names": Names(),
    }

    def question(self, phrasing: str, signals: Sequence[str]) -> str:
        """A user turn: the question, and below it the text of one signal or of two."""
        if len(signals) == 1:
            return self.content["question"].format(phrasing=phrasing, signal=signals[0])
        first, second = signals
        return self.content["pair_question"].format(phrasing=phrasing, first=first, second=second)

    def classes(self, classes: Iterable[str]) -> str:
        """The classes as a system prompt lists them."""
        return self.content["class_separator"].join(classes)

    def named(self, name: str) -> str:
        """The name of a quantity, channel, unit or reason in this language; as it is where none is given."""
        return self.content["names"].get(name, name)

    def word(self, kind: str, key: str) -> str:
        """How a level, fault, rating or side is written: the first of its words."""
        return self.content[kind][key][0]

    def number(self, number: float, digits: int) -> str:
        """A number with the language's decimal sign, never "-0"."""
        return self._signed(f"{round(number, digits) + 0.0:.{digits}f}")

    def plain_number(self, number: float) -> str:
        """A number with no more decimals than it needs."""
        return self._signed(f"{number:.6f}".rstrip("0").rstrip("."))

    def value(self, quantity: Quantity) -> str:
        """A measured value with its unit."""
        return self._with_unit(quantity, quantity.value, self.named(quantity.unit))

    def difference(self, quantity: Quantity, number: float) -> str:
        """How far two values lie apart: percents by percentage points."""
        unit = self.named(quantity.unit)
        return self._with_unit(quantity, number, self.content["differences"].get(unit, unit))

    def _with_unit(self, quantity: Quantity, number: float, unit: str) -> str:
        written = self.number(number, quantity.digits)
        if written in ("1", "-1"):
            unit = self.content["one"].get(unit, unit)
        return f"{written} {unit}".rstrip()

    def range(self, quantity: Quantity) -> str:
        """The reference range of a quantity that has one, with its decimals and without the unit."""
        ends = {"low": quantity.low, "high": quantity.high}
        written = {end: self.number(n, quantity.digits) for end, n in ends.items() if n is not None}
        key = "range" if len(written) == 2 else {"low": "range_from", "high": "range_to"}[next(iter(written))]
        return self.content[key].format(**written)

    def listed(self, words: Sequence[str]) -> str:
        """ "a, b and c"."""
        if len(words) < 2:
            return "".join(words)
        return self.content["list_separator"].join(words[:-1]) + self.content["list_last"] + words[-1]

    def unlisted(self, text: str) -> list[str]:
        """The words that `listed` made a text of; none of them may hold what stands between them."""
        between = (self.content["list_last"], self.content["list_separator"])
        return re.split("|".join(map(re.escape, between)), text)

    def items(self, items: Iterable[str]) -> str:
        """Items that may hold commas themselves."""
        return self.content["item_separator"].join(items)

    def _signed(self, number: str) -> str:
        return number.replace(".", self.content["decimal"])


def sentence(text: str) -> str:
    """A text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]
