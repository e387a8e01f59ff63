"""Said values against measured ones: how far off, how often right, and where an answer contradicts itself.

Claims are a table with one row a quantity that an answer was asked for or gave:

- ``quantity``, ``segment``, ``subject``: which, of what;
- ``expected``: whether a right answer gives it;
- ``measured``: as an answer writes it, with the quantity's decimals; NaN where it is undefined;
- ``said``: the answer's number, NaN where it gives none;
- ``level``, ``measured_level``: the level words, None where there is none;
- ``contradiction``: whether the level word does not fit the number by the range that the answer states, or
  by the reference range where it states none; None where there are not both;
- ``range_right``: whether the stated range is the reference range; None where none is stated;
- ``token_low``, ``token_centre``, ``token_high``: what the level token says of the value, NaN without one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["RELATIVE", "claim_metrics", "correlation", "tolerance", "value_metrics"]

RELATIVE = 0.1
"""A number counts as right within this share of the measured one, and always within one written digit."""
ROUNDING = 1e-9


def tolerance(measured: np.ndarray, digits: int) -> np.ndarray:
    """How far a right number may lie from each measured one: a tenth of it, or one step of its last decimal.

    Near zero, a tenth of a value is less than what its decimals can tell apart.
    """
    return np.maximum(RELATIVE * np.abs(measured), 10.0**-digits) + ROUNDING


def value_metrics(claims: pd.DataFrame, digits: int, n_boot: int = 1000, seed: int = 0) -> dict[str, Any]:
    """How near said numbers come to measured ones.

    Parameters
    ----------
    claims : DataFrame
        Of one quantity, with ``subject``, ``measured``, ``said``.
    digits : int
        Decimals that are written.

    Returns
    -------
    dict
        ``n`` with a measured value; ``named``, the share of these with a number; ``mae`` of the named ones in
        the quantity's unit, ``mae_ci95`` by bootstrap over subjects; ``within``, the share of all that is
        right by `tolerance`, so that one without a number counts as wrong; ``correlation`` (Pearson) of the
        named ones. None where there is nothing to compute it from.
    """
    known = claims[claims["measured"].notna()]
    named = known[known["said"].notna()]
    measured, said = named["measured"].to_numpy(float), named["said"].to_numpy(float)
    errors = np.abs(said - measured)
    right = int((errors <= tolerance(measured, digits)).sum())
    return {
        "n": len(known),
        "named": _share(len(named), len(known)),
        "mae": float(errors.mean()) if len(errors) else None,
        "mae_ci95": _interval(errors, named["subject"].to_numpy(), n_boot, seed),
        "within": _share(right, len(known)),
        "correlation": correlation(measured, said),
    }


def claim_metrics(claims: pd.DataFrame) -> dict[str, Any]:
    """Where the answers about one quantity contradict themselves, their tokens, or what is known.

    Returns
    -------
    dict
        ``contradictions``, of the claims with number and level; ``level_right``, of the level words where the
        quantity was measured; ``range_right``, of the stated ranges; ``outside_token``, of the numbers whose
        token is known; ``invented``, of the claims for undefined quantities the number of those with a
        number. Shares are None where there is nothing to count.
    """
    said = claims[claims["said"].notna()]
    levels = claims[claims["level"].notna() & claims["measured_level"].notna()]
    of_token = said[said["token_low"].notna()]
    outside = (of_token["said"] < of_token["token_low"]) | (of_token["said"] > of_token["token_high"])
    return {
        "contradictions": _share_true(claims["contradiction"]),
        "level_right": _share(int((levels["level"] == levels["measured_level"]).sum()), len(levels)),
        "range_right": _share_true(claims["range_right"]),
        "outside_token": _share(int(outside.sum()), len(of_token)),
        "invented": int(said["measured"].isna().sum()),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _share_true(column: pd.Series) -> float | None:
    known = column.dropna()
    return _share(int(known.astype(bool).sum()), len(known))


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's; None where one of the two does not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    value = float(np.corrcoef(a, b)[0, 1])
    return value if math.isfinite(value) else None


def _interval(errors: np.ndarray, subjects: np.ndarray, n_boot: int, seed: int) -> list[float] | None:
    """95 % interval of the mean error by bootstrap over subjects; None with fewer than two."""
    names, of = np.unique(subjects.astype(str), return_inverse=True)
    if len(names) < 2:
        return None
    sums, counts = np.bincount(of, errors), np.bincount(of)
    drawn = np.random.default_rng(seed).integers(len(names), size=(n_boot, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [float(end) for end in np.percentile(means, (2.5, 97.5))]
