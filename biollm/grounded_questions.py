"""Questions about measured values: of held-out subjects' signals, and of noise in place of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd

from biollm.controls import noise_for_signal
from biollm.grounded_claims import Asked
from biollm.segment_facts import segment_table, segments_card
from data_builders.store import SegmentStore
from data_builders.tokenized import TokenizedSegments
from encoders.inputs import SignalInputs
from encoders.quantities import Described, quantity_values
from encoders.signal_tokenizer import SignalTokenizer
from prompts import Facts, Quantity
from prompts.tasks.describe import DescribeTask, main_quantities

__all__ = ["CONDITIONS", "RANDOM", "SIGNAL", "Asker", "TokenRanges", "chosen_rows"]

SIGNAL, NUMBERS, RANDOM = "signal", "noise features", "random levels"
CONDITIONS = {
    SIGNAL: "the segment as it was recorded",
    "noise": "white noise of the subject's mean and spread in place of each channel, measured and encoded",
    "flat": "each channel held at its first known sample, measured and encoded",
    NUMBERS: "normal numbers in place of all streams and features, encoded",
    RANDOM: "the segment with each level token drawn from another training segment",
}
"""What a signal text is of. In all but the first there is nothing to measure."""

Said = tuple[str, str, str, Mapping[str, tuple[float, float, float]]]
"""Condition, segment, signal text, and what its level tokens say."""


class TokenRanges:
    """What level tokens say: the lowest, middle and highest training value behind each.

    Parameters
    ----------
    tokenizer : SignalTokenizer
    train : DataFrame
        Features of the training windows.
    quantities : sequence of Described
    """

    def __init__(
        self, tokenizer: SignalTokenizer, train: pd.DataFrame, quantities: Sequence[Described]
    ) -> None:
        self.tokenizer = tokenizer
        keys = [one.key for one in quantities]
        measured = pd.DataFrame(quantity_values(train, quantities), columns=keys)
        bins = self._bins(train)
        self.values = {key: _spans(measured[key], bins[key]) for key in keys if key in bins}

    def of(self, features: pd.DataFrame) -> list[dict[str, tuple[float, float, float]]]:
        """By quantity, for each row; those without a token are left out."""
        bins = self._bins(features)
        return [
            {key: tuple(spans[bins[key][row]]) for key, spans in self.values.items() if bins[key][row] >= 0}
            for row in range(len(features))
        ]

    def _bins(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        levels = self.tokenizer.levels_
        if not levels.keys or self.tokenizer.signal_mode == "digits":
            return {}
        found = levels.quantiles.transform(quantity_values(features, levels.described))
        return dict(zip(levels.keys, found.T, strict=True))


def _spans(values: pd.Series, bins: np.ndarray) -> np.ndarray:
    """Lowest, middle and highest value of each bin, shape (n_bins, 3); a bin ends where the next begins."""
    found = values[bins >= 0].groupby(bins[bins >= 0]).agg(["min", "median", "max"])
    spans = found.reindex(range(bins.max() + 1)).to_numpy()
    spans[:-1, 2] = spans[1:, 0]
    return spans


def chosen_rows(table: pd.DataFrame, wanted: np.ndarray, n: int, seed: int) -> dict[str, np.ndarray]:
    """Positions of about n windows, as many of each subject, by subject.

    Parameters
    ----------
    table : DataFrame
        Of a store.
    wanted : ndarray of bool, shape (n_segments,)
    """
    rng = np.random.default_rng(seed)
    found = {}
    subjects = table.loc[wanted, "subject"].unique()
    for subject in subjects:
        rows = np.flatnonzero(wanted & (table["subject"] == subject).to_numpy())
        size = min(len(rows), max(1, round(n / len(subjects))))
        found[str(subject)] = np.sort(rng.choice(rows, size, replace=False))
    return found


@dataclass(frozen=True)
class Asker:
    """Asks about the measured values of segments.

    Parameters
    ----------
    store : SegmentStore
    inputs : SignalInputs
        Of the whole store.
    train : ndarray of bool
        Which of its windows are training subjects'.
    tokenizer : SignalTokenizer
    source : str
        Token source of the texts.
    quantities : sequence of Described
    ranges : TokenRanges
    describe : DescribeTask
    phrasings : int
        Phrasings of each question.
    seed : int
    """

    store: SegmentStore
    inputs: SignalInputs
    train: np.ndarray
    tokenizer: SignalTokenizer
    source: str
    quantities: Sequence[Described]
    ranges: TokenRanges
    describe: DescribeTask
    phrasings: int = 2
    seed: int = 0

    def means(self) -> list[Quantity]:
        """The quantities with the training windows' mean for their value."""
        values = quantity_values(self.inputs.features[self.train], self.quantities)
        return [
            Quantity(q.key, q.name, float(np.nanmean(v)), q.unit, q.low, q.high, q.digits)
            for q, v in zip(self.quantities, values.T, strict=True)
        ]

    def questions(self, rows: np.ndarray) -> Iterator[Asked]:
        """All questions about some windows of one subject, in every condition.

        Windows in which too much is lost are left out: nothing should be read from them.
        """
        subject = str(self.store.table["subject"].iloc[rows[0]])
        mine = np.flatnonzero((self.store.table["subject"] == subject).to_numpy())
        inputs, chosen = self.inputs[mine], np.searchsorted(mine, rows)
        segments = self._tokenized(inputs, chosen, mine)
        usable = [row for row in range(len(rows)) if not segments.value(row, "unusable")]
        facts = {segments.value(row, "segment"): segments.facts(row) for row in usable}
        texts = chain(
            self._recorded(segments, inputs, chosen, usable),
            self._controls(inputs, chosen[usable], list(facts)),
        )
        for condition, name, text, tokens in texts:
            if name in facts:
                signal = replace(facts[name], signal=text)
                yield from self._about(condition, name, subject, signal, tokens)

    def _tokenized(self, inputs: SignalInputs, chosen: np.ndarray, mine: np.ndarray) -> TokenizedSegments:
        """The chosen windows and then, of each, a spoiled copy."""
        table = segment_table(
            inputs,
            chosen,
            self.tokenizer,
            [self.source],
            seed=self.seed,
            needs=("quantities", "spoiled"),
            parts="test",
            quantities=self.quantities,
            segments=self.store.segments(mine),
            spoiled=1.0,
        )
        return TokenizedSegments(
            table, segments_card(self.tokenizer, [self.source], quantities=self.quantities)
        )

    def _recorded(
        self, segments: TokenizedSegments, inputs: SignalInputs, chosen: np.ndarray, usable: Sequence[int]
    ) -> Iterator[Said]:
        says = self.ranges.of(inputs.features.iloc[chosen])
        for row in usable:
            yield SIGNAL, segments.value(row, "segment"), segments.text(row, self.source), says[row]
        for row in range(len(chosen), len(segments)):
            name, _, kind = segments.value(row, "segment").rpartition("~")
            yield kind, name, segments.text(row, self.source), {}

    def _controls(self, inputs: SignalInputs, rows: np.ndarray, names: Sequence[str]) -> Iterator[Said]:
        """Normal numbers for everything; and the segments with others' level tokens."""
        noise = noise_for_signal(inputs, self.seed)
        for name, text in zip(names, self.tokenizer.encode_copies(noise, rows, self.source)[0], strict=True):
            yield NUMBERS, name, text, {}
        parts = self.source.split("+")
        if "levels" not in parts:
            return
        drawn = self._drawn(inputs)
        each = [self.tokenizer.encode_copies(drawn if p == "levels" else inputs, rows, p)[0] for p in parts]
        says = self.ranges.of(drawn.features.iloc[rows])
        for name, texts, tokens in zip(names, zip(*each, strict=True), says, strict=True):
            yield RANDOM, name, self.tokenizer.joined(texts), tokens

    def _drawn(self, inputs: SignalInputs) -> SignalInputs:
        """The inputs with each described feature drawn from the training windows on its own."""
        rng = np.random.default_rng(self.seed)
        train = self.inputs.features[self.train]
        keys = self.tokenizer.levels_.keys
        drawn = {key: rng.choice(train[key].to_numpy(), len(inputs)) for key in keys}
        return replace(inputs, features=inputs.features.assign(**drawn))

    def _about(
        self,
        condition: str,
        name: str,
        subject: str,
        facts: Facts,
        tokens: Mapping[str, tuple[float, float, float]],
    ) -> Iterator[Asked]:
        """Open questions, and questions for each quantity; where there is nothing to measure, for one."""
        rng = random.Random(f"{self.seed}/{condition}/{name}")
        measured = {quantity.key: quantity.value for quantity in facts.quantities}
        real = condition == SIGNAL
        one_by_one = list(facts.quantities) if real else rng.sample(facts.quantities, 1 if measured else 0)

        def asked(kind: str, phrasing: str, keys: Sequence[str]) -> Asked:
            text = self.describe.words.question(phrasing, [facts.signal])
            return Asked(condition, kind, name, subject, text, tuple(keys) if real else (), measured, tokens)

        texts = self.describe.texts
        for phrasing in rng.sample(texts["questions"], self.phrasings):
            yield asked("described", phrasing, [q.key for q in main_quantities(facts.quantities)])
        for quantity in one_by_one:
            word = texts["asked"].format(name=self.describe.words.named(quantity.name))
            for phrasing in rng.sample(texts["questions_of"], self.phrasings):
                yield asked("asked", phrasing.format(quantities=word), [quantity.key])
