"""Signals in arrays: ``.npy`` and ``.npz``, MATLAB's ``.mat`` of both kinds, and HDF5."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_builders.manifests.signal_file import (
    Channel,
    DamageNamed,
    SignalFile,
    check_claim,
    package_missing,
)

__all__ = ["LAYOUTS", "array_shapes", "open_hdf5", "open_mat", "open_npy", "open_npz"]

LAYOUTS = ("channels_first", "samples_first")
"""Of an array's last two axes: (n_channels, n_samples) or (n_samples, n_channels)."""

MATLAB_7_3 = b"MATLAB 7.3"
MATLAB_NUMBERS = (
    *("double", "single", "logical"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


class Variable(NamedTuple):
    """An array in a file: its shape, whether it holds numbers, and a way to read ``[index]`` of it."""

    shape: tuple[int, ...]
    numeric: bool
    read: Callable[[int | None], np.ndarray]


def open_npy(path: Path, key: str = "", index: int | None = None, layout: str = LAYOUTS[0]) -> SignalFile:
    """One array, memory-mapped: of (n, channels, samples) only the item ``index`` is ever read."""
    return _signal_file(path, _npy(path), "", index, layout)


def open_npz(path: Path, key: str = "", index: int | None = None, layout: str = LAYOUTS[0]) -> SignalFile:
    """The array `key` of an archive, or its only one; an array is read whole, the last two are kept."""
    return _signal_file(path, _npz(path), key, index, layout)


def open_mat(path: Path, key: str = "", index: int | None = None, layout: str = LAYOUTS[0]) -> SignalFile:
    """The variable `key` of a MATLAB file, or its only one; v7.3 needs h5py."""
    return _signal_file(path, _mat(path), key, index, layout)


def open_hdf5(path: Path, key: str = "", index: int | None = None, layout: str = LAYOUTS[0]) -> SignalFile:
    """The data set `key` (``"group/name"``) of an HDF5 file, or its only one; needs h5py."""
    return _signal_file(path, _hdf5(path), key, index, layout)


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the numeric arrays of two or three axes that a file holds, by key; headers only."""
    found = VARIABLES[path.suffix.lower()](path)
    return {name: v.shape for name, v in found.items() if v.numeric and len(v.shape) in (2, 3)}


def _signal_file(
    path: Path, variables: Mapping[str, Variable], key: str, index: int | None, layout: str
) -> SignalFile:
    """
    Raises
    ------
    ValueError
        If the key, the index or the array's shape does not fit; the message lists what the file holds.
    """
    variable = _chosen(path, variables, key)
    shape = _shape_of_item(path, variable.shape, index)
    if layout == "samples_first" and len(shape) == 2:
        shape = shape[::-1]
    n_channels, n_samples = shape if len(shape) == 2 else (1, *shape)
    if n_channels > n_samples:
        other = LAYOUTS[1 - LAYOUTS.index(layout)]
        raise ValueError(
            f"{path}: has shape {variable.shape}, which read {layout} are {n_channels} channels of "
            f"{n_samples} samples; allowed are more samples than channels. Set the option layout to "
            f"{other!r}, or transpose the array."
        )

    def read(positions: Sequence[int]) -> np.ndarray:
        with DamageNamed(path, "an array"):
            data = np.atleast_2d(variable.read(index))
        return (data.T if layout == "samples_first" and len(shape) == 2 else data)[list(positions)]

    return SignalFile((Channel("", n_samples),) * n_channels, read)


def _chosen(path: Path, variables: Mapping[str, Variable], key: str) -> Variable:
    numeric = {name: v for name, v in variables.items() if v.numeric and v.shape and math.prod(v.shape) != 1}
    held = ", ".join(f"{name!r} {v.shape}" for name, v in numeric.items()) or "none"
    if key in numeric:
        return numeric[key]
    if key:
        raise ValueError(f"{path}: column 'key' is {key!r}; allowed are its numeric arrays: {held}.")
    if len(numeric) != 1:
        raise ValueError(
            f"{path}: holds {len(numeric)} numeric arrays ({held}); allowed is one, or the column 'key' "
            "with the name of one."
        )
    return next(iter(numeric.values()))


def _shape_of_item(path: Path, shape: tuple[int, ...], index: int | None) -> tuple[int, ...]:
    """Shape of ``array[index]``, or of the whole array without an index: (n_samples,) or two axes."""
    allowed = "(n_channels, n_samples), (n_samples,), or with an index (n, n_channels, n_samples)"
    if index is not None:
        if len(shape) not in (2, 3):
            raise ValueError(f"{path}: has shape {shape} and index {index}; allowed is {allowed}.")
        if index >= shape[0]:
            raise ValueError(
                f"{path}: column 'index' is {index}; allowed is 0 to {shape[0] - 1} for its shape {shape}."
            )
        shape = shape[1:]
    elif len(shape) not in (1, 2):
        raise ValueError(f"{path}: has shape {shape} and no index; allowed is {allowed}. Fill in 'index'.")
    if 0 in shape:
        raise ValueError(f"{path}: has shape {shape}; allowed is one sample or more. Export it again.")
    return shape


def _npy(path: Path) -> dict[str, Variable]:
    with DamageNamed(path, "a .npy array"), path.open("rb") as file:
        shape, dtype = _npy_header(file)
        offset = file.tell()
    _no_objects(path, dtype)
    check_claim(path, "its header", math.prod(shape) * dtype.itemsize, path.stat().st_size - offset)

    def read(index: int | None) -> np.ndarray:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        return np.array(array if index is None else array[index])

    return {path.stem: Variable(shape, dtype.kind in "biuf", read)}


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    reads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in reads:
        raise ValueError(f"its format has version {version}; known are {list(reads)}")
    shape, _, dtype = reads[version](file)
    return shape, dtype


def _no_objects(path: Path, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise ValueError(
            f"{path}: holds Python objects, and reading those (a pickle) can run code; allowed are numbers. "
            "Save the array with a numeric dtype."
        )


def _npz(path: Path) -> dict[str, Variable]:
    found = {}
    with DamageNamed(path, "a .npz archive"):
        archive = zipfile.ZipFile(path)
    with archive:
        for member in archive.infolist():
            with DamageNamed(path, "a .npz archive"), archive.open(member) as file:
                shape, dtype = _npy_header(file)
            _no_objects(path, dtype)
            name = member.filename.removesuffix(".npy")
            size = math.prod(shape) * dtype.itemsize
            check_claim(path, f"the header of {name!r}", size, member.file_size)
            check_claim(path, f"the header of {name!r}", size, member.compress_size, compressed=True)
            found[name] = Variable(shape, dtype.kind in "biuf", _item_of(_whole_npz, path, name))
    return found


def _item_of(whole: Callable[..., np.ndarray], path: Path, name: str) -> Callable[[int | None], np.ndarray]:
    def read(index: int | None) -> np.ndarray:
        array = whole(path, name, path.stat().st_mtime_ns)
        return array if index is None else array[index]

    return read


@lru_cache(maxsize=2)
def _whole_npz(path: Path, name: str, changed: int) -> np.ndarray:
    """`changed`, the time of the file's last change, keeps a stale array from being handed out."""
    with np.load(path, allow_pickle=False) as file:
        return file[name]


def _mat(path: Path) -> dict[str, Variable]:
    with path.open("rb") as file:
        if file.read(len(MATLAB_7_3)) == MATLAB_7_3:
            return _hdf5(path, reversed_axes=True)
    from scipy.io import whosmat

    with DamageNamed(path, "a MATLAB file"):
        listed = whosmat(str(path))
    found = {}
    for name, shape, kind in listed:
        numeric = kind in MATLAB_NUMBERS
        if numeric:
            # at least a byte a number, whatever the kind: scipy packs whole numbers into small types
            check_claim(path, f"variable {name!r}", math.prod(shape), path.stat().st_size, compressed=True)
        # MATLAB has no vectors: (1, n) and (n, 1) are what it makes of them
        flat = (max(shape),) if len(shape) == 2 and 1 in shape else tuple(shape)
        found[name] = Variable(flat, numeric, _item_of(_whole_mat, path, name))
    return found


@lru_cache(maxsize=2)
def _whole_mat(path: Path, name: str, changed: int) -> np.ndarray:
    from scipy.io import loadmat

    array = loadmat(str(path), variable_names=[name])[name]
    return array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array


def _hdf5(path: Path, reversed_axes: bool = False) -> dict[str, Variable]:
    """Data sets by their path in the file; MATLAB writes the axes in reverse order."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise package_missing(path, "h5py", "hdf5") from error
    held: dict[str, tuple[tuple[int, ...], Any, int, bool, bool]] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("#refs#"):
            kind = item.attrs.get("MATLAB_class", b"double").decode()
            numeric = item.dtype.kind in "biuf" and kind in MATLAB_NUMBERS
            packed = item.compression is not None
            held[name] = (item.shape or (), item.dtype, item.id.get_storage_size(), packed, numeric)

    with DamageNamed(path, "an HDF5 file"), h5py.File(path, "r") as file:
        file.visititems(add)
    found = {}
    for name, (shape, dtype, size, packed, numeric) in held.items():
        if numeric:
            check_claim(path, f"data set {name!r}", math.prod(shape) * dtype.itemsize, size, packed)
        if reversed_axes:
            shape = (max(shape),) if len(shape) == 2 and 1 in shape else shape[::-1]
        found[name] = Variable(shape, numeric, _item_of_hdf5(path, name, reversed_axes))
    return found


def _item_of_hdf5(path: Path, name: str, reversed_axes: bool) -> Callable[[int | None], np.ndarray]:
    def read(index: int | None) -> np.ndarray:
        import h5py

        with h5py.File(path, "r") as file:
            data = file[name]
            if not reversed_axes:
                return data[()] if index is None else data[index]
            array = (data[()] if index is None else data[..., index]).T
        return array.reshape(-1) if index is None and 1 in array.shape else array

    return read


VARIABLES = {
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".hdf": _hdf5,
}
