"""Where electrodes sit, by their names: what a simulated EEG needs to look like one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

__all__ = ["electrode_positions", "strange_electrodes"]

EPOC = {
    name: (side * x, y)
    for names, x, y in (
        (("AF3", "AF4"), 0.3, 0.8),
        (("F7", "F8"), 0.8, 0.6),
        (("F3", "F4"), 0.4, 0.5),
        (("FC5", "FC6"), 0.7, 0.3),
        (("T7", "T8"), 1.0, 0.0),
        (("P7", "P8"), 0.8, -0.6),
        (("O1", "O2"), 0.3, -1.0),
    )
    for name, side in zip(names, (-1.0, 1.0), strict=True)
}
"""The default montage, rounded by hand; F7 and F8 lie further forward than the rule for a row has them."""

ROWS = {
    "FP": 0.95, "AF": 0.8, "F": 0.5, "FT": 0.3, "FC": 0.3, "T": 0.0, "C": 0.0,
    "TP": -0.3, "CP": -0.3, "P": -0.6, "PO": -0.8, "O": -1.0, "CB": -1.0,
}  # fmt: skip
COLUMNS = {"Z": 0.0, "1": 0.25, "3": 0.5, "5": 0.75, "7": 1.0}
"""Share of the way from the midline to the edge of the head; even numbers are on the right."""
AT_EDGE = {"FP1": 0.3, "FP2": 0.3, "O1": 0.3, "O2": 0.3, "CB1": 0.5, "CB2": 0.5}
"""Distance from the midline in the rows whose electrodes lie on the edge of the head itself."""
NAME = re.compile("({})(Z|[1-8])".format("|".join(sorted(ROWS, key=len, reverse=True))))


def electrode_positions(names: Sequence[str]) -> np.ndarray:
    """Places on a head of radius 1 seen from above, by the rows and columns of the 10-10 system.

    Parameters
    ----------
    names : sequence of str
        Of the 10-10 system, in capitals or not, with CB1 and CB2 of the SEED data sets' caps.

    Returns
    -------
    ndarray, shape (n_electrodes, 2)
        To the right (-1 to 1) and to the front (-1 to 1).

    Raises
    ------
    ValueError
        With all names that are no such place.

    References
    ----------
    Jurcak, Tsuzuki and Dan (2007), 10/20, 10/10, and 10/5 systems revisited, NeuroImage 34, 1600-1611.
    """
    if strange := strange_electrodes(names):
        raise ValueError(
            f"electrodes {strange} are no places of the 10-10 system; allowed are names such as F3 and Cz."
        )
    return np.array([_position(name.upper()) for name in names])


def strange_electrodes(names: Sequence[str]) -> list[str]:
    """Names that `electrode_positions` does not know."""
    return [name for name in names if not NAME.fullmatch(name.upper())]


def _position(name: str) -> tuple[float, float]:
    if name in EPOC:
        return EPOC[name]
    row, column = NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    y = ROWS[row]
    if column == "Z":
        return 0.0, y
    odd = int(column) % 2
    share = COLUMNS[column if odd else str(int(column) - 1)]
    x = AT_EDGE.get(name, share * np.sqrt(1 - y**2))
    return (-x if odd else x), y
