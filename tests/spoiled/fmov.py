"""FMOV, spoiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from written import fmov

from spoiled.case import cases_of, empty, folder_instead, nothing

case = cases_of("fmov", fmov, "09_FMOV_preprocessed.txt")


def table(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    fmov.write_table(path.parent, change(fmov.events_table()))


def flat_waves(values: np.ndarray) -> np.ndarray:
    values[:, 5:] = 0
    return values


CASES = {
    "too few columns": case(
        lambda p: table(p, lambda t: t[:, :7]), r"09_FMOV_\w+\.txt: has 7 columns.*wave neutral"
    ),
    "too many columns": case(
        lambda p: table(p, lambda t: t[:, [*range(8), 0, 0]]), r"09_FMOV_\w+\.txt: has 10 columns"
    ),
    "wrong order of columns": case(
        lambda p: table(p, lambda t: t[:, [5, 6, 7, 0, 1, 2, 3, 4]]),
        r"09_FMOV_\w+\.txt: reference wave angry.*0 and 5",
    ),
    "text among numbers": case(
        lambda p: p.write_text(p.read_text().replace("\t0\t", "\toff\t", 1)),
        r"09_FMOV_\w+\.txt: .*column \d .*row 1",
    ),
    "empty": case(empty, r"09_FMOV_\w+\.txt: is not a table"),
    "truncated in a row": case(lambda p: p.write_text(p.read_text()[:-30]), r"09_FMOV_\w+\.txt: .*row 3000"),
    "binary": case(lambda p: p.write_bytes(bytes(range(256)) * 9), r"09_FMOV_\w+\.txt: is not a table"),
    "NaN only": case(lambda p: table(p, lambda t: t * np.nan), r"09_FMOV_\w+\.txt: .*no number: column 1 "),
    "no events": case(lambda p: table(p, flat_waves), r"09_FMOV_\w+\.txt: .*0 labelled blocks"),
    "a directory as a file": case(folder_instead, "'fmov'.*holds no"),
    "a window around events": case(nothing, "window is 3.0 s; allowed for 'fmov' is 8.0 s", "--window 3"),
    "a step beyond half of an event": case(nothing, "step is 5.0 s; allowed around events", "--step 5"),
}
