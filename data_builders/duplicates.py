"""Near-copies of signals on two sides of a split: copied recordings, renamed subjects.

A plain correlation does not tell copies from strangers: two people's skin conductance that falls for 30 s
correlates at .99. So each window is written as the values in which the windows of the data set differ
most, each on the scale of its spread (whitened), and windows are compared by the cosine of these. How far
strangers' cosines spread tells how many independent values a signal has, which is its evidence: fast
signals have hundreds and are judged window by window, slow ones have few and are judged by whole
recordings, and where even these have too few nothing is claimed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from data_builders.segments import Segments
from data_builders.splits.split import PARTS
from data_builders.store import SegmentStore

__all__ = ["DuplicateSearch", "SignalSource"]

SignalSource = Segments | SegmentStore

SIMILARITY = 0.9
"""Cosine from which two windows are near-copies; strangers' highest on four data sets is .73."""
EVIDENCE = 200.0
"""Independent values that a comparison must rest on; strangers then lie 13 standard deviations below."""
NOISE = 0.1
"""Noise that a copy may have been given, as a share of the signal; spread below it is not looked at."""
N_VALUES = 1024
N_CHANGES = 16
"""A signal that changes less often within a window, as a count of steps does, tells too little."""
N_SAMPLED = 512
CHUNK_VALUES = 2**22
ROWS_AT_ONCE = 256


class DuplicateSearch:
    """Find windows, and whole recordings, on two sides of a split whose signals are near-copies.

    Found in spite of gain, offset and noise of up to 10 % (of fast signals: 30 %); not found in spite of a
    shift in time.

    Parameters
    ----------
    signals : Segments or SegmentStore
        Read once and in chunks; what is kept are 4 KB a segment and modality.
    """

    def __init__(self, signals: SignalSource) -> None:
        self.table = signals.table
        windows = _fingerprints(signals)
        recording = self.table["recording"].to_numpy()
        codes, names = pd.factorize(recording)
        whole = {name: _by_recording(values, self.table, codes) for name, values in windows.items()}
        self._of_windows = _pairs(windows, self.table["segment"].to_numpy(), recording)
        self._of_recordings = _pairs(whole, names, names)

    def pairs(self, parts: Mapping[str, str]) -> pd.DataFrame:
        """Near-copies between the parts that segment ids are mapped to, the most alike first.

        Returns
        -------
        DataFrame, one row a pair
            ``side``, ``other_side``, ``one``, ``other`` (ids), ``signal`` (a modality, or all of them),
            ``similarity``, ``kind`` (windows or recordings).
        """
        parts = {segment: side for segment, side in parts.items() if side in PARTS}
        sides = self.table["segment"].map(parts).fillna("")
        of_recording = sides[sides != ""].groupby(self.table["recording"]).unique()
        of_window = {segment: (side,) for segment, side in parts.items()}
        found = [
            (*sorted((side, other_side), key=PARTS.index), *pair, kind)
            for kind, pairs, side_of in (
                ("windows", self._of_windows, of_window),
                ("recordings", self._of_recordings, of_recording.to_dict()),
            )
            for pair in pairs
            for side in side_of.get(pair[0], ())
            for other_side in side_of.get(pair[1], ())
            if side != other_side
        ]
        columns = ["side", "other_side", "one", "other", "signal", "similarity", "kind"]
        frame = pd.DataFrame(found, columns=columns).sort_values("similarity", ascending=False, kind="stable")
        return frame.drop_duplicates(["side", "other_side", "one", "other", "kind"], ignore_index=True)


def _fingerprints(signals: SignalSource) -> dict[str, np.ndarray]:
    """Whitened windows by modality, whose squared length is their evidence; zero where they tell nothing.

    Arrays of shape (n_segments, at most `N_VALUES`), float32.
    """
    n = len(signals)
    sampled = np.unique(np.linspace(0, n - 1, min(n, N_SAMPLED)).astype(int))
    scales = {name: _Whitening() for name in signals.specs}
    for chunk in _chunks(signals, sampled):
        for name, data in chunk.items():
            scales[name].add(data)
    prints = {name: np.empty((n, scale.n_values), np.float32) for name, scale in scales.items()}
    start = 0
    for chunk in _chunks(signals, np.arange(n)):
        for name, data in chunk.items():
            prints[name][start : start + len(data)] = scales[name].transform(data)
        start += len(data)
    group = signals.table["group"].to_numpy()[sampled]
    for unit in prints.values():
        unit *= np.float32(np.sqrt(_evidence(unit[sampled], group)))
    return prints


