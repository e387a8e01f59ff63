"""The ``biollm`` command: one subcommand a stage, each with its dataclass as its options."""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

__all__ = ["COMMANDS", "Command", "main", "read_recipe", "run"]

RECIPES = Path(__file__).parent / "recipes"
EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
"""A number that YAML 1.1, and so PyYAML, takes for text."""


@dataclass(frozen=True)
class Command:
    """A subcommand: a function and the dataclasses that it takes, imported when it is called.

    `argument` is the field that may stand without its flag, right after the command.
    """

    help: str
    module: str
    function: str
    configs: tuple[str, ...]
    example: str
    argument: str | None = None


COMMANDS = {
    "quickstart": Command(
        "the whole way on simulated recordings and the embedded base, in a few minutes",
        "biollm.quickstart", "quickstart", ("QuickstartConfig",),
        "biollm quickstart --out runs/quickstart",
    ),
    "prepare": Command(
        "recordings -> segment store",
        "data_builders.preparing", "prepare", ("PrepareConfig",),
        "biollm prepare --dataset noneeg --root data/noneeg --out runs/noneeg",
    ),
    "data list": Command(
        "the data sets that can be read",
        "data_builders.catalogue", "data_list", ("DataListConfig",),
        "biollm data list",
    ),
    "data info": Command(
        "channels, rates, labels, licence of a data set; or what a store holds",
        "data_builders.catalogue", "data_info", ("DataInfoConfig",),
        "biollm data info deap", "what",
    ),
    "data download": Command(
        "fetch a public data set, checked by its sums",
        "data_builders.downloads", "data_download", ("DownloadConfig",),
        "biollm data download noneeg --out data/noneeg", "name",
    ),
    "data init": Command(
        "write a first manifest for a folder of recordings",
        "data_builders.checking", "data_init", ("DataInitConfig",),
        "biollm data init recordings", "folder",
    ),
    "data check": Command(
        "all problems of a manifest and its files at once",
        "data_builders.checking", "data_check", ("DataCheckConfig",),
        "biollm data check recordings", "root",
    ),
    "data quality": Command(
        "gaps, clipping, effective rates, SNR and sparsity of the channels",
        "data_builders.quality", "data_quality", ("QualityConfig",),
        "biollm data quality --dataset noneeg --root data/noneeg --out runs/quality",
    ),
    "split": Command(
        "a store -> the folds of a protocol, checked for leaks",
        "data_builders.splitting", "split_store", ("SplitConfig",),
        "biollm split --store runs/noneeg --protocol loso --out runs/loso",
    ),
    "join": Command(
        "stores of several data sets -> one, of the channels that all have",
        "data_builders.joining", "join", ("JoinConfig",),
        "biollm join --stores '{\"deap\": \"runs/deap\", \"seed_iv\": \"runs/seed_iv\"}' --out runs/joined",
    ),
    "augment": Command(
        "a store and a split -> a store with augmented training segments",
        "data_builders.augmentation", "augment_store", ("AugmentConfig",),
        "biollm augment --store runs/noneeg --split runs/loso/split-0.json --out runs/augmented",
    ),
    "train-encoder": Command(
        "segment store -> split and signal tokenizer",
        "encoders.trainer", "train_encoder", ("TrainEncoderConfig",),
        "biollm train-encoder --store runs/noneeg --out runs/noneeg-tokenizer",
    ),
    "build": Command(
        "segments -> ShareGPT conversations of all but the test subjects",
        "biollm.building", "build", ("BuildConfig",),
        "biollm build --store runs/noneeg --signal_tokenizer runs/noneeg-tokenizer --out runs/noneeg-built",
    ),
    "check": Command(
        "what is wrong with ShareGPT conversations, and what would be trained on",
        "biollm.checking_conversations", "check_conversations", ("CheckConfig",),
        "biollm check runs/noneeg-built --html runs/noneeg-built.html", "path",
    ),
    "finetune": Command(
        "conversations -> LoRA adapter on a 4-bit base, as an artefact",
        "biollm.finetuning", "finetune", ("FinetuneConfig", "FinetuneTraining"),
        "biollm finetune --dataset_path runs/noneeg-built --out runs/noneeg-artefact --max_steps 150",
    ),
    "compare": Command(
        "baselines and encoders of the field in one table, on any protocol",
        "biollm.comparing", "compare", ("CompareConfig",),
        "biollm compare --store runs/noneeg --methods classical --out runs/noneeg-compared --jobs 2",
    ),
    "reproduce": Command(
        "a predecessor's experiment by its own protocol and by an honest one",
        "biollm.reproducing", "reproduce", ("ReproduceConfig",),
        "biollm reproduce gru-xnet --preset quick --out runs/gru-xnet --jobs 2", "experiment",
    ),
    "evaluate": Command(
        "baselines, encoders, LLM read-outs and controls in one table",
        "biollm.experiment", "evaluate", ("EvaluateConfig",),
        "biollm evaluate --config noneeg --store runs/noneeg --out runs/noneeg-results --jobs 2",
    ),
    "table": Command(
        "rows of finished evaluations and comparisons, on the same folds, in one table",
        "biollm.tabulating", "tabulate", ("TableConfig",),
        "biollm table --store runs/noneeg --runs runs/noneeg-results runs/noneeg-compared "
        "--out runs/noneeg-table",
    ),
    "ablate": Command(
        "the LLM with one thing changed at a time: tokens, rows, teaching, read-out",
        "biollm.ablating", "ablate", ("AblateConfig",),
        "biollm ablate --config noneeg --store runs/noneeg --out runs/noneeg-ablation --jobs 2",
    ),
    "ground": Command(
        "the values that a tuned model says it measured, against what was measured, and of noise",
        "biollm.grounding", "ground", ("GroundConfig",),
        "biollm ground --artefact runs/noneeg-artefact --store runs/noneeg "
        "--split runs/noneeg-tokenizer/split.json --out runs/noneeg-grounding",
    ),
    "chat": Command(
        "ask a tuned model about a recording",
        "biollm.chat", "chat", ("ChatConfig",),
        "biollm chat --artefact runs/quickstart/artefact --recording runs/quickstart/S03.npz",
    ),
}  # fmt: skip


