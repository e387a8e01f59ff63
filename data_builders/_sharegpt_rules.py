"""The rules of a valid ShareGPT row, and of the rows of one file together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "DEFAULT_ROLES",
    "MAX_PROBLEMS",
    "SYSTEM",
    "ColumnTypes",
    "Fault",
    "FileCheck",
    "Roles",
    "ShareGPTError",
    "row_faults",
    "row_problems",
    "short",
    "system_turns",
]

MAX_PROBLEMS = 20
SYSTEM = "system"
"""Role of a first turn with the system prompt, and the key that some files have it under."""
SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(NamedTuple):
    """What is wrong with a row."""

    kind: str  # for counting
    text: str  # names the key, what was got, what is allowed and what to do
    note: bool = False  # something is left out, but the row is trained


class ShareGPTError(ValueError):
    """Conversations that are not valid ShareGPT; the message lists the problems of all rows."""


@dataclass(frozen=True)
class Roles:
    """The names that the two sides of a conversation have in a file's ``from`` fields."""

    human: str = "human"  # who asks
    gpt: str = "gpt"  # who answers

    def __post_init__(self) -> None:
        if not (self.human and self.gpt) or self.human == self.gpt:
            raise ValueError(
                f"the roles are human={self.human!r}, gpt={self.gpt!r}; allowed are two different, "
                "non-empty names, for example 'human' and 'gpt' or 'user' and 'assistant'."
            )
        if SYSTEM in (self.human, self.gpt):
            raise ValueError(
                f"the roles are human={self.human!r}, gpt={self.gpt!r}; {SYSTEM!r} is the name of the turn "
                "with the system prompt. Rename the role in the file."
            )


DEFAULT_ROLES = Roles()


