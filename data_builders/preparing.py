"""Stage ``prepare``: reader -> preprocessing -> segments -> store, in parallel and resumable."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from data_builders.engines import ENGINES
from data_builders.options import as_mapping
from data_builders.places import file_stats, local_copy, remove_folder, tree_stats
from data_builders.preprocessing import PreprocessingConfig, preprocess
from data_builders.provenance import code_behind, code_outside
from data_builders.recording import Recording, holds_recording, load_recording
from data_builders.recording_checks import check_recording
from data_builders.segmentation import cut, event_windows, reference_windows, tile
from data_builders.segments import TABLE_COLUMNS, Segments, signal_summary
from data_builders.shard_tasks import ShardTask, check_windows, file_name, make_reader, make_shard
from data_builders.shards import check_specs, specs_from_card
from data_builders.stage import content_hash, run_stage
from data_builders.store import JOINED, finish_store

__all__ = ["PrepareConfig", "input_stats", "make_reader", "prepare", "read_for_chat"]

MOST_SHARDS = 1000
"""Data sets of more files than this have several in a shard."""


@dataclass
class PrepareConfig:
    """Recordings on disk -> a checked segment store."""

    dataset: str = field(default="simulated", metadata={"help": "reader; 'biollm data list' shows all"})
    root: str | None = field(
        default=None, metadata={"help": "folder (or URL) that holds the data set's files"}
    )
    out: str = field(default="runs/store", metadata={"help": "folder (or URL) to write the store to"})
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
    preprocessing: dict | str | None = field(
        default="standard",
        metadata={
            "help": "none (resampling only), standard, full, or JSON of what differs from the standard by "
            'modality, as \'{"emg": {"rate": 2000}}\''
        },
    )
    on_error: str = field(
        default="fail", metadata={"help": "fail at a file that cannot be read, or skip it and list it"}
    )
    files_per_shard: int | None = field(
        default=None, metadata={"help": "files in one Arrow shard; default: 1, more above 1000 files"}
    )
    jobs: int = field(default=1, metadata={"help": "processes, or Ray tasks at a time"})
    engine: str = field(default="local", metadata={"help": "local or ray"})
    ray_address: str | None = field(
        default=None, metadata={"help": "Ray cluster to run on; default: one on this machine"}
    )

    def __post_init__(self) -> None:
        self.reader_options = as_mapping(self.reader_options)
        PreprocessingConfig.from_options(self.preprocessing)
        if isinstance(self.preprocessing, str) and self.preprocessing not in PreprocessingConfig.NAMES:
            self.preprocessing = as_mapping(self.preprocessing)
        problems = []
        if self.window is not None and not self.window > 0:
            problems.append(f"window is {self.window}; allowed are seconds above 0")
        if self.step is not None and not self.step >= 0:
            problems.append(f"step is {self.step}; allowed are seconds from 0")
        if self.on_error not in ("fail", "skip"):
            problems.append(f"on_error is {self.on_error!r}; allowed are 'fail' and 'skip'")
        if self.engine not in ENGINES:
            problems.append(f"engine is {self.engine!r}; allowed are {list(ENGINES)}")
        for name in ("files_per_shard", "jobs"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                problems.append(f"{name} is {getattr(self, name)}; allowed are numbers from 1")
        if problems:
            raise ValueError(f"PrepareConfig: {'; '.join(problems)}.")


def prepare(config: PrepareConfig, progress: bool = True) -> Path:
    """Write the store of a data set, or leave the one that is there for the same inputs.

    Killed at any moment and started again, it goes on with the files that are not stored yet, and ends
    with the same content. Returns the store's folder.

    Raises
    ------
    ValueError
        If the configuration does not fit the data set, or a file cannot be read or has no labelled
        window; with ``on_error="skip"`` such files are left out and listed in ``store.json``.
    """
    reader = make_reader(config.dataset, config.root, config.reader_options)
    length, step = _window_and_step(reader, config)
    about = {
        "dataset": reader.name,
        "root": config.root,
        "reader_options": config.reader_options,
        "preprocessing": config.preprocessing,
        "window": length,
        "step": step,
        "event": reader.event,
        "classes": list(reader.classes),
    }
    running = dict.fromkeys(("out", "jobs", "engine", "ray_address"))
    root = local_copy(config.root) if config.root else None
    names = [file_name(path, root) for path in reader.paths()]
    digest = content_hash({"recordings": names, "stats": input_stats(reader, config.root)})
    inputs = {
        "config": asdict(config) | running,
        "about": about,
        "files": digest,
        "columns": TABLE_COLUMNS,
        "steps": asdict(PreprocessingConfig.from_options(config.preprocessing)),
        "code": code_behind(__file__),
        "reader": code_outside([type(reader)]),
    }

    def work(partial: Path) -> None:
        tasks = _tasks(config, len(names), digest, length, step, str(partial))
        try:
            _run(tasks, config, partial, f"prepare {reader.name}", progress)
            cards = [_read_card(partial, task) for task in tasks]
            _check_recordings(cards)
            finish_store(partial, cards, about)
        except ValueError:
            remove_folder(partial)  # other files make another store: there is nothing to go on with
            raise
        _say_cautions(cards)
        for file in partial.iterdir():
            if file.suffix == ".partial" or file.name in {task.card for task in tasks}:
                file.unlink()

    return run_stage("prepare", config.out, inputs, work)


def input_stats(reader: Any, root: str | None) -> list:
    """What tells that a file of the data set has changed."""
    files = reader.files()
    if files is not None:
        return file_stats(files, local_copy(root or "."))
    return tree_stats(root) if root else []


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


def _tasks(
    config: PrepareConfig, n_files: int, digest: str, length: float, step: float, folder: str
) -> list[ShardTask]:
    size = config.files_per_shard or max(1, math.ceil(n_files / MOST_SHARDS))
    return [
        ShardTask(
            number,
            first,
            min(first + size, n_files),
            folder,
            config.dataset,
            config.root,
            json.dumps(config.reader_options),
            digest,
            json.dumps(config.preprocessing),
            length,
            step,
            config.on_error,
        )
        for number, first in enumerate(range(0, n_files, size))
    ]


def _run(tasks: list[ShardTask], config: PrepareConfig, partial: Path, title: str, progress: bool) -> None:
    """Make the shards that are not there yet, and fail as soon as one does not fit the first."""
    n_files = tasks[-1].stop if tasks else 0
    left = [task for task in tasks if not (partial / task.card).is_file()]
    earlier = [_read_card(partial, task) for task in tasks if task not in left]
    made = ENGINES[config.engine](make_shard, left, config.jobs, config.ray_address)
    try:
        _follow(chain(earlier, made), n_files, config, title, progress)
    finally:
        made.close()  # no worker writes any more when the folder is put away


def _follow(cards: Iterable[dict], n_files: int, config: PrepareConfig, title: str, progress: bool) -> None:
    """Check each shard as it comes."""
    from tqdm import tqdm

    first: dict | None = None
    with tqdm(total=n_files, desc=title, unit="file", disable=not progress) as bar:
        for card in cards:
            if card["skipped"] and config.on_error == "fail":
                raise ValueError(card["skipped"][0]["error"])
            if card.get("specs"):
                first = first or card
                specs = (specs_from_card(c["specs"]) for c in (card, first))
                check_specs(card["files"][0]["name"], *specs)
            bar.update(card["n_files"])


def _read_card(folder: Path, task: ShardTask) -> dict:
    return json.loads((folder / task.card).read_text())


def _say_cautions(cards: list[dict]) -> None:
    """What preprocessing left out, once for all files, and the files that were left out."""
    for entry in (entry for card in cards for entry in card["skipped"]):
        print(f"left out: {entry['name']}: {entry['error']}", file=sys.stderr)
    for caution in sorted({caution for card in cards for caution in card["cautions"]}):
        print(f"note: {caution}", file=sys.stderr)


def _check_recordings(cards: list[dict]) -> None:
    """Refuse two files with the same recording, whose segments would have the same ids."""
    files = [file for card in cards for file in card.get("files", [])]
    found = [(recording, file["name"]) for file in files for recording in file["recordings"]]
    holders = dict(reversed(found))
    problems = [f"{holders[r]} and {name} both hold {r}" for r, name in found if name != holders[r]]
    if problems:
        raise ValueError(
            f"recordings must be unique: {'; '.join(problems[:3])}. Give one of them another subject, "
            "session or name, or leave it out."
        )


def read_for_chat(card: dict, path: str, root: str | None = None) -> tuple[Recording, Segments]:
    """One recording, cut as the store that a model was trained on was cut.

    Parameters
    ----------
    card : dict
        Of the store, from `SegmentStore.card`.
    path : str
        A recording of the reader's kind (``FILE#NAME`` where a file holds several), or an ``.npz`` file
        that `save_recording` wrote.
    root : str, optional
        The data set's folder, where the file does not lie directly in it.

    Returns
    -------
    recording : Recording
    segments : Segments
        Side by side over the recording (or at its events), then the reference windows.

    Raises
    ------
    ValueError
        If the store was joined of several, which no reader reads as one, or the recording's signals are not
        those of the store.
    """
    if JOINED in card:
        raise ValueError(
            f"{path}: the model was trained on the joined stores {list(card[JOINED])}, whose windows no "
            "single reader cuts; score it with 'biollm evaluate', or train on one store to ask about them."
        )
    steps = PreprocessingConfig.from_options(card["preprocessing"])
    recording = _read_one(card, path, root)
    check_recording(recording, path)
    recording = preprocess(recording, steps)
    _check_signals(recording, card["modalities"], path)
    length = card["window"]
    chosen = event_windows(recording, *card["event"]) if card["event"] else tile(recording, length)
    check_windows(chosen, path, length, len(recording.blocks))
    return recording, cut(recording, chosen + reference_windows(recording, length), length)


def _check_signals(recording: Recording, wanted: Mapping[str, str], path: str) -> None:
    """Refuse a recording that lacks a modality, or has other rates, channels, units or baselines."""
    held = {name: signal_summary(signal) for name, signal in recording.signals.items()}
    wrong = [f"{name} at {about}" for name, about in wanted.items() if held.get(name) != about]
    if wrong:
        has = "; ".join(f"{name} at {about}" for name, about in held.items())
        raise ValueError(
            f"{path}: has {has}; the model was trained on {'; '.join(wrong)} and reads the same alone, its "
            "channels in this order. Give the recording what is missing (a signal, a channel, a name, the "
            "baseline before its trial), or no baseline where the store has none; or train on a store of "
            "what all recordings have."
        )


def _read_one(card: dict, path: str, root: str | None) -> Recording:
    if Path(path).suffix == ".npz" and (card["dataset"] != "manifest" or holds_recording(path)):
        return load_recording(path)
    try:
        reader = make_reader(card["dataset"], root or str(Path(path).parent), card["reader_options"])
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} The model was trained on {card['dataset']!r}; where its file does not lie directly in "
            "the data set's folder, give that as --root."
        ) from error
    return reader.read(path)
