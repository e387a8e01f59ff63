"""Inputs of a whole store, kept beside it: computed once for all stages, methods and folds.

Streams and features come from each segment alone, so they serve every split. They are computed in chunks:
in parallel, on a cluster, and without the whole store in memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.engines import ENGINES
from data_builders.places import (
    STAMP,
    as_place,
    is_remote,
    local_copy,
    remove_folder,
    working_folder,
    write_whole,
)
from data_builders.provenance import code_hash, code_outside, library_versions
from data_builders.stage import content_hash, locked
from data_builders.store import SegmentStore, open_store
from encoders.features import extract_features
from encoders.features.table import FEATURES, FULL
from encoders.inputs import SignalInputs, streams_of
from encoders.streams import StreamSpec, stream_arrays

__all__ = ["inputs_folder", "opened_store", "store_inputs"]

CHUNK = 256
"""Segments that are read at a time; fixed, so that rounding is the same wherever the chunks are computed."""
LIBRARIES = ("numpy", "scipy", "neurokit2")
CODE = code_hash("encoders/features", "encoders/streams.py", "data_builders/preprocessing/components.py")
"""Hash of what computes the values, taken when it is loaded: a file that is edited later has not run yet."""


def store_inputs(
    store: SegmentStore,
    frame_seconds: float | dict = 2.0,
    jobs: int = 1,
    engine: str = "local",
    address: str | None = None,
    features: str = "standard",
) -> SignalInputs:
    """Streams and features of a whole store, mapped into memory; computed where they are not there yet.

    They are kept in `inputs_folder`. What is there is not computed again, so that a killed run goes on, and
    of two processes that want the same, the second waits for the first. (At a URL nothing can be locked:
    there both compute it.) When something new is there, what older code or an earlier store of this name
    left is deleted: a store has one such folder, of all streams and up to two sets of features.

    Parameters
    ----------
    store : SegmentStore
    frame_seconds : float or dict of str to float
        As `signal_inputs` takes it; it changes the frames' stride only, not what is kept.
    jobs, engine, address
        As `data_builders.engines` takes them. With Ray on other machines the store must be one that all
        of them reach: in a shared folder or at a URL.
    features : {"standard", "full"}
        As `extract_features` takes it; each set has a file of its own.
    """
    place = inputs_folder(store)
    specs = streams_of(store.specs, store.about["window"], frame_seconds)

    def run(work: Callable, tasks: list) -> Iterator:
        return ENGINES[engine](work, tasks, jobs, address)

    if _missing(place, specs, features):
        with _one_at_a_time(place):
            if _missing(place, specs, features):
                _compute(store, specs, features, place, run)
            _remove_others(place)
    here = local_copy(place)
    streams = {spec.name: np.load(here / _stream_file(spec), mmap_mode="r") for spec in specs}
    measured = pd.read_parquet(here / _features_file(features))
    return SignalInputs(streams, measured, store.table, specs, store.specs)


def opened_store(
    location: str, key: str, frame_seconds: float | dict, features: str
) -> tuple[SegmentStore, SignalInputs]:
    """The store of a key and its inputs, opened once in a process that is sent one job after the other.

    Where the code that computes the inputs has changed meanwhile, as in a notebook, they are opened anew.

    Raises
    ------
    ValueError
        If another store has taken its place when it is opened.
    """
    return _opened_store(location, key, json.dumps(frame_seconds), features, _code())


@lru_cache(maxsize=1)
def _opened_store(
    location: str, key: str, frame_seconds: str, features: str, code: str
) -> tuple[SegmentStore, SignalInputs]:
    store = open_store(location, key)
    return store, store_inputs(store, json.loads(frame_seconds), features=features)


def inputs_folder(store: SegmentStore) -> Any:
    """Where the inputs of a store are kept: ``<store>.inputs/<hash>``.

    The hash is of the store's key and content, of the code that computes the values, and of the versions of
    the libraries that it calls: other values are never taken for these.
    """
    location = as_place(store.location)
    location = location if is_remote(location) else location.resolve()
    key = content_hash([store.key, store.about["content"], _code()])
    return location.with_name(f"{location.name}.inputs") / key


def _code() -> str:
    """Hash of what computes the values here and now, with extractors of one's own."""
    return content_hash(
        [CODE, code_outside([*FEATURES.values(), *FULL.values()]), library_versions(LIBRARIES)]
    )


