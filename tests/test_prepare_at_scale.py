"""``prepare`` in parallel, killed at any moment, with unreadable files, on a URL and on a Ray cluster."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import sleep

import numpy as np
import psutil
import pytest
from killing import run_killed

from biollm.building import BuildConfig, build
from data_builders.engines import ENGINES
from data_builders.preparing import PrepareConfig, prepare
from data_builders.recording import Block, Recording, Signal, save_recording
from data_builders.stage import folder_hash, read_stamp
from data_builders.store import SegmentStore

N_FILES = 12


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Twelve recordings of 40 s with two blocks."""
    root = tmp_path_factory.mktemp("recordings")
    for k in range(N_FILES):
        data = np.random.default_rng(k).normal(size=(2, 40 * 32))
        blocks = (Block(0, 20, {"emotion": "calm"}, "T0"), Block(20, 20, {"emotion": "tense"}, "T1"))
        signals = {"eeg": Signal(data, 32.0, ("Fz", "Cz"), "µV")}
        save_recording(Recording(signals, "mine", f"P{k:02d}", blocks=blocks), root / f"P{k:02d}.npz")
    return root


def config(root: Path | str, out: Path | str, **changes) -> PrepareConfig:
    settings = {"dataset": "npz", "root": str(root), "out": str(out), "window": 10.0, "step": 5.0}
    return PrepareConfig(**(settings | changes))


def content(folder: Path | str) -> tuple[str, str]:
    """Hashes of what made a store and of what it holds."""
    store = SegmentStore(folder)
    return store.key, store.about["content"]


@pytest.fixture(scope="module")
def whole(recordings, tmp_path_factory) -> tuple[str, str]:
    out = tmp_path_factory.mktemp("whole") / "store"
    return content(prepare(config(recordings, out), progress=False))


@pytest.mark.parametrize("jobs", [2, 5])
def test_more_processes_make_the_same_store(recordings, whole, tmp_path, jobs):
    out = prepare(config(recordings, tmp_path / "store", jobs=jobs), progress=False)
    assert content(out) == whole
    assert sorted(path.suffix for path in out.iterdir()) == [".arrow"] * N_FILES + [".json"] * 2


def test_several_files_in_a_shard_hold_the_same_segments(recordings, tmp_path):
    one = SegmentStore(prepare(config(recordings, tmp_path / "one"), progress=False))
    out = prepare(config(recordings, tmp_path / "five", files_per_shard=5, jobs=2), progress=False)
    five = SegmentStore(out)
    assert len(list(out.glob("*.arrow"))) == 3
    assert five.table.equals(one.table)
    np.testing.assert_array_equal(five.segments().signals["eeg"], one.segments().signals["eeg"])


def test_chunks_give_all_rows_in_order(recordings, tmp_path):
    store = SegmentStore(prepare(config(recordings, tmp_path / "store", files_per_shard=5), progress=False))
    everything = store.segments()
    chunks = list(store.chunks(7))
    assert [len(chunk) for chunk in chunks[:-1]] == [7] * (len(chunks) - 1)
    np.testing.assert_array_equal(
        np.concatenate([chunk.signals["eeg"] for chunk in chunks]), everything.signals["eeg"]
    )


def test_killed_at_random_moments_it_ends_with_the_same_content(recordings, whole, tmp_path):
    """Each of 12 runs is killed at a random step, killed again while it goes on, and then let finish."""
    status, n_steps = run_killed(None, False, vars(config(recordings, tmp_path / "counted")))
    assert status == 0
    assert n_steps > 4 * N_FILES
    rng, n_killed = random.Random(0), 0
    for number in range(12):
        out = tmp_path / str(number)
        settings = vars(config(recordings, out))
        for _ in range(2):
            status, _ = run_killed(rng.randint(1, n_steps), rng.random() < 0.5, settings)
            assert status in (0, -signal.SIGKILL)
            n_killed += status != 0
            assert not out.exists() or content(out) == whole
        assert content(prepare(PrepareConfig(**settings), progress=False)) == whole
        assert not (tmp_path / f"{number}.partial").exists()
        assert {path.suffix for path in out.iterdir()} == {".arrow", ".json"}
    assert n_killed >= 12


@pytest.mark.parametrize("whole_group", [True, False])
def test_killed_with_its_workers_or_without_them_it_ends_with_the_same_content(
    recordings, whole, tmp_path, whole_group
):
    """The command with two processes; killed alone, its workers may still write for a while."""
    out = tmp_path / "store"
    command = [sys.executable, "-m", "biollm", "prepare", "--dataset", "npz", "--root", str(recordings)]
    command += ["--out", str(out), "--window", "10", "--step", "5", "--jobs", "2"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "store.partial").glob("0*.json")) and process.poll() is None:
        sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    found = content(prepare(config(recordings, out, jobs=2), progress=False))
    assert found == whole
    assert {path.suffix for path in out.iterdir()} == {".arrow", ".json"}


