"""The command: help, recipes, and errors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from biollm.cli import COMMANDS, RECIPES, main, read_recipe, recipe_section, run


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_defaults_and_an_example(name, capsys):
    with pytest.raises(SystemExit) as stop:
        run(name, ["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "(default: " in out
    assert f"example: biollm {name}" in out


@pytest.mark.parametrize("recipe", [path.stem for path in RECIPES.glob("*.yaml")])
def test_shipped_recipes_fill_their_commands(recipe):
    sections = set(yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text())) & set(COMMANDS)
    assert sections
    for name in sections:
        read_recipe(recipe, name)


def test_flags_win_over_the_recipe(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("data_builders.preparing.prepare", seen.append)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("prepare: {dataset: npz, window: 4.0, step: 2.0}\n")
    run("prepare", ["--config", str(recipe), "--window", "5"])
    assert (seen[0].dataset, seen[0].window, seen[0].step) == ("npz", 5.0, 2.0)


def test_numbers_of_a_recipe_may_have_an_exponent(tmp_path):
    recipe = tmp_path / "mine.yaml"
    rates = ("5e-4", "-2E3", "1e+2", ".5e1", "5.0e-4")
    recipe.write_text(f"compare: {{encoder: {{values: [{', '.join(rates)}], names: [5e, e-4, 1e-4x]}}}}\n")
    read = recipe_section(str(recipe), "compare")["encoder"]
    assert read == {"values": [float(rate) for rate in rates], "names": ["5e", "e-4", "1e-4x"]}


def test_a_library_that_is_not_there_is_one_message(monkeypatch, capsys):
    def lacking(config):
        raise ModuleNotFoundError("Ray is not there; install it with: pip install 'biollm[ray]'")

    monkeypatch.setattr("data_builders.preparing.prepare", lacking)
    with pytest.raises(SystemExit) as stop:
        run("prepare", [])
    assert stop.value.code == 2
    assert "pip install 'biollm[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prepare: {windows: 3}", "windows"),
        ("prepear: {}", "prepear"),
        ("- 1", "sections"),
        ("5", "got int"),
        ("prepare: runs/x", "the section 'prepare' is 'runs/x'"),
        ("build: {seed: 1}", "has no section 'prepare', only ['build']"),
    ],
)
def test_a_wrong_recipe_is_one_message_and_status_2(tmp_path, capsys, content, said):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(content)
    with pytest.raises(SystemExit) as stop:
        run("prepare", ["--config", str(recipe)])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_a_recipe_has_to_say_that_one_value_is_a_list(tmp_path, capsys):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("chat: {artefact: runs/x}\nablate: {folds: null}")
    with pytest.raises(SystemExit) as stop:
        run("chat", ["--config", str(recipe)])
    assert stop.value.code == 2
    assert "artefact is 'runs/x'; allowed is a list, as artefact: [runs/x]" in capsys.readouterr().err
    assert read_recipe(str(recipe), "ablate").folds is None


def test_an_unknown_recipe_lists_those_there_are(capsys):
    with pytest.raises(SystemExit):
        run("prepare", ["--config", "nowhere"])
    assert "quickstart" in capsys.readouterr().err


def test_an_unknown_data_set_lists_those_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run("prepare", ["--dataset", "amigoss", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "noneeg" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("own", "kept"), [(None, "1000"), ("7", "7")])
def test_threads_that_wait_are_put_to_sleep_before_torch_is_loaded(own, kept):
    """The libraries read it once, so that a process of its own has to tell."""
    code = """if True:
        import os, sys
        import biollm.cli as cli
        def stopped(*_):
            print("torch" in sys.modules, os.environ["GOMP_SPINCOUNT"])
            sys.exit(0)
        cli._parse = stopped
        cli.run("prepare")
    """
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": own} if own else {}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", kept]


def test_commands_of_one_and_of_two_words_are_found(monkeypatch):
    seen = []
    monkeypatch.setattr("biollm.cli.run", lambda *given: seen.append(given))
    for name in COMMANDS:
        monkeypatch.setattr(sys, "argv", ["biollm", *name.split(), "--out", "x"])
        main()
    assert seen == [(name, ["--out", "x"]) for name in COMMANDS]


@pytest.mark.parametrize("words", [["prepear"], ["data"], ["data", "lst", "--out", "x"], []])
def test_what_is_no_command_is_status_2_and_shows_those_there_are(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["biollm", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    shown = capsys.readouterr()
    assert f"{' '.join(words[:2])!r} is no command" in shown.err or not words
    assert [name for name in COMMANDS if name not in shown.out + shown.err] == []


def test_a_stopped_command_is_status_130_and_says_that_it_goes_on(monkeypatch, capsys):
    def stopped(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_builders.preparing.prepare", stopped)
    with pytest.raises(SystemExit) as stop:
        run("prepare", [])
    assert stop.value.code == 130
    assert "biollm prepare: stopped; the same command goes on" in capsys.readouterr().err


def test_a_folder_that_was_made_or_found_whole_is_named(tmp_path, capsys):
    arguments = ["--config", "quickstart", "--out", str(tmp_path / "store")]
    for _ in range(2):
        run("prepare", arguments)
        assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path / 'store'}: done."


def test_one_process_of_several_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    run("prepare", ["--config", "quickstart", "--out", str(tmp_path / "store")])
    assert "done" not in capsys.readouterr().out
