"""Talk about a segment in several turns: the state first, then why, how sure, what was measured."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import ClassVar, cast

from prompts.facts import Facts
from prompts.reading import named_once, template_pattern
from prompts.tasks.describe import DescribeTask
from prompts.tasks.evidence import EvidenceTask
from prompts.tasks.outside import OutsideTask
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules, label_problem
from prompts.wording import Rule, Texts

__all__ = ["DialogueTask"]

CONFIDENCE_DIGITS = 2
MOST_FOLLOW_UPS = 3
OPENERS = ("describe", "quality")
FOLLOW_UPS = ("affect", "describe", "quality", "evidence", "sure", "outside")
ON_THE_STATE = ("evidence", "sure")
"""Right behind the state, as "Why?" asks about the last answer."""


class DialogueTask(Task):
    """A first question with the signal text, and follow-ups without it, answered as the other tasks do.

    A dialogue begins with the state or, one time in three, with a description or the quality, and then
    comes to the state; "Why?" and "How sure are you?" stand right behind it.
    """

    name: ClassVar[str] = "dialogue"
    needs: ClassVar[frozenset[str]] = frozenset({"emotion", "quantities", "faults", "clues"})
    says_values: ClassVar[bool] = True
    borrows: ClassVar[tuple[str, ...]] = ("affect", "describe", "quality", "evidence", "outside")
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules("classes"),
        "answers": Texts(
            MIN_ANSWERS,
            ("label",),
            pattern=r"\S \{label\}.",
            wanted="words and one space before {label}, and something behind it, as a full stop",
        ),
        "ask_emotion": Texts(MIN_ANSWERS),
        "ask_affect": Texts(MIN_ANSWERS, ("names", "low", "high")),
        "ask_describe": Texts(MIN_ANSWERS, ("name",)),
        "ask_quality": Texts(MIN_ANSWERS),
        "ask_evidence": Texts(MIN_ANSWERS),
        "ask_sure": Texts(MIN_ANSWERS),
        "answers_sure": Texts(MIN_ANSWERS, ("label", "confidence")),
    }

    def stratum(self, segments: Sequence[Facts]) -> str:
        return segments[0].emotion or ""

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        kinds = self._kinds(segments)
        openers = [kind for kind in OPENERS if kind in kinds]
        if openers and rng.random() < 1 / 3:
            opener = rng.choice(openers)
            kinds.remove(opener)
            start = self.others[opener].turns(segments, rng)
            start.append((self._say("ask_emotion", rng), self.reply(segments, rng)))
        else:
            start = super().turns(segments, rng)
        follow_ups = rng.sample(kinds, rng.randint(1, min(MOST_FOLLOW_UPS, len(kinds))))
        follow_ups.sort(key=lambda kind: kind not in ON_THE_STATE)
        return start + [self._follow_up(kind, segments, rng) for kind in follow_ups]

    def truth(self, segments: Sequence[Facts]) -> Truth:
        found: Truth = {"emotion": str(segments[0].emotion)}
        for kind in self._kinds(segments):
            if kind == "sure":
                found["confidence"] = round(float(segments[0].confidence or 0), CONFIDENCE_DIGITS)
            else:
                found |= self.others[kind].truth(segments)
        return found

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        """What one answer of the dialogue claims, whichever turn it is of."""
        label = named_once(answer, segments[0].classes)
        return (
            self.others["quality"].parse(answer, segments)
            or self.others["outside"].parse(answer, segments)
            or self._parse_confidence(answer, segments)
            or self._parse_evidence(answer, segments)
            or self.others["affect"].parse(answer, segments)
            or self.others["describe"].parse(answer, segments)
            or (None if label is None else {"emotion": label})
        )

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        return self._say("answers", rng, label=str(segments[0].emotion))

    def _kinds(self, segments: Sequence[Facts]) -> list[str]:
        """The follow-ups that the facts have an answer for."""
        facts = segments[0]
        sure = facts.confidence is not None and facts.reading == facts.emotion
        return [
            kind for kind in FOLLOW_UPS if (sure if kind == "sure" else not self.others[kind].lacks(segments))
        ]

    def _follow_up(self, kind: str, segments: Sequence[Facts], rng: random.Random) -> tuple[str, str]:
        if kind == "affect":
            return self._ask_affect(segments, rng)
        if kind == "describe":
            return self._ask_quantity(segments, rng)
        if kind == "sure":
            return self._ask_confidence(segments, rng)
        if kind == "outside":
            return self._outside.exchange(segments, rng)
        return self._say(f"ask_{kind}", rng), self.others[kind].reply(segments, rng)

    def _ask_affect(self, segments: Sequence[Facts], rng: random.Random) -> tuple[str, str]:
        affect = self.others["affect"]
        names = [self.words.word("ratings", name) for name in affect.truth(segments)]
        low, high = map(self.words.plain_number, segments[0].scale or (0, 1))
        question = self._say("ask_affect", rng, names=self.words.listed(names), low=low, high=high)
        return question, affect.reply(segments, rng)

    def _ask_quantity(self, segments: Sequence[Facts], rng: random.Random) -> tuple[str, str]:
        quantity = rng.choice(segments[0].quantities)
        question = self._say("ask_describe", rng, name=self.words.named(quantity.name))
        return question, self._describe.reply_of([quantity], rng)

    def _ask_confidence(self, segments: Sequence[Facts], rng: random.Random) -> tuple[str, str]:
        facts = segments[0]
        confidence = self.words.number(float(facts.confidence or 0), CONFIDENCE_DIGITS)
        answer = self._say("answers_sure", rng, label=str(facts.emotion), confidence=confidence)
        return self._say("ask_sure", rng), answer

    def _parse_evidence(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        evidence = cast(EvidenceTask, self.others["evidence"])
        return evidence.parse(answer, segments) if evidence.in_form(answer, segments) else None

    def _parse_confidence(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        number = rf"[01](?:{re.escape(self.words.content['decimal'])}\d+)?"
        label = "|".join(map(re.escape, segments[0].classes))
        for form in self.texts["answers_sure"]:
            match = template_pattern(form, label=label, confidence=number).fullmatch(answer.strip())
            if match:
                return {"confidence": float(match["confidence"].replace(self.words.content["decimal"], "."))}
        return None

    @property
    def _describe(self) -> DescribeTask:
        return cast(DescribeTask, self.others["describe"])

    @property
    def _outside(self) -> OutsideTask:
        return cast(OutsideTask, self.others["outside"])

    def _missing(self, segments: Sequence[Facts]) -> str:
        return label_problem(segments[0])
