"""Reading answers back: which names, numbers, units and levels a text holds, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any

from prompts.words import Words

__all__ = ["Claim", "claims", "find_words", "named_once", "template_pattern", "unpack"]

MINUS = "−"


@dataclass(frozen=True)
class Claim:
    """What a text says of one name: a number, a level, or both."""

    number: float | None
    level: str | None


@dataclass(frozen=True)
class _Number:
    start: int
    end: int
    value: float
    unit: str | None


def claims(text: str, names: Mapping[str, str], units: Mapping[str, str], words: Words) -> dict[str, Claim]:
    """What a text says of each named thing.

    A number belongs to the name in front of it or, where the numbers come first ("72 bpm for heart rate"),
    to the one behind it. A number in another unit than the name's, or inside a range, is not its value.

    Parameters
    ----------
    text : str
    names : mapping of str to str
        Name as it is written -> key.
    units : mapping of str to str
        Key -> unit as it is written; "" where there is none.
    words : Words
        Gives the levels' words, the decimal sign, and what else a unit is called.

    Returns
    -------
    dict of str to Claim
        By key; names of which nothing is said are left out.
    """
    spelled = {spelling: unit for unit in set(units.values()) if unit for spelling in _spellings(unit, words)}
    found: dict[str, Claim] = {}
    for clause in _clauses(text):
        for key, claim in _clause_claims(clause, names, units, spelled, words):
            if claim.number is not None or claim.level is not None:
                found.setdefault(key, claim)
    return found


def named_once(text: str, words: Iterable[str]) -> str | None:
    """The one of some words that a text names, whole and in any case; None for none or more than one.

    A longer word wins over a shorter one inside it ("physical stress" over "stress").
    """
    found = {key for _, _, key in find_words(text, {word: word for word in words})}
    return found.pop() if len(found) == 1 else None


def find_words(text: str, keys: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Start, end and key of each word that a text names, in order; the longest of overlapping ones."""
    if not keys:
        return []
    by_lower = {word.lower(): key for word, key in keys.items()}
    return [
        (match.start(), match.end(), by_lower[match[0].lower()])
        for match in _word_pattern(tuple(by_lower)).finditer(text)
        if match[0].lower() in by_lower
    ]


def template_pattern(template: str, **groups: str) -> re.Pattern[str]:
    """A pattern that finds what a template wrote, in any case, with or without its last full stop.

    ``groups`` are the patterns of the placeholders, ``.+?`` where none is given.
    """
    return _template_pattern(template, tuple(sorted(groups.items())))


def unpack(text: str, whole: str, item: str, separator: str, **groups: str) -> list[dict[str, str]] | None:
    """The items that an answer of the template ``whole`` lists; None if it is none, or an item is none."""
    match = template_pattern(whole, items=".+").fullmatch(text.strip())
    if match is None:
        return None
    pattern = template_pattern(item, **groups)
    found = [pattern.fullmatch(part.strip()) for part in match["items"].split(separator.strip())]
    return [part.groupdict() for part in found if part] if all(found) else None


def _clause_claims(
    clause: str, names: Mapping[str, str], units: Mapping[str, str], spelled: Mapping[str, str], words: Words
) -> list[tuple[str, Claim]]:
    mentions = find_words(clause, names)
    if not mentions:
        return []
    bare = _without_ranges(_blank(clause, mentions), words)
    numbers = _numbers(bare, spelled, words)
    window = _windows(mentions, numbers, len(clause))
    levels = _levels(bare, mentions, words)
    return [
        (key, Claim(_number_of(units[key], window(i), numbers), levels.get(i)))
        for i, (_, _, key) in enumerate(mentions)
    ]


