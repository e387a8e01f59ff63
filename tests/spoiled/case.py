"""A case of bad input, and what several readers' files are spoiled with."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT, OUT, OWNED = "data", "store", "owned"
"""Below the folder that a case works in: the data, the output, and what no case may ever make."""


@dataclass(frozen=True)
class Case:
    """What is done to the folder ROOT, the command's flags, and a pattern that the message must match.

    The flags may name the working folder as {here}. Without a data set they are the whole command line
    but ``--out``.
    """

    spoil: Callable[[Path], object]
    said: str
    dataset: str = ""
    flags: str = ""
    command: str = "prepare"


def cases_of(dataset: str, written: ModuleType, file: str = "") -> Callable[..., Case]:
    """A function that makes cases of a data set: its `written` files, then spoiled.

    The spoiling function gets ROOT, or `file` in it.
    """

    def case(spoil: Callable[[Path], object], said: str, flags: str = "") -> Case:
        def spoiled(root: Path) -> None:
            written.write(root)
            spoil(root / file if file else root)

        return Case(spoiled, said, dataset, flags)

    return case


def nothing(path: Path) -> None:
    """Leave the data as they are."""


def cut(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


class Trap:
    """Makes the folder OWNED when it is unpickled."""

    def __init__(self, root: Path) -> None:
        self.folder = str(root.parent / OWNED)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.folder,)


def trapped(path: Path, root: Path) -> None:
    path.write_bytes(pickle.dumps({"data": Trap(root), "labels": 0, "signal": 0, "label": 0}, protocol=2))


def two_gigabytes(path: Path) -> None:
    """A MATLAB file whose first element claims more than the file holds."""
    from scipy.io import savemat

    savemat(path, {"x": [1.0, 2.0]})
    content = bytearray(path.read_bytes())
    content[132:136] = struct.pack("<I", 2_000_000_000)
    path.write_bytes(content)
