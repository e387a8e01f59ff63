"""What answers claim to have measured, held against the facts: one row a quantity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from prompts import Facts, Quantity, Task
from prompts.reading import template_pattern

__all__ = ["COLUMNS", "Asked", "answer_table", "claim_table", "stated_ranges"]

COLUMNS = (
    "answer", "condition", "question", "segment", "subject", "quantity", "expected", "measured", "said",
    "level", "measured_level", "contradiction", "range_right", "mean", "token_low", "token_centre",
    "token_high",
)  # fmt: skip
NOTHING = (float("nan"),) * 3


@dataclass(frozen=True)
class Asked:
    """A question about a signal text, with what is known of the segment.

    Attributes
    ----------
    condition : str
        What the signal text is of: "signal", or what stands in its place.
    question : str
        "described" for an open question, "asked" for one that names quantities.
    segment, subject : str
    text : str
        The user turn.
    expected : tuple of str
        Keys of the quantities that a right answer gives; none where it should refuse.
    measured : mapping of str to float
        By key, of the segment itself, whatever its text is of.
    tokens : mapping of str to (float, float, float)
        By key, lowest, middle and highest value that the level token stands for.
    """

    condition: str
    question: str
    segment: str
    subject: str
    text: str
    expected: tuple[str, ...]
    measured: Mapping[str, float]
    tokens: Mapping[str, tuple[float, float, float]]


def claim_table(
    asked: Sequence[Asked], answers: Sequence[str], describe: Task, quantities: Sequence[Quantity]
) -> pd.DataFrame:
    """What answers claim, one row a quantity that was expected or given.

    Parameters
    ----------
    asked : sequence of Asked
    answers : sequence of str
    describe : DescribeTask
    quantities : sequence of Quantity
        All that are described, with the training subjects' mean for their value.

    Returns
    -------
    DataFrame
        With `COLUMNS`; ``answer`` counts from 0.
    """
    rows = (
        {"answer": number, **row}
        for number, (one, answer) in enumerate(zip(asked, answers, strict=True))
        for row in _claims(one, answer, describe, quantities)
    )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    objects = ("level", "measured_level", "contradiction", "range_right")
    return table.astype(dict.fromkeys(objects, object))


def answer_table(
    asked: Sequence[Asked],
    answers: Sequence[str],
    describe: Task,
    refuse: Task,
    quantities: Sequence[Quantity],
) -> pd.DataFrame:
    """Each answer with what it is: a refusal, a description with a number, or nothing that can be read."""
    known = [Facts(quantities=tuple(quantities))]
    rows = []
    for one, answer in zip(asked, answers, strict=True):
        refused = (refuse.parse(answer, known) or {}).get("refused") is True
        numbers = any(isinstance(value, float) for value in (describe.parse(answer, known) or {}).values())
        rows.append(
            {
                "condition": one.condition,
                "question": one.question,
                "segment": one.segment,
                "text": one.text,
                "answer": answer,
                "refused": refused,
                "numbers": numbers,
                "unreadable": not refused and not numbers,
            }
        )
    return pd.DataFrame(rows)


def stated_ranges(
    answer: str, describe: Task, quantities: Sequence[Quantity]
) -> dict[str, tuple[float | None, float | None]]:
    """Ends of the range that an answer states for each quantity, None for an end that it leaves open."""
    known, words = [Facts(quantities=tuple(quantities))], describe.words.content
    found: dict[str, tuple[float | None, float | None]] = {}
    for clause in re.split(rf"{re.escape(words['item_separator'].strip())}|\n", answer):
        keys = {key.removesuffix(".level") for key in describe.parse(clause, known) or {}}
        ends = _range_of(clause, words)
        if len(keys) == 1 and ends:
            found.setdefault(keys.pop(), ends)
    return found


def _range_of(clause: str, words: Mapping[str, Any]) -> tuple[float | None, float | None] | None:
    decimal = words["decimal"]
    number = rf"(?<![\w{re.escape(decimal)}])[-−]?\d+(?:{re.escape(decimal)}\d+)?"
    for key, ends in (("range", ("low", "high")), ("range_to", ("high",)), ("range_from", ("low",))):
        match = template_pattern(words[key], **dict.fromkeys(ends, number)).search(clause)
        if match:
            low, high = (match[end] if end in ends else None for end in ("low", "high"))
            return _number(low, decimal), _number(high, decimal)
    return None


def _number(text: str | None, decimal: str) -> float | None:
    return None if text is None else float(text.replace("−", "-").replace(decimal, "."))


def _claims(
    one: Asked, answer: str, describe: Task, quantities: Sequence[Quantity]
) -> Iterable[dict[str, Any]]:
    said = describe.parse(answer, [Facts(quantities=tuple(quantities))]) or {}
    ranges = stated_ranges(answer, describe, quantities)
    for quantity in quantities:
        key = quantity.key
        if key in one.expected or key in said or f"{key}.level" in said:
            yield _claim(one, quantity, said.get(key), said.get(f"{key}.level"), ranges.get(key))


def _claim(
    one: Asked,
    quantity: Quantity,
    number: Any,
    level: Any,
    stated: tuple[float | None, float | None] | None,
) -> dict[str, Any]:
    measured = one.measured.get(quantity.key)
    low, centre, high = one.tokens.get(quantity.key, NOTHING)
    step = 0.5 * 10.0**-quantity.digits
    return {
        "condition": one.condition,
        "question": one.question,
        "segment": one.segment,
        "subject": one.subject,
        "quantity": quantity.key,
        "expected": quantity.key in one.expected,
        "measured": float("nan") if measured is None else round(measured, quantity.digits),
        "said": float("nan") if number is None else float(number),
        "level": level,
        "measured_level": None if measured is None else quantity.level_of(measured),
        "contradiction": _contradicts(quantity, number, level, stated),
        "range_right": None if stated is None else stated == (quantity.low, quantity.high),
        "mean": round(quantity.value, quantity.digits),
        # A number stands for all that is rounded to it.
        "token_low": low - step,
        "token_centre": round(centre, quantity.digits),
        "token_high": high + step,
    }


def _contradicts(
    quantity: Quantity, number: Any, level: Any, stated: tuple[float | None, float | None] | None
) -> bool | None:
    if number is None or level is None:
        return None
    low, high = stated or (quantity.low, quantity.high)
    if low is not None and high is not None and low >= high:
        return True
    return bool(replace(quantity, low=low, high=high).level_of(float(number)) != level)
