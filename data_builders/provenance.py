"""Which code and libraries results come from, for keys of what is kept."""

from __future__ import annotations

import ast
import inspect
import marshal
from collections.abc import Iterable, Iterator
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from data_builders.stage import content_hash

__all__ = ["called_name", "code_behind", "code_hash", "code_outside", "library_versions"]

ROOT = Path(__file__).parents[1]
OWN = ("prompts", "data_builders", "encoders", "biollm", "scripts")


@cache
def code_hash(*places: str) -> str:
    """Hash of what modules and packages do: comments, docstrings and layout change nothing."""
    return _hash(
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    )


@cache
def code_behind(file: str) -> str:
    """Hash of what a module does and all of this project's modules that it imports, directly or not."""
    found, left = set[Path](), [Path(file)]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imported(path)
    return _hash(found)


def code_outside(things: Iterable[Any]) -> str:
    """Hash of the files that classes and functions come from which are not this project's own; "" without.

    Two that one file makes from other values, as closures, look the same: give them other names, or make
    them by `functools.partial`, whose arguments count.
    """
    found = {}
    for thing in things:
        inner = getattr(thing, "func", thing)  # of a partial
        module = getattr(inner, "__module__", None)
        if inner is not None and module and module.partition(".")[0] not in OWN:
            found[called_name(thing)] = _source(inner)
    return content_hash(found) if found else ""


def called_name(thing: Any) -> str:
    """Module and name of a class or function; of a partial with its arguments; "" of None."""
    if isinstance(thing, partial):
        return f"{called_name(thing.func)}({thing.args}, {thing.keywords})"
    return "" if thing is None else f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


def _source(thing: Any) -> str:
    try:
        file = Path(inspect.getsourcefile(thing) or "")
        return file.read_text() if file.is_file() else inspect.getsource(thing)  # of a notebook's cell
    except (OSError, TypeError):  # typed at a prompt, which keeps no source
        parts = vars(thing).values() if isinstance(thing, type) else [thing]
        return "".join(marshal.dumps(part.__code__).hex() for part in parts if inspect.isfunction(part))


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions of libraries."""
    return {name: metadata.version(name) for name in names}


def _hash(files: Iterable[Path]) -> str:
    return content_hash([[str(path.relative_to(ROOT)), ast.dump(_tree(path))] for path in sorted(set(files))])


def _imported(path: Path) -> Iterator[Path]:
    """Files of this project that a file imports, with those of the packages that they are in."""
    for node in ast.walk(_tree(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]  # a module of the package, or what it holds
        for parts in (name.split(".") for name in names):
            for depth in range(1, len(parts) + 1):
                place = ROOT.joinpath(*parts[:depth])
                yield from (
                    file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()
                )


@cache
def _tree(path: Path) -> ast.Module:
    """What a file does, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return tree
