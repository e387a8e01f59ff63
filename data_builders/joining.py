"""Stage ``join``: several stores -> one of the channels that all have, at one rate and length.

What is shared is kept, so that nothing is invented: no electrode is interpolated, no window stretched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.options import as_mapping
from data_builders.preprocessing.resampling import resample
from data_builders.provenance import code_behind
from data_builders.recording import Signal
from data_builders.segments import Segments, SignalSpec
from data_builders.stage import run_stage
from data_builders.store import JOINED, SegmentStore, write_shards

__all__ = ["JoinConfig", "channel_key", "join"]

ALIASES = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8"}
"""Names of the 10-20 system that the 10-10 system renamed."""
SEPARATED = ("segment", "recording", "group", "subject", "stimulus")
"""Ids that name the same thing within one data set only."""
Words = Mapping[str, Mapping[str, str | None]]


@dataclass
class JoinConfig:
    """Stores of several data sets -> one store, for one model of all of them."""

    stores: dict | str | None = field(
        default=None,
        metadata={"help": 'names and folders of stores, as JSON: \'{"deap": "runs/deap", ...}\''},
    )
    out: str = field(default="runs/joined", metadata={"help": "folder (or URL) to write the store to"})
    modalities: list[str] = field(
        default_factory=lambda: ["eeg"], metadata={"help": "modalities that all stores have"}
    )
    words: dict | str | None = field(
        default=None,
        metadata={
            "help": "shared words for the emotions of a store, as JSON: "
            '\'{"cap": {"happiness": "joy", "neutral": null}}\'; null leaves a label out'
        },
    )
    min_channels: int = field(
        default=4,
        metadata={"help": "fewest channels of a modality that all must share; all of a store that has fewer"},
    )

    def __post_init__(self) -> None:
        self.stores = as_mapping(self.stores)
        self.words = {name: as_mapping(words) for name, words in as_mapping(self.words).items()}
        problems = []
        if len(self.stores) < 2:
            problems.append(f"stores is {self.stores}; allowed are two or more, by name")
        if wrong := [name for name in self.stores if not re.fullmatch(r"[\w.-]+", name)]:
            problems.append(f"stores has the names {wrong}; allowed are letters, digits, '_', '.' and '-'")
        if unknown := [name for name in self.words if name not in self.stores]:
            problems.append(f"words names {unknown}, which are none of {list(self.stores)}")
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            problems.append(f"modalities is {self.modalities}; allowed are one or more, each once")
        if self.min_channels < 1:
            problems.append(f"min_channels is {self.min_channels}; allowed are numbers from 1")
        if problems:
            raise ValueError(f"JoinConfig: {'; '.join(problems)}.")


def join(config: JoinConfig, progress: bool = True) -> Path:
    """Write one store of several, or leave the one that is there for the same inputs. Returns its folder.

    Of each modality it has the channels that all stores have, by name and in the order and spelling of the
    first (a single channel in each is the same one under any names), at the lowest rate, by polyphase
    filtering; windows have the length of the shortest, from their start. A store's name goes before the ids
    of its segments, recordings, groups, subjects and stimuli, as in ``deap/s01``, and into the column
    ``dataset``, over which ``balance: dataset`` samples. Ratings are joined as they are: they must be on one
    scale.

    Raises
    ------
    ValueError
        With all of: a store without a modality, or in another unit; a channel that is there twice; too few
        shared channels; an emotion without a shared word; no emotion that all stores with emotions have; a
        store that holds augmented copies, was joined itself or is `out`; two of the same recordings.
    """
    stores = {name: SegmentStore(folder) for name, folder in as_mapping(config.stores).items()}
    words: Words = as_mapping(config.words)
    problems = [problem for name in config.modalities for problem in _modality_problems(stores, name)]
    if not problems:
        problems = [p for m in config.modalities for p in _channel_problems(stores, m, config.min_channels)]
    problems += _word_problems(stores, words) + _origin_problems(stores, config.out)
    if problems:
        raise ValueError("these stores cannot be joined: " + "; ".join(problems) + ".")
    shared = {modality: _shared(_specs(stores, modality)) for modality in config.modalities}
    window = min(store.about["window"] for store in stores.values())
    said = {name: words.get(name, {word: word for word in store.classes}) for name, store in stores.items()}
    about = {
        "dataset": " and ".join(stores),
        JOINED: {name: store.about["dataset"] for name, store in stores.items()},
        "root": None,
        "reader_options": {},
        "preprocessing": {name: store.about["preprocessing"] for name, store in stores.items()},
        "window": window,
        "step": None,
        "event": None,
        "classes": list(dict.fromkeys(word for found in said.values() for word in found.values() if word)),
    }
    given = asdict(config) | {"out": None, "stores": {name: store.key for name, store in stores.items()}}

    def work(partial: Path) -> None:
        write_shards(_shards(stores, said, shared, window, progress), partial, about)

    # What a joined store is read by is the same as for a prepared one, and so is its stamp.
    return run_stage(
        "prepare", config.out, {"join": given, "about": about, "code": code_behind(__file__)}, work
    )


def channel_key(name: str) -> str:
    """Name by which a channel is compared: lower case, T3, T4, T5 and T6 as T7, T8, P7 and P8."""
    key = name.strip().lower()
    return ALIASES.get(key, key)


def _specs(stores: Mapping[str, SegmentStore], modality: str) -> dict[str, SignalSpec]:
    return {name: store.specs[modality] for name, store in stores.items()}


def _shared(specs: Mapping[str, SignalSpec]) -> tuple[SignalSpec, dict[str, list[int]]]:
    """The channels that all stores have at the lowest rate, and their positions in each store.

    They are in the order and spelling of the first.
    """
    first, alone = next(iter(specs)), all(len(spec.channel_names) == 1 for spec in specs.values())
    keys = {
        name: [""] if alone else [channel_key(channel) for channel in spec.channel_names]
        for name, spec in specs.items()
    }
    common = [key for key in keys[first] if all(key in own for own in keys.values())]
    positions = {name: [own.index(key) for key in common] for name, own in keys.items()}
    channels = tuple(specs[first].channel_names[position] for position in positions[first])
    rate = min(spec.sampling_rate for spec in specs.values())
    return SignalSpec(rate, channels, specs[first].unit, specs[first].above_baseline), positions


def _modality_problems(stores: Mapping[str, SegmentStore], modality: str) -> list[str]:
    problems = [
        f"{name} has no modality {modality!r}, only {list(store.specs)}"
        for name, store in stores.items()
        if modality not in store.specs
    ]
    specs = {name: store.specs[modality] for name, store in stores.items() if modality in store.specs}
    units = {name: spec.unit for name, spec in specs.items()}
    if len(set(units.values())) > 1:
        problems.append(f"the units of {modality!r} differ: {units}; prepare the stores in one unit")
    above = {name: spec.above_baseline for name, spec in specs.items()}
    if len(set(above.values())) > 1:
        problems.append(
            f"{modality!r} is above its baseline in some stores alone: {above}; prepare all with the same "
            "'baseline' of the modality"
        )
    return problems


def _channel_problems(stores: Mapping[str, SegmentStore], modality: str, least: int) -> list[str]:
    specs = _specs(stores, modality)
    problems = []
    for name, spec in specs.items():
        keys = pd.Series([channel_key(channel) for channel in spec.channel_names])
        if keys.duplicated().any():
            problems.append(
                f"{name} has {sorted(set(keys[keys.duplicated()]))} twice, by these or older names"
            )
    least = min(least, *(len(spec.channel_names) for spec in specs.values()))
    shared = _shared(specs)[0].channel_names
    if len(shared) < least:
        own = {name: list(spec.channel_names) for name, spec in specs.items()}
        problems.append(
            f"they share {len(shared)} channels {list(shared)} of {modality!r}, and {least} are needed "
            f"(min_channels); they have {own}: leave a store out, or rename channels to the 10-20 system"
        )
    return problems


def _word_problems(stores: Mapping[str, SegmentStore], words: Words) -> list[str]:
    problems: list[str] = []
    said: dict[str, set[Any]] = {}
    for name, store in stores.items():
        found = set(store.classes)
        if name in words and (unknown := sorted(found - set(words[name]))):
            problems.append(f"words gives {name} nothing for {unknown}")
        said[name] = {words[name].get(word) for word in found} - {None} if name in words else found
    said = {name: found for name, found in said.items() if stores[name].classes}
    if said and not set.intersection(*said.values()):
        listed = {name: sorted(map(str, found)) for name, found in said.items()}
        problems.append(f"no emotion is in all of them, which say {listed}: give words that map them")
    return problems


def _origin_problems(stores: Mapping[str, SegmentStore], out: str) -> list[str]:
    """Augmented or joined stores, two of the same recordings, and one that the output would replace."""
    problems: list[str] = []
    held: dict[str, str] = {}
    for name, store in stores.items():
        if (store.table["source"] != "").any():
            problems.append(f"{name} holds augmented copies; join what they were made of, and augment then")
        if JOINED in store.about:
            problems.append(f"{name} was joined already; name the stores that it was made of")
        if str(store.location) == out or store.folder.resolve() == Path(out).resolve():
            problems.append(f"out is the store {name} itself; choose another folder")
        origin = json.dumps([store.about[key] for key in ("dataset", "root", "reader_options")])
        if (first := held.setdefault(origin, name)) != name:
            problems.append(f"{first} and {name} hold the same recordings, whose subjects a split would part")
    return problems


def _shards(
    stores: Mapping[str, SegmentStore],
    words: Words,
    shared: Mapping[str, tuple[SignalSpec, Mapping[str, list[int]]]],
    window: float,
    progress: bool,
) -> Iterator[tuple[str, Segments]]:
    from tqdm.auto import tqdm

    n_segments = sum(len(store) for store in stores.values())
    specs = {modality: spec for modality, (spec, _) in shared.items()}
    with tqdm(total=n_segments, desc="join", unit="segment", disable=not progress) as bar:
        for name, store in stores.items():
            for part, rows in store.recordings():
                segments = store.segments(rows)
                signals = {
                    modality: _brought_to(
                        segments.signals[modality][:, positions[name]],
                        store.specs[modality].sampling_rate,
                        spec.sampling_rate,
                        window,
                    )
                    for modality, (spec, positions) in shared.items()
                }
                table = _renamed(segments.table, name, words[name]).assign(duration=window)
                yield f"{name}/{part}", Segments(signals, table, specs)
                bar.update(len(rows))


def _brought_to(data: np.ndarray, own_rate: float, rate: float, window: float) -> np.ndarray:
    """Resample and crop (n_segments, n_channels, n_samples)."""
    rows = data.reshape(-1, data.shape[-1])
    brought = resample(Signal(rows, own_rate, tuple(map(str, range(len(rows)))), ""), rate).data
    # Rounding down: no window is longer than the shortest, after whole samples of the new rate.
    return brought.reshape(*data.shape[:2], -1)[..., : int(window * rate + 1e-6)]


def _renamed(table: pd.DataFrame, name: str, words: Mapping[str, str | None]) -> pd.DataFrame:
    """Put the store's name before its ids, and the shared words in place of its own."""
    table = table.assign(dataset=name)
    for column in SEPARATED:
        values = table[column]
        empty = values.isna() | (values.astype(str) == "")
        table[column] = values.where(empty, f"{name}/" + values.astype(str))
    table["emotion"] = table["emotion"].map(words, na_action="ignore")
    return table
