"""Pickled NumPy arrays without the code that a pickle may run."""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["load_arrays"]

DTYPE = re.compile(r"[<>=|]?([?biufcSUO]\d*|bool)")
"""Booleans, numbers, text and objects; not the structured types, whose fields a pickle could misplace."""


def load_arrays(path: str | Path) -> Any:
    """What a pickle of arrays, numbers, text, lists and dicts holds; Python 2 text is read as Latin-1.

    A pickle is a program: `pickle.load` calls whatever function the file names. Here the file can name
    only what NumPy needs to build arrays; see "Restricting Globals" in Python's documentation of pickle.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file names anything but NumPy's array types (nothing of it is run), or is empty, cut off
        or no pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; allowed is a file of pickled NumPy arrays.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty; copy the file again.")
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(file, path).load()
        except Refused:
            raise
        # What pickle and NumPy raise on bytes that are no pickle, or the half of one.
        except (
            pickle.UnpicklingError,
            EOFError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            MemoryError,
            OverflowError,
        ) as error:
            raise ValueError(
                f"{path}: is damaged, or no pickle of NumPy arrays: {error}. Copy the file again."
            ) from error


class Refused(ValueError):
    """The pickle names something that is no array type."""


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedIOBase, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        known = (NAMES.get(module, module), name)
        if known not in ALLOWED:
            raise Refused(
                f"{self.path}: names {module}.{name}; allowed are only NumPy's array types "
                f"{sorted({name for _, name in ALLOWED})}, since a pickle may run what it names. Do not open "
                "this file otherwise; fetch it again from the data set's own site."
            )
        return ALLOWED[known]


def _reconstruct(kind: type, shape: tuple, code: bytes) -> np.ndarray:
    """An array that its state fills later, as NumPy itself writes it: a claim of size is refused here."""
    if kind is not np.ndarray or shape != (0,):
        raise ValueError(f"an array starts as {kind} of shape {shape}; allowed is an empty numpy.ndarray")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _dtype(code: str, *options: bool) -> np.dtype:
    if not isinstance(code, str) or not DTYPE.fullmatch(code):
        raise ValueError(f"a dtype is {code!r}; allowed are those of numbers, text and objects")
    # A copy, since its byte order is set later: NumPy's own dtype must not change.
    return np.dtype(code, False, True)


def _scalar(dtype: np.dtype, content: Any) -> Any:
    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, dtype)[0]


def _frombuffer(content: Any, dtype: np.dtype, shape: tuple[int, ...], order: Any) -> np.ndarray:
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy(order)


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for protocols that have none."""
    if encoding != "latin1":
        raise ValueError(f"bytes are encoded as {encoding!r}; allowed is 'latin1'")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Empty bytes; `bytes` itself would take a length."""
    return b""


NAMES = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    "__builtin__": "builtins",
}
"""NumPy 2 has renamed numpy.core, and Python 3 its built-ins; files name those of their writer."""

ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
}