def _windows(
    mentions: Sequence[tuple[int, int, str]], numbers: Sequence[_Number], length: int
) -> Callable[[int], tuple[int, int]]:
    """Where the number of the i-th mention stands: behind it, or in front where numbers come first."""
    ends = [0, *(end for _, end, _ in mentions)]
    starts = [*(start for start, _, _ in mentions), length]
    first = bool(numbers) and numbers[0].start < starts[0] and not any(n.start > ends[-1] for n in numbers)
    return lambda i: (ends[i], starts[i]) if first else (ends[i + 1], starts[i + 1])


def _number_of(unit: str, window: tuple[int, int], numbers: Sequence[_Number]) -> float | None:
    near = [number for number in numbers if window[0] <= number.start < window[1]]
    fitting = [n for n in near if n.unit == unit] or [n for n in near if n.unit is None]
    return fitting[0].value if fitting else None


def _levels(bare: str, mentions: Sequence[tuple[int, int, str]], words: Words) -> dict[int, str]:
    """By number of the mention: the level right in front of it ("a high heart rate") or behind it."""
    spelled = {word: level for level, spellings in words.content["levels"].items() for word in spellings}
    found: dict[int, str] = {}
    for start, end, level in find_words(bare, spelled):
        behind = sum(stop <= start for _, stop, _ in mentions) - 1
        following = behind + 1
        if following < len(mentions) and not bare[end : mentions[following][0]].strip():
            found.setdefault(following, level)
        elif behind >= 0:
            found.setdefault(behind, level)
    return found


def _numbers(bare: str, spelled: Mapping[str, str], words: Words) -> list[_Number]:
    by_lower = {spelling.lower(): unit for spelling, unit in spelled.items()}
    return [
        _Number(m.start(), m.end(), _value(m["number"], words), by_lower.get((m["unit"] or "").lower()))
        for m in _number_pattern(words.content["decimal"], tuple(by_lower)).finditer(bare)
    ]


def _value(number: str, words: Words) -> float:
    return float(number.replace(MINUS, "-").replace(words.content["decimal"], "."))


def _without_ranges(text: str, words: Words) -> str:
    patterns = _range_patterns(
        *(words.content[key] for key in ("decimal", "range", "range_to", "range_from"))
    )
    for pattern in patterns:
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return text


def _blank(text: str, spans: Iterable[tuple[int, int, Any]]) -> str:
    for start, end, _ in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _clauses(text: str) -> list[str]:
    return re.split(r"[;\n]|(?<=[.!?])\s", text)


def _spellings(unit: str, words: Words) -> list[str]:
    return [unit, *words.content["units"].get(unit, [])]


@lru_cache(maxsize=256)
def _word_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=256)
def _number_pattern(decimal: str, units: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(map(re.escape, units), key=len, reverse=True))
    unit = rf"(?:\s*(?P<unit>{longest_first})(?!\w))?" if units else r"(?P<unit>)"
    return re.compile(rf"(?<![\w.,])(?P<number>{_digits(decimal)}){unit}", re.IGNORECASE)


@lru_cache(maxsize=16)
def _range_patterns(decimal: str, both: str, to: str, start: str) -> list[re.Pattern[str]]:
    number = rf"(?<!\w){_digits(decimal)}"
    templates = [template_pattern(both, low=number, high=number), template_pattern(to, high=number)]
    dashed = re.compile(rf"{number}\s*[-–]\s*\d+(?:{re.escape(decimal)}\d+)?")
    return [*templates, template_pattern(start, low=number), dashed]


def _digits(decimal: str) -> str:
    return rf"[-{MINUS}]?\d+(?:{re.escape(decimal)}\d+)?"


@lru_cache(maxsize=1024)
def _template_pattern(template: str, groups: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    given = dict(groups)
    parts = []
    for literal, name, _, _ in Formatter().parse(template.removesuffix(".")):
        parts.append(re.sub(r"(\\ |\s)+", r"\\s+", re.escape(literal)))
        if name is not None:
            parts.append(f"(?P<{name}>{given.get(name, '.+?')})")
    return re.compile("".join(parts) + r"\.?", re.IGNORECASE)
