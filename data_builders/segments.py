"""Segments of equal length as columns: one array a modality and one table of ids and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_builders.recording import LABELS, Segment, Signal

__all__ = ["TABLE_COLUMNS", "Segments", "SignalSpec", "concatenate"]

IDS = ("segment", "dataset", "recording", "group", "subject", "session", "trial", "stimulus", "source")
TABLE_COLUMNS = (*IDS, "start", "duration", "on_grid", "reference", *LABELS)


@dataclass(frozen=True)
class SignalSpec:
    """What one modality of a set of segments is: rate in Hz, channel names, unit, and what its zero is."""

    sampling_rate: float
    channel_names: tuple[str, ...]
    unit: str
    above_baseline: bool = False  # each channel's mean over its recording's baseline was subtracted

    @property
    def full_unit(self) -> str:
        """``"µS"``, or ``"µS above the baseline"``."""
        return f"{self.unit} above the baseline" if self.above_baseline else self.unit


def signal_summary(signal: Signal | SignalSpec) -> str:
    """``"256 Hz in mV (lead I, lead II)"`` or ``"8 Hz in µS above the baseline (EDA)"``, as cards say it."""
    spec = SignalSpec(signal.sampling_rate, signal.channel_names, signal.unit, signal.above_baseline)
    return f"{spec.sampling_rate:g} Hz in {spec.full_unit} ({', '.join(spec.channel_names)})"


@dataclass
class Segments:
    """Segments that share modalities, rates and length.

    Parameters
    ----------
    signals : dict of str to ndarray, shape (n_segments, n_channels, n_samples), float32
    table : DataFrame, n_segments rows
        ``segment`` (unique id), ``dataset``, ``recording`` (one time axis), ``group`` (subjects whom no
        split may separate), ``subject``, ``session``, ``trial``, ``stimulus``, ``source`` (the segment
        that an augmented one was made of, else empty), ``start`` and ``duration`` in s, ``on_grid`` (not
        an overlapping copy), ``reference`` (an unlabelled window of the causal baseline), and the
        labels, None or NaN where missing.
    specs : dict of str to SignalSpec
    """

    signals: dict[str, np.ndarray]
    table: pd.DataFrame
    specs: dict[str, SignalSpec]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: np.ndarray | pd.Series | Sequence[int] | slice) -> Segments:
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        signals = {name: data[rows] for name, data in self.signals.items()}
        return Segments(signals, self.table.iloc[rows].reset_index(drop=True), self.specs)

    def __iter__(self) -> Iterator[Segment]:
        for position, row in enumerate(self.table.to_dict("records")):
            signals = {name: data[position] for name, data in self.signals.items()}
            labels = {name: row[name] for name in LABELS if not pd.isna(row[name])}
            ids = {str(key): row[key] for key in ("dataset", "subject", "session", "trial", "stimulus")}
            yield Segment(signals, row["start"], row["duration"], **ids, labels=labels)


def concatenate(parts: Sequence[Segments]) -> Segments:
    """Stack segments of the same specs, for example of several recordings."""
    specs = parts[0].specs
    for part in parts[1:]:
        if part.specs != specs:
            raise ValueError(f"segments differ in modalities, rates or channels: {specs} and {part.specs}.")
    signals = {name: np.concatenate([part.signals[name] for part in parts]) for name in specs}
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return Segments(signals, table, specs)