def test_what_is_done_is_not_done_again(recordings, whole, tmp_path, monkeypatch):
    """After a failure at the ninth file, only the files from there on are read."""
    from data_builders.readers import RecordingFolder

    read = RecordingFolder.read
    seen: list[str] = []

    def broken(self, path):
        seen.append(Path(path).name)
        if len(seen) == 9:
            raise KeyboardInterrupt
        return read(self, path)

    monkeypatch.setattr(RecordingFolder, "read", broken)
    with pytest.raises(KeyboardInterrupt):
        prepare(config(recordings, tmp_path / "store"), progress=False)
    assert content(prepare(config(recordings, tmp_path / "store"), progress=False)) == whole
    names = [f"P{k:02d}.npz" for k in range(N_FILES)]
    assert seen == [*names[:9], *names[8:]]


def dying(task: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL) if task == 3 else None
    return task


def test_a_worker_that_dies_is_one_message():
    with pytest.raises(ChildProcessError, match=r"a worker process died.*goes on"):
        list(ENGINES["local"](dying, range(6), 2))


@pytest.fixture
def with_bad_files(recordings, tmp_path) -> Path:
    """Two of the files cut off behind their headers."""
    root = tmp_path / "recordings"
    root.mkdir()
    for path in recordings.iterdir():
        (root / path.name).write_bytes(path.read_bytes())
    for name in ("P03.npz", "P07.npz"):
        with np.load(root / name) as file:
            np.savez(root / name, header=file["header"])
    return root


def test_an_unreadable_file_fails_the_run_by_its_name(with_bad_files, tmp_path):
    for jobs in (1, 2):
        with pytest.raises(ValueError, match=r"P0[37].npz.*'eeg'"):
            prepare(config(with_bad_files, tmp_path / "store", jobs=jobs), progress=False)
        assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("files_per_shard", [1, 4])
def test_unreadable_files_can_be_left_out_and_are_listed(with_bad_files, tmp_path, files_per_shard):
    settings = {"on_error": "skip", "files_per_shard": files_per_shard}
    store = SegmentStore(prepare(config(with_bad_files, tmp_path / "store", **settings), progress=False))
    assert [entry["name"] for entry in store.about["skipped"]] == ["P03.npz", "P07.npz"]
    assert all("'eeg'" in entry["error"] for entry in store.about["skipped"])
    assert set(store.table["subject"]) == {f"P{k:02d}" for k in range(N_FILES)} - {"P03", "P07"}
    assert store.describe()["skipped"] == ["P03.npz", "P07.npz"]


def test_a_file_of_another_rate_is_named_beside_those_that_differ(recordings, tmp_path):
    root = tmp_path / "recordings"
    root.mkdir()
    for path in sorted(recordings.iterdir())[:3]:
        (root / path.name).write_bytes(path.read_bytes())
    block = Block(0, 20, {"emotion": "calm"}, "T0")
    signals = {"eeg": Signal(np.ones((2, 40 * 16)), 16.0, ("Fz", "Cz"), "µV")}
    save_recording(Recording(signals, "mine", "P99", blocks=(block,)), root / "P99.npz")
    with pytest.raises(ValueError, match=r"P99.npz: has eeg at 16 Hz.*before it have eeg at 32 Hz"):
        prepare(config(root, tmp_path / "store"), progress=False)


def test_two_files_with_one_recording_are_named(recordings, tmp_path):
    root = tmp_path / "recordings"
    root.mkdir()
    for name in ("P00.npz", "P01.npz", "copy.npz"):
        (root / name).write_bytes((recordings / name.replace("copy", "P00")).read_bytes())
    with pytest.raises(ValueError, match=r"(P00|copy).npz and (P00|copy).npz both hold mine/P00"):
        prepare(config(root, tmp_path / "store"), progress=False)