def _missing(place: Any, specs: Sequence[StreamSpec], features: str) -> list[str]:
    """Names of the files that are not there."""
    wanted = [*(_stream_file(spec) for spec in specs), _features_file(features)]
    return [name for name in wanted if not (place / name).is_file()]


def _stream_file(spec: StreamSpec) -> str:
    return f"stream_{spec.name}.npy"


def _features_file(features: str) -> str:
    return f"features_{features}.parquet"


@contextmanager
def _one_at_a_time(place: Any) -> Iterator[None]:
    """One process at a time; the lock of one that dies is free."""
    place.mkdir(parents=True, exist_ok=True)
    # The stamp tells readers of whole folders that these files, the lock too, are none of theirs.
    write_whole(place.parent / STAMP, json.dumps({"stage": "inputs of a store"}))
    with locked(place.parent / "inputs"):
        place.mkdir(parents=True, exist_ok=True)
        yield


def _remove_others(place: Any) -> None:
    for other in list(place.parent.iterdir()):
        if other.is_dir() and other.name != place.name:
            remove_folder(other)


def _compute(
    store: SegmentStore, specs: Sequence[StreamSpec], features: str, place: Any, run: Callable
) -> None:
    specs = [spec for spec in specs if not (place / _stream_file(spec)).is_file()]
    parts = place / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(store), CHUNK)
    opened = (str(store.location), store.key, _code())
    tasks = [
        (opened, specs, features, str(parts), first, min(first + CHUNK, len(store)))
        for first in starts
        if not all((parts / name).is_file() for name in _part_files(first, specs, features))
    ]
    for _ in run(chunk_inputs, tasks):
        pass
    files = [_part_files(first, specs, features) for first in starts]
    here = local_copy(parts)
    with working_folder(place) as folder:
        for k, spec in enumerate(specs):
            _join([here / names[k] for names in files], folder / _stream_file(spec))
        tables = [pd.read_parquet(here / names[-1]) for names in files]
        _save_table(pd.concat(tables, ignore_index=True), folder / _features_file(features))
    remove_folder(parts)


def _part_files(first: int, specs: Sequence[StreamSpec], features: str) -> list[str]:
    """Names of a chunk's files: the streams', then the features'."""
    names = [*(_stream_file(spec) for spec in specs), _features_file(features)]
    return [f"{first:09d}_{name}" for name in names]


def chunk_inputs(task: tuple[tuple[str, str, str], list[StreamSpec], str, str, int, int]) -> int:
    """Compute the inputs of some rows of a store and write each file at once."""
    opened, specs, features, parts, first, stop = task
    segments = _opened(*opened).segments(np.arange(first, stop))
    *streams, table = _part_files(first, specs, features)
    made = stream_arrays(segments, specs)
    with working_folder(parts) as folder:
        for spec, name in zip(specs, streams, strict=True):
            _save_array(made[spec.name], folder / name)
        _save_table(extract_features(segments, features), folder / table)
    return first


@lru_cache(maxsize=1)
def _opened(location: str, key: str, code: str) -> SegmentStore:
    """A store of this key, in a process that computes the same values."""
    if code != _code():
        raise ValueError(
            "this process would compute other features than the one that started it. Set FEATURES where a "
            "module is imported, outside of \"if __name__ == '__main__'\", or take one process (jobs=1); on "
            "other machines install the same versions of biollm, numpy, scipy and neurokit2."
        )
    return open_store(location, key)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def _save_array(data: np.ndarray, path: Path) -> None:
    with _partial(path).open("wb") as file:
        np.save(file, data)
    os.replace(_partial(path), path)


def _save_table(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(_partial(path))
    os.replace(_partial(path), path)


def _join(parts: Sequence[Path], path: Path) -> None:
    """Copy arrays behind each other, through a map of the whole."""
    chunks = [np.load(part, mmap_mode="r") for part in parts]
    shape = (sum(map(len, chunks)), *chunks[0].shape[1:])
    whole = np.lib.format.open_memmap(_partial(path), "w+", chunks[0].dtype, shape)
    first = 0
    for chunk in chunks:
        whole[first : first + len(chunk)] = chunk
        first += len(chunk)
    whole.flush()
    os.replace(_partial(path), path)
