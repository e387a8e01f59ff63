"""Bad input through the command: one clear message on stderr, status 2, and nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from spoiled import (
    amigos,
    deap,
    dreamer,
    flags,
    fmov,
    gameemo,
    kaggle,
    manifest,
    noneeg,
    npz,
    seed,
    seed_iv,
    splits,
    stress_predict,
    wesad,
)
from spoiled.case import OUT, ROOT, Case

from biollm.cli import run

READERS = (amigos, deap, dreamer, fmov, gameemo, kaggle, manifest)
READERS += (noneeg, npz, seed, seed_iv, stress_predict, wesad)
CASES = {
    f"{module.__name__.removeprefix('spoiled.')}: {name}": case
    for module in (*READERS, flags, splits)
    for name, case in module.CASES.items()
}


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def said_and_left(case: Case, here: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """What the command says on stderr, and the files that it leaves behind."""
    root = here / ROOT
    root.mkdir()
    case.spoil(root)
    before = set(listing(here))
    arguments = ["--out", str(here / OUT), *case.flags.replace("{here}", str(here)).split()]
    if case.dataset:
        arguments += ["--dataset", case.dataset]
        arguments += [] if case.dataset == "simulated" else ["--root", str(root)]
    with pytest.raises(SystemExit) as stop:
        run(case.command, arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err, sorted(set(listing(here)) - before)


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_message_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    err, left = said_and_left(CASES[name], tmp_path, capsys)
    messages = err.split(f"biollm {CASES[name].command}: ")[1:]
    assert len(messages) == 1, err
    assert re.search(CASES[name].said, messages[0], re.DOTALL), messages[0]
    assert left == []
