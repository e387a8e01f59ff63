"""The stage that writes splits: checked, whole, and what evaluation takes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biollm.experiment import EvaluateConfig, evaluate
from data_builders.leaks import LeakError
from data_builders.preparing import PrepareConfig, prepare
from data_builders.recording import Signal, load_recording, save_recording
from data_builders.splits import load_splits, make_splits
from data_builders.splitting import SplitConfig, split_store
from data_builders.store import SegmentStore


@pytest.mark.parametrize("protocol", ["holdout-2", "gkf4", "loso-first3", "trial3", "blocks4", "shuffled3"])
def test_the_files_are_the_splits_of_the_protocol(store, tmp_path, protocol):
    out = split_store(SplitConfig(str(store), str(tmp_path / "out"), protocol, seed=3), progress=False)
    assert load_splits(out) == make_splits(SegmentStore(store).table, protocol, seed=3)


def test_the_same_inputs_are_not_split_again_and_others_are(store, tmp_path):
    config = SplitConfig(str(store), str(tmp_path / "out"), "gkf4")
    file = split_store(config, progress=False) / "split-0.json"
    before = file.stat().st_mtime_ns
    split_store(config, progress=False)
    assert file.stat().st_mtime_ns == before
    config.protocol = "loso"
    assert len(load_splits(split_store(config, progress=False))) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "random"}, "protocol is 'random'; allowed are"),
        ({"protocol": "gkf9"}, "8 subjects cannot make 9 folds"),
        ({"protocol": "leave-session"}, "8 sessions of 8 subjects"),
        ({"protocol": "leave-stimulus"}, "segments without 'stimulus'"),
    ],
)
def test_what_cannot_be_split_is_an_error_and_nothing_is_written(store, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        split_store(SplitConfig(str(store), str(tmp_path / "out"), **change), progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_that_leaves_a_part_empty_is_refused(share):
    with pytest.raises(ValueError, match="n_validation is"):
        SplitConfig(n_validation=share)


def test_a_store_with_a_copied_recording_is_refused(two_states, tmp_path):
    """P0 under another name, with a gain, an offset and some noise."""
    root = tmp_path / "recordings"
    root.mkdir()
    for path in two_states.glob("*.npz"):
        save_recording(load_recording(path), root / path.name)
    original = load_recording(two_states / "P0.npz")
    rng = np.random.default_rng(0)
    signals = {
        name: Signal(
            1.5 * s.data + 3 + 0.05 * s.data.std() * rng.normal(size=s.data.shape), s.sampling_rate,
            s.channel_names, s.unit,
        )
        for name, s in original.signals.items()
    }  # fmt: skip
    renamed = type(original)(signals, original.dataset, "P9", blocks=original.blocks)
    save_recording(renamed, root / "P9.npz")
    copied = prepare(PrepareConfig("npz", str(root), str(tmp_path / "store"), window=10.0), progress=False)
    with pytest.raises(
        LeakError, match=r"near-copies of recordings: two_states/P\d and two_states/P\d"
    ) as error:
        split_store(SplitConfig(str(copied), str(tmp_path / "out"), "loso"), progress=False)
    assert "P0" in str(error.value)
    assert "P9" in str(error.value)


def test_evaluation_takes_the_folder_and_says_that_a_split_leaks(store, tmp_path):
    splits = split_store(SplitConfig(str(store), str(tmp_path / "splits"), "shuffled3"), progress=False)
    config = EvaluateConfig(str(store), str(tmp_path / "out"), split=str(splits), groups=["classical"])
    out = evaluate(config, progress=False)
    report = json.loads((out / "report.json").read_text())
    assert report["split"]["leaky"] is True
    assert report["split"]["subject_disjoint"] is False
    assert report["split"]["hashes"] == [split.hash for split in load_splits(splits)]
    assert "LEAKY SPLIT" in (out / "report.html").read_text()


def test_the_validation_share_is_the_one_that_is_asked_for(store, tmp_path):
    config = SplitConfig(str(store), str(tmp_path / "out"), "gkf4", n_validation=0.5)
    table = SegmentStore(store).table
    for split in load_splits(split_store(config, progress=False)):
        # of eight subjects two are tested, and half of the six that are left
        assert table["subject"][split.mask(table, "validation")].nunique() == 3
