"""Recordings of one's own: a folder of the ``.npz`` files that `save_recording` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import LABELS, Recording, load_recording, read_header
from data_builders.recording_checks import spelled_twice

__all__ = ["RecordingFolder"]


class RecordingFolder(Reader):
    """A folder of ``.npz`` recordings; the classes are the emotion labels found in it, sorted.

    Parameters
    ----------
    root : str or Path
    window, step : float
        In seconds.
    event : tuple of float or None
        Seconds before and after the onset, if the blocks have duration 0.

    Raises
    ------
    FileNotFoundError
        If the folder holds no ``.npz`` file.
    ValueError
        If files are no recordings, or a subject is spelled in two ways; the message names all of them.
    """

    name: ClassVar[str] = "npz"
    title = "Recordings in a folder of .npz files"
    licence = "as its owner says"
    citation = "as its owner says"
    labels: Mapping[str, str] = dict.fromkeys(LABELS, "as in the files, where they have it")
    baseline = "as each file says: by default the first 120 s of a recording"

    def __init__(
        self,
        root: str | Path | None,
        window: float = 10.0,
        step: float = 5.0,
        event: tuple[float, float] | None = None,
    ) -> None:
        content = "the .npz files that data_builders.recording.save_recording writes"
        self.root = existing_folder(root, self.name, content)
        self.window, self.step, self.event = window, step, event
        headers = _headers(files_in(self.root, "*.npz", self.name, content))
        _check_spelling(self.root, {header["subject"] for header in headers})
        labels = [block["labels"].get("emotion") for header in headers for block in header["blocks"]]
        self.classes = tuple(sorted({label for label in labels if label is not None}))

    def paths(self) -> list[Path]:
        """The ``.npz`` files, by name."""
        return sorted(self.root.glob("*.npz"))

    def read(self, path: str | Path) -> Recording:
        """One recording; see `data_builders.recording.load_recording`."""
        return load_recording(path)


def _headers(paths: list[Path]) -> list[dict[str, Any]]:
    """Of the files that are recordings; `read` says what is wrong with the others, one by one.

    Raises
    ------
    ValueError
        If there are none; the message names all files.
    """
    headers: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except ValueError as error:
            problems.append(str(error))
    if not headers:
        raise ValueError("not written by data_builders.recording.save_recording:\n" + "\n".join(problems))
    return headers


def _check_spelling(root: Path, subjects: set[str]) -> None:
    twice = spelled_twice(subjects)
    if twice:
        raise ValueError(
            f"{root}: subjects are spelled in several ways: {'; '.join(map(str, twice))}. Save their "
            "recordings under one name; if they are different people, under names that differ in more."
        )
