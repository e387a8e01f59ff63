"""MATLAB files up to version 7, with errors that name the file and what is wrong with it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["read_mat"]

HEADER_BYTES = 128
TAG_BYTES = 8
HDF5 = b"\x89HDF"


def read_mat(path: str | Path, needed: Sequence[str] = (), others: bool = True) -> dict[str, Any]:
    """The variables of a ``.mat`` file as `scipy.io.loadmat` gives them.

    Parameters
    ----------
    path : str or Path
    needed : sequence of str
        Variables that the file must hold.
    others : bool
        Whether the file's other variables are read too; what is not read takes no time.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, cut off, of version 7.3 or no MATLAB file, or lacks a variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; allowed is a .mat file.")
    _check_elements(path)
    try:
        found = loadmat(path, variable_names=None if others else list(needed))
    # What scipy raises on bytes that are no MATLAB data: it has no error of its own for most of them.
    except (
        MatReadError,
        NotImplementedError,
        ValueError,
        TypeError,
        KeyError,
        OSError,
        MemoryError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path}: is damaged, or no MATLAB file: {error}. Copy the file again.") from error
    missing = [name for name in needed if name not in found]
    if missing:
        names = sorted(name for name in found if not name.startswith("__"))
        raise ValueError(
            f"{path}: has no variables {missing}; it holds {names}. Give the data set's own files."
        )
    return found


def _check_elements(path: Path) -> None:
    """Refuse a file whose elements claim more bytes than it has, before memory is asked for."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        if header.startswith(HDF5) or b"MATLAB 7.3" in header:
            raise ValueError(
                f"{path}: is of MATLAB version 7.3 (HDF5); save it again with the option '-v7', which all "
                "data sets read here are published in."
            )
        if len(header) < HEADER_BYTES or header[126:128] not in (b"IM", b"MI"):
            raise ValueError(
                f"{path}: is no MATLAB file of version 5 to 7; it has {size} bytes. Copy the file again."
            )
        order = "<" if header[126:128] == b"IM" else ">"
        place = HEADER_BYTES
        while place + TAG_BYTES <= size:
            file.seek(place)
            claimed = struct.unpack(f"{order}II", file.read(TAG_BYTES))[1]
            if place + TAG_BYTES + claimed > size:
                raise ValueError(
                    f"{path}: is cut off: the element at byte {place} claims {claimed} bytes, and the file "
                    f"ends after {size - place - TAG_BYTES}. Copy the file again."
                )
            place += TAG_BYTES + claimed
