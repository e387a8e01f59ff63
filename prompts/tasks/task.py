"""What all tasks have in common: wording, a question and an answer grounded in facts, reading back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from prompts.facts import Facts
from prompts.wording import Rule, Texts
from prompts.words import Words, sentence

__all__ = ["MIN_ANSWERS", "MIN_QUESTIONS", "NEEDS", "Task", "Truth", "base_rules", "label_problem"]

MIN_QUESTIONS = 12
MIN_ANSWERS = 4
LABELS = frozenset({"emotion", "ratings", "transition"})
NEEDS = LABELS | {"quantities", "faults", "clues", "certainty", "spoiled"}
"""What tasks may need of segments. Labels are always there; the rest is measured for tasks that need it:
described quantities, faults of the signal, clues by occlusion, how sure the encoder is, spoiled copies."""

Truth = dict[str, str | float | bool]


@dataclass(frozen=True)
class Task:
    """One kind of conversation about the facts of segments.

    Attributes
    ----------
    texts : dict
        The task's wording file, whose keys are those of `rules`.
    words : Words
        What all tasks of the language share.
    others : dict of str to Task
        The tasks of `borrows`, in the same language.
    name, rules
        Of the class: what it is called, and what its wording file must hold.
    needs
        Of `NEEDS`.
    pairing
        Where it is asked about two segments, what they have to do with each other: a name in
        `data_builders.segment_pairs.PAIRINGS`.
    says_values
        Whether its answers hold measured values, which a text must hold as measured then.
    borrows
        Tasks whose questions and answers it uses.

    Raises
    ------
    TypeError
        Where a class needs what is not known.
    """

    texts: dict[str, Any]
    words: Words
    others: dict[str, Task] = field(default_factory=dict)

    name: ClassVar[str]
    pairing: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()
    says_values: ClassVar[bool] = False
    borrows: ClassVar[tuple[str, ...]] = ()
    rules: ClassVar[dict[str, Rule]]

    def __init_subclass__(cls) -> None:
        if unknown := sorted(cls.needs - NEEDS):
            raise TypeError(f"{cls.__name__}: needs {unknown}; allowed are {sorted(NEEDS)}.")
        if "n_segments" in vars(cls):
            raise TypeError(f"{cls.__name__}: n_segments follows from pairing, which pairs two; set that.")

    @property
    def n_segments(self) -> int:
        """How many segments it is asked about."""
        return 2 if self.pairing else 1

    def lacks(self, segments: Sequence[Facts]) -> str:
        """Why the task cannot be asked about these segments; "" if it can.

        Raises
        ------
        ValueError
            If they are not `n_segments`.
        """
        if len(segments) != self.n_segments:
            raise ValueError(f"task {self.name!r}: got {len(segments)} segments, it takes {self.n_segments}")
        return self._unusable(segments) or self._missing(segments)

    def stratum(self, segments: Sequence[Facts]) -> str:
        """What a drawing balances over; "" where there is nothing."""
        return ""

    def system(self, segments: Sequence[Facts], rng: random.Random | None = None) -> str:
        """The system prompt: the first one, which a read-out uses, or with ``rng`` a drawn one."""
        templates = self.texts["system"]
        template = rng.choice(templates) if rng else templates[0]
        return template.format(**self._system_values(segments))

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        """One pair or more of question and answer; the first question holds the signal text."""
        return [(self.open_question(segments, rng), self.reply(segments, rng))]

    def truth(self, segments: Sequence[Facts]) -> Truth:
        """What is known of the task's matter: flat, and JSON-able."""
        raise NotImplementedError

    def parse(self, answer: str, segments: Sequence[Facts]) -> Truth | None:
        """What an answer claims, under the keys of `truth`; None where it claims nothing readable.

        Where a question asks for a part of the truth, its answer claims that part alone: what was asked
        for is what `parse` finds in the answer of `turns`.
        """
        raise NotImplementedError

    def open_question(self, segments: Sequence[Facts], rng: random.Random) -> str:
        """A question of the task with the signal text below it."""
        return self.words.question(rng.choice(self.texts["questions"]), [facts.signal for facts in segments])

    def reply(self, segments: Sequence[Facts], rng: random.Random) -> str:
        """The answer in one of its forms."""
        raise NotImplementedError

    def with_answer_forms(self, n: int) -> Task:
        """The same task with only the first ``n`` answer forms of each kind, in what it borrows too."""
        if n < 1:
            raise ValueError(f"answer forms: got {n}, allowed is 1 or more")
        texts = {key: value[:n] if key.startswith("answers") else value for key, value in self.texts.items()}
        return replace(
            self, texts=texts, others={name: task.with_answer_forms(n) for name, task in self.others.items()}
        )

    def fields(self) -> dict[str, Any]:
        """Everything of the task as JSON-able values, for a card."""
        others = {name: task.fields() for name, task in self.others.items()}
        return {"task": self.name, "texts": self.texts, "words": self.words.content, "others": others}

    def _unusable(self, segments: Sequence[Facts]) -> str:
        reasons = [facts.unusable for facts in segments if facts.unusable]
        return f"the segment is unusable: {reasons[0]}" if reasons else ""

    def _missing(self, segments: Sequence[Facts]) -> str:
        """What the task needs beside usable segments and these do not have."""
        raise NotImplementedError

    def _system_values(self, segments: Sequence[Facts]) -> dict[str, str]:
        return {"classes": self.words.classes(segments[0].classes)}

    def _say(self, key: str, rng: random.Random, **values: str) -> str:
        """One of the templates under a key, filled in, as a sentence."""
        return sentence(rng.choice(self.texts[key]).format(**values))


def label_problem(facts: Facts) -> str:
    """Why a segment's emotion cannot be asked for; "" if it can."""
    if facts.uncertain:
        return "the reading is too uncertain to name a state"
    if facts.emotion is None:
        return "there is no emotion label"
    if facts.emotion not in facts.classes:
        return f"the label {facts.emotion!r} is none of the classes {list(facts.classes)}"
    return ""


def base_rules(*system: str) -> dict[str, Rule]:
    """Rules that every task has: its system prompts with these placeholders, and its questions."""
    return {"system": Texts(2, system), "questions": Texts(MIN_QUESTIONS)}
