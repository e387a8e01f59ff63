"""DREAMER, spoiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from written import dreamer

from spoiled.case import cases_of, cut, empty, folder_instead, two_gigabytes

case = cases_of("dreamer", dreamer, "DREAMER.mat")


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    content = dreamer.content()
    how(content)
    dreamer.save(path.parent, content)


def first_clip(content: dict[str, Any], clip: np.ndarray) -> None:
    content["Data"][0, 0]["EEG"]["stimuli"][0, 0] = clip


CASES = {
    "empty": case(empty, r"DREAMER\.mat: is no MATLAB file.*0 bytes"),
    "truncated": case(cut, r"DREAMER\.mat: is cut off"),
    "2 GB in the header": case(two_gigabytes, r"DREAMER\.mat: is cut off.*claims 2000000000 bytes"),
    "a directory as a file": case(folder_instead, "'dreamer'.*holds no"),
    "wrong order of electrodes": case(
        lambda p: change(p, lambda c: c.update(EEG_Electrodes=c["EEG_Electrodes"][:, ::-1])),
        r"DREAMER\.mat: EEG_Electrodes are \['AF4', 'F8'.*in this order",
    ),
    "another rate": case(
        lambda p: change(p, lambda c: c.update(EEG_SamplingRate=256)),
        r"DREAMER\.mat: .*\(256\.0, 256\.0\) Hz",
    ),
    "channels x samples": case(
        lambda p: change(p, lambda c: first_clip(c, np.zeros((14, 1536)))),
        r"DREAMER\.mat: .*S01.*stimuli of eeg, clip 1, has shape \(14, 1536\)",
    ),
    "no signals of a person": case(
        lambda p: change(p, lambda c: c.pop("Data")), r"DREAMER\.mat: .*lacks \['Data'\]"
    ),
}
