"""Stages that neither repeat nor lose work, the segment store, and ``prepare`` that fills it."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest

from data_builders.preparing import PrepareConfig, prepare, read_for_chat
from data_builders.readers import READERS
from data_builders.recording import Block, Recording, Signal, load_recording, save_recording
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec, signal_summary
from data_builders.stage import close_stage, content_hash, folder_hash, open_stage, read_stamp, run_stage
from data_builders.store import SegmentStore, write_shards


class Work:
    """A stage's work that counts its calls and writes one file."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, partial: Path) -> None:
        self.calls += 1
        (partial / "result.txt").write_text(f"result {self.calls}")


def test_the_same_inputs_do_no_work_twice(tmp_path):
    work = Work()
    for _ in range(2):
        out = run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    assert work.calls == 1
    assert sorted(path.name for path in out.iterdir()) == ["result.txt", "stage.json"]
    assert read_stamp(out, "prepare")["inputs"] == {"window": 10}


def test_changed_inputs_replace_the_output_as_a_whole(tmp_path):
    work = Work()
    out = run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    (out / "old.txt").write_text("of the first run")
    run_stage("prepare", out, {"window": 20}, work)
    assert (out / "result.txt").read_text() == "result 2"
    assert not (out / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_runs_of_one_output_wait_for_each_other(tmp_path, capfd):
    """They would share one unfinished folder, and mix what they write."""
    began, go, out = Event(), Event(), tmp_path / "out"

    def slow(partial):
        began.set()
        assert go.wait(60)
        (partial / "file").write_text("first")

    def quick(partial):
        assert not (partial / "file").exists()
        (partial / "file").write_text("second")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run_stage, "prepare", out, {"seed": 1}, slow)
        assert began.wait(60)
        second = pool.submit(run_stage, "prepare", out, {"seed": 2}, quick)
        while not capfd.readouterr().out.startswith(f"{out}: another process works on it"):
            time.sleep(0.01)
        assert not (out / "file").exists()
        go.set()
        assert first.result() == second.result() == out
    assert (out / "file").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_that_is_called_as_the_earlier_output_would_be_stays(tmp_path, finished):
    work = Work()
    if finished:
        run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    (tmp_path / "out.replaced").mkdir()
    (tmp_path / "out.replaced" / "thesis.txt").write_text("mine")
    for window in (10, 20):
        with pytest.raises(FileNotFoundError, match=r"out\.replaced: .* files that no stage of biollm wrote"):
            run_stage("prepare", tmp_path / "out", {"window": window}, work)
    assert (tmp_path / "out.replaced" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "out").exists() == finished


def test_an_output_behind_a_link_is_replaced_where_it_lies(tmp_path):
    """As where the link leads to a larger disk."""
    (tmp_path / "disk" / "out").mkdir(parents=True)
    link, work = tmp_path / "out", Work()
    link.symlink_to(tmp_path / "disk" / "out")
    for window in (10, 20):
        out = run_stage("prepare", link, {"window": window}, work)
    assert out == link
    assert link.is_symlink()
    assert (tmp_path / "disk" / "out" / "result.txt").read_text() == "result 2"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["out"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "out"]


