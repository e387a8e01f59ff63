"""Streams and features of a whole store: in chunks, once, and never those of other code or another store."""

from __future__ import annotations

import shutil
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_builders.places import tree_stats
from data_builders.store import SegmentStore
from encoders import input_cache as module
from encoders.features.gsr import gsr_features
from encoders.input_cache import inputs_folder, opened_store, store_inputs
from encoders.inputs import signal_inputs


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)


@pytest.fixture
def own_store(store, tmp_path) -> SegmentStore:
    """A copy of the store that no other test has computed the inputs of."""
    return SegmentStore(shutil.copytree(store, tmp_path / "store"))


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """Counts of segments whose features are computed from here on, in this process."""
    seen: list[int] = []
    extract = module.extract_features

    def watched(segments, features):
        seen.append(len(segments))
        return extract(segments, features)

    monkeypatch.setattr(module, "extract_features", watched)
    return seen


def test_chunks_give_what_the_whole_store_gives(own_store, small_chunks):
    """To rounding: a filter's sums may be ordered otherwise for other numbers of rows."""
    assert len(own_store) % 7
    found, whole = store_inputs(own_store, 2.0), signal_inputs(own_store.segments(), 2.0)
    pd.testing.assert_frame_equal(found.table, whole.table)
    pd.testing.assert_frame_equal(found.features, whole.features, rtol=1e-6)
    assert found.stream_specs == whole.stream_specs
    assert found.streams.keys() == whole.streams.keys()
    for name, data in whole.streams.items():
        assert isinstance(found.streams[name], np.memmap)
        np.testing.assert_allclose(found.streams[name], data, rtol=1e-5, atol=1e-5)
    assert sorted(path.suffix for path in inputs_folder(own_store).iterdir()) == [".npy", ".parquet"]


def test_what_is_there_is_not_computed_again_whatever_the_frames(own_store, computed):
    one = store_inputs(own_store, 2.0)
    other = store_inputs(SegmentStore(own_store.location), {"default": 5.0})
    assert sum(computed) == len(own_store)
    pd.testing.assert_frame_equal(one.features, other.features)
    assert [spec.n_frames for spec in one.stream_specs] == [5]
    assert [spec.n_frames for spec in other.stream_specs] == [2]


def test_an_interrupted_computation_goes_on(own_store, small_chunks, monkeypatch):
    seen: list[int] = []
    compute = module.extract_features

    def watched(segments, features):
        seen.append(len(segments))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return compute(segments, features)

    monkeypatch.setattr(module, "extract_features", watched)
    with pytest.raises(KeyboardInterrupt):
        store_inputs(own_store)
    found = store_inputs(own_store)
    assert sum(seen) == len(own_store) + seen[2]
    whole = signal_inputs(own_store.segments())
    pd.testing.assert_frame_equal(found.features, whole.features, rtol=1e-6)


def test_two_workers_compute_the_same(own_store, small_chunks):
    two = store_inputs(own_store, jobs=2)
    streams = {name: data.copy() for name, data in two.streams.items()}
    shutil.rmtree(inputs_folder(own_store))
    one = store_inputs(own_store)
    pd.testing.assert_frame_equal(one.features, two.features)
    for name, data in one.streams.items():
        np.testing.assert_array_equal(data, streams[name])


def test_each_set_of_features_has_its_file_and_both_have_the_same_streams(own_store, monkeypatch):
    made: list[list[str]] = []
    compute = module.stream_arrays

    def watched(segments, specs):
        made.append([spec.name for spec in specs])
        return compute(segments, specs)

    monkeypatch.setattr(module, "CHUNK", len(own_store))
    monkeypatch.setattr(module, "stream_arrays", watched)
    for features in ("full", "standard", "full"):
        found = store_inputs(own_store, features=features)
        expected = signal_inputs(own_store.segments(), 2.0, features)
        pd.testing.assert_frame_equal(found.features, expected.features, rtol=1e-6)
    assert made == [["peripheral"], []]


@pytest.mark.parametrize("change", ["code", "key", "content"])
def test_other_code_or_another_store_is_computed_and_replaces_what_was_there(
    own_store, computed, monkeypatch, change
):
    store_inputs(own_store)
    before = inputs_folder(own_store)
    if change == "code":
        monkeypatch.setattr(module, "CODE", "edited")
    elif change == "key":
        stamp = own_store.location / "stage.json"
        stamp.write_text(stamp.read_text().replace(own_store.key, "prepared otherwise"))
        own_store = SegmentStore(own_store.location)
    else:
        own_store.about["content"] = "other recordings"
    store_inputs(own_store)
    assert sum(computed) == 2 * len(own_store)
    folders = [path.name for path in before.parent.iterdir() if path.is_dir()]
    assert folders == [inputs_folder(own_store).name] != [before.name]


