"""Every reader on a small data set in its exact format on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from written import (
    amigos,
    deap,
    dreamer,
    empatica,
    fmov,
    gameemo,
    kaggle,
    manifest,
    noneeg,
    npz,
    seed,
    seed_iv,
    stress_predict,
    wesad,
)

from data_builders.readers import FMOV, READERS, NonEEG, Reader, RecordingFolder, find_reader
from data_builders.recording import LABELS, Recording
from data_builders.segments import SignalSpec
from prompts import STATE_WORDS

OPTIONS = {"empatica": {"labels": ["rest", "stress", None, "rest"]}}
"""Of readers whose files alone have no labels."""
MADE: dict[str, dict[str, Any]] = {
    "simulated": {"n_subjects": 2, "n_trials": 4, "block_seconds": 10, "rest_seconds": 10},
    "simulated_features": {"part": 20},
}
"""Readers that need no files, with their options."""
OWN = {"simulated", "simulated_features", "npz", "manifest"}
"""Readers of no published data set."""
WRITERS: dict[str, Callable[[Path], Any]] = {
    "amigos": amigos.write,
    "deap": deap.write,
    "dreamer": dreamer.write,
    "empatica": empatica.write,
    "fmov": fmov.write,
    "gameemo": gameemo.write,
    "kaggle": kaggle.write,
    "manifest": manifest.write,
    "noneeg": noneeg.write,
    "npz": npz.write,
    "seed": seed.write,
    "seed_iv": seed_iv.write,
    "stress_predict": stress_predict.write,
    "wesad": wesad.write,
}


def make(name: str, root: Path) -> Reader:
    """The reader `name` on a small data set of its own."""
    if name in MADE:
        return READERS[name](**MADE[name])
    WRITERS[name](root)
    return READERS[name](root, **OPTIONS.get(name, {}))  # type: ignore[call-arg]


@pytest.mark.filterwarnings("ignore:.*left out the videos")
@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    reader = make(name, tmp_path)
    assert reader.name == name
    assert all([reader.title, reader.licence, reader.citation, reader.labels, reader.baseline])
    assert reader.url.startswith("https://") or name in OWN
    # Around events a step is the shift of training copies, and there are none by default.
    assert reader.step == 0 if reader.event else 0 < reader.step <= reader.window
    recordings = list(reader)
    assert len(recordings) >= len(reader.paths()) > 0
    assert len({recording.id for recording in recordings}) == len(recordings)
    trials = [(r.subject, r.session, block.trial) for r in recordings for block in r.blocks]
    assert len(set(trials)) == len(trials) > 0
    for recording in recordings:
        check_recording(recording, reader)


def check_recording(recording: Recording, reader: Reader) -> None:
    """Blocks in order and inside the signals, labels that the reader tells of, finite signals."""
    assert [block.start for block in recording.blocks] == sorted(b.start for b in recording.blocks)
    # Equal where there is no baseline.
    assert 0 <= recording.baseline[0] <= recording.baseline[1]
    for block in recording.blocks:
        assert set(block.labels) <= set(LABELS)
        assert block.labels.get("emotion") in (None, *reader.classes)
        # start and duration are rounded each on its own
        assert 0 <= block.start <= block.start + block.duration <= recording.duration + 1e-9
        assert (block.duration == 0) == (reader.event is not None)
        assert block.trial
    for signal in recording.signals.values():
        assert np.isfinite(signal.data).all()
    specs = {n: SignalSpec(s.sampling_rate, s.channel_names, s.unit) for n, s in recording.signals.items()}
    assert not reader.modalities or dict(reader.modalities) == specs


@pytest.mark.filterwarnings("ignore:.*left out the videos")
@pytest.mark.parametrize("name", sorted(READERS))
def test_reading_a_path_alone_gives_what_iteration_gives(name: str, tmp_path: Path) -> None:
    reader = make(name, tmp_path)
    last = list(reader)[-1]
    alone = reader.read(f"{reader.paths()[-1]}#{last.name}" if last.name else reader.paths()[-1])
    assert alone.blocks == last.blocks
    for modality, signal in last.signals.items():
        np.testing.assert_array_equal(alone.signals[modality].data, signal.data)


@pytest.mark.parametrize("name", sorted(READERS))
def test_labels_are_words_that_the_embedded_base_knows(name: str) -> None:
    assert set(READERS[name].classes) <= set(STATE_WORDS)


@pytest.mark.parametrize("name", sorted(set(READERS) - set(MADE)))
def test_a_folder_without_the_data_is_refused(name: str, tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing", None):
        with pytest.raises(FileNotFoundError, match=f"reader '{name}'"):
            READERS[name](root)  # type: ignore[call-arg]


def test_an_unknown_reader_is_refused_with_the_names() -> None:
    assert find_reader("fmov") is find_reader(FMOV) is FMOV
    with pytest.raises(ValueError, match=r"'nosuch'.*fmov.*noneeg.*npz.*simulated"):
        find_reader("nosuch")


def test_noneeg_signals_and_blocks(tmp_path: Path) -> None:
    written = noneeg.write(tmp_path)
    reader = NonEEG(tmp_path)
    assert [path.name.split("_")[0] for path in reader.paths()] == ["Subject2", "Subject10"]
    recording = next(iter(reader))
    rates = {name: signal.sampling_rate for name, signal in recording.signals.items()}
    assert rates == {"gsr": 8, "temperature": 8, "acceleration": 8, "spo2": 1, "heart_rate": 1}
    for modality, data in written.items():
        # 16-bit steps over a range of about 8 standard deviations
        np.testing.assert_allclose(recording.signals[modality].data, data, atol=0.002)
    labels = [(block.start, block.duration, block.labels["emotion"]) for block in recording.blocks]
    # the 40 s of instructions from 155 s on are no block
    assert labels == [
        (0.125, 89.875, "relax"),
        (90, 65, "physical"),
        (195, 60, "cognitive"),
        (255, 90, "relax"),
        (345, 95, "emotional"),
    ]


@pytest.mark.parametrize(
    "file",
    [
        "Subject2",
        "Subject2_AccTempEDA",
        "Subject2_AccTempEDA.hea",
        "Subject2_SpO2HR.dat",
        "Subject2_AccTempEDA.atr",
    ],
)
def test_noneeg_takes_any_file_of_a_subject(file: str, tmp_path: Path) -> None:
    noneeg.write(tmp_path)
    recording = NonEEG(tmp_path).read(str(tmp_path / file))
    assert (recording.subject, len(recording.blocks), len(recording.signals)) == ("Subject2", 5, 5)


def test_noneeg_without_annotations_has_no_blocks(tmp_path: Path) -> None:
    noneeg.write(tmp_path)
    (tmp_path / "Subject2_AccTempEDA.atr").unlink()
    assert NonEEG(tmp_path).read(tmp_path / "Subject2").blocks == ()


def test_noneeg_names_a_missing_partner_and_a_truncated_file(tmp_path: Path) -> None:
    noneeg.write(tmp_path)
    reader = NonEEG(tmp_path)
    data = tmp_path / "Subject2_AccTempEDA.dat"
    data.write_bytes(data.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"Subject2_AccTempEDA\.dat holds 35190 bytes.*35200"):
        reader.read(tmp_path / "Subject2")
    (tmp_path / "Subject10_SpO2HR.hea").unlink()
    with pytest.raises(FileNotFoundError, match=r"Subject10_SpO2HR\.hea is missing"):
        reader.read(tmp_path / "Subject10")


def test_noneeg_names_an_unknown_note(tmp_path: Path) -> None:
    noneeg.write(tmp_path)
    wfdb.wrann(
        "Subject2_AccTempEDA",
        "atr",
        np.array([1]),
        symbol=['"'],
        aux_note=["Sleep"],
        write_dir=str(tmp_path),
    )
    with pytest.raises(ValueError, match=r"Subject2_AccTempEDA\.atr: note 0 is 'Sleep'.*Relax"):
        NonEEG(tmp_path).read(tmp_path / "Subject2")


def test_fmov_signals_and_events(tmp_path: Path) -> None:
    table = fmov.write(tmp_path)
    recording = FMOV(tmp_path).read(tmp_path / "09_FMOV_preprocessed.txt")
    np.testing.assert_allclose(recording.signals["gsr"].data, table[:, :1].T, rtol=1e-6)
    np.testing.assert_allclose(recording.signals["emg"].data, table[:, 1:3].T, rtol=1e-6)
    assert recording.signals["emg"].channel_names == ("zygomaticus", "corrugator")
    events = [(block.start, block.labels["emotion"]) for block in recording.blocks]
    assert events == [(5.0, "angry"), (15.0, "neutral"), (22.5, "happy")]


def test_fmov_names_the_file_and_the_column(tmp_path: Path) -> None:
    table = fmov.events_table()
    path = fmov.write_table(tmp_path, table)
    reader = FMOV(tmp_path)
    fmov.write_table(tmp_path, table[:, :7])
    with pytest.raises(ValueError, match=r"09_FMOV.*has 7 columns.*column 8 \(reference wave neutral\)"):
        reader.read(path)
    fmov.write_table(tmp_path, np.column_stack([table, table[:, :2]]))
    with pytest.raises(ValueError, match=r"09_FMOV.*columns; allowed are the 8"):
        reader.read(path)
    fmov.write_table(tmp_path, table)
    lines = path.read_text().splitlines()
    lines[4] = lines[4].replace(lines[4].split("\t")[2], "bad", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"09_FMOV.*column 3 \(raw corrugator\), row 5"):
        reader.read(path)


def test_folder_round_trip(tmp_path: Path) -> None:
    written = npz.write(tmp_path)
    reader = RecordingFolder(tmp_path, window=20.0)
    read = reader.read(reader.paths()[0])
    assert reader.classes == ("calm", "joy")
    assert (read.dataset, read.subject, read.session, read.blocks) == ("mine", "p1", "s1", written.blocks)
    for name, signal in written.signals.items():
        np.testing.assert_array_equal(read.signals[name].data, signal.data)


def test_folder_names_all_files_that_are_no_recordings(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"(?s)save_recording.*arrays\.npz.*text\.npz"):
        RecordingFolder(tmp_path)


def test_folder_reads_the_others_beside_a_file_that_is_no_recording(tmp_path: Path) -> None:
    npz.write(tmp_path)
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    reader = RecordingFolder(tmp_path)
    assert reader.classes == ("calm", "joy")
    assert [path.name for path in reader.paths()] == ["arrays.npz", "p1.npz"]
    with pytest.raises(ValueError, match=r"arrays\.npz"):
        reader.read(tmp_path / "arrays.npz")
