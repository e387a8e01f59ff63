"""Hashes of code change where what it does changes, and nowhere else."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial

import pytest

from data_builders import provenance


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return tmp_path


def test_the_hash_of_code_is_of_what_it_does(root):
    def hashed(text: str) -> str:
        (root / "module.py").write_text(text)
        provenance._tree.cache_clear()
        return provenance.code_hash.__wrapped__("module.py")

    plain = hashed("def f(x):\n    return x + 1\n")
    assert hashed('"""Topic."""\n\ndef f(x):\n    """Say."""\n    return x + 1  # so\n') == plain
    assert hashed("def f(x):\n    return x + 2\n") != plain


def test_the_code_behind_a_module_is_what_it_imports(root):
    """A stage imports a module of a package, which imports another in a function; a third is nobody's."""
    package = root / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text("def f():\n    import package.far\n")
    (root / "stage.py").write_text("import numpy\nfrom package import near\n")

    def behind(**texts: str) -> str:
        for name, text in texts.items():
            (package / f"{name}.py").write_text(text)
        provenance._tree.cache_clear()
        return provenance.code_behind.__wrapped__(str(root / "stage.py"))

    plain = behind(far="x = 1\n", other="x = 1\n")
    assert behind(other="x = 2\n") == plain
    assert behind(far="x = 1  # one\n") == plain
    assert behind(far="x = 2\n") != plain
    assert behind(far="x = 1\n", __init__="y = 1\n") != plain


def test_code_from_elsewhere_is_told_by_its_file(tmp_path, monkeypatch):
    """A feature, a baseline or a reader of one's own is edited without any file of this project."""

    def made(text: str):
        spec = importlib.util.spec_from_file_location("mine", write(tmp_path / "mine.py", text))
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "mine", module)
        spec.loader.exec_module(module)
        return module

    def write(path, text):
        path.write_text(text)
        return path

    one = provenance.code_outside([made("def f(): return 1\n").f, provenance.code_hash, None])
    assert one == provenance.code_outside([made("def f(): return 1\n").f])
    with_2, with_3 = (provenance.code_outside([partial(made("def f(): return 1\n").f, n)]) for n in (2, 3))
    assert len({one, with_2, with_3}) == 3  # a partial is another function
    assert provenance.code_outside([made("def f(): return 2\n").f]) != one
    assert provenance.code_outside([provenance.code_hash]) == ""


def test_code_that_was_typed_is_told_by_what_it_does():
    def typed(text: str) -> str:
        names: dict = {}
        exec(text, names)
        return provenance.code_outside([names["C"]])

    one = typed("class C:\n    def f(self): return 1")
    assert typed("class C:\n    def f(self): return 1") == one != typed("class C:\n    def f(self): return 2")
