"""What a check of conversations finds and counts, in memory that grows by a few bytes a row."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from biollm.training_sequences import TrainingSequence

__all__ = ["Findings", "Statistics"]


class Findings:
    """Problems by kind: how many, and the first ones in full."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, text: str) -> None:
        self.counts[kind] += 1
        if len(self.first[kind]) < self.limit:
            self.first[kind].append(text)

    @property
    def total(self) -> int:
        return self.counts.total()

    def lines(self) -> Iterator[str]:
        for kind, count in self.counts.most_common():
            yield f"{kind}: {count}"
            yield from (f"  {text}" for text in self.first[kind])
            if count > len(self.first[kind]):
                yield f"  and {count - len(self.first[kind])} more of this kind"


class Statistics:
    """Rows by task and label, and the tokens of their training sequences."""

    def __init__(self) -> None:
        self.n_rows = self.n_trained = self.n_tokens = 0
        self.labels: dict[str, Counter[str]] = defaultdict(Counter)
        self.others: dict[str, Counter[str]] = {"source": Counter(), "part": Counter()}
        self.lengths: dict[str, array] = defaultdict(lambda: array("l"))

    def add_row(self, row: Mapping[str, Any]) -> None:
        self.n_rows += 1
        self.labels[_task(row)][str(row.get("label") or "")] += 1
        for key, counts in self.others.items():
            if row.get(key):
                counts[str(row[key])] += 1

    def add_sequences(self, row: Mapping[str, Any], sequences: Sequence[TrainingSequence]) -> None:
        for sequence in sequences:
            self.lengths[_task(row)].append(len(sequence.ids))
            self.n_trained += sequence.n_trained
            self.n_tokens += sequence.n_kept

    def summary(self) -> dict[str, Any]:
        """Counts of rows by task, label, source and part, and of tokens."""
        labels: Counter[str] = sum(self.labels.values(), Counter())
        return {
            "n_rows": self.n_rows,
            "tasks": {task: counts.total() for task, counts in sorted(self.labels.items())},
            "labels": {label: count for label, count in sorted(labels.items()) if label},
            "sources": dict(sorted(self.others["source"].items())),
            "parts": dict(sorted(self.others["part"].items())),
            "n_sequences": sum(map(len, self.lengths.values())),
            "n_tokens": self.n_tokens,
            "n_trained": self.n_trained,
        }

    def lines(self, max_length: int) -> Iterator[str]:
        """Tables of labels and of token lengths."""
        yield from self._label_lines()
        for key, counts in self.others.items():
            if counts:
                yield f"{key}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        if self.lengths:
            yield from self._length_lines(max_length)

    def _label_lines(self) -> Iterator[str]:
        yield "rows by task:"
        for task, counts in sorted(self.labels.items()):
            named = {label: n for label, n in sorted(counts.items()) if label}
            shares = ", ".join(f"{label} {n} ({n / sum(named.values()):.0%})" for label, n in named.items())
            yield f"  {task or 'no task'}: {counts.total()}" + (f"; labels: {shares}" if named else "")

    def _length_lines(self, max_length: int) -> Iterator[str]:
        over = f"over {max_length}"
        yield f"{'tokens a sequence':<20}{'n':>9}{'min':>7}{'median':>8}{'95 %':>7}{'max':>7}{over:>11}"
        tables = {task or "no task": np.array(values) for task, values in sorted(self.lengths.items())}
        if len(tables) > 1:
            tables["all"] = np.concatenate(list(tables.values()))
        for name, n in tables.items():
            p95 = np.percentile(n, 95)
            yield (
                f"{name:<20}{n.size:>9}{n.min():>7}{np.median(n):>8.0f}{p95:>7.0f}{n.max():>7}"
                f"{(n > max_length).sum():>11}"
            )
        share = self.n_trained / max(self.n_tokens, 1)
        yield f"trained: {self.n_trained} of {self.n_tokens} tokens ({share:.1%})"


def _task(row: Mapping[str, Any]) -> str:
    return str(row.get("task") or "")
