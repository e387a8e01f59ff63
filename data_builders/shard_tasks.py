"""What a worker of ``prepare`` does: some of a reader's files -> one shard of the store."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.options import as_mapping
from data_builders.places import as_place, local_copy, working_folder, write_whole
from data_builders.preprocessing import PreprocessingConfig, cautions, preprocess
from data_builders.readers import find_reader
from data_builders.recording import Recording
from data_builders.recording_checks import check_recording
from data_builders.segmentation import cut, event_windows, reference_windows, windows
from data_builders.segments import Segments, concatenate
from data_builders.shards import write_shard
from data_builders.store import check_ids

__all__ = ["ShardTask", "check_windows", "file_name", "make_reader", "make_shard"]

REPORTED = 0.05
"""Share of rejected EEG from which on a recording is named."""


def make_reader(dataset: str, root: str | None, options: dict | str | None = None) -> Any:
    """A reader by its name.

    Parameters
    ----------
    dataset : str
        One of `data_builders.readers.READERS`.
    root : str or None
        Folder that holds the data set's files; of a URL, a local copy is made first.
    options : dict or str, optional
        Further arguments of the reader, or their JSON.

    Raises
    ------
    ValueError
        If there is no such reader, or it has no such option; the message lists those that exist.
    """
    reader: Any = find_reader(dataset)
    chosen, parameters = as_mapping(options), signature(reader).parameters
    known = [name for name in parameters if name != "root"]
    unknown = sorted(set(chosen) - set(known))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise ValueError(f"reader {dataset!r}: has no options {unknown}; allowed are {known or 'none'}.")
    try:
        return reader(local_copy(root) if root else root, **chosen)
    except TypeError as error:
        raise ValueError(f"reader {dataset!r}: does not take the options {chosen}: {error}.") from error


def file_name(path: str | Path, root: Path | None) -> str:
    """A file's name below the root, so that a store does not depend on where its files lie."""
    inside = root is not None and Path(path).is_relative_to(root)
    return Path(path).relative_to(root).as_posix() if inside else str(path)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ShardTask:
    """What one worker makes a shard of: some of the reader's files, by their positions.

    `digest` tells the files' state, so that a worker that lives on does not keep a reader of other files.
    """

    number: int
    first: int
    stop: int
    folder: str
    dataset: str
    root: str | None
    reader_options: str
    digest: str
    preprocessing: str
    length: float
    step: float
    on_error: str

    @property
    def shard(self) -> str:
        return f"{self.number:05d}.arrow"

    @property
    def card(self) -> str:
        """Written after the shard: it says that the shard is whole."""
        return f"{self.number:05d}.json"


def make_shard(task: ShardTask) -> dict[str, Any]:
    """Make one shard and, unless a file failed that may not, its card.

    Returns
    -------
    dict
        See `data_builders.shards.write_shard`; with ``skipped``, the files that could not be read, and
        why, and ``cautions``, what readers and preprocessing leave out.
    """
    reader = _cached_reader(task.dataset, task.root, task.reader_options, task.digest)
    steps = PreprocessingConfig.from_options(json.loads(task.preprocessing))
    card: dict[str, Any] = {"shard": task.shard, "n_files": task.stop - task.first}
    card |= {"skipped": [], "cautions": []}
    with working_folder(task.folder) as folder:
        card |= write_shard(_parts(task, reader, steps, card), folder / task.shard) or {}
    card["cautions"] = sorted(set(card["cautions"]))
    if not card["skipped"] or task.on_error == "skip":
        write_whole(as_place(task.folder) / task.card, json.dumps(card))
    return card


@lru_cache(maxsize=1)
def _cached_reader(dataset: str, root: str | None, options: str, digest: str) -> Any:
    return make_reader(dataset, root, options)


def _parts(
    task: ShardTask, reader: Any, steps: PreprocessingConfig, card: dict[str, Any]
) -> Iterator[tuple[str, Segments]]:
    root = local_copy(task.root) if task.root else None
    for path in reader.paths()[task.first : task.stop]:
        name = file_name(path, root)
        try:
            with _noted(card["cautions"], str(path), name):
                segments = _cut_file(reader, path, steps, task, card["cautions"])
            yield name, segments
        except (ValueError, OSError) as error:
            card["skipped"].append({"name": name, "error": str(error)})
            if task.on_error == "fail":
                return


@contextmanager
def _noted(said: list[str], path: str, name: str) -> Iterator[None]:
    """Add what a reader warns of to the notes, which stay with the store."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", UserWarning)
        yield
    for one in given:
        if one.category is UserWarning:
            said.append(str(one.message).replace(path, name))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _cut_file(
    reader: Any, path: str | Path, steps: PreprocessingConfig, task: ShardTask, said: list[str]
) -> Segments:
    length, n_blocks = task.length, 0
    parts: list[Segments] = []
    for recording in reader.recordings(path):
        check_recording(recording, f"{path}: {recording.id}")
        _check_modalities(recording, task.preprocessing)
        n_blocks += len(recording.blocks)
        if reader.event:
            before, after = reader.event
            chosen = event_windows(recording, before, after, task.step)
        else:
            chosen = windows(recording, length, task.step)
        if chosen:
            said += cautions(recording, steps)
            clean = preprocess(recording, steps)
            said += _rejected(clean)
            parts.append(cut(clean, chosen + reference_windows(clean, length), length))
    check_windows(parts, path, length, n_blocks)
    segments = concatenate(parts)
    check_ids(segments.table["segment"])
    return segments


def _rejected(clean: Recording) -> list[str]:
    """How much of an EEG was rejected as loud or flat: no other sample is 0 (or NaN) throughout."""
    if "eeg" not in clean.signals:
        return []
    data = clean.signals["eeg"].data
    share = float(((data == 0) | np.isnan(data)).mean())
    return [f"{clean.id}: {share:.0%} of the EEG rejected or missing"] if share >= REPORTED else []


def _check_modalities(recording: Recording, preprocessing: str) -> None:
    """Refuse steps for signals that there are not: a slip of the pen would go unseen."""
    options = json.loads(preprocessing)
    named = set(as_mapping(options)) - {"causal"} if isinstance(options, dict) else set()
    unknown = sorted(named - set(recording.signals))
    if unknown:
        raise ValueError(
            f"preprocessing names {unknown}, which {recording.id} has not; allowed are "
            f"{list(recording.signals)}."
        )


def check_windows(found: list, path: str | Path, length: float, n_blocks: int) -> None:
    if not found:
        raise ValueError(
            f"{path}: no window of {length} s fits into the {n_blocks} labelled blocks. Label blocks, "
            "shorten the window, or leave the file out."
        )
