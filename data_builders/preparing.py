"""Stage ``prepare``: reader -> resampling -> segments -> store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_builders.options import as_mapping
from data_builders.preprocessing import resample_recording
from data_builders.readers import find_reader
from data_builders.recording import Recording, load_recording
from data_builders.segmentation import cut, event_windows, reference_windows, tile, windows
from data_builders.segments import TABLE_COLUMNS, Segments, concatenate
from data_builders.stage import file_stats, run_stage
from data_builders.store import write_shards

__all__ = ["PrepareConfig", "make_reader", "prepare", "read_for_chat"]


@dataclass
class PrepareConfig:
    """Recordings on disk -> a checked segment store."""

    dataset: str = field(default="simulated", metadata={"help": "reader: noneeg, fmov, simulated or npz"})
    root: str | None = field(default=None, metadata={"help": "folder that holds the data set's files"})
    out: str = field(default="runs/store", metadata={"help": "folder to write the store to"})
    window: float | None = field(
        default=None, metadata={"help": "window length in s; default: the reader's own"}
    )
    step: float | None = field(
        default=None,
        metadata={
            "help": "step in s of the training windows, 0 for none that overlap; default: the reader's own, "
            "and 0 around events"
        },
    )
    reader_options: dict | str | None = field(
        default=None, metadata={"help": "options of the reader, as JSON"}
    )

    def __post_init__(self) -> None:
        self.reader_options = as_mapping(self.reader_options)
        problems = []
        if self.window is not None and not self.window > 0:
            problems.append(f"window is {self.window}; allowed are seconds above 0")
        if self.step is not None and not self.step >= 0:
            problems.append(f"step is {self.step}; allowed are seconds from 0")
        if problems:
            raise ValueError(f"PrepareConfig: {'; '.join(problems)}.")


def make_reader(dataset: str, root: str | None, options: dict | str | None = None) -> Any:
    """A reader by its name.

    Parameters
    ----------
    dataset : str
        One of `data_builders.readers.READERS`.
    root : str or None
        Folder that holds the data set's files.
    options : dict or str, optional
        Further arguments of the reader, or their JSON.

    Raises
    ------
    ValueError
        If there is no such reader; the message lists those that exist.
    """
    reader: Any = find_reader(dataset)
    return reader(root, **as_mapping(options))


def prepare(config: PrepareConfig, progress: bool = True) -> Path:
    """Write the store of a data set, or leave the one that is there for the same inputs.

    Raises
    ------
    ValueError
        If the configuration does not fit the data set, or a recording has no labelled window.
    """
    reader = make_reader(config.dataset, config.root, config.reader_options)
    length, step = _window_and_step(reader, config)
    about = {
        "dataset": reader.name,
        "root": config.root,
        "reader_options": config.reader_options,
        "window": length,
        "step": step,
        "event": reader.event,
        "classes": list(reader.classes),
    }
    files = {
        "recordings": [str(path) for path in reader.paths()],
        "stats": file_stats(config.root) if config.root else [],
    }
    inputs = {
        "config": asdict(config) | {"out": None},
        "about": about,
        "files": files,
        "columns": TABLE_COLUMNS,
    }

    def work(partial: Path) -> None:
        write_shards(_cut_all(reader, length, step, progress), partial, about)

    return run_stage("prepare", config.out, inputs, work)


def _window_and_step(reader: Any, config: PrepareConfig) -> tuple[float, float]:
    if reader.event is None:
        return config.window or reader.window, reader.step if config.step is None else config.step
    length = sum(reader.event)
    if config.window not in (None, length):
        raise ValueError(
            f"window is {config.window} s; allowed for {config.dataset!r} is {length} s, since its windows "
            f"are {list(reader.event)} s around events. Leave window out, or set the reader's own 'event'."
        )
    return length, config.step or 0.0


def _cut_all(reader: Any, length: float, step: float, progress: bool) -> Iterator[tuple[str, Segments]]:
    from tqdm import tqdm

    for path in tqdm(reader.paths(), desc=f"prepare {reader.name}", unit="recording", disable=not progress):
        parts, n_blocks = [], 0
        for recording in map(resample_recording, reader.recordings(path)):
            n_blocks += len(recording.blocks)
            if reader.event:
                before, after = reader.event
                chosen = event_windows(recording, before, after, step)
            else:
                chosen = windows(recording, length, step)
            if chosen:
                parts.append(_cut_with_references(recording, chosen, length))
        _check_windows(parts, path, length, n_blocks)
        yield str(path), concatenate(parts)


def _check_windows(found: list, path: str | Path, length: float, n_blocks: int) -> None:
    if not found:
        raise ValueError(
            f"{path}: no window of {length} s fits into the {n_blocks} labelled blocks. Label blocks, "
            "shorten the window, or leave the file out."
        )


def _cut_with_references(recording: Recording, chosen: list, length: float) -> Segments:
    return cut(recording, chosen + reference_windows(recording, length), length)


def read_for_chat(card: dict, path: str) -> tuple[Recording, Segments]:
    """One recording, cut as the store that a model was trained on was cut.

    Parameters
    ----------
    card : dict
        Of the store, from `SegmentStore.card`.
    path : str
        A recording of the reader's kind, or an ``.npz`` file that `save_recording` wrote.

    Returns
    -------
    recording : Recording
    segments : Segments
        Side by side over the recording (or at its events), then the reference windows.
    """
    recording = resample_recording(_read_one(card, path))
    length = card["window"]
    chosen = event_windows(recording, *card["event"]) if card["event"] else tile(recording, length)
    _check_windows(chosen, path, length, len(recording.blocks))
    return recording, _cut_with_references(recording, chosen, length)


def _read_one(card: dict, path: str) -> Recording:
    if Path(path).suffix == ".npz":
        return load_recording(path)
    return make_reader(card["dataset"], str(Path(path).parent), card["reader_options"]).read(path)
