"""The segment store: Arrow shards on disk, memory-mapped when read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.places import local_copy, working_folder
from data_builders.recording import LABELS
from data_builders.segments import TABLE_COLUMNS, Segments, signal_summary
from data_builders.shards import check_specs, specs_from_card, write_shard
from data_builders.stage import content_hash, read_stamp

__all__ = [
    "JOINED",
    "SegmentStore",
    "check_ids",
    "finish_store",
    "open_store",
    "write_shards",
]

ABOUT = "store.json"
JOINED = "joined"
"""Key of a joined store's description: the data sets that it was made of, by the name of their store."""


def write_shards(parts: Iterable[tuple[str, Segments]], folder: Path, about: dict) -> None:
    """Write one shard a part, and the store's description.

    Parameters
    ----------
    parts : iterable of (name, Segments)
        All with the same specs; written as they come, so memory holds one part.
    folder : Path
    about : dict
        Kept in ``store.json``: the data set's name, classes, window, and so on.

    Raises
    ------
    ValueError
        If modalities, rates or channels differ, or a segment id comes twice.
    """
    cards, ids = [], []
    for number, part in enumerate(parts):
        shard = f"{number:05d}.arrow"
        with working_folder(folder) as here:
            cards.append({"shard": shard, **(write_shard([part], here / shard) or {})})
        ids += part[1].table["segment"].tolist()
    check_ids(ids)
    finish_store(folder, cards, about)


def check_ids(ids: Sequence[str]) -> None:
    """Refuse segment ids that come twice."""
    series = pd.Series(ids)
    twice = series[series.duplicated()].unique()[:3].tolist()
    if twice:
        raise ValueError(
            f"segment ids must be unique; these come twice: {twice}. Do two recordings share their ids?"
        )


def finish_store(folder: Any, cards: Sequence[dict], about: dict) -> None:
    """Check shards against each other and write ``store.json``: specs, counts and content hash.

    Parameters
    ----------
    folder : Path
    cards : sequence of dict
        Of the shards in their order, with their file name as ``shard`` and, where files were left out,
        ``skipped``, and ``cautions``; a card without ``sha256`` has no shard.
    about : dict

    Raises
    ------
    ValueError
        If there is no segment, or modalities, rates or channels differ.
    """
    filled = [card for card in cards if card.get("sha256")]
    skipped = [entry for card in cards for entry in card.get("skipped", [])]
    if not filled:
        problems = "".join(f"\n- {entry['error']}" for entry in skipped)
        raise ValueError(f"there are no recordings to store; check the data set's root.{problems}")
    for card in filled:
        check_specs(card["files"][0]["name"], *(specs_from_card(c["specs"]) for c in (card, filled[0])))
    content = {
        "specs": filled[0]["specs"],
        "shards": [card["shard"] for card in filled],
        "n_segments": sum(card["n_segments"] for card in filled),
        "content": content_hash([card["sha256"] for card in filled]),
        "skipped": skipped,
        "notes": sorted({note for card in cards for note in card.get("cautions", [])}),
    }
    (folder / ABOUT).write_text(json.dumps({**about, **content}, indent=1))


def _open(folder: Path, shards: Sequence[str]) -> Any:
    from datasets import Dataset, concatenate_datasets

    return concatenate_datasets([Dataset.from_file(str(folder / shard)) for shard in shards])


def open_store(location: str | Path, key: str) -> SegmentStore:
    """The store of that key.

    Raises
    ------
    ValueError
        If another has taken its place.
    """
    store = SegmentStore(location)
    if store.key != key:
        raise ValueError(f"{location}: was replaced by another store while it was read; start again.")
    return store


