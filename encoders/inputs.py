"""What encoders and classical models read of segments: streams and hand-made features.

Both come from each segment alone, so they are computed once for all splits, and in chunks: in parallel, on
a cluster, and without the whole store in memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.engines import ENGINES
from data_builders.places import as_place, local_copy, remove_folder, working_folder
from data_builders.segments import Segments, SignalSpec
from data_builders.store import SegmentStore
from encoders.features import extract_features
from encoders.streams import StreamSpec, default_streams, stream_arrays

__all__ = ["SignalInputs", "signal_inputs", "store_inputs"]

CHUNK = 256
"""Segments that are read at a time; fixed, so that rounding is the same wherever the chunks are computed."""


@dataclass
class SignalInputs:
    """Streams and features of segments, not yet normalised.

    Parameters
    ----------
    streams : dict of str to ndarray, shape (n_segments, n_channels, n_samples)
    features : DataFrame, n_segments rows
        Columns named ``<modality>_<feature>``; NaN where a feature is undefined.
    table : DataFrame, n_segments rows
        Ids and labels, as in `Segments`.
    stream_specs : list of StreamSpec
    """

    streams: dict[str, np.ndarray]
    features: pd.DataFrame
    table: pd.DataFrame
    stream_specs: list[StreamSpec]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> SignalInputs:
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        streams = {name: data[rows] for name, data in self.streams.items()}
        table, features = (frame.iloc[rows].reset_index(drop=True) for frame in (self.table, self.features))
        return SignalInputs(streams, features, table, self.stream_specs)

    @classmethod
    def load(
        cls, folder: Path, table: pd.DataFrame, stream_specs: list[StreamSpec], features: str = "standard"
    ) -> SignalInputs:
        """Map what `store_inputs` wrote for segments of this table."""
        streams = {s.name: np.load(folder / f"stream_{s.name}.npy", mmap_mode="r") for s in stream_specs}
        return cls(streams, pd.read_parquet(folder / _file(features)), table, stream_specs)


def streams_of(
    specs: dict[str, SignalSpec], n_seconds: float, frame_seconds: float | dict
) -> list[StreamSpec]:
    """The streams of segments of these specs; `frame_seconds` may name only some of them."""
    if isinstance(frame_seconds, dict):
        names = [stream.name for stream in default_streams(specs, n_seconds, n_seconds)]
        unknown = sorted(set(frame_seconds) - {*names, "default"})
        if unknown:
            raise ValueError(f"frame_seconds names {unknown}; the streams are {names} (or 'default').")
        default = frame_seconds.get("default", 2.0)
        frame_seconds = {name: frame_seconds.get(name, default) for name in names}
    return default_streams(specs, n_seconds, frame_seconds)


def signal_inputs(
    segments: Segments, frame_seconds: float | dict = 2.0, features: str = "standard"
) -> SignalInputs:
    """Compute streams and features of segments.

    Parameters
    ----------
    segments : Segments
    frame_seconds : float or dict of str to float
        Length of a frame (a token) in s, for all streams or by stream, with ``default`` for the rest.
    features : ``"standard"`` or ``"full"``
        The set of hand-made features, as `extract_features` takes it.
    """
    specs = streams_of(segments.specs, float(segments.table["duration"].iloc[0]), frame_seconds)
    values = extract_features(segments, features)
    return SignalInputs(stream_arrays(segments, specs), values, segments.table, specs)


def store_inputs(
    store: SegmentStore,
    frame_seconds: float | dict,
    folder: str | Path,
    jobs: int = 1,
    engine: str = "local",
    address: str | None = None,
    features: str = "standard",
) -> SignalInputs:
    """Streams and features of a whole store, computed chunk by chunk and mapped into memory.

    What is there already is not computed again, so that a killed run goes on.

    Parameters
    ----------
    store : SegmentStore
    frame_seconds : float or dict of str to float
        As `signal_inputs` takes it.
    folder : path
        Made here; the streams stay in it as ``.npy`` files. With Ray on other machines it must be one
        that all of them reach: a shared folder or a URL.
    jobs, engine, address
        As `data_builders.engines` takes them.
    features : ``"standard"`` or ``"full"``
        As `signal_inputs` takes it; each set has a file of its own.
    """
    place = as_place(folder)
    specs = streams_of(store.specs, store.about["window"], frame_seconds)
    if not (place / _file(features)).is_file():
        parts = place / f"parts-{features}"
        parts.mkdir(parents=True, exist_ok=True)
        starts = range(0, len(store), CHUNK)
        tasks = [
            (
                (str(store.location), store.key),
                (frame_seconds, features),
                str(parts),
                (first, min(first + CHUNK, len(store))),
            )
            for first in starts
            if not (parts / f"{first:09d}.parquet").is_file()
        ]
        for _ in ENGINES[engine](chunk_inputs, tasks, jobs, address):
            pass
        with working_folder(folder) as here:
            _join(local_copy(parts), starts, specs, here / _file(features))
        remove_folder(parts)
    return SignalInputs.load(local_copy(folder), store.table, specs, features)


def chunk_inputs(task: tuple[tuple[str, str], tuple[float | dict, str], str, tuple[int, int]]) -> int:
    """Compute the inputs of some rows of a store and write them; the features last, and at once."""
    store, settings, parts, (first, stop) = task
    made = signal_inputs(_opened(*store).segments(np.arange(first, stop)), *settings)
    with working_folder(parts) as folder:
        for name, data in made.streams.items():
            _save_array(folder / f"{first:09d}-{name}.npy", data)
        partial = folder / f"{first:09d}.{os.getpid()}.partial"
        made.features.to_parquet(partial)
        os.replace(partial, folder / f"{first:09d}.parquet")
    return first


def _file(features: str) -> str:
    return "features.parquet" if features == "standard" else f"features-{features}.parquet"


@lru_cache(maxsize=1)
def _opened(location: str, key: str) -> SegmentStore:
    return SegmentStore(location)


def _save_array(path: Path, data: np.ndarray) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, data)
    os.replace(partial, path)


def _join(parts: Path, starts: range, specs: list[StreamSpec], features: Path) -> None:
    """Copy the chunks behind each other, through a map of the whole; the streams beside `features`."""
    for stream in specs:
        path = features.with_name(f"stream_{stream.name}.npy")
        partial = path.with_suffix(".partial")  # another process may have mapped what is there
        chunks = [np.load(parts / f"{first:09d}-{stream.name}.npy", mmap_mode="r") for first in starts]
        shape = (sum(map(len, chunks)), *chunks[0].shape[1:])
        whole = np.lib.format.open_memmap(partial, "w+", chunks[0].dtype, shape)
        for first, chunk in zip(starts, chunks, strict=True):
            whole[first : first + len(chunk)] = chunk
        whole.flush()
        os.replace(partial, path)
    tables = [pd.read_parquet(parts / f"{first:09d}.parquet") for first in starts]
    partial = features.with_suffix(".partial")
    pd.concat(tables, ignore_index=True).to_parquet(partial)
    os.replace(partial, features)
