"""Recordings: checks on construction, and the round trip through a file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from data_builders.places import tree_stats
from data_builders.readers.reader import Reader
from data_builders.recording import Block, Recording, Signal, load_recording, save_recording


def recording(**signals: Signal) -> Recording:
    rng = np.random.default_rng(0)
    signals = signals or {
        "gsr": Signal(rng.normal(size=(1, 80)), 8.0, ("EDA",), "µS"),
        "acceleration": Signal(rng.normal(size=(3, 33)), 4.0, ("ax", "ay", "az"), "g"),
    }
    blocks = (
        Block(0.0, 5.0, {"emotion": "calm", "valence": 0.25}, trial="T0", stimulus="film 3"),
        Block(5.5, 0.0, {"transition": 1}, trial="T1"),
    )
    return Recording(signals, "mine", "P1", "morning", blocks)


def test_a_file_gives_back_every_bit_and_every_word(tmp_path):
    saved = recording()
    saved.signals["gsr"].data[0, 3] = np.nan
    saved.signals["gsr"] = replace(saved.signals["gsr"], above_baseline=True)
    loaded = load_recording(save_recording(saved, tmp_path / "P1.npz"))
    assert list(loaded.signals) == list(saved.signals)
    for name, signal in saved.signals.items():
        got = loaded.signals[name]
        assert got.data.dtype == np.float32
        assert got.data.tobytes() == signal.data.tobytes()
        assert (got.sampling_rate, got.channel_names, got.unit) == (
            signal.sampling_rate,
            signal.channel_names,
            signal.unit,
        )
        assert got.above_baseline == signal.above_baseline == (name == "gsr")
    assert loaded.blocks == saved.blocks
    assert (loaded.dataset, loaded.subject, loaded.session) == ("mine", "P1", "morning")
    assert [path.name for path in tmp_path.iterdir()] == ["P1.npz"]


def test_a_folder_may_have_a_hash_in_its_name(tmp_path):
    """A file's recording is named behind one."""
    (tmp_path / "study #2").mkdir()
    path = save_recording(replace(recording(), name="T1"), tmp_path / "study #2" / "P1.npz")

    class Several(Reader):
        def recordings(self, path):
            yield load_recording(path)

    assert Several().read(path).name == Several().read(f"{path}#T1").name == "T1"
    with pytest.raises(
        ValueError, match=r"holds 1 recordings; allowed is .*study #2.P1.npz#NAME with one of"
    ):
        Several().read(f"{path}#T2")


def test_a_link_that_leads_nowhere_is_told_apart_and_no_error(tmp_path):
    (tmp_path / "a.dat").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b.dat").write_text("b")
    before = tree_stats(tmp_path)
    assert [name for name, *_ in before] == ["a.dat", "b.dat"]
    (tmp_path / "nowhere").write_text("now it is there")
    assert tree_stats(tmp_path)[0] != before[0]


def test_numpy_labels_and_times_are_saved_as_numbers(tmp_path):
    block = Block(
        np.float32(2.5), np.float32(4), {"valence": np.float32(0.5), "transition": np.int64(1)}, "T"
    )
    loaded = load_recording(
        save_recording(Recording(recording().signals, "mine", "P1", blocks=(block,)), tmp_path / "a.npz")
    )
    assert loaded.blocks == (Block(2.5, 4.0, {"valence": 0.5, "transition": 1}, "T"),)


def test_a_label_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path):
    path = save_recording(recording(), tmp_path / "a.npz")
    before = path.read_bytes()
    bad = Recording(recording().signals, "mine", "P1", blocks=(Block(0, 1, {"emotion": {1, 2}}, "T"),))
    with pytest.raises(TypeError, match=r"\{1, 2\} is a set"):
        save_recording(bad, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["header", "file", "allow_pickle"])
def test_a_modality_cannot_have_a_name_that_the_file_needs(tmp_path, name):
    with pytest.raises(ValueError, match=f"'{name}'.*Rename"):
        save_recording(recording(**{name: Signal(np.zeros((1, 4)), 1.0, ("x",), "V")}), tmp_path / "a.npz")


def test_what_is_no_recording_is_refused_with_its_name(tmp_path):
    ids = dict.fromkeys(("dataset", "subject", "session", "name", "group"), "")
    header = json.dumps({**ids, "baseline": [0, 120], "blocks": [], "signals": {"ecg": {}}})
    whole = save_recording(recording(), tmp_path / "whole.npz").read_bytes()
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "lacks.npz", header=np.array(header))
    np.savez(tmp_path / "bare.npz", header=np.array(json.dumps({"dataset": "d", "signals": {}})))
    (tmp_path / "text.npz").write_text("time,eda\n0,1\n")
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    complaints = {
        "other.npz": "no 'header'",
        "lacks.npz": r"does not hold: \['ecg'\]",
        "bare.npz": r"lacks \['baseline', 'blocks', 'group', 'name', 'session', 'subject'\]",
        "text.npz": "no .npz file",
        "cut.npz": "cut off",
    }
    for name, complaint in complaints.items():
        with pytest.raises(ValueError, match=f"{name}.*{complaint}"):
            load_recording(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"absent.npz"):
        load_recording(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("shape", "rate", "complaint"),
    [((80, 2), 8.0, r"\(80, 2\)"), ((80,), 8.0, r"\(80,\)"), ((2, 80), 0.0, "0.0"), ((2, 80), np.nan, "nan")],
)
def test_a_signal_checks_its_shape_and_rate(shape, rate, complaint):
    with pytest.raises(ValueError, match=complaint):
        Signal(np.zeros(shape), rate, ("left", "right"), "µV")


def test_the_duration_is_what_all_signals_cover():
    assert recording().duration == pytest.approx(33 / 4)
    assert recording().signals["gsr"].duration == pytest.approx(10.0)
