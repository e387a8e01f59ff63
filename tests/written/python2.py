"""Pickles as Python 2 and its NumPy wrote them, which no Python 3 writes any more."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import numpy as np


def dumps(value: Any) -> bytes:
    """Protocol 2 with byte strings: dicts, text, numbers and arrays of numbers."""
    return pickle.PROTO + b"\x02" + _item(value) + pickle.STOP


def _item(value: Any) -> bytes:
    if isinstance(value, dict):
        items = b"".join(_item(key) + _item(content) for key, content in value.items())
        return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, str | bytes):
        content = value.encode("latin1") if isinstance(value, str) else value
        return pickle.BINSTRING + struct.pack("<i", len(content)) + content
    return pickle.BININT + struct.pack("<i", value)


def _array(array: np.ndarray) -> bytes:
    order = "|" if array.dtype.itemsize == 1 else "<"
    empty = _call(
        "numpy.core.multiarray", "_reconstruct", _name("numpy", "ndarray"), _tuple(_item(0)), _item("b")
    )
    dtype = _call("numpy", "dtype", _item(array.dtype.str[1:]), _item(0), _item(1))
    state = _tuple(_item(3), _item(order), *[pickle.NONE] * 3, _item(-1), _item(-1), _item(0))
    shape = _tuple(*[_item(length) for length in array.shape])
    content = _tuple(_item(1), shape, dtype + state + pickle.BUILD, pickle.NEWFALSE, _item(array.tobytes()))
    return empty + content + pickle.BUILD


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _call(module: str, name: str, *arguments: bytes) -> bytes:
    return _name(module, name) + _tuple(*arguments) + pickle.REDUCE
