"""Empatica E4 wristbands: a folder of CSV files a subject, on one time axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from data_builders.readers._cells import numbers, read_table
from data_builders.readers.reader import Reader, existing_folder
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["FILES", "SPECS", "Empatica", "modalities_in", "read_signals", "read_tags"]

FILES = {
    "bvp": "BVP.csv",
    "gsr": "EDA.csv",
    "temperature": "TEMP.csv",
    "heart_rate": "HR.csv",
    "acceleration": "ACC.csv",
}
SPECS = {
    "bvp": SignalSpec(64.0, ("bvp",), "a.u."),
    "gsr": SignalSpec(4.0, ("gsr",), "µS"),
    "temperature": SignalSpec(4.0, ("temperature",), "°C"),
    "heart_rate": SignalSpec(1.0, ("heart_rate",), "bpm"),
    "acceleration": SignalSpec(32.0, ("ax", "ay", "az"), "g"),
}
STEP_OF_ACCELERATION = 1 / 64
"""ACC.csv counts in steps of 1/64 g."""
HEADER_ROWS = 2
TOLERANCE = 1e-6
"""Samples by which rounding may miss a whole number of them."""


class Track(NamedTuple):
    """One file: samples of shape (n_channels, n_samples), and the unix time of the first in s."""

    data: np.ndarray
    start: float


class Empatica(Reader):
    """Recordings of Empatica E4 wristbands: a folder a subject, in the form that E4 connect exports.

    Each file starts at a time of its own (HR.csv 10 s after the others); the recording is the span that
    all files have in common, cut to whole samples. Without `labels` the recordings have no blocks.

    Parameters
    ----------
    root : str or Path
        Holds a folder a subject, named as the subject, each with any of ``BVP.csv``, ``EDA.csv``,
        ``TEMP.csv``, ``HR.csv``, ``ACC.csv``: the same ones in every folder.
    labels : list of (str or None), optional
        Emotion words of the stretches that the presses of the button (``tags.csv``) part a recording into:
        n presses make n + 1 stretches, the first from the start to the first press, the last from the
        last press to the end. None leaves a stretch out.

    Raises
    ------
    FileNotFoundError
        If no folder holds such a file, or `labels` are given and a folder has no ``tags.csv``.
    ValueError
        If the folders differ in their files, or a number of presses does not fit `labels`; names all.
    """

    name: ClassVar[str] = "empatica"
    title = "Recordings of Empatica E4 wristbands"
    licence = "as its owner says"
    citation = "as its owner says"
    url = "https://www.empatica.com/research/e4/"
    modalities: Mapping[str, SignalSpec] = SPECS
    labels: Mapping[str, str] = {
        "emotion": "option labels: a word for each stretch between the presses in tags.csv"
    }
    baseline = "the first 120 s of the recording, whatever was done in them"
    left_out = (
        "IBI.csv: beats at uneven times with gaps; biollm finds the beats in BVP",
        "what lies outside the span that all files cover: the first 10 s, where there is an HR.csv",
    )
    caution = (
        "Skin conductance has 4 Hz: filters designed for 1000 Hz fail on it, and detectors find responses in "
        "white noise. HR.csv is the wristband's own estimate of the last 10 s, out of BVP."
    )
    window = 60.0
    step = 20.0

    def __init__(self, root: str | Path | None, labels: Sequence[str | None] | None = None) -> None:
        content = f"a folder a subject, with any of {', '.join(FILES.values())}"
        self.root = existing_folder(root, self.name, content)
        self.words = tuple(labels or ())
        self.classes = tuple(dict.fromkeys(word for word in self.words if word is not None))
        if not self.paths():
            raise FileNotFoundError(
                f"reader {self.name!r}: {self.root} holds no folder with E4 files; it needs {content}."
            )
        self.modalities = {name: SPECS[name] for name in modalities_in(self.paths()[0])}
        self._check_folders()

    def paths(self) -> list[Path]:
        """The subjects' folders, by name."""
        return sorted(path for path in self.root.iterdir() if path.is_dir() and modalities_in(path))

    def read(self, path: str | Path) -> Recording:
        """One subject's folder.

        Raises
        ------
        ValueError
            If a file has not its rate, columns or numbers, the files share no time, or a press of the
            button lies outside of it; names the file, the row and the column.
        """
        path = Path(path)
        signals, start = read_signals(path, tuple(self.modalities))
        recording = Recording(signals, self.name, path.name)
        if not self.words:
            return recording
        edges = [0.0, *(tag - start for tag in read_tags(path)), recording.duration]
        if edges != sorted(edges):
            raise ValueError(
                f"{path}: the presses of the button are at {edges[1:-1]} s of a recording of {edges[-1]} s; "
                "allowed are times inside of it, in order. Mend tags.csv."
            )
        return Recording(signals, self.name, path.name, blocks=tuple(self._blocks(edges)))

    def _blocks(self, edges: list[float]) -> Iterator[Block]:
        for number, (word, (start, stop)) in enumerate(zip(self.words, pairwise(edges), strict=True)):
            if word is not None:
                yield Block(start, stop - start, {"emotion": word}, trial=f"{number:02d}")

    def _check_folders(self) -> None:
        problems = []
        for path in self.paths():
            if set(modalities_in(path)) != set(self.modalities):
                has, first = (
                    sorted(FILES[m] for m in names) for names in (modalities_in(path), self.modalities)
                )
                problems.append(f"{path} holds {has}, {self.paths()[0]} {first}")
            presses = len(read_tags(path)) if self.words else 0
            if self.words and presses + 1 != len(self.words):
                problems.append(f"{path}: {presses} presses make {presses + 1} stretches")
        if problems:
            raise ValueError(
                f"reader {self.name!r}: {'; '.join(problems)}. Allowed are the same files in every "
                f"folder, and in labels a word or null for each stretch ({len(self.words)} are given). Move "
                "files or folders away, or mend tags.csv."
            )


