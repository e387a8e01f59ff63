"""What every reader yields: signals with rates and units, and the labelled blocks on them."""

from __future__ import annotations

import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Block",
    "Recording",
    "Segment",
    "Signal",
    "holds_recording",
    "load_recording",
    "read_header",
    "save_recording",
]

LABELS = ("emotion", "valence", "arousal", "transition")
HEADER = "header"
BASELINE_SECONDS = 120.0
"""Length of the stretch at the start of a session that a causal baseline may look at."""
IDS = ("dataset", "subject", "session", "name", "group")
RESERVED = (HEADER, "file", "allow_pickle")
"""Names that a modality cannot have, since `numpy.savez_compressed` takes them itself."""
ABOUT_SIGNAL = ("sampling_rate", "channel_names", "unit", "above_baseline")


@dataclass(frozen=True)
class Signal:
    """Evenly sampled channels of one modality.

    Parameters
    ----------
    data : ndarray, shape (n_channels, n_samples), float32, in `unit`
    sampling_rate : float
        In Hz.
    channel_names : tuple of str
        One name a channel.
    unit : str
        For example ``"µV"``, ``"mV"``, ``"µS"``, ``"°C"``, ``"bpm"``.
    above_baseline : bool
        Whether each channel's mean over the recording's baseline was subtracted, so that its level is none.

    Raises
    ------
    ValueError
        If the shape does not fit the channel names or the rate is not positive.
    """

    data: np.ndarray
    sampling_rate: float
    channel_names: tuple[str, ...]
    unit: str
    above_baseline: bool = False

    def __post_init__(self) -> None:
        data = np.asarray(self.data, dtype=np.float32)
        if data.ndim != 2 or data.shape[0] != len(self.channel_names):
            raise ValueError(
                f"data has shape {data.shape}; allowed is (n_channels, n_samples) with the "
                f"{len(self.channel_names)} channels {list(self.channel_names)}. Transpose or rename."
            )
        if not self.sampling_rate > 0:
            raise ValueError(f"sampling_rate is {self.sampling_rate!r}; allowed is a positive number of Hz.")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "channel_names", tuple(self.channel_names))

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.data.shape[1] / self.sampling_rate


@dataclass(frozen=True)
class Block:
    """A labelled stretch of a recording (a task, a video) or, with `duration` 0, an event.

    Parameters
    ----------
    start, duration : float
        In seconds from the start of the recording.
    labels : mapping
        Any of ``emotion`` (str), ``valence``, ``arousal`` (float), ``transition`` (0 or 1).
    trial, stimulus : str
        Ids that no two sides of a split may share; `stimulus` may be empty.
    """

    start: float
    duration: float
    labels: Mapping[str, Any]
    trial: str
    stimulus: str = ""


@dataclass(frozen=True)
class Recording:
    """Signals on one time axis with the labelled blocks on it: a subject's session, or a trial of one.

    Parameters
    ----------
    signals : mapping of str to Signal
        By modality: ``emg``, ``eeg``, ``ecg``, ``gsr``, ``temperature``, ``acceleration``, ...; or
        ``features``, values that somebody else has computed, one sample a row.
    dataset, subject, session : str
    blocks : tuple of Block
        In order of time; may be empty, as for a recording that is only to be read.
    name : str
        What tells recordings of one session apart, where each trial has a time axis of its own.
    group : str
        Subjects whom no split may separate share it (GAMEEMO's copied pairs); the subject by default.
    baseline : tuple of float
        Start and stop in s of the stretch that a causal baseline may look at.
    """

    signals: Mapping[str, Signal]
    dataset: str
    subject: str
    session: str = ""
    blocks: tuple[Block, ...] = field(default=())
    name: str = ""
    group: str = ""
    baseline: tuple[float, float] = (0.0, BASELINE_SECONDS)

    @property
    def duration(self) -> float:
        """Length in seconds that all signals cover."""
        return min(signal.duration for signal in self.signals.values())

    @property
    def id(self) -> str:
        """Data set, subject, session and name: one time axis."""
        return "/".join(filter(None, (self.dataset, self.subject, self.session, self.name)))


