"""Names that differ in spelling only: ``S1`` and ``s01``, ``happy`` and ``Happy``, ``hapy``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from difflib import get_close_matches

__all__ = ["lookalikes", "near_misses", "plain"]


def plain(name: str) -> str:
    """Small letters without spaces, ``-``, ``_`` and zeros ahead of a number: ``S_01`` is ``s1``."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\s_\-.]+", "", name.casefold()))


def lookalikes(counts: Mapping[str, int]) -> list[list[str]]:
    """Groups of names that are the same but for their spelling, the most frequent one first."""
    groups = defaultdict(list)
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        groups[plain(name)].append(name)
    return [names for names in groups.values() if len(names) > 1]


def near_misses(counts: Mapping[str, int]) -> dict[str, str]:
    """Names that occur once and are almost one that occurs three times or more: likely typing errors."""
    frequent = {plain(name): name for name, count in counts.items() if count >= 3}
    found = {}
    for name, count in counts.items():
        near = get_close_matches(plain(name), frequent, n=1, cutoff=0.8) if count == 1 else []
        if near and near[0] != plain(name):
            found[name] = frequent[near[0]]
    return found
