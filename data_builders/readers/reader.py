"""What all readers share: who they are, how they list their files, and iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from data_builders.recording import Recording

__all__ = ["Reader"]


class Reader:
    """Base of the readers: `paths` lists the recordings, `read` reads one of them.

    Attributes
    ----------
    name, title, licence, citation : str
    classes : tuple of str
        Emotion labels in the order of every table.
    window, step : float
        Default window and the step of overlapping (training) windows, in seconds.
    event : tuple of float or None
        Seconds before and after an onset, for data sets of events.
    """

    name: ClassVar[str] = ""
    title: str = ""
    licence: str = ""
    citation: str = ""
    classes: tuple[str, ...] = ()
    window: float = 10.0
    step: float = 5.0
    event: tuple[float, float] | None = None

    def paths(self) -> Sequence[str | Path]:
        """All recordings, sorted; each entry is what `read` takes."""
        raise NotImplementedError

    def read(self, path: str | Path) -> Recording:
        """One recording."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Recording]:
        return (self.read(path) for path in self.paths())


def existing_folder(root: str | Path | None, name: str, content: str) -> Path:
    """`root` as a path, after the check that it is a folder.

    Raises
    ------
    FileNotFoundError
        If it is not; the message names the reader and what the folder must hold.
    """
    if root is None or not Path(root).is_dir():
        raise FileNotFoundError(f"reader {name!r}: the folder is {root}; allowed is a folder with {content}.")
    return Path(root)


def files_in(root: Path, pattern: str, name: str, content: str) -> list[Path]:
    """Files of `root` that match `pattern`, sorted.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    files = sorted(path for path in root.glob(pattern) if path.is_file())
    if not files:
        raise FileNotFoundError(f"reader {name!r}: {root} holds no {pattern}; it needs {content}.")
    return files
