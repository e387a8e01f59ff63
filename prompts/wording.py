"""Wording files: YAML that is read and checked against rules, all problems of a file at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any, Protocol

import yaml

__all__ = ["FOLDER", "Forms", "Groups", "Names", "Rule", "Text", "Texts", "read_mapping", "wording_problems"]

FOLDER = Path(__file__).parent


class Rule(Protocol):
    """What the value of one key of a wording file must be."""

    def problems(self, key: str, value: object) -> list[str]: ...


@dataclass(frozen=True)
class Text:
    """One text, with these placeholders once each."""

    holds: tuple[str, ...] = ()

    def problems(self, key: str, value: object) -> list[str]:
        return _template_problems(key, value, self.holds)


@dataclass(frozen=True)
class Texts:
    """A list of different texts.

    Parameters
    ----------
    minimum : int
        How many different ones it needs.
    holds : tuple of str
        Placeholders that each text has once.
    in_order : bool
        Whether they come in this order.
    pattern : str
        Regular expression that each text must contain; "" for none.
    wanted : str
        The pattern in words.
    """

    minimum: int
    holds: tuple[str, ...] = ()
    in_order: bool = False
    pattern: str = ""
    wanted: str = ""

    def problems(self, key: str, value: object) -> list[str]:
        if not isinstance(value, list):
            return [f"key {key!r} must be a list of texts, got {_kind(value)}"]
        problems = _count_problems(key, value, self.minimum)
        for number, text in enumerate(value):
            problems += self._text_problems(f"{key}[{number}]", text)
        return problems

    def _text_problems(self, key: str, text: object) -> list[str]:
        problems = _template_problems(key, text, self.holds)
        if problems:
            return problems
        if self.in_order and tuple(_placeholders(str(text))) != self.holds:
            problems.append(f"key {key!r} must hold {list(self.holds)} in this order, got {text!r}")
        if self.pattern and not re.search(self.pattern, str(text)):
            problems.append(f"key {key!r} needs {self.wanted}, got {text!r}")
        return problems


@dataclass(frozen=True)
class Forms:
    """A list of forms, each a mapping of the same parts to templates.

    Parameters
    ----------
    minimum : int
        How many different ones it needs.
    parts : mapping of str to tuple of str
        Part -> its placeholders, once each.
    """

    minimum: int
    parts: Mapping[str, tuple[str, ...]]

    def problems(self, key: str, value: object) -> list[str]:
        if not isinstance(value, list):
            return [f"key {key!r} must be a list of mappings, got {_kind(value)}"]
        problems = _count_problems(key, value, self.minimum)
        for number, form in enumerate(value):
            problems += self._form_problems(f"{key}[{number}]", form)
        return problems

    def _form_problems(self, key: str, form: object) -> list[str]:
        if not isinstance(form, dict) or set(form) != set(self.parts):
            found = sorted(map(str, form)) if isinstance(form, dict) else _kind(form)
            return [f"key {key!r} must be a mapping of {sorted(self.parts)}, got {found}"]
        return [
            problem
            for part, holds in self.parts.items()
            for problem in _template_problems(f"{key}.{part}", form[part], holds)
        ]


@dataclass(frozen=True)
class Groups:
    """A mapping of words to lists of texts without placeholders.

    Parameters
    ----------
    keys : tuple of str
        The keys it has; () where they are free.
    minimum : int
        How many different texts all lists hold together.
    """

    keys: tuple[str, ...] = ()
    minimum: int = 0

    def problems(self, key: str, value: object) -> list[str]:
        if not isinstance(value, dict):
            return [f"key {key!r} must be a mapping of lists, got {_kind(value)}"]
        if self.keys and set(value) != set(self.keys):
            return [f"key {key!r} must hold {list(self.keys)}, got {sorted(map(str, value))}"]
        problems = [
            problem
            for name, texts in value.items()
            for problem in _name_problems(key, name) + Texts(1).problems(f"{key}.{name}", texts)
        ]
        lists = [texts for texts in value.values() if isinstance(texts, list)]
        return problems + _count_problems(key, [text for texts in lists for text in texts], self.minimum)


@dataclass(frozen=True)
class Names:
    """A mapping of words to words; it may be empty."""

    def problems(self, key: str, value: object) -> list[str]:
        if not isinstance(value, dict):
            return [f"key {key!r} must be a mapping of words to words, got {_kind(value)}"]
        wrong = [name for name, word in value.items() if not isinstance(word, str) or not word]
        return [problem for name in value for problem in _name_problems(key, name)] + [
            f"key '{key}.{name}' must be text, got {_kind(value[name])}" for name in wrong
        ]


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file whose top level is a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: got {_kind(content)} at the top level, allowed is a mapping")
    return content


def wording_problems(content: Mapping[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """Everything that is wrong with the content of a wording file; empty if it is right."""
    problems = [f"key {key!r} is unknown; allowed: {sorted(rules)}" for key in content if key not in rules]
    problems += [f"key {key!r} is missing" for key in rules if key not in content]
    for key, rule in rules.items():
        if key in content:
            problems += rule.problems(key, content[key])
    return problems


def _template_problems(key: str, template: object, holds: tuple[str, ...]) -> list[str]:
    if not isinstance(template, str) or not template.strip():
        return [f"key {key!r} must be text, got {_kind(template)}"]
    try:
        found = _placeholders(template)
    except ValueError as error:
        return [f"key {key!r}: {error} in {template!r}"]
    if sorted(found) == sorted(holds):
        return []
    wanted = f"hold {sorted(holds)} once each as {{placeholders}}" if holds else "hold no {placeholders}"
    return [f"key {key!r} must {wanted}, got {found} in {template!r}"]


def _placeholders(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def _count_problems(key: str, values: list, minimum: int) -> list[str]:
    found = len({str(value) for value in values})
    return [f"key {key!r} needs {minimum} different ones, got {found}"] if found < minimum else []


def _name_problems(key: str, name: object) -> list[str]:
    if isinstance(name, str) and name:
        return []
    return [f"key {key!r}: the key {name!r} must be text; put it in quotes"]


def _kind(value: object) -> str:
    """A value in few words: what YAML made of it, and the value where it is short."""
    shown = repr(value)
    return type(value).__name__ + (f" {shown}" if len(shown) <= 40 else "")
