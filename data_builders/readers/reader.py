"""What all readers share: who they are, how they list their files, and iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from data_builders.recording import Recording
from data_builders.segments import SignalSpec

__all__ = ["Reader"]


class Reader:
    """Base of the readers: `paths` lists the files, `recordings` reads one of them.

    A reader defines `read` where a path is one recording, and `recordings` where it holds several, such
    as trials that share no time axis.

    Attributes
    ----------
    name, title, licence, citation : str
    url : str
        Where the data set is asked for or fetched from.
    modalities : mapping of str to SignalSpec
        Rates, channels and units as in the files; empty where the files tell.
    labels : mapping of str to str
        Label -> where it comes from and its scale.
    baseline : str
        What a causal baseline may look at.
    left_out : tuple of str
        What is not read, and why.
    caution : str
        What whoever reports results on this data set must know and say.
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
    url: str = ""
    modalities: Mapping[str, SignalSpec] = {}
    labels: Mapping[str, str] = {}
    baseline: str = ""
    left_out: tuple[str, ...] = ()
    caution: str = ""
    classes: tuple[str, ...] = ()
    window: float = 10.0
    step: float = 5.0
    event: tuple[float, float] | None = None

    def paths(self) -> Sequence[str | Path]:
        """All files, sorted; each entry is what `recordings` takes."""
        raise NotImplementedError

    def files(self) -> Sequence[Path] | None:
        """Files that the recordings depend on; None for all that lie under the root."""
        return None

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The recordings of one file."""
        yield self.read(path)

    def read(self, path: str | Path) -> Recording:
        """One recording: of a file that holds one, or named as ``FILE#NAME``.

        Raises
        ------
        ValueError
            If the file holds several, or none of that name; the message lists those that it holds.
        """
        whole = str(path)
        file, name = (whole, "") if "#" not in whole or Path(whole).exists() else whole.rpartition("#")[::2]
        found = {recording.name: recording for recording in self.recordings(file)}
        if not name and len(found) == 1:
            return next(iter(found.values()))
        if name not in found:
            raise ValueError(
                f"{file}: holds {len(found)} recordings; allowed is {file}#NAME with one of {list(found)}."
            )
        return found[name]

    def __iter__(self) -> Iterator[Recording]:
        return (recording for path in self.paths() for recording in self.recordings(path))


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


def one_below(root: Path, pattern: str) -> str:
    """A question, if a folder of `root` has files that match `pattern`, which `root` should have; or none."""
    found = sorted(path for path in root.iterdir() if path.is_dir() and any(path.glob(pattern)))
    return f" Is it {found[0]}?" if found else ""


def files_in(root: Path, pattern: str, name: str, content: str) -> list[Path]:
    """Files of `root` that match `pattern`, sorted.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    files = sorted(path for path in root.glob(pattern) if path.is_file())
    if not files:
        below = one_below(root, pattern)
        raise FileNotFoundError(f"reader {name!r}: {root} holds no {pattern}; it needs {content}.{below}")
    return files
