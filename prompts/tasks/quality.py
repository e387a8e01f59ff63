"""Say which channels have artefacts, which and for how long, or that the signal is clean."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import FAULTS, Facts, Fault
from prompts.reading import template_pattern, unpack
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules
from prompts.wording import Forms, Rule, Texts
from prompts.words import sentence

__all__ = ["QualityTask"]


class QualityTask(Task):
    """Artefacts by channel. Truths and claims are "clean", and "<channel>.<fault>" with its share, 0 to 1.

    An unusable segment may be asked about where its faults say what is wrong with it.
    """

    name: ClassVar[str] = "quality"
    needs: ClassVar[frozenset[str]] = frozenset({"faults"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules(),
        "answers": Forms(MIN_ANSWERS, {"text": ("items",), "item": ("channel", "fault", "share")}),
        "answers_clean": Texts(MIN_ANSWERS),
    }

    def stratum(self, segments: Sequence[Facts]) -> str:
        return "faulty" if self._faults(segments) else "clean"

    def truth(self, segments: Sequence[Facts]) -> Truth:
        faults = self._faults(segments)
        return {"clean": not faults, **{f"{f.channel}.{f.what}": _percent(f) / 100 for f in faults}}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        for form in self.texts["answers"]:
            separator = self.words.content["item_separator"]
            groups = {"fault": "|".join(self._fault_words()), "share": r"\d{1,3}"}
            items = unpack(answer, form["text"], form["item"], separator, **groups)
            if items:
                found = {key: int(i["share"]) / 100 for i in items for key in self._keys(i, segments)}
                return {"clean": False, **found}
        clean = any(template_pattern(text).fullmatch(answer.strip()) for text in self.texts["answers_clean"])
        return {"clean": True} if clean else None

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        faults = self._faults(segments)
        if not faults:
            return self._say("answers_clean", rng)
        form = rng.choice(self.texts["answers"])
        alike: dict[tuple[str, int], list[str]] = {}
        for fault in faults:
            alike.setdefault((fault.what, _percent(fault)), []).append(self.words.named(fault.channel))
        items = [
            form["item"].format(
                channel=self.words.listed(channels), fault=self.words.word("faults", what), share=share
            )
            for (what, share), channels in alike.items()
        ]
        return sentence(form["text"].format(items=self.words.items(items)))

    def _keys(self, item: dict[str, str], segments: Sequence[Facts]) -> list[str]:
        """The keys of an item that was read, the channels as the facts or the language's words call them."""
        known = {self.words.named(fault.channel): fault.channel for fault in segments[0].faults or ()}
        known |= {word: name for name, word in self.words.content["names"].items()}
        by_lower = {word.lower(): name for word, name in known.items()}
        what = self._fault_words()[item["fault"].lower()]
        channels = self.words.unlisted(item["channel"])
        return [f"{by_lower.get(channel.lower(), channel)}.{what}" for channel in channels]

    def _fault_words(self) -> dict[str, str]:
        return {word: what for what in FAULTS for word in self.words.content["faults"][what]}

    def _faults(self, segments: Sequence[Facts]) -> list[Fault]:
        """The faults that are worth a word: those of one percent or more, as it is written."""
        return [fault for fault in segments[0].faults or () if _percent(fault)]

    def _unusable(self, segments: Sequence[Facts]) -> str:
        return "" if self._faults(segments) else super()._unusable(segments)

    def _missing(self, segments: Sequence[Facts]) -> str:
        return "the channels were not checked for artefacts" if segments[0].faults is None else ""


def _percent(fault: Fault) -> int:
    return round(100 * fault.share)
