"""Say whether the emotion changed between two consecutive segments, and from what to what."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import find_words
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules
from prompts.wording import Groups, Rule, Texts

__all__ = ["TransitionTask"]

SIGNS = ("changed", "same")


class TransitionTask(Task):
    """Of a segment and the one before it in the recording: did the emotion change?

    Both emotions, where they are known, say so for these two segments; a transition label compares blocks
    of a session and is asked where they are not.
    """

    name: ClassVar[str] = "transition"
    pairing: ClassVar[str] = "consecutive"
    needs: ClassVar[frozenset[str]] = frozenset({"transition"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules(),
        "answers_changed": Texts(MIN_ANSWERS),
        "answers_same": Texts(MIN_ANSWERS),
        "answers_from_to": Texts(MIN_ANSWERS, ("before", "now"), in_order=True),
        "answers_stayed": Texts(MIN_ANSWERS, ("label",)),
        "signs": Groups(SIGNS),
    }

    def stratum(self, segments: Sequence[Facts]) -> str:
        return "changed" if self.truth(segments)["transition"] else "same"

    def truth(self, segments: Sequence[Facts]) -> Truth:
        before, now = (facts.emotion for facts in segments)
        if before is None or now is None:
            return {"transition": bool(segments[1].transition)}
        return {"transition": before != now, "from": before, "to": now}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        classes = {name: name for facts in segments for name in facts.classes}
        found, rest = find_words(answer, classes), answer
        for start, end, _ in found:
            rest = rest[:start] + " " * (end - start) + rest[end:]
        named = [label for _, _, label in found]
        signs = {key for _, _, key in find_words(rest, self._signs())}
        if len(set(named)) > 1:
            return {"transition": True, "from": named[0], "to": named[-1]} if "same" not in signs else None
        if not signs:
            return None
        states: Truth = {"from": named[0], "to": named[0]} if named and "same" in signs else {}
        return {"transition": "same" not in signs, **states}

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        truth = self.truth(segments)
        if "from" not in truth:
            return self._say("answers_changed" if truth["transition"] else "answers_same", rng)
        before, now = str(truth["from"]), str(truth["to"])
        if truth["transition"]:
            return self._say("answers_from_to", rng, before=before, now=now)
        return self._say("answers_stayed", rng, label=now)

    def _signs(self) -> dict[str, str]:
        return {word: sign for sign, words in self.texts["signs"].items() for word in words}

    def _missing(self, segments: Sequence[Facts]) -> str:
        if any(facts.uncertain for facts in segments):
            return "the reading is too uncertain to name a state"
        known = all(facts.emotion is not None for facts in segments) or segments[1].transition is not None
        return "" if known else "neither a transition label nor both emotions are there"
