"""Finished artefacts as a row of a table: each on its own split, those of one split as its seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from biollm.artefact import ArtefactCard, read_card
from data_builders.splits import Split
from data_builders.stage import read_stamp

__all__ = ["check_alike", "check_splits", "differences", "made_on"]

OF_A_FOLD = {
    "model_name_or_path", "text_tokenizer_hash", "signal_tokenizer_hash", "signal_tokens", "token_seed",
    "split_hash", "versions", "store", "ratings",
}  # fmt: skip
"""Fields of a card that folds and seeds have for themselves, or that are compared in part."""
PLACES = {"dataset_path", "out", "adapter"}
OF_A_RUN = {"seed", "use_cpu", "report_to"}
"""Settings of an encoder's training that each run has for itself."""
LEARNING = (
    "max_steps", "num_train_epochs", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay",
    "optim", "max_grad_norm", "neftune_noise_alpha", "loss_type", "label_smoothing_factor", "max_length",
    "packing", "completion_only_loss", "assistant_only_loss",
)  # fmt: skip
"""Options of TRL that make another row; batches, devices and memory are left to each machine."""


def made_on(folders: Sequence[str], split: Split) -> list[str]:
    """The artefacts that were made on a split, in their order."""
    return [folder for folder in folders if read_card(folder)[0].split_hash == split.hash]


def check_splits(folders: Sequence[str], splits: Sequence[Split]) -> int:
    """Number of artefacts of each split, the same for all.

    Raises
    ------
    ValueError
        If artefacts were made on none of them, or are given twice, or if one split has more than another.
    """
    places = [Path(folder).resolve() for folder in folders]
    if twice := [f for f, place in zip(folders, places, strict=True) if places.count(place) > 1]:
        raise ValueError(f"{', '.join(twice)}: given more than once; name each artefact once.")
    made = {folder: read_card(folder)[0].split_hash for folder in folders}
    known = {split.hash for split in splits}
    if strange := [f"{folder} ({on})" for folder, on in made.items() if on not in known]:
        raise ValueError(
            f"made on none of the {len(splits)} splits here: {', '.join(strange)}; they may know these test "
            "subjects. Give the split.json of their signal tokenizer, or the folder of all their folds, with "
            "--split."
        )
    counts = {split.fold: list(made.values()).count(split.hash) for split in splits}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"artefacts by fold are {counts}; each fold needs equally many, one a seed. Give those that are "
            "missing, or with --split the folds that have some: one split-N.json, or a folder of several."
        )
    return counts[splits[0].fold]


def check_alike(folders: Sequence[str]) -> tuple[ArtefactCard, dict]:
    """Card and signal tokenizer of the first; the others differ in split and seed, as far as is known.

    The settings of the signal tokenizer are without those that each run has for itself.

    Not compared: how many conversations they learned from, of which shares, and how often a segment came;
    batch sizes; and how the stage before was trained, where there was one.

    Raises
    ------
    ValueError
        With all artefacts that are another row of a table, and what they have otherwise.
    """
    cards = [_without_run(*read_card(folder)) for folder in folders]
    shared = [_shared(folder, *card) for folder, card in zip(folders, cards, strict=True)]
    if lines := differences(folders, shared):
        raise ValueError(
            "artefacts of one table differ in fold and seed alone. Evaluate these by themselves:\n"
            + "\n".join(lines)
        )
    return cards[0]


def differences(folders: Sequence[str], said: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is said of each folder and not of the first, a line a value."""
    flat = [dict(_leaves(one)) for one in said]
    return [
        f"- {folder}: {name} is {one.get(name)!r}, that of {folders[0]} is {flat[0].get(name)!r}"
        for folder, one in zip(folders, flat, strict=True)
        for name in dict.fromkeys((*flat[0], *one))
        if one.get(name) != flat[0].get(name)
    ]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of all that is no mapping itself, as ``encoder.dim``."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{name}.{key}" if name else str(key))


def _without_run(card: ArtefactCard, tokenizer: dict) -> tuple[ArtefactCard, dict]:
    """An artefact's card and signal tokenizer, its encoder's training without what belongs to one run."""
    settings = tokenizer["config"]
    if settings["encoder"]:
        training = settings["encoder"].get("training", {})
        fitted = {name: value for name, value in training.items() if name not in OF_A_RUN}
        settings = settings | {"encoder": settings["encoder"] | {"training": fitted}}
    return card, tokenizer | {"config": settings}


def _shared(folder: str, card: ArtefactCard, tokenizer: dict) -> dict[str, Any]:
    """What the artefacts of a row have in common."""
    made, known = read_stamp(folder, "finetune")["inputs"], asdict(card)
    return {
        **{name: value for name, value in known.items() if name not in OF_A_FOLD},
        "store": card.store["hash"],
        "ratings": sorted(card.ratings.get("scales", {})),
        "signal_mode": tokenizer["signal_mode"],
        "signal tokenizer": tokenizer["config"],
        "finetune": {k: value for k, value in made["config"].items() if k not in {*PLACES, *known}},
        "goes on from another": bool(made["config"]["adapter"]),
        "training": {name: made["training"].get(name) for name in LEARNING},
    }
