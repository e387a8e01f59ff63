"""AMIGOS, spoiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from written import amigos

from spoiled.case import cases_of, cut, empty, folder_instead, nothing, two_gigabytes

FILE = "Data_Preprocessed_P01/Data_Preprocessed_P01.mat"
case = cases_of("amigos", amigos, FILE)


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    content = amigos.variables(1)
    how(content)
    amigos.save(path.parents[1], "P01", content)


def cell(name: str, value: object) -> Callable[[Path], None]:
    """Another first cell of a variable."""
    return lambda path: change(path, lambda content: content[name].__setitem__((0, 0), value))


CASES = {
    "empty": case(empty, r"P01\.mat: is no MATLAB file.*0 bytes"),
    "truncated": case(cut, r"P01\.mat: is cut off"),
    "text": case(lambda p: p.write_text("x" * 500), r"P01\.mat: is no MATLAB file"),
    "2 GB in the header": case(two_gigabytes, r"P01\.mat: is cut off.*claims 2000000000 bytes"),
    "no labels": case(
        lambda p: change(p, lambda c: c.pop("labels_selfassessment")),
        r"P01\.mat: has no variables \['labels_selfassessment'\]",
    ),
    "channels x samples": case(
        cell("joined_data", np.zeros((17, 4480))), r"P01\.mat: joined_data of video .* has shape \(17, 4480\)"
    ),
    "an unknown video": case(cell("VideoIDs", "999"), r"P01\.mat: VideoIDs holds \['999'\]"),
    "a video twice": case(
        lambda p: change(p, lambda c: c["VideoIDs"].__setitem__((0, 1), c["VideoIDs"][0, 0])),
        r"P01\.mat: VideoIDs holds \['\d+'\] more than once",
    ),
    "an unknown annotation": case(
        nothing, "annotation is 'ours'; allowed are", '--reader_options {"annotation":"ours"}'
    ),
    "only directories": case(
        lambda p: (folder_instead(p), folder_instead(Path(str(p).replace("P01", "P08")))),
        "'amigos'.*holds no",
    ),
}
