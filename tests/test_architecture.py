"""The floors: each package imports only from the floors below it, and no two modules import each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ["prompts", "data_builders", "encoders", "biollm", "scripts"]
MODULES = sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py"))


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    """Modules of the project that a file imports, as dotted names."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in FLOORS}


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_only_downwards(path):
    floor = FLOORS.index(path.relative_to(ROOT).parts[0])
    above = sorted(name for name in imported(path) if FLOORS.index(name.split(".")[0]) > floor)
    assert not above


def test_no_two_modules_import_each_other():
    names = {dotted(path) for path in MODULES}
    uses = {dotted(p): imported(p, top_level_only=True) & names - {dotted(p)} for p in MODULES}

    def reaches(start: str, goal: str, seen: set[str]) -> bool:
        fresh = uses[start] - seen
        return goal in uses[start] or any(reaches(name, goal, seen | fresh) for name in fresh)

    # A package's own __init__ gathers names from its modules; that is no cycle between topics.
    modules = [name for name in names if (ROOT / (name.replace(".", "/") + ".py")).is_file()]
    assert not [name for name in modules if reaches(name, name, set())]


def test_the_top_level_is_the_one_agreed_on():
    for name in [*FLOORS, "tests", "pyproject.toml", "README.md"]:
        assert (ROOT / name).exists()


def test_the_command_imports_nothing_heavy():
    """`biollm --help` must answer in under half a second, which no import of torch allows."""
    code = (
        "import sys; sys.argv = ['biollm', '--help']\n"
        "from biollm.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'trl', 'numpy', 'pandas', 'scipy', 'datasets', 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "quickstart" in done.stdout
    assert done.stdout.strip().endswith("HEAVY []")


def test_figures_are_saved_without_reading_names_as_formulas():
    saving = [path for path in MODULES if ".savefig(" in path.read_text()]
    assert saving == [ROOT / "data_builders" / "figure_text.py"]
