"""Name the state that a recording shows: the task of the read-out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from prompts.facts import Facts
from prompts.reading import named_once
from prompts.tasks.task import MIN_ANSWERS, Task, Truth, base_rules, label_problem
from prompts.wording import Rule, Texts
from prompts.words import sentence

__all__ = ["EmotionTask"]


class EmotionTask(Task):
    """Name the state that a recording shows.

    Likelihoods are read on the first system prompt and the first answer form. The label stands behind one
    space in each form, so that " anger" is one token of the base.
    """

    name: ClassVar[str] = "emotion"
    needs: ClassVar[frozenset[str]] = frozenset({"emotion"})
    rules: ClassVar[dict[str, Rule]] = {
        **base_rules("classes"),
        "answers": Texts(
            MIN_ANSWERS,
            ("label",),
            pattern=r"\S \{label\}.",
            wanted="words and one space before {label}, and something behind it, as a full stop",
        ),
    }

    @property
    def n_phrasings(self) -> int:
        return len(self.texts["questions"])

    def instruction(self, classes: Sequence[str]) -> str:
        """The system prompt that lists the classes."""
        return self.texts["system"][0].format(classes=self.words.classes(classes))

    def question(self, k: int, signal_text: str) -> str:
        """The user turn with phrasing ``k`` (taken modulo ``n_phrasings``) and the signal text below it."""
        return self.ask(self.texts["questions"][k % self.n_phrasings], signal_text)

    def ask(self, question: str, signal_text: str) -> str:
        """The user turn with a question in words of one's own and the signal text below it."""
        return self.words.question(question, [signal_text])

    def answers(self, classes: Sequence[str]) -> list[str]:
        """The whole answer for each class, in the first form."""
        return [self.answer(label) for label in classes]

    def answer(self, label: str) -> str:
        """The assistant turn that names the label, in the first form."""
        return sentence(self.texts["answers"][0].format(label=label))

    def label(self, text: str, classes: Sequence[str]) -> str | None:
        """The one class that a generated answer names, as a whole word in any case.

        Returns
        -------
        label : str or None
            One of ``classes``; None where the text names none of them or more than one. A longer class
            name wins over a shorter one inside it ("physical stress" over "stress").
        """
        return named_once(text, classes)

    def stratum(self, segments: Sequence[Facts]) -> str:
        return segments[0].emotion or ""

    def truth(self, segments: Sequence[Facts]) -> Truth:
        return {"emotion": str(segments[0].emotion)}

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        label = self.label(answer, segments[0].classes)
        return None if label is None else {"emotion": label}

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        return self._say("answers", rng, label=str(segments[0].emotion))

    def _missing(self, segments: Sequence[Facts]) -> str:
        return label_problem(segments[0])
