"""What results come from: hashes of the code and the wordings that made them, for keys of what is kept."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from data_builders.stage import content_hash, folder_hash
from prompts import LANGUAGES, language_folder

__all__ = ["code_hash", "source_hash"]

ROOT = Path(__file__).parents[1]
PACKAGES = ("prompts", "data_builders", "encoders", "biollm")


@lru_cache
def code_hash(*places: str) -> str:
    """Hash of what modules and packages do: comments, docstrings and layout change nothing."""
    files = {
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    }
    return content_hash([[str(path.relative_to(ROOT)), _statements(path)] for path in sorted(files)])


def source_hash(languages: Iterable[str] = ()) -> str:
    """Hash of all that the package itself puts into an LLM's results: its code and its wordings.

    Parameters
    ----------
    languages : iterable of str
        Further ones that are written in: folders of wordings, see `prompts.load_task`.
    """
    wordings = [folder_hash(language_folder(name)) for name in (*LANGUAGES, *languages)]
    return content_hash([code_hash(*PACKAGES), *wordings])


def _statements(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree)