def modalities_in(folder: Path) -> tuple[str, ...]:
    """Modalities whose file is in a folder."""
    return tuple(name for name, file in FILES.items() if (folder / file).is_file())


def read_signals(folder: str | Path, modalities: Sequence[str]) -> tuple[dict[str, Signal], float]:
    """The files of a folder on their common time axis.

    Parameters
    ----------
    folder : str or Path
    modalities : sequence of str
        Keys of `FILES`.

    Returns
    -------
    signals : dict of str to Signal
    start : float
        Unix time of their first sample, in s.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is malformed, or the files share no time; names the file and what is wrong.
    """
    tracks = {name: _read_track(Path(folder) / FILES[name], SPECS[name]) for name in modalities}
    spans = {
        name: (track.start, track.start + track.data.shape[1] / SPECS[name].sampling_rate)
        for name, track in tracks.items()
    }
    start, stop = max(first for first, _ in spans.values()), min(last for _, last in spans.values())
    if start >= stop:
        times = ", ".join(f"{FILES[name]} {first:.2f} to {last:.2f}" for name, (first, last) in spans.items())
        raise ValueError(
            f"{folder}: the files share no time: {times} (unix time in s); allowed are files of one session."
        )
    return {name: _cut(track, SPECS[name], start, stop) for name, track in tracks.items()}, start


def _cut(track: Track, spec: SignalSpec, start: float, stop: float) -> Signal:
    """From the sample nearest to `start`, as many whole samples as fit until `stop`."""
    first = round((start - track.start) * spec.sampling_rate)
    count = int((stop - start) * spec.sampling_rate + TOLERANCE)
    return Signal(track.data[:, first : first + count], spec.sampling_rate, spec.channel_names, spec.unit)


def _read_track(path: Path, spec: SignalSpec) -> Track:
    """Row 1 is the unix time of the first sample, row 2 the rate; both stand in every column."""
    frame = read_table(path, header=None, skipinitialspace=True)
    if frame.shape[1] != len(spec.channel_names) or len(frame) <= HEADER_ROWS:
        raise ValueError(
            f"{path}: has {frame.shape[1]} columns and {len(frame)} rows; allowed are the columns "
            f"{list(spec.channel_names)} and more than {HEADER_ROWS} rows: time of the start, rate, samples. "
            "Delete a file that holds none."
        )
    frame.columns = list(spec.channel_names)
    values = numbers(path, frame, first_row=1)
    start, rate = values[0, 0], values[1, 0]
    if rate != spec.sampling_rate:
        raise ValueError(
            f"{path}: row 2 tells a rate of {rate:g} Hz; allowed for {path.name} is "
            f"{spec.sampling_rate:g} Hz, that of an E4. Read other devices as a manifest of files."
        )
    scale = STEP_OF_ACCELERATION if path.name == FILES["acceleration"] else 1.0
    return Track(scale * values[HEADER_ROWS:].T, float(start))


def read_tags(folder: str | Path) -> list[float]:
    """Unix times in s of the presses of the button; a press is a row of ``tags.csv``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no ``tags.csv``, or more than one file of that kind.
    ValueError
        If a row is no number.
    """
    files = sorted(Path(folder).glob("tags*.csv"))
    if len(files) != 1:
        raise FileNotFoundError(
            f"{folder}: has {[path.name for path in files]}; allowed is one file tags.csv (or tags_NAME.csv)."
        )
    if not files[0].read_text().strip():
        return []
    return numbers(files[0], read_table(files[0], header=None), first_row=1)[:, 0].tolist()