def test_a_store_is_written_to_and_read_from_a_url(recordings, whole, tmp_path, monkeypatch):
    """The recordings and the store lie in fsspec's memory; the content is that of the local run."""
    pytest.importorskip("upath")
    import fsspec

    monkeypatch.setenv("BIOLLM_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.put(f"{recordings}/", "/scale/recordings", recursive=True)
    settings = config("memory://scale/recordings", "memory://scale/store")
    with suppress(KeyboardInterrupt), monkeypatch.context() as patch:
        patch.setattr("data_builders.preparing.finish_store", interrupt)
        prepare(settings, progress=False)
    assert read_stamp_or_none("memory://scale/store") is None
    prepare(settings, progress=False)
    assert content("memory://scale/store")[1] == whole[1]
    names = {Path(name).suffix for name in memory.find("/scale/store")}
    assert names == {".arrow", ".json"}
    before = memory.modified("/scale/store/store.json")
    prepare(settings, progress=False)
    assert memory.modified("/scale/store/store.json") == before
    memory.rm("/scale", recursive=True)


def test_a_manifest_reads_its_files_from_urls_one_by_one(tmp_path):
    """Six arrays in fsspec's memory, beside a table here; the same as with the arrays beside the table."""
    pytest.importorskip("upath")
    import fsspec

    from data_builders import places

    memory = fsspec.filesystem("memory")
    contents = []
    for where in ("memory://scale/arrays/", ""):
        root = tmp_path / (where and "remote")
        root.mkdir(exist_ok=True)
        lines = ["path,subject,trial,modality,sampling_rate,unit,emotion"]
        for k in range(6):
            data = np.random.default_rng(k).normal(size=(1, 400)).astype(np.float32)
            np.save(tmp_path / f"S{k}.npy", data)
            if where:
                memory.pipe(f"/scale/arrays/S{k}.npy", (tmp_path / f"S{k}.npy").read_bytes())
            lines.append(f"{where}S{k}.npy,S{k},T,gsr,8,uS,{('calm', 'fear')[k % 2]}")
        (root / "manifest.csv").write_text("\n".join(lines))
        settings = config(root, tmp_path / f"store{len(contents)}", dataset="manifest")
        contents.append(content(prepare(settings, progress=False))[1])
        memory.pipe("/scale/arrays/S0.npy", b"changed") if where else None
    assert contents[0] == contents[1]
    assert len(places._fetched) <= places.KEPT
    with pytest.raises(ValueError, match="S0"):
        prepare(config(tmp_path / "remote", tmp_path / "store0", dataset="manifest"), progress=False)
    memory.rm("/scale", recursive=True)


def test_conversations_are_written_to_a_url(store, conversations, make_base, tmp_path, monkeypatch):
    pytest.importorskip("upath")
    import fsspec

    monkeypatch.setenv("BIOLLM_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    tokenizer = str(conversations.parent / "signal_tokenizer")
    settings = {"n_conversations": 400, "answer_forms": 1, "model_name_or_path": make_base()}
    settings["out"] = "memory://scale/built"
    build(BuildConfig(str(store), tokenizer, **settings), progress=False)
    shard = "train/00000.jsonl"
    assert memory.cat_file(f"/scale/built/{shard}") == (conversations / shard).read_bytes()
    found = {name.removeprefix("/scale/built/") for name in memory.find("/scale/built")}
    assert found == {path.relative_to(conversations).as_posix() for path in conversations.rglob("*.*")}
    memory.rm("/scale", recursive=True)


def interrupt(*args) -> None:
    raise KeyboardInterrupt


def read_stamp_or_none(folder: str) -> dict | None:
    try:
        return read_stamp(folder, "prepare")
    except FileNotFoundError:
        return None


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine: a head without CPUs and two nodes of one CPU each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    made.workers = [made.add_node(num_cpus=1) for _ in range(2)]
    ray.init(made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_ray_cluster_that_loses_a_worker_makes_the_same_store(cluster, recordings, whole, tmp_path):
    """One of the two nodes is killed when the first shards are there."""
    done = []

    def kill_one_in_mid_run() -> None:
        while not (cards := list((tmp_path / "store.partial").glob("0*.json"))):
            sleep(0.05)
        done.append(len(cards))
        cluster.remove_node(cluster.workers.pop(), allow_graceful=False)

    killer = Thread(target=kill_one_in_mid_run, daemon=True)
    killer.start()
    settings = {"engine": "ray", "ray_address": cluster.address, "jobs": 2}
    out = prepare(config(recordings, tmp_path / "store", **settings), progress=False)
    killer.join()
    assert 0 < done[0] < N_FILES
    assert content(out) == whole
    assert json.loads((out / "stage.json").read_text())["stage"] == "prepare"


def test_ray_builds_the_same_conversations(cluster, store, conversations, make_base, tmp_path, monkeypatch):
    """In chunks of 64 segments, here and there."""
    monkeypatch.setattr("encoders.input_cache.CHUNK", 64)
    settings = {"store": str(store), "signal_tokenizer": str(conversations.parent / "signal_tokenizer")}
    settings |= {"n_conversations": 400, "model_name_or_path": make_base()}
    here = build(BuildConfig(**settings, out=str(tmp_path / "here")), progress=False)
    on_ray = {"engine": "ray", "ray_address": cluster.address, "jobs": 2}
    there = build(BuildConfig(**settings, **on_ray, out=str(tmp_path / "there")), progress=False)
    assert folder_hash(there) == folder_hash(here)
    assert (there / "train/00000.jsonl").read_bytes() == (here / "train/00000.jsonl").read_bytes()
