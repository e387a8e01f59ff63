"""Say which channels and features speak for the reading, by what hiding them does to its probability."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Clue, Facts
from prompts.reading import claims, find_words, named_once, template_pattern
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules
from prompts.wording import Forms, Rule, Text, Texts
from prompts.words import sentence

__all__ = ["EvidenceTask"]

DIGITS = 2
LEAST = 0.05
"""Fall of the probability from which a clue is evidence."""
MOST = 3
"""The strongest clues are written; the rest would be a list, not evidence."""


class EvidenceTask(Task):
    """What the reading rests on. Claims are "reading", and "<clue>.weight" for each clue.

    Only a reading that is the label, or has none beside it, is asked about: evidence for a wrong one
    would teach it.
    """

    name: ClassVar[str] = "evidence"
    needs: ClassVar[frozenset[str]] = frozenset({"clues"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules("classes"),
        "answers": Forms(MIN_ANSWERS, {"text": ("items", "label"), "item": ("name", "weight")}),
        "answers_none": Texts(MIN_ANSWERS, ("label",)),
        "channel": Text(("name",)),
        "feature": Text(("name",)),
    }

    def stratum(self, segments: Sequence[Facts]) -> str:
        return segments[0].reading or ""

    def truth(self, segments: Sequence[Facts]) -> Truth:
        weights = {f"{clue.name}.weight": round(clue.weight, DIGITS) for clue in self._clues(segments)}
        return {"reading": str(segments[0].reading), **weights}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        names = {self.words.named(clue.name): clue.name for clue in segments[0].clues}
        found = claims(answer, names, dict.fromkeys(names.values(), ""), self.words)
        bare = answer
        for start, end, _ in find_words(answer, names):
            bare = bare[:start] + " " * (end - start) + bare[end:]
        label = named_once(bare, segments[0].classes)
        weights = {f"{n}.weight": claim.number for n, claim in found.items() if claim.number is not None}
        return None if label is None else {"reading": label, **weights}

    def in_form(self, answer: str, segments: Sequence[Facts]) -> bool:
        """Whether an answer has the form of one of this task, whichever clues it names, if any."""
        label = "|".join(map(re.escape, segments[0].classes))
        forms = [form["text"] for form in self.texts["answers"]] + self.texts["answers_none"]
        return any(template_pattern(form, label=label).fullmatch(answer.strip()) for form in forms)

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        clues, label = self._clues(segments), str(segments[0].reading)
        if not clues:
            return self._say("answers_none", rng, label=label)
        form = rng.choice(self.texts["answers"])
        items = self.words.listed([form["item"].format(**self._values(clue)) for clue in clues])
        return sentence(form["text"].format(items=items, label=label))

    def _values(self, clue: Clue) -> dict[str, str]:
        name = self.texts["feature" if clue.feature else "channel"].format(name=self.words.named(clue.name))
        return {"name": name, "weight": self.words.number(clue.weight, DIGITS)}

    def _clues(self, segments: Sequence[Facts]) -> list[Clue]:
        """The strongest clues for the reading."""
        strong = [clue for clue in segments[0].clues if round(clue.weight, DIGITS) >= LEAST]
        return sorted(strong, key=lambda clue: -clue.weight)[:MOST]

    def _missing(self, segments: Sequence[Facts]) -> str:
        facts = segments[0]
        if facts.uncertain:
            return "the reading is too uncertain to give evidence for it"
        if not facts.clues or facts.reading is None:
            return "no clues were computed, which takes an encoder with the target 'emotion'"
        if facts.reading not in facts.classes:
            return f"the reading {facts.reading!r} is none of the classes {list(facts.classes)}"
        if facts.emotion not in (None, facts.reading):
            return f"the reading {facts.reading!r} is not the label {facts.emotion!r}"
        return ""
