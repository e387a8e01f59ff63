"""Flags and recipes that are wrong."""

from __future__ import annotations

from spoiled.case import OUT, Case, nothing


def recipe(text: str, said: str) -> Case:
    return Case(lambda r: (r.parent / "r.yaml").write_text(text), said, "simulated", "--config {here}/r.yaml")


def flags(text: str, said: str, dataset: str = "simulated") -> Case:
    return Case(nothing, said, dataset, text)


CASES = {
    "unknown data set": flags("", "'amigoss'; allowed are .*noneeg", "amigoss"),
    "no root": Case(nothing, "'fmov': the folder is None; allowed is a folder with", flags="--dataset fmov"),
    "a root that is not there": Case(nothing, "nowhere", flags="--dataset fmov --root {here}/nowhere"),
    "a file as root": Case(
        lambda r: (r / "x").touch(),
        "data/x; allowed is a folder",
        flags="--dataset noneeg --root {here}/data/x",
    ),
    "a root for what is simulated": Case(
        nothing, "root is .*allowed is none", flags="--dataset simulated --root {here}/data"
    ),
    "a window of 0": flags("--window 0", "window is 0.0; allowed"),
    "a window of nan": flags("--window nan", "window is nan; allowed"),
    "two bad flags": flags("--window 0 --step -1", "window is 0.0.*step is -1.0"),
    "a window in words": flags("--window ten", "--window.*'ten'"),
    "a flag that is not there": flags("--windows 3", "--windows"),
    "options that are no JSON": flags("--reader_options {seed:1}", "{seed:1}.*is not JSON"),
    "options that are a list": flags("--reader_options [1]", "is JSON but no object"),
    "an unknown option": flags('--reader_options {"seeds":1}', "seeds"),
    "an option out of range": flags('--reader_options {"n_subjects":0}', "n_subjects"),
    "an unknown engine": flags("--engine spark", "engine is 'spark'; allowed are"),
    "no jobs": flags("--jobs 0", "jobs is 0; allowed"),
    "an unknown --on_error": flags("--on_error ignore", "on_error is 'ignore'; allowed are"),
    "an unknown recipe": flags("--config nowhere", "no such recipe.*quickstart"),
    "an unknown key in a recipe": recipe("prepare: {windows: 3}", r"r\.yaml: unknown keys.*windows"),
    "an unknown section in a recipe": recipe("prepear: {}", r"r\.yaml.*prepear"),
    "a recipe that is a list": recipe("- 1", r"r\.yaml: expected sections"),
    "a recipe that is no YAML": recipe("prepare: [1", r"r\.yaml"),
    "an out that others use": Case(
        lambda r: ((r.parent / OUT).mkdir(), (r.parent / OUT / "thesis.txt").touch()),
        "no finished stage", "simulated",
    ),
    "a download of what is not there": Case(
        nothing, "data set is 'amigoss'; data sets that may be fetched are .*'noneeg'",
        flags="--name amigoss", command="data download",
    ),
    "a download of what is given by hand": Case(
        nothing, r"'deap' is not fetched.*DIR/s01\.dat", flags="--name deap", command="data download"
    ),
    "a download into a file": Case(
        lambda r: (r.parent / OUT).touch(), "store is a file; allowed",
        flags="--name fmov", command="data download",
    ),
}  # fmt: skip
