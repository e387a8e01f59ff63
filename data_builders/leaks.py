"""The check that nothing leaks between the parts of a split, whoever made it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from data_builders.duplicates import DuplicateSearch, SignalSource
from data_builders.segments import Segments
from data_builders.splits.overlap import overlapping
from data_builders.splits.split import PARTS, Split
from data_builders.splits.splitter import check_columns, joined
from data_builders.store import SegmentStore

__all__ = ["LeakError", "StimulusWarning", "check_leaks"]

TRIAL = ["group", "session", "trial"]
KEPT_APART = {
    "subject": {"subjects": ["subject"], "groups": ["group"], "trials": TRIAL},
    "stimulus": {"stimuli": ["dataset", "stimulus"]},
    "session": {"sessions": ["dataset", "subject", "session"]},
    "trial": {"trials": TRIAL},
    "moment": {},
}
"""Unit of a split -> what no two of its parts may share, and the columns that tell it."""


class LeakError(ValueError):
    """The parts of a split know each other."""


class StimulusWarning(UserWarning):
    """The label follows the stimulus, and the parts share stimuli."""


def check_leaks(
    table: pd.DataFrame,
    split: Split,
    segments: SignalSource | DuplicateSearch | None = None,
    fitted: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Fail if two parts of a split know more of each other than its unit allows.

    Shared subjects, groups, stimuli, sessions and trials, as the split's unit claims; and for every
    split windows that overlap in time, augmented segments outside of training or away from their
    sources, near-copies of signals in two parts (see `DuplicateSearch`), and whatever was fitted on
    other segments than the training part. A split that is marked leaky may share all that it likes, but
    not what is fitted on its test part.

    Parameters
    ----------
    table : DataFrame
        Segment table.
    split : Split
    segments : Segments, SegmentStore or DuplicateSearch, optional
        The signals of the table's rows, to look for near-copies; a store is read in chunks. For several
        splits of one store, give them one search.
    fitted : mapping, optional
        What has been fitted, by name -> the hash of the split that it was fitted on, or the ids of the
        segments.

    Raises
    ------
    LeakError
        With every leak found: what is shared, between which parts, and examples.

    Warns
    -----
    StimulusWarning
        If each stimulus has one label and the parts share stimuli: the signal may tell the stimulus.
    """
    check_columns(table)
    search = DuplicateSearch(segments) if isinstance(segments, Segments | SegmentStore) else segments
    part = table["segment"].map(split.parts)
    problems = [*_unknown_parts(part), *_fitted_elsewhere(split, fitted or {})]
    if not split.leaky:
        problems += [*_shared_ids(table, part, split.unit), *_overlaps(table, part), *_copies(table, split)]
        problems += [] if search is None else _duplicates(split, search)
    if problems:
        raise LeakError(
            f"the split '{split.protocol}' (fold {split.fold}) leaks:\n- " + "\n- ".join(problems)
        )
    if not split.leaky:
        _warn_of_stimuli(table, part)


def _unknown_parts(part: pd.Series) -> Iterator[str]:
    unknown = sorted(set(part.dropna()) - set(PARTS))
    if unknown:
        yield f"parts {unknown} are unknown; allowed are {list(PARTS)}"
    for name in ("train", "test"):
        if not (part == name).any():
            yield f"the {name} part is empty; is the split of another store?"


def _shared_ids(table: pd.DataFrame, part: pd.Series, unit: str) -> Iterator[str]:
    labelled = ~table["reference"].astype(bool)
    for one, other in combinations(PARTS, 2):
        told = set[str]()
        for what, columns in KEPT_APART[unit].items():
            # Baselines and rows without an id are of no trial; in time they are checked all the same.
            rows = (
                (table[columns[-1]] != "") & labelled
                if columns[-1] in ("trial", "stimulus")
                else labelled | True
            )
            ids = joined(table, columns)
            shared = sorted(set(ids[rows & (part == one)]) & set(ids[rows & (part == other)]))
            if what == "groups":  # who is in no other has a group of one's own, with one's own name
                shared = [name for name in shared if name not in told]
            told |= set(shared)
            if shared:
                names = ", ".join(name.replace("\x1f", "/") for name in shared[:3])
                yield f"{one} and {other} share {len(shared)} {what}: {names}"


def _overlaps(table: pd.DataFrame, part: pd.Series) -> Iterator[str]:
    for one, other in combinations(PARTS, 2):
        a, b = table[part == one], table[part == other]
        hit = overlapping(a, b)
        rows = np.flatnonzero(hit >= 0)
        if rows.size:
            names = zip(a["segment"].iloc[rows[:3]], b["segment"].iloc[hit[rows[:3]]], strict=True)
            pairs = ", ".join(f"{mine} with {theirs}" for mine, theirs in names)
            yield f"{one} and {other} hold {rows.size} windows that overlap in time: {pairs}"


def _copies(table: pd.DataFrame, split: Split) -> Iterator[str]:
    """Augmented segments, whose source may be a mixture, written ``a+b``."""
    copies = table.loc[table["source"] != "", ["segment", "source"]]
    part = copies["segment"].map(split.parts)
    held = copies["segment"][part.isin(["validation", "test"])].tolist()
    if held:
        yield f"{len(held)} augmented segments are not in the train part: {', '.join(held[:3])}"
    away = [
        f"{name} of {source} ({split.parts.get(source, 'left out')})"
        for name, sources in copies[part == "train"].itertuples(index=False)
        for source in sources.split("+")
        if split.parts.get(source) != "train"
    ]
    if away:
        yield f"{len(away)} sources of augmented train segments are in other parts: {', '.join(away[:3])}"


def _duplicates(split: Split, search: DuplicateSearch) -> Iterator[str]:
    found = search.pairs(split.parts)
    for (one, other, kind), pairs in found.groupby(["side", "other_side", "kind"], sort=False):
        examples = ", ".join(
            f"{p.one} and {p.other} ({p.signal}, {p.similarity:.2f} alike)"
            for p in pairs.head(3).itertuples()
        )
        yield (
            f"{one} and {other} hold {len(pairs)} near-copies of {kind}: {examples}. Where these are one "
            "recording twice, leave one out; where one person, give both one subject (or group)"
        )


def _fitted_elsewhere(split: Split, fitted: Mapping[str, str | Sequence[str]]) -> Iterator[str]:
    for name, on in fitted.items():
        if isinstance(on, str):
            if on != split.hash:
                yield f"{name} was fitted on the split {on}, not on this one, {split.hash}"
            continue
        strange = [segment for segment in on if split.parts.get(segment) != "train"]
        if strange:
            examples = ", ".join(f"{s} ({split.parts.get(s, 'left out')})" for s in strange[:3])
            yield f"{name} was fitted on {len(strange)} segments that are not in the train part: {examples}"


def _warn_of_stimuli(table: pd.DataFrame, part: pd.Series) -> None:
    """Only where there is a choice: with one stimulus a label, none can be held out."""
    rows = table[(table["stimulus"] != "") & table["emotion"].notna()]
    labels = rows.groupby("stimulus")["emotion"].agg(["nunique", "first"])
    if labels.empty or labels["nunique"].max() > 1 or labels["first"].value_counts().min() < 2:
        return
    sides = part.loc[rows.index]
    shared = set(rows["stimulus"][sides == "train"]) & set(rows["stimulus"][sides == "test"])
    if shared:
        warnings.warn(
            f"train and test share {len(shared)} stimuli, and each stimulus has one label: a model may "
            "recognise the stimulus. Compare with the protocol 'leave-stimulus'.",
            StimulusWarning,
            stacklevel=3,
        )