class SegmentStore:
    """Read a store that ``biollm prepare`` wrote.

    Parameters
    ----------
    folder : path
        Or URL, of which a local copy is made.

    Attributes
    ----------
    location : path or URL
        What was given.
    about : dict
        What ``store.json`` says: data set, classes, window, step, specs, files left out, notes.
    table : DataFrame, one row a segment
    specs : dict of str to SignalSpec
    key : str
        Hash of everything that made the store.
    """

    def __init__(self, folder: str | Path) -> None:
        self.key = read_stamp(folder, "prepare")["key"]
        self.location = folder
        self.folder = local_copy(folder)
        self.about = json.loads((self.folder / ABOUT).read_text())
        self.specs = specs_from_card(self.about["specs"])
        dataset = _open(self.folder, self.about["shards"])
        missing = sorted(set(TABLE_COLUMNS) - set(dataset.column_names))
        if missing:
            raise ValueError(
                f"{folder}: lacks the columns {missing} of this version; run 'biollm prepare' again."
            )
        self.table = dataset.select_columns(list(TABLE_COLUMNS)).to_pandas()
        self._columns = {name: dataset.data.table[name].chunks for name in self.specs}
        self._ends = np.cumsum([len(chunk) for chunk in next(iter(self._columns.values()))])

    def __len__(self) -> int:
        return len(self.table)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the emotion classes, in order."""
        return tuple(self.about["classes"])

    @property
    def fitted(self) -> dict[str, list[str]]:
        """What of an augmented store was fitted, on which segments: for `check_leaks`."""
        return self.about.get("augmentation", {}).get("fitted", {})

    def segments(self, rows: np.ndarray | pd.Series | None = None) -> Segments:
        """Read segments into memory; all, or those of a boolean mask or an array of positions.

        Raises
        ------
        ValueError
            If a mask is not as long as the store.
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        if rows.dtype == bool:
            if rows.shape != (len(self),):
                raise ValueError(
                    f"the mask has shape {rows.shape}; allowed is one value for each of {len(self)}."
                )
            rows = np.flatnonzero(rows)
        signals = {name: self._read(name, rows) for name in self.specs}
        return Segments(signals, self.table.iloc[rows].reset_index(drop=True), self.specs)

    def chunks(self, size: int = 256, rows: np.ndarray | None = None) -> Iterator[Segments]:
        """All segments, or those at some positions, `size` at a time: memory stays flat."""
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        return (self.segments(rows[first : first + size]) for first in range(0, len(rows), size))

    def recordings(self, most_bytes: float = 64e6) -> Iterator[tuple[str, np.ndarray]]:
        """Names and positions of the segments of each recording, as many at once as `most_bytes` hold."""
        first = self.segments(np.arange(1))
        size = max(1, int(most_bytes / sum(data.nbytes for data in first.signals.values())))
        for name, rows in self.table.groupby("recording", sort=False).indices.items():
            for number, start in enumerate(range(0, len(rows), size)):
                yield f"{name} ({number})", np.asarray(rows[start : start + size])

    def _read(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Copy rows out of the mapped chunks, shape (n_rows, n_channels, n_samples)."""
        chunks, n_channels = self._columns[name], len(self.specs[name].channel_names)
        n_samples = chunks[0].type.list_size // n_channels
        out = np.empty((len(rows), n_channels, n_samples), np.float32)
        where = np.searchsorted(self._ends, rows, side="right")
        for k in np.unique(where):
            chunk, here = chunks[k], where == k
            mapped = chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, n_channels, n_samples)
            out[here] = mapped[rows[here] - (self._ends[k] - len(chunk))]
        return out

    def card(self) -> dict:
        """What whoever reads a new recording must know to cut it as this store was cut; no paths."""
        kept = {
            name: self.about[name]
            for name in ("dataset", JOINED, "window", "event", "reader_options", "preprocessing", "classes")
            if name in self.about
        }
        return kept | self.describe()

    def describe(self) -> dict:
        """Counts for a report: segments, subjects, labels, modalities with rates, the key (of what made
        the store) and the hash (of what it holds).

        ``n_segments`` and ``labels`` count what can be evaluated: windows on the grid with any label.
        """
        labelled = self.table[self.table["on_grid"] & self.table[list(LABELS)].notna().any(axis=1)]
        return {
            "dataset": self.about["dataset"],
            "n_segments": len(labelled),
            "n_subjects": int(labelled["subject"].nunique()),
            "labels": {c: int((labelled["emotion"] == c).sum()) for c in self.classes},
            "modalities": {name: signal_summary(spec) for name, spec in self.specs.items()},
            "window_seconds": self.about["window"],
            "labelled": {name: int(n) for name in LABELS if (n := labelled[name].notna().sum())},
            "skipped": [entry["name"] for entry in self.about["skipped"]],
            "key": self.key,
            "hash": self.about["content"],
        }
