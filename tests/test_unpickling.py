"""Pickles of arrays are read, and nothing that a pickle names is run."""

from __future__ import annotations

import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written.python2 import dumps

from data_builders.readers import DEAP, WESAD
from data_builders.readers._unpickling import load_arrays


def save(root: Path, content: bytes) -> Path:
    path = root / "s01.dat"
    path.write_bytes(content)
    return path


class Creates:
    """Pickled, it is a call that creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


ARRAYS = {
    "float64": np.linspace(-1, 1, 12).reshape(3, 4),
    "float32": np.ones((2, 0), np.float32),
    "int32": np.arange(5, dtype=np.int32),
    "bool": np.array([True, False]),
    "text": np.array(["a", "bc"]),
    "big endian": np.arange(3, dtype=">f8"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.float64(2.5),
    "objects": np.array([np.arange(2), "text", None], dtype=object),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", list(ARRAYS))
def test_arrays_of_every_protocol_are_as_pickle_reads_them(name: str, protocol: int, tmp_path: Path) -> None:
    content = {"key": ARRAYS[name], "more": [1, 2.5, "text", None, (True,)]}
    written = pickle.dumps(content, protocol)
    found, known = load_arrays(save(tmp_path, written)), pickle.loads(written)
    assert found["more"] == known["more"]
    assert found["key"].dtype == known["key"].dtype
    assert found["key"].shape == known["key"].shape
    if name == "objects":
        np.testing.assert_array_equal(found["key"][0], known["key"][0])
        assert list(found["key"][1:]) == ["text", None]
    else:
        np.testing.assert_array_equal(found["key"], ARRAYS[name])


def test_files_of_numpy_2_and_of_numpy_1_are_read(tmp_path: Path) -> None:
    content = pickle.dumps(np.arange(3.0), protocol=2)
    older = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert older != content
    for written in (content, older):
        np.testing.assert_array_equal(load_arrays(save(tmp_path, written)), [0, 1, 2])


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "i1"])
def test_python_2_pickles_are_read(dtype: str, tmp_path: Path) -> None:
    array = np.arange(-100, 100).reshape(10, 20).astype(dtype)  # bytes above 127, which ASCII has not
    path = save(tmp_path, dumps({"signal": {"chest": array}, "label": array[0], "subject": "S2"}))
    with path.open("rb") as file:
        known = pickle.load(file, encoding="latin1")  # that the bytes are such a pickle
    np.testing.assert_array_equal(known["signal"]["chest"], array)
    found = load_arrays(path)
    np.testing.assert_array_equal(found["signal"]["chest"], array)
    np.testing.assert_array_equal(found["label"], array[0])
    assert found["subject"] == "S2"
    assert found["label"].dtype == np.dtype(dtype)


def test_numpys_own_dtypes_stay_as_they_are(tmp_path: Path) -> None:
    load_arrays(save(tmp_path, pickle.dumps(np.arange(3, dtype=">f8"))))
    assert np.dtype("f8").isnative


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    made = tmp_path / "made"
    content = pickle.dumps({"data": np.zeros(3), "labels": Creates(made)}, protocol)
    path = save(tmp_path, content)
    with pytest.raises(ValueError, match=r"s01\.dat: names (posix|nt)\.mkdir; allowed are only NumPy's"):
        load_arrays(path)
    assert not made.exists()
    # The same bytes do create it where pickle itself reads them: the test could fail.
    pickle.load(io.BytesIO(content))
    assert made.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "eval"),
        ("os", "system"),
        ("subprocess", "Popen"),
        ("numpy", "load"),
        ("numpy", "core.multiarray.os"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy._core.multiarray", "frombuffer"),
        ("copyreg", "_reconstructor"),
        ("_codecs", "lookup"),
    ],
)
def test_other_names_are_refused_with_their_name(module: str, name: str, tmp_path: Path) -> None:
    content = pickle.PROTO + b"\x02" + pickle.GLOBAL + f"{module}\n{name}\n".encode() + pickle.STOP
    with pytest.raises(ValueError, match=rf"s01\.dat: names {module}\.{name}; allowed"):
        load_arrays(save(tmp_path, content))


def test_a_dotted_name_reaches_nothing_inside_the_allowed_ones(tmp_path: Path) -> None:
    """Protocol 4 looks "a.b" up as an attribute of an attribute."""
    text = b"".join(pickle.SHORT_BINUNICODE + bytes([len(t)]) + t for t in (b"numpy", b"ndarray.tofile"))
    content = pickle.PROTO + b"\x04" + text + pickle.STACK_GLOBAL + pickle.STOP
    with pytest.raises(ValueError, match=r"names numpy\.ndarray\.tofile"):
        load_arrays(save(tmp_path, content))


def call(module: str, name: str, arguments: bytes) -> bytes:
    called = pickle.GLOBAL + f"{module}\n{name}\n".encode() + pickle.MARK + arguments + pickle.TUPLE
    return pickle.PROTO + b"\x02" + called + pickle.REDUCE + pickle.STOP


NDARRAY = pickle.GLOBAL + b"numpy\nndarray\n"
HUGE = pickle.MARK + pickle.BININT + struct.pack("<i", 2**31 - 1) + pickle.TUPLE
WORD = pickle.SHORT_BINSTRING + b"\x01b"
WHOLE = dumps({"data": np.arange(1000.0)})
CLAIM = pickle.PROTO + b"\x02" + pickle.BINSTRING + struct.pack("<i", 2**31 - 1) + b"short"
LONG_CLAIM = pickle.PROTO + b"\x04" + pickle.BINBYTES8 + struct.pack("<Q", 2**31) + b"short"
BAD = {
    "empty": (b"", "is empty"),
    "cut off": (WHOLE[: len(WHOLE) // 2], "damaged"),
    "one byte short": (WHOLE[:-1], "damaged"),
    "text": (b"not a pickle at all", "damaged"),
    "2 GB string": (CLAIM, "damaged"),
    "2 GB bytes": (LONG_CLAIM, "damaged"),
    "2 GB array": (
        call("numpy.core.multiarray", "_reconstruct", NDARRAY + HUGE + WORD),
        r"shape \(2147483647,\); allowed is an empty",
    ),
    "array of bytes that are not there": (
        dumps({"a": np.arange(4.0)}).replace(b"\x04\0\0\0", b"\x05\0\0\0", 1),
        "",
    ),
    "structured dtype": (call("numpy", "dtype", pickle.SHORT_BINSTRING + b"\x03V16"), "dtype is 'V16'"),
    "other encoding": (
        call("_codecs", "encode", pickle.SHORT_BINSTRING + b"\x01a" + pickle.SHORT_BINSTRING + b"\x05rot13"),
        "encoded as 'rot13'",
    ),
    "bytes of a claimed length": (
        call("__builtin__", "bytes", pickle.BININT + struct.pack("<i", 2**31 - 1)),
        "damaged",
    ),
    "persistent id": (pickle.PROTO + b"\x02" + pickle.PERSID + b"1\n" + pickle.STOP, "damaged"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_pickles_give_one_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    with pytest.raises(ValueError, match=rf"s01\.dat: .*{message}"):
        load_arrays(save(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "s99.dat"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            load_arrays(path)


@pytest.mark.parametrize("reader", [DEAP, WESAD])
def test_the_readers_of_pickles_run_nothing(reader: Any, tmp_path: Path) -> None:
    path = tmp_path / ("s01.dat" if reader is DEAP else "S2.pkl")
    made = tmp_path / "made"
    path.write_bytes(pickle.dumps({"signal": Creates(made), "label": 0}, protocol=2))
    with pytest.raises(ValueError, match=rf"{path.name}: names"):
        list(reader(tmp_path))
    assert not made.exists()