def main() -> None:
    """Entry point of the ``biollm`` command."""
    lines = "\n".join(f"  {name:<14} {command.help}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="biollm",
        usage="biollm COMMAND [--help] [options]",
        description="Fine-tune LLMs to read biosignals.",
        epilog=f"commands:\n{lines}\n\n'biollm COMMAND --help' lists its options with their defaults.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    words = sys.argv[1:]
    n_words = 2 if " ".join(words[:2]) in COMMANDS else 1
    name = " ".join(words[:n_words])
    if name in COMMANDS:
        run(name, words[n_words:])
        return
    parser.parse_args(words[:1])  # --help
    if not words:
        parser.print_help()
        sys.exit(2)
    parser.error(f"{' '.join(words[:2])!r} is no command; allowed are {', '.join(COMMANDS)}.")


def run(name: str, arguments: list[str] | None = None) -> None:
    """Parse a command's options and run it; bad input ends with one message and status 2.

    With BIOLLM_TRACEBACK set in the environment the error is raised instead.
    """
    # Where another process has a core, torch's threads would spin at each barrier. Read as torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    command = COMMANDS[name]
    arguments = sys.argv[1:] if arguments is None else arguments
    if command.argument and arguments and not arguments[0].startswith("-"):
        arguments = [f"--{command.argument}", *arguments]
    try:
        configs = _parse(name, command, arguments)
        made = getattr(import_module(command.module), command.function)(*configs)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if os.environ.get("BIOLLM_TRACEBACK"):
            raise
        print(f"biollm {name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"\nbiollm {name}: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    # A folder is whole, made now or found whole; under `accelerate launch` one process says so.
    if isinstance(made, Path) and made.is_dir() and os.environ.get("RANK", "0") == "0":
        print(f"{made}: done.")


def _parse(name: str, command: Command, arguments: list[str]) -> tuple[Any, ...]:
    from trl import TrlParser

    module = import_module(command.module)
    configs = [getattr(module, config) for config in command.configs]
    parser = TrlParser(
        configs,
        prog=f"biollm {name}",
        description=command.help,
        epilog=f"example: {command.example}",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", help="recipe: a YAML file with a section a command, or the name of a shipped one"
    )
    recipe, arguments = _take_config(arguments)
    section = recipe_section(recipe, name) if recipe else {}
    lists = _lists(configs)
    for key, value in section.items():
        if key in lists and not isinstance(value, (list, NoneType)):
            raise ValueError(f"{recipe}: {key} is {value!r}; allowed is a list, as {key}: [{value}].")
    unknown = parser.set_defaults_with_config(**section)
    if unknown:
        raise ValueError(
            f"{recipe}: unknown keys in the section {name!r}: {unknown[::2]}; see 'biollm {name} --help'."
        )
    return parser.parse_args_into_dataclasses(arguments)[: len(configs)]


def _lists(configs: list[type]) -> set[str]:
    """Fields that take a list and nothing else; argparse makes one of flags, YAML has to say it."""
    return {
        name
        for config in configs
        for name, kind in get_type_hints(config).items()
        if {get_origin(part) or part for part in get_args(kind) if part is not NoneType} == {list}
        or get_origin(kind) is list
    }


def _take_config(arguments: list[str]) -> tuple[str | None, list[str]]:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config")
    known, rest = first.parse_known_args(arguments)
    return known.config, rest


def recipe_path(name: str) -> Path:
    """The YAML file of a recipe: a path, or the name of one that ships with biollm."""
    for path in (Path(name), RECIPES / f"{name}.yaml"):
        if path.is_file():
            return path
    known = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    raise FileNotFoundError(f"{name}: no such recipe; give a YAML file or one of {known}.")


def recipe_section(recipe: str, command: str) -> dict[str, Any]:
    """What a recipe says about one command.

    A recipe is one YAML file for a whole experiment: a section a command, and keys that start with a
    dot for what sections share through YAML anchors.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads 5e-4 as a number, as YAML 1.2 and Python do."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("+-.0123456789"))
    path = recipe_path(recipe)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: is no YAML: {error}") from error
    sections = content if isinstance(content, dict) else {}
    unknown = sorted(str(key) for key in sections if key not in COMMANDS and not str(key).startswith("."))
    if not sections or unknown:
        got = unknown or type(content).__name__
        raise ValueError(
            f"{path}: expected sections named after commands ({', '.join(COMMANDS)}), got {got}."
        )
    if command not in sections:
        known = [key for key in sections if key in COMMANDS]
        raise ValueError(f"{path}: has no section {command!r}, only {known}; add one, or leave --config out.")
    section = sections[command] or {}
    if not isinstance(section, dict):
        raise ValueError(f"{path}: the section {command!r} is {section!r}; allowed are keys with values.")
    return section


def read_recipe(recipe: str, command: str) -> Any:
    """The dataclasses of a command, filled from a recipe; one or a tuple, as the command takes."""
    chosen = COMMANDS[command]
    configs = _parse(command, chosen, ["--config", recipe])
    return configs[0] if len(configs) == 1 else configs
