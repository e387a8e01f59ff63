"""A stage reads one folder and writes one: atomically, and never from a stale cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "close_stage",
    "content_hash",
    "file_stats",
    "folder_hash",
    "open_stage",
    "read_stamp",
    "run_stage",
]

STAMP = "stage.json"


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
    path = Path(folder) / STAMP
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
    folder, key = Path(folder), content_hash({"stage": stage, **inputs})
    if _finished_key(stage, folder) == key:
        return None
    partial = folder.with_name(folder.name + ".partial")
    if _is_filled(partial):
        if _partial_key(partial) == key:
            return partial
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    _write_stamp(partial, {"stage": stage + " (unfinished)", "key": key, "inputs": inputs})
    return partial


def _is_filled(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _finished_key(stage: str, folder: Path) -> str | None:
    """Key of the stage's earlier output; None for an empty or missing folder."""
    return read_stamp(folder, stage)["key"] if _is_filled(folder) else None


def _partial_key(partial: Path) -> str:
    if not (partial / STAMP).is_file():
        raise FileNotFoundError(
            f"{partial}: is needed for unfinished work, but holds files that no stage of biollm wrote. "
            "Move it away or choose another output."
        )
    return json.loads((partial / STAMP).read_text())["key"]


def _write_stamp(folder: Path, stamp: dict) -> None:
    """Write the stamp whole or not at all."""
    text = json.dumps(stamp, indent=1, default=str)
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.{STAMP}")
    beside.write_text(text)
    os.replace(beside, folder / STAMP)


def close_stage(stage: str, partial: Path, folder: str | Path) -> None:
    """Stamp a partial folder as finished and move it into place, over an earlier output.

    Raises
    ------
    FileNotFoundError
        If the folder has got other files since the stage was opened; the work stays in `partial`.
    """
    folder = Path(folder)
    _finished_key(stage, folder)
    stamp = json.loads((partial / STAMP).read_text())
    _write_stamp(partial, stamp | {"stage": stage})
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


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
    partial = open_stage(stage, folder, inputs)
    if partial is not None:
        work(partial)
        close_stage(stage, partial, folder)
    return Path(folder)
