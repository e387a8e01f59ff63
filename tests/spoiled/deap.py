"""DEAP, spoiled; a whole file has 100 MB, so that most cases are written without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat
from written.python2 import dumps

from spoiled.case import Case, cut, trapped, two_gigabytes

SMALL = {"data": np.zeros((2, 40, 10)), "labels": np.zeros((2, 4))}


def case(spoil: Callable[[Path], object], said: str, name: str = "s02.dat") -> Case:
    return Case(lambda root: spoil(root / name), said, "deap")


def pickled(path: Path, content: object) -> None:
    path.write_bytes(dumps(content))


def half(path: Path) -> None:
    pickled(path, SMALL)
    cut(path)


def without_ratings(path: Path) -> None:
    """int8, which is as good as any number and an eighth of the size."""
    labels = np.full((40, 4), np.nan)
    pickled(path, {"data": np.zeros((40, 40, 8064), np.int8), "labels": labels})


CASES = {
    "empty": case(lambda p: p.touch(), r"s02\.dat: is empty"),
    "truncated": case(half, r"s02\.dat: is damaged"),
    "text": case(lambda p: p.write_text("video,channel\n"), r"s02\.dat: is damaged"),
    "a malicious pickle": case(lambda p: trapped(p, p.parent), r"s02\.dat: .*mkdir"),
    "wrong shape": case(lambda p: pickled(p, SMALL), r"s02\.dat: data is an array of shape \(2, 40, 10\)"),
    "no labels": case(lambda p: pickled(p, {"data": SMALL["data"]}), r"s02\.dat: holds a dict of \['data'\]"),
    "ratings that are NaN": case(without_ratings, r"s02\.dat: labels hold values that are no finite numbers"),
    "only a directory": case(lambda p: p.mkdir(), "'deap'.*holds no"),
    "a MATLAB file of 2 GB by its header": case(
        two_gigabytes, r"s02\.mat: is cut off.*claims 2000000000 bytes", "s02.mat"
    ),
    "a MATLAB file of something else": case(
        lambda p: savemat(p, {"x": [1.0]}), r"s02\.mat: holds a dict of .*'x'", "s02.mat"
    ),
}
