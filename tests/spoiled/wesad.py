"""WESAD, spoiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from written import wesad

from spoiled.case import cases_of, cut, empty, folder_instead, nothing, trapped

case = cases_of("wesad", wesad, "S2/S2.pkl")


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    content = wesad.content("S2", 2)
    how(content)
    wesad.save(path.parents[1], "S2", content)


def chest(path: Path, **arrays: np.ndarray) -> None:
    change(path, lambda content: content["signal"]["chest"].update(arrays))


CASES = {
    "empty": case(empty, r"S2\.pkl: is empty"),
    "truncated": case(cut, r"S2\.pkl: is damaged"),
    "a malicious pickle": case(lambda p: trapped(p, p.parents[1]), r"S2\.pkl: .*mkdir"),
    "the malicious pickle skipped": case(
        lambda p: [trapped(p.parents[1] / f"{s}/{s}.pkl", p.parents[1]) for s in ("S2", "S10")],
        r"S2\.pkl: .*mkdir(?s:.*)S10\.pkl: .*mkdir",
        "--on_error skip",
    ),
    "no EDA": case(
        lambda p: change(p, lambda c: c["signal"]["chest"].pop("EDA")), r"S2\.pkl: .*lacks.*'EDA'"
    ),
    "channels x samples": case(
        lambda p: chest(p, ACC=np.zeros((3, 84350))), r"S2\.pkl: .*ACC has shape \(3, 84350\)"
    ),
    "mixed rates": case(lambda p: chest(p, ECG=np.zeros((7000, 1))), r"S2\.pkl: .*ECG lasts 10\.0 s"),
    "unknown label": case(
        lambda p: change(p, lambda c: c["label"].__setitem__(5, 9)), r"S2\.pkl: .*label holds \[9\]"
    ),
    "a directory as a file": case(
        lambda p: (folder_instead(p), folder_instead(p.parents[1] / "S10/S10.pkl")), "'wesad'.*holds no"
    ),
    "an unknown device": case(
        nothing, "device is 'ankle'; allowed are", '--reader_options {"device":"ankle"}'
    ),
}
