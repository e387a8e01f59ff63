"""Texts of segments -> ShareGPT rows: who asks what in which words, balanced over classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prompts import EmotionTask

__all__ = ["emotion_conversations"]

IDS = ("segment", "dataset", "subject", "session", "trial", "stimulus")


def emotion_conversations(
    table: pd.DataFrame,
    texts: Mapping[str, Sequence[Sequence[str]]],
    task: EmotionTask,
    classes: Sequence[str],
    n_conversations: int | None = None,
    part: str = "train",
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yield one conversation about one segment's emotion at a time.

    Parameters
    ----------
    table : DataFrame, n_segments rows
        Ids and ``emotion``.
    texts : mapping of str to sequence of sequences of str
        By source: the plain texts of the n_segments, then those of augmented copies.
    task : EmotionTask
    classes : sequence of str
    n_conversations : int, optional
        Draw this many at random, equally many of each class; with None each labelled segment and
        source comes once, in order, plain.
    part : str
        Part of the split, kept in each row.
    seed : int

    Raises
    ------
    ValueError
        If a source has not one text a segment, or a class to draw from has no segment.
    """
    _check_texts(len(table), texts)
    rng = np.random.default_rng(seed)
    draws = _draw(table["emotion"], texts, classes, n_conversations, rng)
    system = task.system(classes)
    for number, (position, source, copy) in enumerate(draws):
        row = table.iloc[position]
        question = task.question(int(rng.integers(task.n_phrasings)), texts[source][copy][position])
        yield {
            "id": f"{part}-{number:06d}",
            "system": system,
            "conversations": [
                {"from": "human", "value": question},
                {"from": "gpt", "value": task.answer(row["emotion"])},
            ],
            **{name: row[name] for name in IDS},
            "label": row["emotion"],
            "part": part,
            "source": source,
        }


def _check_texts(n_segments: int, texts: Mapping[str, Sequence[Sequence[str]]]) -> None:
    lengths = {source: [len(copy) for copy in copies] for source, copies in texts.items()}
    wrong = {source: found for source, found in lengths.items() if not found or set(found) != {n_segments}}
    if wrong or not lengths:
        raise ValueError(
            f"texts by source and copy number {wrong or lengths}; allowed are one source or more with one "
            f"copy or more, each of {n_segments} texts, one a segment."
        )


def _draw(
    labels: pd.Series,
    texts: Mapping[str, Sequence],
    classes: Sequence[str],
    n: int | None,
    rng: np.random.Generator,
) -> list[tuple[int, str, int]]:
    """(position, source, copy) of each conversation."""
    sources = list(texts)
    if n is None:
        known = np.flatnonzero(labels.isin(classes))
        return [(int(position), source, 0) for position in known for source in sources]
    groups = [np.flatnonzero((labels == name).to_numpy()) for name in classes]
    missing = [name for name, group in zip(classes, groups, strict=True) if not len(group)]
    if missing:
        raise ValueError(f"no training segment is labelled {missing}; the classes are {list(classes)}.")
    draws = []
    for number in range(n):
        group = groups[number % len(groups)]
        source = sources[(number // len(groups)) % len(sources)]
        draws.append((int(rng.choice(group)), source, int(rng.integers(len(texts[source])))))
    return [draws[i] for i in rng.permutation(n)]