def doubled(data, sampling_rate, channel_names):
    return {name: 2 * values for name, values in gsr_features(data, sampling_rate, channel_names).items()}


def test_features_of_one_s_own_are_kept_apart(own_store, monkeypatch):
    _, opened = opened_store(str(own_store.location), own_store.key, 2.0, "standard")
    plain, before = opened.features["gsr_level"], inputs_folder(own_store)
    with monkeypatch.context() as patch:
        patch.setitem(module.FEATURES, "gsr", doubled)
        np.testing.assert_allclose(store_inputs(own_store).features["gsr_level"], 2 * plain)
        assert inputs_folder(own_store) != before
        reopened = opened_store(str(own_store.location), own_store.key, 2.0, "standard")[1]
        np.testing.assert_allclose(reopened.features["gsr_level"], 2 * plain)
    np.testing.assert_array_equal(store_inputs(own_store).features["gsr_level"], plain)


def test_computing_the_inputs_changes_no_folder_that_is_read_whole(own_store, monkeypatch):
    """A store may lie in the data's own folder, whose files are in the key of `prepare`."""
    root, seen, compute = own_store.location.parent, [], module._compute
    before = tree_stats(root)

    def watched(*args):
        seen.append(tree_stats(root))
        compute(*args)

    monkeypatch.setattr(module, "_compute", watched)
    store_inputs(own_store)
    assert seen == [before] == [tree_stats(root)]
    (root / "left.lock").touch()
    assert tree_stats(root) == before


def test_a_process_that_would_compute_other_features_says_so(own_store, tmp_path):
    """Of a script's "main" part another process knows nothing."""
    task = ((str(own_store.location), own_store.key, "with my features"), [], "standard", str(tmp_path), 0, 4)
    with pytest.raises(
        ValueError, match="this process would compute other features than the one that started"
    ):
        module.chunk_inputs(task)


def test_a_store_that_was_replaced_meanwhile_is_not_read_for_the_first(own_store, tmp_path):
    task = ((str(own_store.location), "another", module._code()), [], "standard", str(tmp_path), 0, 4)
    with pytest.raises(ValueError, match="was replaced by another store while it was read"):
        module.chunk_inputs(task)


def test_two_processes_that_want_the_same_get_it_and_compute_it_once(own_store):
    """The lock is held until both wait for it; the file that the second finds is the first's."""
    from filelock import FileLock

    place = inputs_folder(own_store)
    place.mkdir(parents=True)
    with get_context("spawn").Pool(2) as pool:
        with FileLock(place.parent / "inputs.lock"):
            begun = [own_store.location.parent / f"begun{k}" for k in range(2)]
            waiting = [
                pool.apply_async(_features_and_file, (str(own_store.location), file)) for file in begun
            ]
            while not all(
                file.exists() or result.ready() for file, result in zip(begun, waiting, strict=True)
            ):
                time.sleep(0.1)
            for result in waiting:
                result.wait(1)
            assert not any(result.ready() for result in waiting)
            assert not any(place.iterdir())
        (one, of_one), (two, of_two) = (result.get(60) for result in waiting)
    assert of_one == of_two
    pd.testing.assert_frame_equal(one, two)


def _features_and_file(location: str, begun: Path) -> tuple[pd.DataFrame, tuple[int, int]]:
    begun.touch()
    opened = SegmentStore(location)
    features = store_inputs(opened).features
    stat = (inputs_folder(opened) / "features_standard.parquet").stat()
    return features, (stat.st_ino, stat.st_mtime_ns)


def test_inputs_beside_recordings_are_no_recordings(own_store, tmp_path):
    from data_builders.places import tree_stats

    before = tree_stats(tmp_path)
    store_inputs(own_store)
    assert tree_stats(tmp_path) == before == []


def test_inputs_of_a_store_at_a_url_lie_beside_it_there(own_store, tmp_path, monkeypatch, computed):
    pytest.importorskip("upath")
    import fsspec

    monkeypatch.setenv("BIOLLM_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.put(f"{own_store.location}/", "/cached/store", recursive=True)
    remote = SegmentStore("memory://cached/store")
    found = store_inputs(remote)
    store_inputs(remote)
    assert sum(computed) == len(remote)
    assert {name.split("/")[2] for name in memory.find("/cached")} == {"store", "store.inputs"}
    pd.testing.assert_frame_equal(found.features, store_inputs(own_store).features)
    memory.rm("/cached", recursive=True)
