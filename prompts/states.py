"""The emotion and state words that the readers use, each with a definition and physiological cues."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from prompts.wording import FOLDER, read_mapping


@dataclass(frozen=True)
class State:
    """One emotion or state word.

    Attributes
    ----------
    word : str
        The word itself, a single token of the nano base.
    definition : str
        A phrase that completes "<word> is …" or "<word> means …".
    cues : dict of str to str
        Physiological tendencies: measure -> level, for example ``{"heart rate": "high"}``.
    """

    word: str
    definition: str
    cues: dict[str, str] = field(default_factory=dict)


def load_states(path: Path = FOLDER / "states.yaml") -> dict[str, State]:
    """Read the state words, in the order of the file.

    Raises
    ------
    ValueError
        With every problem of the file at once, each with its key.
    """
    content = read_mapping(path)
    problems = [f"{path}: {problem}" for word, entry in content.items() for problem in _problems(word, entry)]
    if problems:
        raise ValueError("\n".join(problems))
    return {word: State(word, **entry) for word, entry in content.items()}


def _problems(word: object, entry: object) -> list[str]:
    if not isinstance(word, str) or not word.isalpha() or not word.islower():
        return [f"key {word!r} must be one lower-case word"]
    if not isinstance(entry, dict) or not {"definition"} <= set(entry) <= {"definition", "cues"}:
        return [f"key '{word}' must hold 'definition' and may hold 'cues', nothing else"]
    problems = []
    if not isinstance(entry["definition"], str):
        problems.append(f"key '{word}.definition' must be text")
    cues = entry.get("cues", {})
    if not isinstance(cues, dict) or not all(isinstance(text, str) for pair in cues.items() for text in pair):
        problems.append(f"key '{word}.cues' must map measures to levels, both text")
    return problems


STATES: dict[str, State] = load_states()
STATE_WORDS: tuple[str, ...] = tuple(STATES)
