"""Looks at one conversation after the other: rules, repeats, signal tokens, and what is left to train."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biollm.training_sequences import TrainingSequence
from data_builders._sharegpt_files import row_unit
from data_builders._sharegpt_rules import ColumnTypes, Fault, FileCheck, Roles
from data_builders.trainer_rules import TRAINER_RULES

__all__ = [
    "OWN_RULES",
    "Place",
    "Repeats",
    "RowRules",
    "SignalTokens",
    "TrainerRowRules",
    "row_rules",
    "sequence_faults",
]

OWN_RULES = "biollm"

SIGNAL_TOKEN = re.compile(r"<\|[^\s|<>]+\|>")


class Place(NamedTuple):
    """Where a row is."""

    file: Path
    number: int

    @property
    def unit(self) -> str:
        return row_unit(self.file)

    def __str__(self) -> str:
        return f"{self.file}: {self.unit} {self.number}"


class RowRules:
    """biollm's own rules."""

    def __init__(self, roles: Roles) -> None:
        self.check = FileCheck(Path(), "row", roles)

    def faults(self, place: Place, row: Any) -> list[Fault]:
        self.check.path, self.check.unit = place.file, place.unit
        return self.check.faults(place.number, row)

    def file_faults(self) -> Iterator[Fault]:
        yield from ()


class TrainerRowRules:
    """Those of another trainer, and that each key has one type, as for all readers of tables."""

    def __init__(self, name: str, roles: Roles) -> None:
        self.rules = TRAINER_RULES[name](roles)
        self.columns = ColumnTypes()
        self.first_rows: list[Mapping[str, Any]] = []

    def faults(self, place: Place, row: Any) -> list[Fault]:
        faults = list(self.rules.faults(row))
        if not any(not fault.note for fault in faults):
            faults += self.columns.faults(row)
            self.first_rows += [row] * (len(self.first_rows) < 10)
        return faults

    def file_faults(self) -> Iterator[Fault]:
        if self.first_rows:
            yield from self.rules.first_rows_faults(self.first_rows)


def row_rules(trainer: str, roles: Roles) -> RowRules | TrainerRowRules:
    """The rules by the name of a trainer, or biollm's own."""
    return RowRules(roles) if trainer == OWN_RULES else TrainerRowRules(trainer, roles)


class Repeats:
    """Finds conversations that came before, word by word."""

    def __init__(self) -> None:
        self.places: dict[bytes, Place] = {}

    def before(self, place: Place, row: Mapping[str, Any]) -> Place | None:
        said = [*filter(None, [row.get("system")]), *(turn["value"] for turn in row["conversations"])]
        digest = hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest()
        first = self.places.setdefault(digest, place)
        return None if first == place else first


class SignalTokens:
    """Finds words of the form ``<|...|>`` that the base reads as several tokens, or as marks of its own."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.seen: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        for turn in row["conversations"]:
            self.seen.update(SIGNAL_TOKEN.findall(turn["value"]))

    def faults(self) -> Iterator[Fault]:
        for token, n in self.seen.most_common() if self.tokenizer else ():
            pieces = len(self.tokenizer(token, add_special_tokens=False)["input_ids"])
            if token in self.tokenizer.all_special_tokens:
                text = f"{token!r}, {n} times in turns: the base takes it for a mark of its own. Take it out."
                yield Fault("mark of the base in a turn", text)
            elif pieces > 1:
                text = f"{token!r}, {n} times, is read as {pieces} tokens: it is not in the vocabulary."
                yield Fault("split signal token", text, note=True)


def sequence_faults(sequences: Sequence[TrainingSequence], max_length: int) -> Iterator[Fault]:
    """What the chat template and `max_length` take from the answers of a row."""
    for role in sorted({role for sequence in sequences for role in sequence.dropped}):
        yield Fault("dropped turn", f"the chat template leaves out what {role!r} says. Choose another base.")
    for number, sequence in enumerate(sequences, start=1):
        n, answer = len(sequence.ids), f"answer {number} of {len(sequences)}"
        if sequence.start < sequence.n_prompt:
            yield Fault(
                "other prompt",
                f"{answer}: the prompt alone is another one than before the answer; they differ from token "
                f"{sequence.start + 1} on, which training counts as the answer.",
                note=True,
            )
        if sequence.start >= n:
            yield Fault("trains nothing", f"{answer}: the chat template leaves nothing of it.")
        elif not sequence.n_trained:
            yield Fault(
                "trains nothing",
                f"{answer} is tokens {sequence.start + 1} to {n}; max_length {max_length} leaves none of it. "
                f"{_advice(n)}",
            )
        elif sequence.is_cut:
            yield Fault(
                "cut answer",
                f"{answer} is tokens {sequence.start + 1} to {n}; max_length {max_length} cuts it behind "
                f"{_last_words(sequence)!r}. {_advice(n)}",
            )


def _advice(n_tokens: int) -> str:
    return f"Set max_length to {n_tokens} or more, or shorten the row."


def _last_words(sequence: TrainingSequence) -> str:
    return sequence.text[: sequence.offsets[sequence.n_kept - 1][1]][-30:]
