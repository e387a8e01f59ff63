"""Stage ``split``: segment store -> checked splits, one file a fold."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_builders.duplicates import DuplicateSearch
from data_builders.leaks import check_leaks
from data_builders.provenance import code_behind
from data_builders.splits import PARTS, PROTOCOLS, Split, make_splits
from data_builders.stage import run_stage
from data_builders.store import SegmentStore

__all__ = ["SplitConfig", "split_store"]


@dataclass
class SplitConfig:
    """Segment store -> train, validation and test parts by one protocol."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(default="runs/splits", metadata={"help": "folder to write split-<fold>.json to"})
    protocol: str = field(
        default="gkf5",
        metadata={
            "help": f"one of {', '.join(PROTOCOLS)}, with a number for N, as gkf5; subjects are new to the "
            "model in holdout, gkf and loso only, and shuffled leaks"
        },
    )
    seed: int = field(default=0, metadata={"help": "of the drawing of subjects, trials, ..."})
    n_validation: float = field(
        default=0.25, metadata={"help": "share of the training subjects, trials, ... that choose a model"}
    )

    def __post_init__(self) -> None:
        if not 0 < self.n_validation < 1:
            raise ValueError(f"n_validation is {self.n_validation}; allowed are shares between 0 and 1.")


def split_store(config: SplitConfig, progress: bool = True) -> Path:
    """Write the splits of a store, or leave those that are there for the same inputs.

    Raises
    ------
    ValueError
        If the protocol is unknown, or the store has too few subjects, trials, ... for it.
    LeakError
        If the parts know each other all the same, for example by recordings that were copied.
    """
    store = SegmentStore(config.store)

    def work(partial: Path) -> None:
        splits = make_splits(store.table, config.protocol, config.seed, config.n_validation)
        search = DuplicateSearch(store)
        for split in splits:
            check_leaks(store.table, split, search)
            split.save(partial / f"split-{split.fold}.json")
            if progress:
                print(_summary(split))

    inputs = {"config": asdict(config) | {"out": None}, "store": store.key, "code": code_behind(__file__)}
    return run_stage("split", config.out, inputs, work)


def _summary(split: Split) -> str:
    counts = Counter(split.parts.values())
    return f"{split.protocol}, fold {split.fold}: " + ", ".join(f"{counts[part]} {part}" for part in PARTS)