@pytest.mark.parametrize("at", ["put aside", "moved in", "deleted"])
def test_a_kill_while_an_output_is_replaced_leaves_one_of_the_two_whole(tmp_path, monkeypatch, at):
    """The earlier output is put aside, the new one moved in, the earlier one deleted: a kill behind each."""
    work = Work()
    out = run_stage("prepare", tmp_path / "out", {"window": 10}, work)

    def killed_behind(function):
        def call(*args, **kwargs):
            function(*args, **kwargs)
            raise KeyboardInterrupt

        return call

    def rename(path, target):
        os.replace(path, target)
        if (Path(target).name == "out.replaced") == (at == "put aside"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if at == "deleted":
            patch.setattr("data_builders.stage.shutil.rmtree", killed_behind(lambda path: None))
        else:
            patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            run_stage("prepare", out, {"window": 20}, work)
    assert run_stage("prepare", out, {"window": 20}, work) == out
    assert (out / "result.txt").read_text() == "result 2"
    assert work.calls == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_order_of_the_inputs_does_not_matter_but_their_values_do():
    assert content_hash({"a": 1, "b": [2, 3]}) == content_hash({"b": [2, 3], "a": 1})
    values = [{"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": None}, {"b": 1}, {"a": [1]}]
    assert len({content_hash(value) for value in values}) == len(values)


def test_a_crash_leaves_no_output_and_its_work_is_handed_out_again(tmp_path):
    seen = []

    def crash(partial):
        seen.append(sorted(path.name for path in partial.iterdir()))
        (partial / "half.txt").write_text("half")
        raise RuntimeError("power cut")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="power cut"):
            run_stage("prepare", tmp_path / "out", {"window": 10}, crash)
        assert not (tmp_path / "out").exists()
    assert seen == [["stage.json"], ["half.txt", "stage.json"]]
    with pytest.raises(FileNotFoundError, match=r"found the output of 'biollm prepare \(unfinished\)'"):
        read_stamp(tmp_path / "out.partial", "prepare")

    def finish(partial):
        assert not (partial / "half.txt").exists()
        (partial / "whole.txt").write_text("whole")

    out = run_stage("prepare", tmp_path / "out", {"window": 20}, finish)
    assert sorted(path.name for path in out.iterdir()) == ["stage.json", "whole.txt"]


def test_a_crash_keeps_the_earlier_output(tmp_path):
    out = run_stage("prepare", tmp_path / "out", {"window": 10}, Work())

    def crash(partial):
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        run_stage("prepare", out, {"window": 20}, crash)
    assert (out / "result.txt").read_text() == "result 1"
    assert read_stamp(out, "prepare")["inputs"] == {"window": 10}


def test_a_crash_before_the_stamp_does_not_block_the_stage(tmp_path):
    (tmp_path / "out.partial").mkdir()
    work = Work()
    run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    assert work.calls == 1


@pytest.mark.parametrize("name", ["out", "out.partial"])
def test_a_folder_of_the_users_is_never_touched(tmp_path, name):
    mine = tmp_path / name / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("years of work")
    work = Work()
    with pytest.raises(FileNotFoundError, match=str(mine.parent)):
        run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    assert mine.read_text() == "years of work"
    assert work.calls == 0


def test_a_folder_that_the_user_fills_meanwhile_is_not_touched_either(tmp_path):
    mine = tmp_path / "out" / "thesis.tex"

    def work(partial):
        (partial / "result.txt").write_text("result")
        mine.parent.mkdir()
        mine.write_text("years of work")

    with pytest.raises(FileNotFoundError, match="expected the output of 'biollm prepare'"):
        run_stage("prepare", tmp_path / "out", {"window": 10}, work)
    assert mine.read_text() == "years of work"
    assert (tmp_path / "out.partial" / "result.txt").read_text() == "result"


def test_another_stages_output_is_refused_and_kept(tmp_path):
    out = run_stage("build", tmp_path / "out", {}, Work())
    with pytest.raises(FileNotFoundError, match=r"expected the output of 'biollm prepare', found .*build"):
        run_stage("prepare", out, {}, Work())
    assert (out / "result.txt").exists()


def test_an_empty_folder_may_be_the_output(tmp_path):
    (tmp_path / "out").mkdir()
    assert (run_stage("prepare", tmp_path / "out", {}, Work()) / "result.txt").exists()


def test_an_opened_stage_is_finished_by_closing_it(tmp_path):
    partial = open_stage("finetune", tmp_path / "out", {"seed": 1})
    assert open_stage("finetune", tmp_path / "out", {"seed": 1}) == partial
    close_stage("finetune", partial, tmp_path / "out")
    assert open_stage("finetune", tmp_path / "out", {"seed": 1}) is None
    assert open_stage("finetune", tmp_path / "out", {"seed": 2}) is not None


def test_a_folders_hash_is_of_names_and_bytes(tmp_path):
    def write(**files: str) -> str:
        folder = tmp_path / content_hash(files)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return folder_hash(folder)

    first = write(a="1", b="2")
    assert len({first, write(a="1"), write(a="1", b="3"), write(a="1", c="2")}) == 4
    (tmp_path / "again").mkdir()
    for name, text in (("b", "2"), ("a", "1")):
        (tmp_path / "again" / name).write_text(text)
    assert folder_hash(tmp_path / "again") == first


