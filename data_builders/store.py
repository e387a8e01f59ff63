"""The segment store: Arrow shards on disk, one a recording, memory-mapped when read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec
from data_builders.stage import read_stamp

__all__ = ["SegmentStore", "write_shards"]

ABOUT = "store.json"


def write_shards(parts: Iterable[tuple[str, Segments]], folder: Path, about: dict) -> None:
    """Write one Arrow shard a recording, and ``store.json`` with specs and content hash.

    Parameters
    ----------
    parts : iterable of (name, Segments)
        All with the same specs; written as they come, so memory holds one recording.
    folder : Path
    about : dict
        Kept in ``store.json``: the data set's name, classes, window, and so on.

    Raises
    ------
    ValueError
        If a recording's modalities, rates or channels differ from the first one's.
    """
    specs: dict[str, SignalSpec] | None = None
    shards, ids = [], []
    for number, (name, segments) in enumerate(parts):
        specs = specs or segments.specs
        if segments.specs != specs:
            raise ValueError(f"{name}: has {segments.specs}; the recordings before it have {specs}.")
        shard = f"{number:05d}.arrow"
        _write_shard(segments, folder / shard)
        shards.append(shard)
        ids += segments.table["segment"].tolist()
    if specs is None:
        raise ValueError("there are no recordings to store; check the data set's root.")
    if len(set(ids)) != len(ids):
        twice = sorted(name for name, count in Counter(ids).items() if count > 1)[:3]
        raise ValueError(
            f"segment ids must be unique; these come twice: {twice}. Do two recordings share their ids?"
        )
    kept = {n: {"sampling_rate": s.sampling_rate, "channel_names": s.channel_names, "unit": s.unit}
            for n, s in specs.items()}  # fmt: skip
    text = json.dumps({**about, "specs": kept, "shards": shards, "n_segments": len(ids)}, indent=1)
    (folder / ABOUT).write_text(text)


def _write_shard(segments: Segments, path: Path) -> None:
    import pyarrow as pa
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    kinds = dict.fromkeys(TABLE_COLUMNS, "string")
    kinds |= dict.fromkeys(("start", "duration", "valence", "arousal", "transition"), "float64")
    kinds |= dict.fromkeys(("on_grid", "reference"), "bool")
    columns = {}
    for name, kind in kinds.items():
        values = segments.table[name]
        values = values.astype(float) if kind == "float64" else values.where(values.notna(), None)
        columns[name] = pa.array(values, type=pa.type_for_alias(kind), from_pandas=True)
    features = {name: Value(kind) for name, kind in kinds.items()}
    for name, data in segments.signals.items():
        width = data.shape[1] * data.shape[2]
        flat = pa.array(np.ascontiguousarray(data).reshape(-1), type=pa.float32())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, width)
        features[name] = List(Value("float32"), length=width)
    with ArrowWriter(path=str(path), features=Features(features)) as writer:
        writer.write_table(pa.table(columns))
        writer.finalize()


class SegmentStore:
    """Read a store that ``biollm prepare`` wrote.

    Parameters
    ----------
    folder : path

    Attributes
    ----------
    about : dict
        What ``store.json`` says: data set, classes, window, step, specs.
    table : DataFrame, one row a segment
    specs : dict of str to SignalSpec
    key : str
        Hash of everything that made the store.
    """

    def __init__(self, folder: str | Path) -> None:
        from datasets import Dataset, concatenate_datasets

        self.folder = Path(folder)
        self.key = read_stamp(folder, "prepare")["key"]
        self.about = json.loads((self.folder / ABOUT).read_text())
        self.specs = {
            name: SignalSpec(s["sampling_rate"], tuple(s["channel_names"]), s["unit"])
            for name, s in self.about["specs"].items()
        }
        self.dataset = concatenate_datasets(
            [Dataset.from_file(str(self.folder / s)) for s in self.about["shards"]]
        )
        self.table = self.dataset.select_columns(list(TABLE_COLUMNS)).to_pandas()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the emotion classes, in order."""
        return tuple(self.about["classes"])

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
        chosen = self.dataset.data.table.take(rows)
        signals = {}
        for name, spec in self.specs.items():
            values = chosen[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            n_samples = chosen[name].type.list_size // len(spec.channel_names)
            signals[name] = values.reshape(len(rows), len(spec.channel_names), n_samples)
        return Segments(signals, self.table.iloc[rows].reset_index(drop=True), self.specs)

    def card(self) -> dict:
        """What whoever reads a new recording must know to cut it as this store was cut; no paths."""
        kept = {
            name: self.about[name] for name in ("dataset", "window", "event", "reader_options", "classes")
        }
        return kept | self.describe()

    def describe(self) -> dict:
        """Counts for a report: segments, subjects, labels, modalities with rates, and the key."""
        labelled = self.table[self.table["on_grid"] & self.table["emotion"].notna()]
        return {
            "dataset": self.about["dataset"],
            "n_segments": len(labelled),
            "n_subjects": int(labelled["subject"].nunique()),
            "labels": {c: int((labelled["emotion"] == c).sum()) for c in self.classes},
            "modalities": {
                n: f"{s.sampling_rate:g} Hz x {len(s.channel_names)}" for n, s in self.specs.items()
            },
            "window_seconds": self.about["window"],
            "key": self.key,
        }
