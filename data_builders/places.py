"""Folders on this machine and, by URL, on whatever fsspec reaches (``s3://``, ``gs://``, ``hdfs://``)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path, PurePath
from typing import Any

__all__ = [
    "as_place",
    "file_stats",
    "is_remote",
    "local_copy",
    "local_file",
    "remove_folder",
    "tree_stats",
    "working_folder",
    "write_whole",
]

STAMP = "stage.json"
"""What tells the output of a stage."""
KEPT = 4
"""Remote files of which a process keeps a copy."""
_fetched: dict[tuple[str, int, str], Path] = {}
_numbers = count()


def is_remote(location: str | PurePath) -> bool:
    """Whether a location is a URL."""
    return "://" in str(location)


def as_place(location: str | Path) -> Any:
    """A `pathlib.Path`, or for a URL a ``upath.UPath``, which has the same methods.

    Raises
    ------
    ModuleNotFoundError
        If the location is a URL and universal-pathlib is not installed.
    """
    if not is_remote(location):
        return Path(location)
    try:
        from upath import UPath
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error}; install what reads URLs with: pip install 'biollm[remote]'"
        ) from error
    return UPath(location)


def write_whole(path: Any, text: str) -> None:
    """Write a text file whole or not at all; object stores do so by themselves."""
    if is_remote(path):
        path.write_text(text, encoding="utf-8")
        return
    folder = path.parent.absolute()
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    if path.name == STAMP or (folder / STAMP).exists():
        # Beside a stage's folder: a kill in between leaves nothing in it that nobody knows.
        partial = folder.parent / f"{folder.name}.{os.getpid()}.{path.name}"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def tree_stats(location: str | Path) -> list[tuple[str, int, str]]:
    """Name, size and time of change (or etag) of all files under a folder: what tells that one changed.

    Folders that a stage of biollm wrote, and locks, are no inputs and left out.
    """
    if is_remote(location):
        place = as_place(location)
        remote = place.fs.find(place.path, detail=True).items()
        return sorted((name, info["size"], _version(info)) for name, info in remote)
    found: list[Path] = []
    seen: set[str] = set()
    for folder, below, files in os.walk(location, followlinks=True):
        real = os.path.realpath(folder)
        if STAMP in files or real in seen:  # links may lead round in circles
            below.clear()
            continue
        seen.add(real)
        found += [Path(folder, file) for file in files if not file.endswith(".lock")]
    return file_stats(found, location)


def file_stats(files: Iterable[Path], below: str | Path) -> list[tuple[str, int, str]]:
    """Name (relative to a folder), size and time of change of some files."""
    return sorted(_remote_stats(f) if is_remote(f) else _local_stats(f, below) for f in files)


def _local_stats(file: Path, below: str | Path) -> tuple[str, int, str]:
    # A link that leads nowhere counts as itself: a reader that wants the file will say so.
    stat = file.stat() if file.exists() else file.lstat()
    return os.path.relpath(file, below), stat.st_size, str(stat.st_mtime_ns)


def _remote_stats(file: Any) -> tuple[str, int, str]:
    info = file.fs.info(file.path)
    return str(file), info["size"], _version(info)


def _version(info: dict[str, Any]) -> str:
    """What a remote file system says of a file's version; the first of the names that are in use."""
    return str(next((info[key] for key in ("ETag", "etag", "mtime", "created") if key in info), ""))


def local_copy(location: str | Path) -> Path:
    """A folder that can be read as files: itself, or a remote folder's copy in the cache.

    The copy is made once for each state of the remote folder. ``BIOLLM_CACHE`` names another place than
    ``~/.cache/biollm``.
    """
    if not is_remote(location):
        return Path(location)
    place = as_place(location)
    state = hashlib.sha256(repr((str(place), tree_stats(location))).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("BIOLLM_CACHE", Path.home() / ".cache" / "biollm"))
    copy = cache / f"{place.name}-{state}"
    if not copy.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=cache))
        place.fs.get(place.path, str(making / "copy"), recursive=True)
        _move(making / "copy", copy)
        shutil.rmtree(making)
    return copy


def _move(source: Path, target: Path) -> None:
    """Move a folder into place unless another process was quicker."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def local_file(file: Any) -> Path:
    """A file that can be opened: itself, or a copy of a remote one; the last few are kept."""
    if not is_remote(file):
        return file
    state = _remote_stats(file)
    if state not in _fetched:
        while len(_fetched) >= KEPT:
            _fetched.pop(next(iter(_fetched))).unlink(missing_ok=True)
        copy = Path(_folder().name, f"{next(_numbers)}-{file.name}")
        file.fs.get_file(file.path, str(copy))
        _fetched[state] = copy
    return _fetched[state]


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="biollm-")


def remove_folder(place: Any) -> None:
    """Delete a folder with all that is in it."""
    if is_remote(place):
        place.fs.rm(place.path, recursive=True)
    else:
        shutil.rmtree(place)


@contextmanager
def working_folder(location: str | Path) -> Iterator[Path]:
    """A local folder to write files in that end up at a location: itself, or one that is uploaded."""
    if not is_remote(location):
        yield Path(location)
        return
    place = as_place(location)
    with tempfile.TemporaryDirectory() as here:
        yield Path(here)
        for file in sorted(path for path in Path(here).rglob("*") if path.is_file()):
            target = f"{place.path}/{file.relative_to(here).as_posix()}"
            place.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            place.fs.put_file(str(file), target)
