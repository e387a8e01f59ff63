"""A stage reads one folder and writes one: atomically, and never from a stale cache.

On this machine the output is made beside its place and moved there when it is whole. At a URL nothing can be
moved at once: there the output is whole when its stamp says so, which is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_builders.places import STAMP, as_place, is_remote, write_whole

__all__ = [
    "close_stage",
    "content_hash",
    "file_stats",
    "folder_hash",
    "locked",
    "open_stage",
    "read_stamp",
    "run_stage",
]

UNFINISHED = " (unfinished)"


def content_hash(value: Any) -> str:
    """Sixteen hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_hash(folder: str | Path) -> str:
    """Hash of the names and bytes of all files under a folder but hidden ones."""
    digest = hashlib.sha256()
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file() and not p.name.startswith(".")):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def file_stats(folder: str | Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of the files in a folder: what tells that one has changed."""
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def read_stamp(folder: str | Path, stage: str) -> dict:
    """The stamp of a finished stage: its name, key and inputs.

    Raises
    ------
    FileNotFoundError
        If the folder is not the finished output of `stage`; the message says what makes it.
    """
    path = as_place(folder) / STAMP
    stamp = json.loads(path.read_text()) if path.is_file() else {}
    if stamp.get("stage") != stage:
        found = f"the output of 'biollm {stamp['stage']}'" if stamp else "no finished stage"
        raise FileNotFoundError(f"{folder}: expected the output of 'biollm {stage}', found {found}.")
    return stamp


def open_stage(stage: str, folder: str | Path, inputs: dict) -> Path | None:
    """The partial folder to work in, or None where the output for these inputs is there already.

    A partial folder of the same inputs is handed out again, so that long work can resume.

    Raises
    ------
    FileNotFoundError
        If the folder, or the partial one beside it, holds files that no stage wrote.
    """
    key = content_hash({"stage": stage, **inputs})
    unfinished = {"stage": stage + UNFINISHED, "key": key, "inputs": inputs}
    if is_remote(folder):
        return _open_remote(stage, as_place(folder), unfinished)
    folder = _followed(folder)
    partial = folder.with_name(folder.name + ".partial")
    _finish_the_move(stage, partial, folder)
    if _finished_key(stage, folder) == key:
        return None
    if _is_filled(partial):
        _check_ours(partial)
        if json.loads((partial / STAMP).read_text())["key"] == key:
            return partial
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    _write_stamp(partial, unfinished)
    return partial


def _finish_the_move(stage: str, partial: Path, folder: Path) -> None:
    """What a kill has left between an earlier output and the one that takes its place."""
    aside = _aside(folder)
    if not aside.exists():
        return
    _check_ours(aside)
    if folder.exists():
        shutil.rmtree(aside)
    elif (partial / STAMP).is_file() and json.loads((partial / STAMP).read_text())["stage"] == stage:
        _move_into_place(partial, folder)
    else:
        aside.rename(folder)


def _open_remote(stage: str, folder: Any, unfinished: dict) -> Any | None:
    """The folder itself; what an earlier run for other inputs has left there is deleted."""
    if _is_filled(folder):
        stamp = json.loads((folder / STAMP).read_text()) if (folder / STAMP).is_file() else {"stage": ""}
        if stamp["stage"] not in (stage, stage + UNFINISHED):
            read_stamp(folder, stage)
        if stamp["key"] == unfinished["key"]:
            return None if stamp["stage"] == stage else folder
        folder.fs.rm(folder.path, recursive=True)
    folder.mkdir(parents=True, exist_ok=True)
    _write_stamp(folder, unfinished)
    return folder


def _is_filled(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _finished_key(stage: str, folder: Path) -> str | None:
    """Key of the stage's earlier output; None for an empty or missing folder."""
    return read_stamp(folder, stage)["key"] if _is_filled(folder) else None


def _check_ours(folder: Path) -> None:
    """Refuse a folder beside the output that somebody else has filled."""
    if _is_filled(folder) and not (folder / STAMP).is_file():
        raise FileNotFoundError(
            f"{folder}: is needed for unfinished work, but holds files that no stage of biollm wrote. "
            "Move it away or choose another output."
        )


def _write_stamp(folder: Path, stamp: dict) -> None:
    """Write the stamp whole or not at all."""
    write_whole(folder / STAMP, json.dumps(stamp, indent=1, default=str))


def close_stage(stage: str, partial: Path, folder: str | Path) -> None:
    """Stamp a partial folder as finished and move it into place, over an earlier output.

    Raises
    ------
    FileNotFoundError
        If the folder has got other files since the stage was opened; the work stays in `partial`.
    """
    stamp = json.loads((partial / STAMP).read_text())
    if is_remote(folder):
        _write_stamp(partial, stamp | {"stage": stage})
        return
    folder = _followed(folder)
    _finished_key(stage, folder)
    _write_stamp(partial, stamp | {"stage": stage})
    _move_into_place(partial, folder)


def _move_into_place(partial: Path, folder: Path) -> None:
    """Put an earlier output aside before, and delete it after: a kill leaves one of the two whole."""
    aside = _aside(folder)
    _check_ours(aside)
    if folder.exists():
        folder.rename(aside)
    partial.rename(folder)
    if aside.exists():
        shutil.rmtree(aside)


def _followed(folder: str | Path) -> Path:
    """Where a link leads, on another disk perhaps: what is moved into place has to be made there."""
    folder = Path(folder)
    return folder.resolve() if folder.is_symlink() or not folder.name else folder


def _aside(folder: Path) -> Path:
    return folder.with_name(folder.name + ".replaced")


def run_stage(stage: str, folder: str | Path, inputs: dict, work: Callable[[Path], None]) -> Path:
    """Run `work` on a partial folder and move it into place when it is whole.

    Parameters
    ----------
    stage : str
        Name of the subcommand.
    folder : path
        The output; replaced only if it is an earlier output of the same stage.
    inputs : dict
        Every parameter and the hashes of all that is read; JSON values.
    work : callable
        Gets the partial folder; not called where the output for `inputs` is there already.
    """
    with locked(folder):
        partial = open_stage(stage, folder, inputs)
        if partial is not None:
            work(partial)
            close_stage(stage, partial, folder)
    return as_place(folder)


@contextmanager
def locked(folder: str | Path, locks: bool = True) -> Iterator[None]:
    """One process at a time works on a folder: another waits, and says so.

    The lock of one that dies is free. At a URL, and where nothing can be written, nothing is locked.

    Parameters
    ----------
    locks : bool
        Whether this process does; of several that work together one.
    """
    from filelock import FileLock, Timeout

    place = None if is_remote(folder) or not locks else _followed(folder).absolute()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
    if place is None or not os.access(place.parent, os.W_OK):
        yield
        return
    file = place.with_name(place.name + ".lock")
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{folder}: another process works on it; waiting for its end.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        lock.release()
