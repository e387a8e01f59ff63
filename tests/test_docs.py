"""The docs against the code: names, commands, examples and links that they show are there."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from biollm.baselines import BASELINES
from biollm.cli import COMMANDS, run
from biollm.predecessors import EXPERIMENTS
from encoders.objectives import OBJECTIVES
from encoders.presets import PRESETS
from encoders.quantizers import QUANTIZERS
from encoders.training_config import TrainingConfig

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
NAMES = {
    "preset": PRESETS,
    "quantizer": QUANTIZERS,
    "objective": OBJECTIVES,
    "baseline": BASELINES,
    "training": [field.name for field in fields(TrainingConfig)],
    "experiment": EXPERIMENTS,
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """The words of each ``biollm`` command of a page; a quoted one may go over several lines."""
    split, held = [], ""
    for line in "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines():
        held += f"{line}\n"
        try:
            split.append(shlex.split(held, comments=True))
        except ValueError:  # a quotation is open
            continue
        held = ""
    assert not held, f"{page}: a quotation is not closed: {held}"
    return [words[1:] for words in split if words[:1] == ["biollm"]]


COMMAND_LINES = [(page.name, words) for page in PAGES for words in commands(page)]
COMMAND_LINES += [("cli.py", shlex.split(command.example)[1:]) for command in COMMANDS.values()]
SCRIPTS = [path for path in sorted((ROOT / "scripts").glob("*.py")) if path.stem != "pretrain_nano"]
EXAMPLES = [(page.name, text) for page in PAGES for text in blocks(page, "python")]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names])
def test_the_page_of_the_encoders_names_all_that_there_is(kind, name):
    assert f"`{name}`" in (ROOT / "docs" / "encoders.md").read_text(), f"docs/encoders.md lacks the {kind}"


@pytest.mark.parametrize(("page", "words"), COMMAND_LINES, ids=[" ".join(w[:2]) for _, w in COMMAND_LINES])
def test_every_command_that_is_shown_is_understood(page, words, monkeypatch):
    name = " ".join(words[: 2 if " ".join(words[:2]) in COMMANDS else 1])
    command, seen = COMMANDS[name], []
    monkeypatch.setenv("BIOLLM_TRACEBACK", "1")
    monkeypatch.setattr(import_module(command.module), command.function, lambda *given: seen.append(given))
    run(name, words[len(name.split()) :])
    assert len(seen[0]) == len(command.configs)


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_what_examples_import_is_there(page, text):
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        module = import_module(str(node.module))
        assert [a.name for a in node.names if not hasattr(module, a.name)] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_names_of_encoders_do_not_wait_for_torch():
    code = "import sys, encoders; print('torch' in sys.modules, encoders.Trainer.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "Trainer"]


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_a_script_runs_the_command_of_its_name(script, monkeypatch):
    seen = []
    monkeypatch.setattr("biollm.cli.run", seen.append)
    runpy.run_path(str(script), run_name="__main__")
    assert seen == [script.stem.replace("_", "-")]
    assert seen[0] in COMMANDS
