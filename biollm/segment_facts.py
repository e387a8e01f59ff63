"""Segments -> a table of their signal texts and of all that is known of them."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from biollm.spoiling import SPOILED, spoil, spoiled_faults
from data_builders.segment_faults import lost_channels, lost_modalities, segment_faults, unusable
from data_builders.segments import Segments
from data_builders.tokenized import IDS, SegmentsCard, segment_schema
from encoders.evidence import evidence
from encoders.inputs import SignalInputs
from encoders.quantities import Described, parts_of_column, quantity_values
from encoders.signal_tokenizer import SignalTokenizer
from prompts.facts import Fault
from prompts.words import RATINGS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["SHARE_SPOILED", "SIGNALS", "segment_table", "segments_card"]

SIGNALS = frozenset({"faults", "clues", "spoiled"})
"""What is needed of segments that is not in their inputs."""
SHARE_SPOILED = 0.1


def segment_table(
    inputs: SignalInputs,
    rows: np.ndarray,
    tokenizer: SignalTokenizer,
    sources: Sequence[str],
    copies: int = 0,
    seed: int = 0,
    needs: Collection[str] = (),
    parts: str | Sequence[str] | np.ndarray = "train",
    quantities: Sequence[Described] = (),
    segments: Segments | None = None,
    spoiled: float = SHARE_SPOILED,
) -> pyarrow.Table:
    """Texts of some segments, with what is known of them.

    Parameters
    ----------
    inputs : SignalInputs
        All windows of their subjects, since normalisation is relative to the subject.
    rows : ndarray of int
        The windows that are written.
    tokenizer : SignalTokenizer
    sources : sequence of str
        Token sources, a column each.
    copies : int
        Augmented copies of each text beside the plain one.
    seed : int
    needs : collection of str
        Of ``quantities``, ``faults``, ``clues`` and ``spoiled`` (copies) what is measured; labels and the
        encoder's reading are always there.
    parts : str, or sequence of str
        Part of the split of all rows, or of each.
    quantities : sequence of Described
        With their ranges.
    segments : Segments, optional
        The windows of `inputs` as they were recorded; for faults, clues and spoiled copies.
    spoiled : float
        Share of the rows that is written a second time with noise or a flat line for its signals.

    Returns
    -------
    pyarrow.Table
        Of `data_builders.tokenized.segment_schema`; spoiled copies come last.
    """
    import pyarrow

    wanted = sorted(SIGNALS & set(needs))
    if wanted and segments is None:
        raise ValueError(f"needs holds {wanted}, but segments is None. Give the Segments of these inputs.")
    made = _Making(tokenizer, sources, copies, seed, frozenset(needs), quantities, segments)
    each = np.broadcast_to(np.asarray(parts, dtype=object), len(rows))
    tables = [made.table(inputs, rows, each)]
    if "spoiled" in needs and segments is not None:
        tables.append(made.spoiled_table(inputs, rows, each, segments, spoiled))
    return pyarrow.concat_tables(tables)


@dataclass(frozen=True)
class _Making:
    """What is made of each segment."""

    tokenizer: SignalTokenizer
    sources: Sequence[str]
    copies: int
    seed: int
    needs: frozenset[str]
    quantities: Sequence[Described]
    segments: Segments | None

    def table(self, inputs: SignalInputs, rows: np.ndarray, parts: np.ndarray) -> pyarrow.Table:
        columns = self._known(inputs, rows, parts)
        found = None if self.segments is None else segment_faults(self.segments[rows])
        columns |= self._measured(inputs, rows, found) | self._faults(found)
        columns |= self._reading(inputs, rows, found)
        return _as_table(columns, len(rows), self.sources)

    def spoiled_table(
        self, inputs: SignalInputs, rows: np.ndarray, parts: np.ndarray, segments: Segments, share: float
    ) -> pyarrow.Table:
        rng = np.random.default_rng([self.seed, 1])
        chosen = np.sort(rng.choice(len(rows), math.ceil(share * len(rows)), replace=False))
        config = self.tokenizer.config
        joined, kinds = spoil(
            inputs,
            segments,
            rows[chosen],
            config.normalisation,
            config.frame_seconds,
            config.features,
            int(rng.integers(2**32)),
        )
        columns = self._known(joined, len(inputs) + np.arange(len(chosen)), parts[chosen])
        columns["unusable"] = [SPOILED[kind] for kind in kinds]
        if "quantities" in self.needs:
            columns["values"] = [[math.nan] * len(self.quantities)] * len(kinds)
        if "faults" in self.needs:
            columns["faults"] = [_json(spoiled_faults(segments, kind)) for kind in kinds]
        return _as_table(columns, len(chosen), self.sources)

    def _known(self, inputs: SignalInputs, rows: np.ndarray, parts: np.ndarray) -> dict[str, Any]:
        """Ids, labels and texts."""
        table = inputs.table.iloc[rows]
        columns: dict[str, Any] = {name: table[name].astype(str).tolist() for name in IDS}
        columns |= {"part": list(parts), **{name: table[name].tolist() for name in ("start", "duration")}}
        columns["emotion"] = [name if name in self.tokenizer.classes else None for name in table["emotion"]]
        columns |= {name: _known_numbers(table[name]) for name in RATINGS}
        columns["transition"] = [None if v is None else bool(v) for v in _known_numbers(table["transition"])]
        for source in self.sources:
            texts = self.tokenizer.encode_copies(inputs, rows, source, self.copies, self.seed)
            columns[f"text_{source}"] = list(map(list, zip(*texts, strict=True)))
        return columns

    def _measured(
        self, inputs: SignalInputs, rows: np.ndarray, faults: Sequence[Sequence[Fault]] | None
    ) -> dict[str, Any]:
        """Values of the quantities; NaN on a modality that is lost, where its faults are known."""
        if "quantities" not in self.needs:
            return {}
        values = quantity_values(inputs.features.iloc[rows], self.quantities)
        if faults is not None and self.segments is not None:
            modalities = [parts_of_column(quantity.key)[0] for quantity in self.quantities]
            for k, found in enumerate(faults):
                values[k, np.isin(modalities, lost_modalities(found, self.segments.specs))] = np.nan
        return {"values": values.tolist()}

    def _faults(self, found: Sequence[Sequence[Fault]] | None) -> dict[str, Any]:
        """Faults, and whether too much of a segment is lost."""
        if found is None or self.segments is None or not self.needs & {"faults", "spoiled"}:
            return {}
        columns = {"unusable": [unusable(faults, self.segments.specs) for faults in found]}
        if "faults" in self.needs:
            columns["faults"] = [_json([(f.channel, f.what, f.share) for f in faults]) for faults in found]
        return columns

    def _reading(
        self, inputs: SignalInputs, rows: np.ndarray, faults: Sequence[Sequence[Fault]] | None
    ) -> dict[str, Any]:
        """What the encoder reads, how sure it is, and from what; what is lost is no evidence."""
        encoder = self.tokenizer.encoder_
        if encoder is None or "emotion" not in encoder.config.targets:
            return {}
        if "clues" in self.needs and self.segments is not None and faults is not None:
            specs = self.segments.specs
            found = evidence(encoder, inputs, rows, specs)
            lost = [{*lost_modalities(each, specs), *lost_channels(each)} for each in faults]
            clues = [found.clues(k, gone) for k, gone in enumerate(lost)]
            texts = [_json([(name, round(w, 4), f) for name, w, f in each]) for each in clues]
            return self._confidence(found.probabilities) | {"clues": texts}
        return self._confidence(encoder.predict_proba(inputs, rows))

    def _confidence(self, probabilities: np.ndarray) -> dict[str, Any]:
        classes = self.tokenizer.encoder.classes
        reading = [classes[k] for k in probabilities.argmax(axis=1)]
        return {"reading": reading, "confidence": probabilities.max(axis=1).astype(float).tolist()}


def _as_table(columns: Mapping[str, Any], n_rows: int, sources: Sequence[str]) -> pyarrow.Table:
    """Columns in the order of the schema; what was not made is null, and no reason is the empty text."""
    import pyarrow

    missing: dict[str, Any] = {"unusable": ""}
    schema = segment_schema(sources)
    filled = {name: columns.get(name, [missing.get(name)] * n_rows) for name in schema.names}
    return pyarrow.table(filled, schema=schema)


def _known_numbers(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def segments_card(
    tokenizer: SignalTokenizer,
    sources: Sequence[str],
    copies: int = 0,
    table: pd.DataFrame | None = None,
    quantities: Sequence[Described] = (),
    least_confidence: float = 0.0,
) -> SegmentsCard:
    """The card of tokenized segments.

    Parameters
    ----------
    tokenizer, sources, copies, quantities
        As `segment_table` takes them.
    table : DataFrame, optional
        Of the windows that are written, whose ratings tell the scale: the whole numbers around them.
    least_confidence : float
        As `SegmentsCard` has it.
    """
    ratings = np.empty(0) if table is None else table[list(RATINGS)].to_numpy(float)
    known = ratings[np.isfinite(ratings)]
    scale = (math.floor(known.min()), math.ceil(known.max())) if known.size else None
    fields = ("key", "name", "unit", "low", "high", "digits")
    return SegmentsCard(
        list(tokenizer.classes),
        list(sources),
        None if scale is None or scale[0] == scale[1] else (float(scale[0]), float(scale[1])),
        [{name: getattr(quantity, name) for name in fields} for quantity in quantities],
        copies,
        least_confidence,
    )
