"""Options that are mappings: a YAML recipe gives them as they are, a flag as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["as_mapping", "as_weights", "merged", "unknown_names"]


def as_mapping(value: dict[str, Any] | str | None) -> dict[str, Any]:
    """A mapping from itself, from JSON text, or empty from None.

    Raises
    ------
    ValueError
        If the text is not a JSON object; it is quoted.
    """
    if not isinstance(value, str):
        return dict(value or {})
    try:
        content = json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"{value!r} is not JSON ({error}); give an object as '{{\"seed\": 1}}'.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{value!r} is JSON but no object; give one such as '{{\"seed\": 1}}'.")
    return content


def as_weights(value: dict[str, float] | str | None) -> dict[str, float]:
    """Weights by name from a mapping, from its JSON text, or from ``"emotion=1,affect=0.5"``.

    Raises
    ------
    ValueError
        If a weight is no number; it is quoted.
    """
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        value = {name.strip(): weight for name, _, weight in parts}  # type: ignore[misc]
    weights = {}
    for name, weight in as_mapping(value).items():
        try:
            weights[str(name)] = float(weight)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the weight of {name!r} is {weight!r}; give a number, as in {name}=0.5."
            ) from error
    return weights


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`new` over `old`, mappings inside of them alike."""
    return {**old} | {
        key: merged(old[key], value) if isinstance(value, Mapping) and isinstance(old.get(key), Mapping)
        else value
        for key, value in new.items()
    }  # fmt: skip


def unknown_names(what: str, given: Iterable[str], allowed: Iterable[str]) -> list[str]:
    """The problem of names that are not allowed; none if all are."""
    known = sorted(allowed)
    wrong = sorted(set(given) - set(known))
    return [f"{what} {wrong} unknown, allowed are {known}"] if wrong else []
