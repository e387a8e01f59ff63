"""Stage ``prepare``: reader -> resampling -> segments -> store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_builders.preprocessing import resample_recording
from data_builders.readers import READERS
from data_builders.recording import Recording
from data_builders.segmentation import cut, event_windows, reference_windows, tile, windows
from data_builders.segments import Segments
from data_builders.stage import run_stage
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
        default=None, metadata={"help": "step in s of the training windows; default: the reader's own"}
    )
    reader_options: dict | str | None = field(
        default=None, metadata={"help": "options of the reader, as JSON"}
    )

    def __post_init__(self) -> None:
        if isinstance(self.reader_options, str):
            self.reader_options = json.loads(self.reader_options)


def make_reader(dataset: str, root: str | None, options: dict | None = None) -> Any:
    """A reader by its name.

    Raises
    ------
    ValueError
        If there is no such reader; the message lists those that exist.
    """
    if dataset not in READERS:
        raise ValueError(f"dataset is {dataset!r}; allowed are {sorted(READERS)}.")
    return READERS[dataset](root, **(options or {}))


def prepare(config: PrepareConfig, progress: bool = True) -> Path:
    """Write the store of a data set, or leave the one that is there for the same inputs."""
    reader = make_reader(config.dataset, config.root, config.reader_options)
    length = config.window or (sum(reader.event) if reader.event else reader.window)
    step = reader.step if config.step is None else config.step
    about = {
        "dataset": reader.name,
        "root": config.root,
        "reader_options": config.reader_options,
        "window": length,
        "step": step,
        "event": reader.event,
        "classes": list(reader.classes),
    }
    inputs = {"config": asdict(config) | {"out": None}, "about": about, "files": _identity(reader.paths())}

    def work(partial: Path) -> None:
        write_shards(_cut_all(reader, length, step, progress), partial, about)

    return run_stage("prepare", config.out, inputs, work)


def _identity(paths: list) -> list:
    """Name, size and time of change of what is read, so that a changed file is seen."""
    stats = [(str(p), Path(p).stat()) for p in paths if Path(p).is_file()]
    return [(name, s.st_size, s.st_mtime_ns) for name, s in stats] or [str(p) for p in paths]


def _cut_all(reader: Any, length: float, step: float, progress: bool) -> Iterator[tuple[str, Segments]]:
    from tqdm import tqdm

    for path in tqdm(reader.paths(), desc=f"prepare {reader.name}", unit="recording", disable=not progress):
        recording = resample_recording(reader.read(path))
        chosen = (
            event_windows(recording, *reader.event, step)
            if reader.event
            else windows(recording, length, step)
        )
        yield str(path), cut(recording, chosen + reference_windows(recording, length), length)


def read_for_chat(about: dict, path: str, root: str | None = None) -> tuple[Recording, Segments]:
    """One recording, cut as the store that a model was trained on was cut.

    Parameters
    ----------
    about : dict
        The ``about`` of the store.
    path : str
        A recording of the reader's kind.
    root : str, optional
        Folder of the data set; the recording's own folder by default.

    Returns
    -------
    recording : Recording
    segments : Segments
        Side by side over the recording (or at its events), then the reference windows.
    """
    root = root or (str(Path(path).parent) if Path(path).parent.is_dir() else about["root"])
    reader = make_reader(about["dataset"], root, about["reader_options"])
    recording = resample_recording(reader.read(path))
    length = about["window"]
    chosen = event_windows(recording, *about["event"]) if about["event"] else tile(recording, length)
    return recording, cut(recording, chosen + reference_windows(recording, length), length)
