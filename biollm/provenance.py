"""What results come from: a hash of the code that made them, for keys of what is kept."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from data_builders.stage import content_hash

__all__ = ["code_hash"]

ROOT = Path(__file__).parents[1]


@lru_cache
def code_hash(*places: str) -> str:
    """Hash of what modules and packages do: comments, docstrings and layout change nothing."""
    files = {
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    }
    return content_hash([[str(path.relative_to(ROOT)), _statements(path)] for path in sorted(files)])


def _statements(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree)
