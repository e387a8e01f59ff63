"""The split inside an outer fold's training part, on which choices are made."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_builders.splits.split import Split

__all__ = ["inner_split"]

HELD = 0.25


def inner_split(table: pd.DataFrame, outer: Split) -> Split:
    """A fold whose test part is the outer fold's validation part.

    The outer fold's test subjects are in no part. A quarter of its training subjects, drawn by its number,
    take the place of the validation subjects.

    Parameters
    ----------
    table : DataFrame
        Of a segment store.
    outer : Split
        With subjects on one side only.

    Raises
    ------
    ValueError
        If the outer fold is not by subject, has no validation part, or too few subjects to train on.
    """
    parts = table["segment"].map(outer.parts)
    scored, rest = (sorted(table.loc[parts == p, "group"].unique()) for p in ("validation", "train"))
    if not outer.subject_disjoint or not scored or len(rest) < 2:
        raise ValueError(
            f"the fold {outer.fold} of {outer.protocol!r} has {len(rest)} training and {len(scored)} "
            "validation subjects; choosing on these needs 2 and 1 or more, on a split by subject."
        )
    drawn = np.random.default_rng(outer.fold).permutation(rest)
    held = max(1, round(HELD * len(rest)))
    part = dict.fromkeys(scored, "test") | dict.fromkeys(drawn[:held], "validation")
    part |= dict.fromkeys(drawn[held:], "train")
    kept = table[parts.notna() & table["group"].isin(part)]
    assigned = dict(zip(kept["segment"], kept["group"].map(part), strict=True))
    return Split(assigned, f"inside {outer.protocol}", outer.fold)
