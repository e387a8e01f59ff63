"""Options that are mappings: a YAML recipe gives them as they are, a flag as JSON text."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["as_mapping"]


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
