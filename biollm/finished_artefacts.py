"""Artefacts that exist, in a table: each on the split that it was made on, several of one split as seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from biollm.artefact import ArtefactCard, read_card
from data_builders.splits import Split

__all__ = ["check_alike", "check_splits", "made_on"]


def made_on(folders: Sequence[str], split: Split) -> list[str]:
    """The artefacts that were made on a split, in their order."""
    return [folder for folder in folders if read_card(folder)[0].split_hash == split.hash]


def check_splits(folders: Sequence[str], splits: Sequence[Split]) -> int:
    """Number of artefacts of each split, the same for all.

    Raises
    ------
    ValueError
        If an artefact was made on none of them, or is given twice, or if one split has more than another.
    """
    if twice := sorted({folder for folder in folders if folders.count(folder) > 1}):
        raise ValueError(f"{twice}: given more than once; name each artefact once.")
    known = {split.hash for split in splits}
    for folder in folders:
        if (made := read_card(folder)[0].split_hash) not in known:
            raise ValueError(
                f"{folder}: was made on the split {made}, not on {', '.join(sorted(known))}: it may know "
                "these test subjects. Give the split.json of its signal tokenizer, or the folder of its "
                "folds, with --split."
            )
    counts = {split.fold: len(made_on(folders, split)) for split in splits}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"artefacts by fold are {counts}; each fold wants as many, its seeds. Give those that are "
            "missing, or the splits of some folds alone with --split."
        )
    return counts[splits[0].fold]


def check_alike(folders: Sequence[str]) -> tuple[ArtefactCard, dict]:
    """Card and signal tokenizer of the first; the others differ from it in split and seed alone.

    Raises
    ------
    ValueError
        With the artefact and what it has otherwise: it is another row of a table.
    """
    cards = [read_card(folder) for folder in folders]
    first = _shared(*cards[0])
    for folder, (card, tokenizer) in zip(folders, cards, strict=True):
        said = _shared(card, tokenizer)
        if other := [name for name in first if said[name] != first[name]]:
            values = "; ".join(f"{name} {said[name]}, there {first[name]}" for name in other)
            raise ValueError(
                f"{folder}: differs from {folders[0]} in {values}. Artefacts of one table differ in fold "
                "and seed alone; evaluate others by themselves."
            )
    return cards[0]


def _shared(card: ArtefactCard, tokenizer: dict) -> dict[str, Any]:
    """What the artefacts of a row have in common."""
    settings, encoder = tokenizer["config"], tokenizer["config"]["encoder"]
    if encoder:
        training = {name: value for name, value in encoder.get("training", {}).items() if name != "seed"}
        encoder = {name: value for name, value in encoder.items() if name != "training"}
        encoder |= {"training": training} if training else {}
    return {
        "store": card.store,
        "base": card.base_fingerprint,
        "4-bit": card.load_in_4bit,
        "classes": card.classes,
        "tasks": card.tasks,
        "sources": card.sources,
        "signal mode": tokenizer["signal_mode"],
        "signal tokenizer": settings | {"encoder": encoder},
    }