class ColumnTypes:
    """The kind of value that each key of a file holds, which is one for all rows."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}

    def faults(self, row: Mapping[str, Any]) -> Iterator[Fault]:
        for key, value in row.items():
            if key == "conversations":
                continue
            kind = _kind(value)
            known = self.kinds.setdefault(key, kind)
            if {kind, known} == {"integer", "number"}:
                self.kinds[key] = "number"
            elif kind != known:
                text = (
                    f"key {key!r}: got {short(value)} ({kind}); the rows before hold {known}. Use one type."
                )
                yield Fault("mixed types", text)


class FileCheck:
    """Checks the rows of one file against the rules and each other, and collects the problems."""

    def __init__(self, path: Path, unit: str, roles: Roles) -> None:
        self.path, self.unit, self.roles = path, unit, roles
        self.n_rows = self.n_problems = 0
        self.problems: list[str] = []
        self.ids: dict[str, tuple[Path, int]] = {}
        self.columns = ColumnTypes()

    @property
    def kinds(self) -> dict[str, str]:
        return self.columns.kinds

    def add(self, number: int, problem: str) -> None:
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{self.path}: {self.unit} {number}: {problem}")

    def accepts(self, number: int, row: Any) -> bool:
        faults = self.faults(number, row)
        for fault in faults:
            self.add(number, fault.text)
        self.n_rows += 1
        return not faults

    def faults(self, number: int, row: Any) -> list[Fault]:
        """What is wrong with a row, by itself and beside the rows before it."""
        alone = list(row_faults(row, self.roles))
        return alone or [*self._id_faults(number, row), *self.columns.faults(row)]

    def _id_faults(self, number: int, row: Mapping[str, Any]) -> Iterator[Fault]:
        path, first = self.ids.setdefault(row["id"], (self.path, number))
        if (path, first) != (self.path, number):
            place = "" if path == self.path else f" of {path.name}"
            text = (
                f"key 'id': got {short(row['id'])}, which {self.unit} {first}{place} has too; "
                "allowed is a unique id. Number the repeats of a segment."
            )
            yield Fault("same id", text)

    def finish(self) -> None:
        """Raise if there was any problem, or no row at all."""
        if not self.n_rows and not self.n_problems:
            raise ShareGPTError(f"{self.path}: got no rows; allowed is one conversation or more.")
        if self.n_problems:
            more = self.n_problems - len(self.problems)
            tail = [f"and {more} more problems ({self.n_problems} in all)"] if more else []
            raise ShareGPTError("\n".join([*self.problems, *tail]))


def row_problems(row: Any, roles: Roles) -> Iterator[str]:
    return (fault.text for fault in row_faults(row, roles))


def row_faults(row: Any, roles: Roles) -> Iterator[Fault]:
    if not isinstance(row, Mapping):
        yield Fault(
            "no object", f"got {short(row)}; allowed is an object with the keys 'conversations' and 'id'."
        )
        return
    for key in ("conversations", "id"):
        if row.get(key) is None:
            yield Fault("missing key", f"key {key!r}: missing; got the keys {short(list(row))}. Add it.")
    for key, value in row.items():
        if key == "conversations" and value is not None:
            yield from _turn_faults(value, roles)
        elif key in ("id", SYSTEM) and value is not None:
            yield from _text_faults(f"key {key!r}", value)
        elif key != "conversations":
            yield from _scalar_faults(key, value)
    if row.get(SYSTEM) is not None and system_turns(row.get("conversations")):
        text = f"key {SYSTEM!r}: got {short(row[SYSTEM])} beside a first turn from {SYSTEM!r}. Drop one."
        yield Fault("two system prompts", text)


def system_turns(turns: Any) -> int:
    """How many turns of the system a conversation begins with: one or none."""
    first = turns[0] if isinstance(turns, list) and turns else None
    return int(isinstance(first, Mapping) and first.get("from") == SYSTEM)


def _turn_faults(turns: Any, roles: Roles) -> Iterator[Fault]:
    if not isinstance(turns, list) or not turns:
        text = f"key 'conversations': got {short(turns)}; allowed is a list of questions and answers."
        yield Fault("no turns", text)
        return
    n_system = system_turns(turns)
    for index, turn in enumerate(turns):
        where = f"key 'conversations[{index}]'"
        if not isinstance(turn, Mapping) or set(turn) != {"from", "value"}:
            text = f"{where}: got {short(turn)}; allowed are exactly the keys 'from' and 'value'."
            yield Fault("keys of a turn", text)
            continue
        yield from _text_faults(f"key 'conversations[{index}].value'", turn["value"])
        expected = SYSTEM if index < n_system else (roles.human, roles.gpt)[(index - n_system) % 2]
        if turn["from"] != expected:
            got = short(turn["from"])
            text = f"key 'conversations[{index}].from': got {got}; {_role_advice(expected, roles)}"
            yield Fault("role", text)
    n_turns = len(turns) - n_system
    if n_turns % 2 or not n_turns:
        text = (
            f"key 'conversations': got {n_turns} turns{' behind that of the system' * n_system}; allowed is "
            f"an even number, so that the last one is an answer by {roles.gpt!r}. Add the answer or drop the "
            "question."
        )
        yield Fault("odd turns", text)


def _role_advice(expected: str, roles: Roles) -> str:
    return (
        f"allowed here is {expected!r}: {roles.human!r} and {roles.gpt!r} take turns. If the file names its "
        "roles otherwise, give Roles(human=..., gpt=...), or --human_role and --gpt_role; a system prompt "
        f"is the first turn, from {SYSTEM!r}."
    )


def _text_faults(where: str, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or not value.strip():
        text = f"{where}: got {short(value)}; allowed is text that is not empty. Fill it in or drop the row."
        yield Fault("no text", text)
    elif SURROGATE.search(value):
        text = f"{where}: got {short(value)}, half a surrogate pair; allowed is valid Unicode. Repair it."
        yield Fault("half a surrogate", text)


def _scalar_faults(key: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(key, str):
        text = f"key {key!r}: got a key of type {type(key).__name__}; allowed is text. Rename it."
        yield Fault("key", text)
    elif value is not None and not isinstance(value, str | bool | int | float):
        text = (
            f"key {key!r}: got {short(value)} ({type(value).__name__}); allowed is text, a number, a boolean "
            "or nothing. Flatten it into keys of their own."
        )
        yield Fault("nested value", text)
    elif isinstance(value, float) and not math.isfinite(value):
        text = f"key {key!r}: got {value}; allowed is a finite number. Leave the key out where it is unknown."
        yield Fault("not finite", text)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number"


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