SPECS = {"eeg": SignalSpec(128.0, ("Fp1", "Fp2"), "µV"), "gsr": SignalSpec(8.0, ("EDA",), "µS")}


def some_segments(subject: str, n: int = 5, seed: int = 0) -> Segments:
    rng = np.random.default_rng(seed)
    signals = {
        "eeg": rng.normal(size=(n, 2, 256)).astype(np.float32),
        "gsr": rng.normal(size=(n, 1, 16)).astype(np.float32),
    }
    signals["eeg"][0, 1, :3] = [np.nan, np.inf, -0.0]
    table = pd.DataFrame(
        {
            "segment": [f"d/{subject}/{k}" for k in range(n)],
            "dataset": "d",
            "recording": f"d/{subject}",
            "group": subject,
            "source": "",
            "subject": subject,
            "session": "",
            "trial": "T1",
            "stimulus": "film ü",
            "start": 2.0 * np.arange(n) + 0.1,
            "duration": 2.0,
            "on_grid": np.arange(n) % 2 == 0,
            "reference": np.arange(n) == 3,
            "emotion": ["calm", None, "tense", None, "calm"][:n],
            "valence": [0.5, np.nan, None, -1.25, 0.1][:n],
            "arousal": None,
            "transition": [1, 0, None, None, 1][:n],
        }
    )
    return Segments(signals, table, SPECS)


def write_store(folder: Path, *parts: Segments) -> SegmentStore:
    named = [(f"{part.table['subject'][0]}.edf", part) for part in parts]
    about = {"dataset": "d", "classes": ["calm", "tense"], "window": 2.0}
    run_stage("prepare", folder, {}, lambda partial: write_shards(named, partial, about))
    return SegmentStore(folder)


def test_a_store_gives_back_every_bit_and_every_missing_label(tmp_path):
    parts = [some_segments("P1"), some_segments("P2", seed=1)]
    store = write_store(tmp_path / "store", *parts)
    found = store.segments()
    assert store.specs == found.specs == SPECS
    for name in SPECS:
        written = np.concatenate([part.signals[name] for part in parts])
        assert found.signals[name].dtype == np.float32
        assert found.signals[name].shape == written.shape
        assert found.signals[name].tobytes() == written.tobytes()
    table = pd.concat([part.table for part in parts], ignore_index=True)
    assert list(found.table) == list(TABLE_COLUMNS)
    for name in ("segment", "dataset", "subject", "session", "trial", "stimulus", "emotion"):
        assert found.table[name].tolist() == table[name].tolist(), name
    for name in ("start", "duration", "valence", "arousal", "transition"):
        np.testing.assert_array_equal(found.table[name].to_numpy(float), table[name].to_numpy(float), name)
    for name in ("on_grid", "reference"):
        assert found.table[name].dtype == bool
        assert found.table[name].tolist() == table[name].tolist()
    pd.testing.assert_frame_equal(found.table, store.table)


def test_masks_and_positions_read_those_rows_in_their_order(tmp_path):
    store = write_store(tmp_path / "store", some_segments("P1"), some_segments("P2", seed=1))
    everything = store.segments()
    for rows in (store.table["emotion"] == "calm", np.array([7, 0, 3]), np.array([4, 5]), np.zeros(10, bool)):
        found = store.segments(rows)
        wanted = everything[np.asarray(rows)]
        assert found.table["segment"].tolist() == wanted.table["segment"].tolist()
        for name in SPECS:
            np.testing.assert_array_equal(found.signals[name], wanted.signals[name])
            assert found.signals[name].shape == wanted.signals[name].shape
    with pytest.raises(ValueError, match=r"mask has shape \(9,\).* 10"):
        store.segments(np.ones(9, bool))


def test_a_description_counts_what_can_be_evaluated(tmp_path):
    store = write_store(tmp_path / "store", some_segments("P1"), some_segments("P2", seed=1))
    about = store.describe()
    assert (about["n_segments"], about["n_subjects"]) == (6, 2)
    assert about["labels"] == {"calm": 4, "tense": 2}
    assert about["modalities"] == {"eeg": "128 Hz in µV (Fp1, Fp2)", "gsr": "8 Hz in µS (EDA)"}