def _chunks(signals: SignalSource, rows: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Signals of some rows, a bounded number of values at a time."""
    read = signals.segments if isinstance(signals, SegmentStore) else signals.__getitem__
    at_once = max(1, CHUNK_VALUES // sum(data.size for data in read(rows[:1]).signals.values()))
    for start in range(0, len(rows), at_once):
        yield read(rows[start : start + at_once]).signals


class _Whitening:
    """The coefficients in which windows differ most, each on the scale of its spread.

    Sums are kept instead of windows, so that memory does not grow with what is added.
    """

    def __init__(self) -> None:
        self.n, self.total, self.squares = np.zeros(1), np.zeros(1), np.zeros(1)

    def add(self, data: np.ndarray) -> None:
        """Learn from windows of shape (n_segments, n_channels, n_samples)."""
        values = _coefficients(data).astype(np.float64)
        known = np.isfinite(values)
        values = np.where(known, values, 0)
        self.n = self.n + known.sum(axis=0)
        self.total = self.total + values.sum(axis=0)
        self.squares = self.squares + (values**2).sum(axis=0)

    @property
    def n_values(self) -> int:
        """How many coefficients are kept."""
        return min(N_VALUES, len(self.total))

    def transform(self, data: np.ndarray) -> np.ndarray:
        """Windows of length 1, shape (n_segments, n_values), float32; 0 where they tell nothing."""
        n = np.maximum(self.n, 1)
        mean = self.total / n
        spread = np.maximum(self.squares / n - mean**2, 0)
        chosen = np.sort(np.argsort(-spread, kind="stable")[:N_VALUES])
        single = data.shape[2] == 1
        scale = np.sqrt(spread[chosen] + NOISE**2 * (spread[chosen] if single else 1 / data.shape[2]))
        values = (_coefficients(data)[:, chosen] - mean[chosen]) / np.where(scale > 0, scale, np.inf)
        values = np.where(np.isfinite(values), values, 0)  # what is unknown is taken for the mean
        length = np.linalg.norm(values, axis=1, keepdims=True)
        known = (length > 0) & _varied(data)[:, None]
        return np.divide(values, length, out=np.zeros_like(values), where=known).astype(np.float32)


def _coefficients(data: np.ndarray) -> np.ndarray:
    """Cosine transform of each channel at mean 0 and energy 1; single values as they are."""
    from scipy.fft import dct

    n, _, n_samples = data.shape
    if n_samples == 1:
        return data.reshape(n, -1).astype(np.float32)
    centred = data - data.mean(axis=-1, keepdims=True)
    size = np.linalg.norm(centred, axis=-1, keepdims=True)
    # What is left of a constant channel by rounding is no signal.
    real = size > 1e-5 * np.sqrt(n_samples) * np.abs(data).max(axis=-1, keepdims=True)
    return dct(np.divide(centred, size, out=np.zeros_like(centred), where=real), norm="ortho").reshape(n, -1)


def _varied(data: np.ndarray) -> np.ndarray:
    """Which windows change often enough; shape (n_segments,), bool."""
    if data.shape[2] == 1:
        return np.ones(len(data), dtype=bool)
    return (np.diff(data, axis=-1) != 0).sum(axis=-1).mean(axis=-1) >= N_CHANGES


def _evidence(unit: np.ndarray, group: np.ndarray) -> float:
    """How many independent values the windows of strangers behave as if they had.

    From the 90th percentile of their cosines' distance to the median, which a few copies among them do
    not move.
    """
    known = np.flatnonzero(np.any(unit != 0, axis=1))
    cosine = (unit[known] @ unit[known].T)[group[known][:, None] != group[known]]
    if cosine.size == 0:
        return 0.0
    sigma = np.quantile(np.abs(cosine - np.median(cosine)), 0.9) / 1.645
    return float(1 / max(sigma, 1e-3) ** 2)


def _by_recording(values: np.ndarray, table: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Fingerprints of recordings, shape (n_recordings, n_values).

    The sum of their windows, each under signs that its start draws: windows at the same time add up, and
    others cancel out.
    """
    summed = np.zeros((codes.max() + 1, values.shape[1]), dtype=np.float32)
    for start, rows in table.groupby(table["start"].round(2), sort=False).indices.items():
        draw = np.random.default_rng(zlib.crc32(f"{start:.2f}".encode()))
        signs = draw.choice(np.array([-1, 1], dtype=np.float32), values.shape[1])
        np.add.at(summed, codes[rows], values[rows] * signs)
    return summed


def _pairs(
    prints: Mapping[str, np.ndarray], names: np.ndarray, recording: np.ndarray
) -> list[tuple[str, str, str, float]]:
    """Near-copies of different recordings: both names, what is alike, and how much."""
    wanted = {name: [name] for name in prints}
    if len(prints) > 1:
        wanted["all signals"] = list(prints)
    found = []
    for signal, members in wanted.items():
        for i, j, similarity in _similar([prints[name] for name in members]):
            if recording[i] != recording[j]:
                found.append((names[i], names[j], signal, similarity))
    return found


def _similar(prints: list[np.ndarray]) -> Iterator[tuple[int, int, float]]:
    """Positions and cosine of the near-copies among the rows of one or several modalities."""
    lengths = np.stack([np.linalg.norm(values, axis=1) for values in prints], axis=1)
    for start in range(0, len(lengths), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        evidence = lengths[rows] @ lengths[start:].T
        if not (evidence >= EVIDENCE).any():
            continue
        product = sum(values[rows] @ values[start:].T for values in prints)
        hits = np.triu((evidence >= EVIDENCE) & (product >= SIMILARITY * evidence), k=1)
        for i, j in zip(*np.nonzero(hits), strict=True):
            yield start + int(i), start + int(j), float(product[i, j] / evidence[i, j])
