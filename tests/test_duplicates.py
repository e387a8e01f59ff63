"""Near-copies of signals: planted ones are found, and strangers are not taken for copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED_DATA

import data_builders.duplicates as duplicates
from data_builders.duplicates import DuplicateSearch
from data_builders.leaks import LeakError, check_leaks
from data_builders.preparing import PrepareConfig, prepare
from data_builders.recording import Block, Recording, Signal
from data_builders.segmentation import cut, windows
from data_builders.segments import Segments, concatenate
from data_builders.splits import Split, group_kfold, make_splits
from data_builders.store import SegmentStore

GAMES = ("boring", "calm", "horror", "funny")
N_WINDOWS = 8


def brain_like(rng: np.random.Generator, n_channels: int, n_samples: int) -> np.ndarray:
    """Channels that mix four sources with a 1/f spectrum, as those of a cap do."""
    spectrum = rng.normal(size=(4, n_samples // 2 + 1)) + 1j * rng.normal(size=(4, n_samples // 2 + 1))
    spectrum[:, 1:] /= np.sqrt(np.arange(1, n_samples // 2 + 1))
    mixing = rng.normal(size=(n_channels, 4))
    return mixing @ np.fft.irfft(spectrum, n_samples) + 0.005 * rng.normal(size=(n_channels, n_samples))


def copied(rng: np.random.Generator, data: np.ndarray, noise: float) -> np.ndarray:
    """With a gain and an offset for each channel, and noise in proportion to the channel."""
    gain, offset = rng.uniform(0.3, 3, (len(data), 1)), rng.normal(0, 50, (len(data), 1))
    return gain * (data + noise * data.std(axis=1, keepdims=True) * rng.normal(size=data.shape)) + offset


def games(n_subjects: int = 28, noise: float | None = 0.1, seed: int = 0) -> Segments:
    """A recording a subject and game; with `noise`, subject k + 14 is a near-copy of subject k."""
    rng = np.random.default_rng(seed)
    made: dict[tuple[int, str], np.ndarray] = {}
    parts = []
    for subject in range(1, n_subjects + 1):
        for game in GAMES:
            if noise is not None and subject > 14:
                data = copied(rng, made[subject - 14, game], noise)
            else:
                data = brain_like(rng, 14, N_WINDOWS * 4 * 128)
            made[subject, game] = data
            signal = Signal(data, 128.0, tuple(f"E{k}" for k in range(14)), "µV")
            blocks = (Block(0.0, N_WINDOWS * 4.0, {"emotion": game}, trial=game),)
            recording = Recording(
                {"eeg": signal}, "games", f"S{subject:02d}", "", blocks, game, baseline=(0, 0)
            )
            parts.append(cut(recording, windows(recording, 4.0, 0.0), 4.0))
    return concatenate(parts)


def by_subject(table: pd.DataFrame) -> Split:
    """Half of the subjects, so that each copy is on the other side than what it was copied from."""
    number = table["subject"].str[1:].astype(int)
    sides = np.where(number > 14, "test", "train")
    return Split(dict(zip(table["segment"], sides, strict=True)), "first and second half")


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.2])
def test_planted_copies_are_found_all_of_them_and_nothing_else(noise):
    segments = games(noise=noise)
    found = DuplicateSearch(segments).pairs(by_subject(segments.table).parts)
    subjects = segments.table.set_index("segment")["subject"].str[1:].astype(int)
    pairs = found[found["kind"] == "windows"]
    assert len(pairs) == 14 * len(GAMES) * N_WINDOWS
    apart = subjects.loc[pairs["other"]].to_numpy() - subjects.loc[pairs["one"]].to_numpy()
    assert set(apart) == {14}
    assert set(pairs["one"].str[10:]) == set(pairs["other"].str[10:])
    whole = found[found["kind"] == "recordings"]
    assert len(whole) == 14 * len(GAMES)
    assert set(whole["one"].str[10:]) == set(GAMES)


def test_a_split_that_separates_copied_subjects_fails_and_one_by_pairs_passes():
    segments = games()
    table = segments.table
    for split in group_kfold(table, 4):
        with pytest.raises(LeakError, match=r"near-copies of windows: games/S\d\d/\w+/\d+.00 and games/S"):
            check_leaks(table, split, segments)
    pair = (table["subject"].str[1:].astype(int) - 1) % 14
    paired = segments[np.arange(len(table))]
    paired.table["group"] = "pair " + pair.astype(str)
    search = DuplicateSearch(paired)
    for split in group_kfold(paired.table, 4):
        check_leaks(paired.table, split, search)


def test_a_leaky_split_says_so_itself_and_is_not_searched():
    segments = games(16)
    shuffled = make_splits(segments.table, "shuffled3")[0]
    check_leaks(segments.table, shuffled, segments)
    with pytest.raises(LeakError, match="near-copies"):
        check_leaks(segments.table, Split(shuffled.parts, "windows", unit="trial"), segments)


@pytest.mark.parametrize("seed", range(3))
def test_strangers_are_no_copies(seed):
    segments = games(noise=None, seed=seed)
    assert DuplicateSearch(segments).pairs(by_subject(segments.table).parts).empty


def slow(copies: bool, seed: int = 0, n_subjects: int = 24) -> Segments:
    """Random walks at 4 Hz, as skin conductance: windows of strangers correlate at .9 and more."""
    rng = np.random.default_rng(seed)
    parts = []
    walks: list[np.ndarray] = []
    for k in range(n_subjects):
        walk = np.cumsum(rng.normal(size=(1, 3000)), axis=1)
        walks.append(copied(rng, walks[k - 14], 0.01) if copies and k >= 14 else walk)
        signal = Signal(walks[k], 4.0, ("gsr",), "µS")
        recording = Recording({"gsr": signal}, "walks", f"S{k + 1:02d}", "", (Block(0, 750, {}, "film"),))
        parts.append(cut(recording, windows(recording, 10.0, 0.0), 10.0))
    return concatenate(parts)


def test_slow_signals_are_judged_by_whole_recordings():
    strangers, copies = slow(copies=False), slow(copies=True)
    data = strangers.signals["gsr"][:, 0]
    half = len(data) // 2
    correlation = np.corrcoef(data)[:half, half:]
    # What a threshold on the correlation would report: pairs of strangers by the hundred.
    assert (correlation > 0.95).sum() > 100
    assert DuplicateSearch(strangers).pairs(by_subject(strangers.table).parts).empty
    found = DuplicateSearch(copies).pairs(by_subject(copies.table).parts)
    assert set(found["kind"]) == {"recordings"}
    assert sorted(zip(found["one"], found["other"], strict=True)) == [
        (f"walks/S{k:02d}", f"walks/S{k + 14:02d}") for k in range(1, 11)
    ]


def test_flat_and_stepwise_signals_tell_nothing():
    segments = slow(copies=False)
    data = segments.signals["gsr"]
    data[:] = 1.0
    data[::2, :, 20:] = 2.0  # the same step at the same time in half of all windows
    assert DuplicateSearch(segments).pairs(by_subject(segments.table).parts).empty


def test_features_that_others_computed_are_compared_on_the_scale_of_each():
    rng = np.random.default_rng(0)
    segments = slow(copies=False)
    n = len(segments)
    values = rng.normal(size=(n, 300, 1)) * 10 ** rng.uniform(-6, 6, (300, 1))
    values[n - 1] = values[0] * (1 + 0.05 * rng.normal(size=(300, 1)))
    spec = type(segments.specs["gsr"])(1.0, tuple(f"f{k}" for k in range(300)), "")
    features = Segments({"features": values.astype(np.float32)}, segments.table, {"features": spec})
    found = DuplicateSearch(features).pairs(by_subject(features.table).parts)
    names = features.table["segment"]
    assert found[["one", "other"]].to_numpy().tolist() == [[names[0], names[n - 1]]]
    features.signals["features"][5, 7] = np.nan  # of another window, and of one value
    again = DuplicateSearch(features).pairs(by_subject(features.table).parts)
    assert again[["one", "other"]].to_numpy().tolist() == [[names[0], names[n - 1]]]


def test_a_store_is_read_in_chunks_with_the_same_result(store, monkeypatch):
    store = SegmentStore(store)
    split = make_splits(store.table, "holdout")[0]
    monkeypatch.setattr(duplicates, "SIMILARITY", -1.0)
    monkeypatch.setattr(duplicates, "EVIDENCE", 1.0)
    in_memory = DuplicateSearch(store.segments())
    monkeypatch.setattr(duplicates, "CHUNK_VALUES", 900)
    read = []
    whole = SegmentStore.segments

    def counted(self, rows=None):
        read.append(len(rows))
        return whole(self, rows)

    monkeypatch.setattr(SegmentStore, "segments", counted)
    chunked = DuplicateSearch(store)
    # 90 values a window: 80 of skin conductance and 10 of heart rate.
    assert max(read) == 10
    found, expected = (search.pairs(split.parts) for search in (chunked, in_memory))
    assert len(expected) > 100
    keys = ["kind", "one", "other"]
    found, expected = (pairs.sort_values(keys, ignore_index=True) for pairs in (found, expected))
    # Sums in another order differ in the last digits of float32.
    pd.testing.assert_frame_equal(
        found.drop(columns="signal"), expected.drop(columns="signal"), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", ["noneeg", "fmov"])
def test_no_false_alarm_on_real_recordings(name, tmp_path):
    root = SHARED_DATA / name
    if not root.is_dir():
        pytest.skip(f"{root} is not there: the real recordings are no part of the project")
    store = SegmentStore(prepare(PrepareConfig(name, str(root), str(tmp_path / "store")), progress=False))
    search = DuplicateSearch(store)
    for protocol in ("gkf5", "trial5", "blocks5"):
        for split in make_splits(store.table, protocol):
            check_leaks(store.table, split, search)