def test_recordings_that_differ_are_refused_with_the_first_that_does(tmp_path):
    other = some_segments("P2")
    other.specs = SPECS | {"gsr": replace(SPECS["gsr"], sampling_rate=4.0)}
    with pytest.raises(ValueError, match=r"P2.edf: has .*gsr at 4 Hz.* before it have .*gsr at 8 Hz"):
        write_store(tmp_path / "store", some_segments("P1"), other)
    assert not (tmp_path / "store").exists()


def test_segment_ids_that_come_twice_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"twice: \['d/P1/0', 'd/P1/1', 'd/P1/2'\]"):
        write_store(tmp_path / "store", some_segments("P1"), some_segments("P1", seed=1))


def test_nothing_to_store_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no recordings"):
        write_store(tmp_path / "store")


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the output of 'biollm prepare', found no finished"):
        SegmentStore(tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two recordings of 130 s at 4 Hz with two blocks of 40 s."""
    root = tmp_path / "recordings"
    root.mkdir()
    for k in range(2):
        save_recording(a_recording(f"P{k}"), root / f"P{k}.npz")
    return root


def a_recording(subject: str, *blocks: Block, seconds: float = 130) -> Recording:
    signal = Signal(np.arange(round(seconds * 4))[None] / 4, 4.0, ("eda",), "µS")
    blocks = blocks or (
        Block(0, 40, {"emotion": "calm"}, trial="T0"),
        Block(80, 40, {"emotion": "tense"}, trial="T1"),
    )
    return Recording({"gsr": signal}, "mine", subject, blocks=blocks)


def run(folder: Path, **changes) -> SegmentStore:
    settings = {"dataset": "npz", "root": str(folder), "out": str(folder.parent / "store")}
    config = PrepareConfig(**{**settings, "window": 10.0, "step": 5.0, **changes})
    return SegmentStore(prepare(config, progress=False))


def test_prepare_stores_windows_with_labels_and_reference_windows_without(folder):
    store = run(folder)
    table = store.table
    assert store.classes == ("calm", "tense")
    grid = table[table["on_grid"]]
    assert grid.groupby(["subject", "emotion"]).size().tolist() == [4, 4, 4, 4]
    assert len(table[~table["on_grid"] & ~table["reference"]]) == 2 * 2 * 3
    reference = table[table["reference"]]
    assert len(reference) == 2 * 12
    assert reference["emotion"].isna().all()
    assert (reference["start"] + reference["duration"]).max() <= 120
    first = store.segments().signals["gsr"][:, 0, 0]
    np.testing.assert_array_equal(first, table["start"])


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 20.0},
        {"step": 10.0},
        {"step": 0.0},
        {"reader_options": {"window": 5.0}},
        {"reader_options": '{"window": 5.0}'},
    ],
)
def test_a_store_is_made_anew_for_other_settings(folder, changes):
    assert run(folder).key != run(folder, **changes).key


def test_a_store_is_made_anew_for_changed_files_only(folder):
    key = run(folder).key
    assert run(folder).key == key
    assert run(folder, out=str(folder.parent / "elsewhere")).key == key
    stamp = (folder / "P1.npz").stat()
    os.utime(folder / "P1.npz", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    touched = run(folder).key
    save_recording(a_recording("P2"), folder / "P2.npz")
    more = run(folder)
    assert len({key, touched, more.key}) == 3
    assert more.table["subject"].nunique() == 3


def test_a_change_in_any_file_of_a_recording_is_seen(tmp_path, monkeypatch):
    """Non-EEG's recordings are of several files each, and its paths name none of them wholly."""
    names = ("Subject1_AccTempEDA.hea", "Subject1_AccTempEDA.atr", "Subject1_SpO2HR.dat")
    for name in names:
        (tmp_path / name).write_text("as downloaded")
    recording = a_recording("1", Block(0, 100, {"emotion": "relax"}, "T0"))
    monkeypatch.setattr(READERS["noneeg"], "read", lambda self, path: recording)
    config = PrepareConfig(dataset="noneeg", root=str(tmp_path), out=str(tmp_path / "store"))
    keys = [SegmentStore(prepare(config, progress=False)).key for _ in range(2)]
    assert len(set(keys)) == 1
    for name in names:
        (tmp_path / name).write_text("mended")
        keys.append(SegmentStore(prepare(config, progress=False)).key)
    assert len(set(keys)) == 4


def test_a_change_behind_a_link_is_seen_and_links_in_a_circle_end(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.txt").write_text("first")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    keys = [run(folder).key for _ in range(2)]
    (elsewhere / "notes.txt").write_text("second")
    keys.append(run(folder).key)
    assert keys[0] == keys[1] != keys[2]


def test_a_store_of_other_code_is_made_anew(folder, monkeypatch):
    keys = [run(folder).key for _ in range(2)]
    monkeypatch.setattr("data_builders.preparing.code_behind", lambda file: "other")
    keys.append(run(folder).key)
    assert keys[0] == keys[1] != keys[2]


def test_infinite_values_and_steps_for_no_signal_are_refused(folder):
    for steps in ({"gssr": {"low_pass": 1}}, '{"gssr": {"low_pass": 1}}'):
        with pytest.raises(
            ValueError, match=r"names \['gssr'\], which mine/P0 has not; allowed are \['gsr'\]"
        ):
            run(folder, preprocessing=steps)
    recording = a_recording("P9")
    recording.signals["gsr"].data[0, 7] = np.inf
    save_recording(recording, folder / "P9.npz")
    with pytest.raises(ValueError, match=r"P9.*'gsr' holds infinite values in eda \(1\)"):
        run(folder)


def test_unknown_options_of_a_reader_are_named_with_those_that_there_are(folder):
    with pytest.raises(
        ValueError, match=r"'npz': has no options \['widow'\]; allowed are \['window', 'step'"
    ):
        run(folder, reader_options={"widow": 3})


def test_an_unknown_data_set_is_refused_with_those_that_exist(tmp_path):
    with pytest.raises(ValueError, match=r"'daep'.*'deap'.*'fmov'.*'noneeg'.*'npz'.*'simulated'"):
        prepare(PrepareConfig(dataset="daep", root=str(tmp_path), out=str(tmp_path / "out")))


def test_bad_settings_are_named_together():
    with pytest.raises(ValueError, match=r"window is 0.*step is -1"):
        PrepareConfig(window=0, step=-1)


@pytest.mark.parametrize("blocks", [(), (Block(0, 4, {"emotion": "calm"}, "T"),)])
def test_a_recording_without_labelled_windows_is_named(folder, blocks):
    """Its reference windows alone are worth nothing."""
    save_recording(replace(a_recording("P9"), blocks=blocks), folder / "P9.npz")
    with pytest.raises(ValueError, match=rf"P9.npz: no window of 10.0 s.*{len(blocks)} labelled blocks"):
        run(folder)
    assert not (folder.parent / "store").exists()


def events(folder: Path) -> None:
    blocks = tuple(Block(20.0 * k, 0, {"emotion": "happy"}, f"T{k}") for k in range(1, 5))
    for k in range(2):
        save_recording(a_recording(f"P{k}", *blocks), folder / f"P{k}.npz")


def test_events_get_the_readers_window_and_no_copies_unless_asked_for(folder):
    events(folder)
    options = {"reader_options": {"event": [2.0, 6.0]}, "window": None}
    plain = run(folder, step=None, **options)
    assert plain.about["window"] == 8.0
    labelled = plain.table[plain.table["emotion"].notna()]
    assert labelled[labelled["subject"] == "P0"]["start"].tolist() == [18.0, 38.0, 58.0, 78.0]
    copied = run(folder, step=1.0, **options).table
    assert copied[copied["emotion"].notna()]["on_grid"].sum() == 8
    assert len(copied[copied["emotion"].notna()]) == 24
    with pytest.raises(ValueError, match=r"window is 4.0 s; allowed for 'npz' is 8.0 s"):
        run(folder, **options | {"window": 4.0})


def test_a_chat_cuts_a_recording_as_its_store_was_cut(folder):
    card = run(folder).card()
    assert str(folder) not in json.dumps(card)
    recording, segments = read_for_chat(card, str(folder / "P1.npz"))
    assert recording.subject == "P1"
    table = segments.table
    assert table[~table["reference"]]["start"].tolist() == [10.0 * k for k in range(13)]
    assert table[table["reference"]]["start"].tolist() == [10.0 * k for k in range(12)]
    assert table["duration"].unique().tolist() == [10.0]


def test_a_chat_reads_a_saved_recording_whatever_the_reader(tmp_path):
    """The simulated set has no folder, and a folder of WFDB files holds no ``.npz``."""
    path = save_recording(a_recording("P1"), tmp_path / "P1.npz")
    for dataset in ("simulated", "noneeg"):
        card = {"dataset": dataset, "reader_options": None, "window": 10.0, "event": None}
        card |= {"preprocessing": "none", "modalities": modalities(load_recording(path))}
        recording, _ = read_for_chat(card, str(path))
        assert recording.blocks == load_recording(path).blocks


def modalities(recording):
    return {name: signal_summary(signal) for name, signal in recording.signals.items()}


def test_a_chat_about_a_recording_that_lacks_a_modality_says_so(folder):
    card = run(folder).card()
    whole = a_recording("P9")
    path = save_recording(whole, folder / "P9.npz")
    missing = card | {"modalities": card["modalities"] | {"ecg": "256 Hz in mV (I, II)"}}
    with pytest.raises(
        ValueError, match=r"P9.npz: has .*; the model was trained on ecg at 256 Hz in mV \(I, II"
    ):
        read_for_chat(missing, str(path))


@pytest.mark.parametrize("change", ["order", "names", "unit"])
def test_a_chat_about_other_channels_or_another_unit_says_so(tmp_path, change):
    """They were read one for the other, and scored."""
    whole = a_recording("P9")
    eeg = Signal(np.ones((2, 60 * 32)), 32.0, ("F3", "F4"), "µV")
    names = {"order": ("F4", "F3"), "names": ("O1", "O2")}.get(change, ("F3", "F4"))
    other = replace(eeg, channel_names=names, unit="V" if change == "unit" else "µV")
    card = {"dataset": "npz", "reader_options": None, "window": 10.0, "event": None, "preprocessing": "none"}
    card |= {"modalities": {"eeg": signal_summary(eeg)}}
    for signal in (eeg, other):
        path = save_recording(replace(whole, signals={"eeg": signal}, blocks=()), tmp_path / "P9.npz")
        if signal is eeg:
            assert read_for_chat(card, str(path))[0].signals["eeg"].channel_names == ("F3", "F4")
            continue
        with pytest.raises(
            ValueError, match=r"the model was trained on eeg at 32 Hz in µV \(F3, F4\) and reads"
        ):
            read_for_chat(card, str(path))


def test_a_chat_needs_the_baseline_that_its_store_subtracts_and_no_other(folder, tmp_path):
    cards, paths = [], []
    for name in ("", "T0"):  # a trial of its own has a baseline, a part of a session none
        root = tmp_path / f"kind {name}"
        root.mkdir()
        blocks = [Block(20.0, 40, {"emotion": emotion}, trial="T0") for emotion in ("calm", "tense")]
        for k, block in enumerate(blocks):
            made = replace(a_recording(f"P{k}", block), name=name, baseline=(0.0, 20.0))
            paths.append(save_recording(made, root / f"P{k}.npz"))
        cards.append(run(root, preprocessing="standard", out=str(root / "store")).card())
    (session, _, trial, _), above = paths, r"gsr at 4 Hz in µS above the baseline \(eda\)"
    plain = r"gsr at 4 Hz in µS \(eda\)"
    assert read_for_chat(cards[0], str(session))[1].specs["gsr"].full_unit == "µS"
    assert read_for_chat(cards[1], str(trial))[1].specs["gsr"].full_unit == "µS above the baseline"
    with pytest.raises(ValueError, match=rf"P0.npz: has {plain}; the model was trained on {above} and"):
        read_for_chat(cards[1], str(session))
    with pytest.raises(ValueError, match=rf"P0.npz: has {above}; the model was trained on {plain} and"):
        read_for_chat(cards[0], str(trial))


def test_a_chat_about_a_recording_without_the_events_of_its_store_says_so(folder):
    card = run(folder).card() | {"event": [2.0, 6.0], "window": 8.0}
    path = save_recording(replace(a_recording("P9"), blocks=()), folder / "P9.npz")
    with pytest.raises(ValueError, match=r"P9.npz: no window of 8.0 s fits into the 0 labelled blocks"):
        read_for_chat(card, str(path))
