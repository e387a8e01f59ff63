"""The formats of signal files, by suffix."""

from __future__ import annotations

from collections.abc import Callable
from glob import escape
from pathlib import Path

from data_builders.manifests.array_files import LAYOUTS, open_hdf5, open_mat, open_npy, open_npz
from data_builders.manifests.clinical_files import open_brainvision, open_edf, open_fif, open_wfdb
from data_builders.manifests.signal_file import SignalFile
from data_builders.manifests.text_files import open_text
from data_builders.places import is_remote, local_file

__all__ = ["FORMATS", "open_signals", "with_companions"]

SEVERAL_FILES = (".hea", ".vhdr", ".fif")
"""Formats whose samples lie in further files, or may."""

FORMATS: dict[str, Callable[[Path, str, int | None, str], SignalFile]] = {
    ".csv": open_text,
    ".tsv": open_text,
    ".txt": open_text,
    ".npy": open_npy,
    ".npz": open_npz,
    ".mat": open_mat,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".hdf": open_hdf5,
    ".edf": open_edf,
    ".bdf": open_edf,
    ".fif": open_fif,
    ".vhdr": open_brainvision,
    ".hea": open_wfdb,
}
"""What opens a file: takes its path, key, index and layout."""


def open_signals(path: Path, key: str = "", index: int | None = None, layout: str = LAYOUTS[0]) -> SignalFile:
    """Open a signal file of any known format.

    Parameters
    ----------
    path : Path
        Or the place of a URL, of which a copy is fetched; each process keeps the last few.
    key : str
        Variable of a ``.npz``, ``.mat`` or HDF5 file; not needed where there is one.
    index : int, optional
        Item of an array of shape (n, n_channels, n_samples).
    layout : {"channels_first", "samples_first"}
        Of arrays.

    Raises
    ------
    ValueError
        If the file is missing, empty, of an unknown format, or damaged, or its format needs a package
        that is not installed; the message then has the command that installs it.
    """
    problem = path_problem(path)
    if problem:
        raise ValueError(problem)
    return FORMATS[path.suffix.lower()](local_file(path), key, index, layout)


def with_companions(path: Path) -> list[Path]:
    """A file, and those of the same name beside it that formats of several files keep their samples in."""
    if is_remote(path) or path.suffix.lower() not in SEVERAL_FILES:
        return [path]
    return sorted({path, *(file for file in path.parent.glob(f"{escape(path.stem)}*") if file.is_file())})


def path_problem(path: Path) -> str:
    """Why `path` cannot be a signal file, told without opening it, or an empty text."""
    if path.suffix.lower() not in FORMATS:
        return f"{path}: is of an unknown format; allowed are files {', '.join(FORMATS)}. Convert it."
    if path.is_dir():
        return f"{path}: is a folder; allowed is a file. Name the file in it."
    if not path.is_file():
        return f"{path}: there is no such file. Correct the path (relative to the table), or place it there."
    if path.stat().st_size == 0:
        return f"{path}: is empty (0 bytes); allowed is a file with signals. Copy it again."
    return ""