@dataclass(frozen=True)
class Segment:
    """A window of a recording.

    Parameters
    ----------
    signals : mapping of str to ndarray, shape (n_channels, n_samples)
    start, duration : float
        In seconds from the start of the recording.
    dataset, subject, session, trial, stimulus : str
    labels : mapping
        Any of ``emotion``, ``valence``, ``arousal``, ``transition``.
    """

    signals: Mapping[str, np.ndarray]
    start: float
    duration: float
    dataset: str
    subject: str
    session: str
    trial: str
    stimulus: str
    labels: Mapping[str, Any]


def save_recording(recording: Recording, path: str | Path) -> Path:
    """Write a recording to one ``.npz`` file, atomically; `load_recording` reads it back.

    Raises
    ------
    ValueError
        If a modality has a name that the file needs itself.
    """
    path = Path(path)
    taken = sorted(set(recording.signals) & set(RESERVED))
    if taken:
        raise ValueError(f"signals are named {taken}; allowed is any name but {list(RESERVED)}. Rename them.")
    header = {name: getattr(recording, name) for name in IDS} | {
        "baseline": list(recording.baseline),
        "blocks": [asdict(block) | {"labels": dict(block.labels)} for block in recording.blocks],
        "signals": {
            name: {field: getattr(signal, field) for field in ABOUT_SIGNAL}
            for name, signal in recording.signals.items()
        },
    }
    arrays: dict[str, Any] = {name: signal.data for name, signal in recording.signals.items()}
    arrays[HEADER] = np.array(json.dumps(header, default=_number))
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)
    return path


def _number(value: Any) -> Any:
    """A NumPy scalar, as labels and times often are, as JSON knows it."""
    if not isinstance(value, np.generic):
        raise TypeError(
            f"{value!r} is a {type(value).__name__}; allowed in a recording are text and numbers."
        )
    return value.item()


def load_recording(path: str | Path) -> Recording:
    """Read a recording that `save_recording` wrote.

    Raises
    ------
    ValueError
        If the file is not such a recording; the message names the file and what is missing.
    """
    header = read_header(path)
    with _damage_named(Path(path)), np.load(path, allow_pickle=False) as file:
        signals = {name: _signal(name, file[name], about) for name, about in header["signals"].items()}
        blocks = tuple(Block(**block) for block in header["blocks"])
        ids = {name: header[name] for name in IDS}
        return Recording(signals, blocks=blocks, baseline=tuple(header["baseline"]), **ids)


def holds_recording(path: str | Path) -> bool:
    """Whether a ``.npz`` file has the header of `save_recording`, and is not of arrays alone."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return f"{HEADER}.npy" in archive.namelist()


def read_header(path: str | Path) -> dict[str, Any]:
    """Ids, blocks and what the signals are, without the signals' data; raises as `load_recording` does."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; allowed is what save_recording wrote.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: is no .npz file, or is cut off; write recordings with save_recording.")
    with _damage_named(path):
        _check_arrays(path)
        with np.load(path, allow_pickle=False) as file:
            if HEADER not in file:
                raise ValueError(f"has no {HEADER!r}")
            header = json.loads(str(file[HEADER]))
            missing = sorted({*IDS, "baseline", "blocks", "signals"} - set(header))
            if missing:
                raise ValueError(f"the header lacks {missing}")
            missing = sorted(set(header["signals"]) - set(file.files))
            if missing:
                raise ValueError(f"the header names signals that the file does not hold: {missing}")
    return header


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Name the file in what NumPy, zipfile and JSON raise on bytes that are no recording."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        said = str(error).rstrip(".")
        raise ValueError(f"{path}: {said}; write recordings with save_recording.") from error


def _signal(name: str, data: np.ndarray, about: Mapping[str, Any]) -> Signal:
    try:
        # Files of older versions do not tell the baseline: none was subtracted in them that they knew of.
        return Signal(data, **{field: about[field] for field in ABOUT_SIGNAL if field in about})
    except ValueError as error:
        raise ValueError(f"signal {name!r}: {error}") from error


def _check_arrays(path: Path) -> None:
    """Refuse pickles, and headers that tell of more than the file holds, before memory is asked for."""
    reads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                shape, _, dtype = reads[np.lib.format.read_magic(file)](file)
                held = member.file_size - file.tell()
            if dtype.hasobject:
                raise ValueError(f"{member.filename} holds Python objects, whose pickle can run code")
            told = math.prod(shape) * dtype.itemsize
            if told != held:
                raise ValueError(
                    f"the header of {member.filename} tells {told:,} bytes {shape}, but {held:,} are there"
                )
