"""Hashes of code change where what it does changes, and nowhere else."""

from __future__ import annotations

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
