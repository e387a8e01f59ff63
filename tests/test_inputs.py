"""Streams and features of a whole store, chunk by chunk."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_builders.store import SegmentStore
from encoders import inputs as module
from encoders.inputs import signal_inputs, store_inputs


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)


def test_chunks_give_what_the_whole_store_gives(store, tmp_path, small_chunks):
    """To rounding: a filter's sums may be ordered otherwise for other numbers of rows."""
    opened = SegmentStore(store)
    assert len(opened) % 7
    found, whole = store_inputs(opened, 2.0, tmp_path / "inputs"), signal_inputs(opened.segments(), 2.0)
    pd.testing.assert_frame_equal(found.table, whole.table)
    pd.testing.assert_frame_equal(found.features, whole.features, rtol=1e-6)
    assert found.streams.keys() == whole.streams.keys()
    for name, data in whole.streams.items():
        assert isinstance(found.streams[name], np.memmap)
        np.testing.assert_allclose(found.streams[name], data, rtol=1e-5, atol=1e-5)
    assert not list((tmp_path / "inputs").glob("parts*"))


def test_an_interrupted_computation_goes_on(store, tmp_path, small_chunks, monkeypatch):
    opened, seen = SegmentStore(store), []
    compute = signal_inputs

    def watched(segments, *settings):
        seen.append(len(segments))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return compute(segments, *settings)

    monkeypatch.setattr(module, "signal_inputs", watched)
    with pytest.raises(KeyboardInterrupt):
        store_inputs(opened, 2.0, tmp_path / "inputs")
    found = store_inputs(opened, 2.0, tmp_path / "inputs")
    assert sum(seen) == len(opened) + seen[2]
    monkeypatch.undo()
    monkeypatch.setattr(module, "CHUNK", 7)
    again = store_inputs(opened, 2.0, tmp_path / "again")
    pd.testing.assert_frame_equal(found.features, again.features)


def test_two_processes_compute_the_same(store, tmp_path, small_chunks):
    opened = SegmentStore(store)
    one, two = (store_inputs(opened, 2.0, tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.features, two.features)
    for name, data in one.streams.items():
        np.testing.assert_array_equal(data, two.streams[name])


def test_one_folder_holds_both_sets_of_features_apart(store, tmp_path):
    opened, folder = SegmentStore(store), tmp_path / "inputs"
    for features in ("full", "standard", "full"):
        found = store_inputs(opened, 2.0, folder, features=features)
        expected = signal_inputs(opened.segments(), 2.0, features)
        pd.testing.assert_frame_equal(found.features, expected.features, rtol=1e-6)
