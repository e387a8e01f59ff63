"""Every reader on a small data set in its exact format on disk, and on the real data where it is there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb

from data_builders.readers import FMOV, READERS, NonEEG, Reader, RecordingFolder, Simulated, find_reader
from data_builders.recording import Block, Recording, Signal, save_recording

REAL = Path(__file__).parents[2] / "shared" / "data"
NOTES = ["Relax", "PhysicalStress", "EmotionalStress", "CognitiveStress", "Relax", "EmotionalStress"]
SECONDS = [90, 65, 40, 60, 90, 95]


def write_noneeg(root: Path) -> dict[str, np.ndarray]:
    """Two subjects; returns the signals of Subject2."""
    rng = np.random.default_rng(0)
    n = sum(SECONDS)
    # as in the real files, the first note stands at sample 1: wfdb leaves out a note at 0
    onsets = np.maximum(np.cumsum([0, *SECONDS[:-1]]) * 8, 1)
    for subject in ("Subject2", "Subject10"):
        wrist, finger = rng.normal(size=(n * 8, 5)), rng.normal(90, 3, size=(n + 6, 2))
        names = ["ax", "ay", "az", "temp", "EDA"]
        wfdb.wrsamp(
            f"{subject}_AccTempEDA",
            fs=8,
            units=["NU", "NU", "NU", "degC", "NU"],
            sig_name=names,
            p_signal=wrist,
            fmt=["16"] * 5,
            write_dir=str(root),
        )
        wfdb.wrsamp(
            f"{subject}_SpO2HR",
            fs=1,
            units=["%", "bpm"],
            sig_name=["SpO2", "hr"],
            p_signal=finger,
            fmt=["16"] * 2,
            write_dir=str(root),
        )
        symbols = ['"'] * len(NOTES)
        wfdb.wrann(
            f"{subject}_AccTempEDA", "atr", onsets, symbol=symbols, aux_note=NOTES, write_dir=str(root)
        )
        if subject == "Subject2":
            first = {"gsr": wrist[:, 4:].T, "acceleration": wrist[:, :3].T, "heart_rate": finger[:, 1:].T}
    return first


def fmov_table() -> np.ndarray:
    """30 s: an angry face at 5 s, a neutral one at 15 s, a happy one at 22.5 s."""
    table = np.random.default_rng(1).normal(size=(3000, 8)).round(5)
    table[:, 5:] = 0
    for column, onset in ((5, 500), (7, 1500), (6, 2250)):
        table[onset - 20 : onset, column] = 5
    return table


def write_fmov(root: Path, table: np.ndarray, name: str = "09_FMOV_preprocessed.txt") -> Path:
    path = root / name
    path.write_text("".join("\t".join(f"{value:g}" for value in row) + "\t\n" for row in table))
    return path


def write_folder(root: Path) -> Recording:
    rng = np.random.default_rng(2)
    blocks = (
        Block(0.0, 20.0, {"emotion": "joy", "valence": 0.5}, "t1", "film"),
        Block(20.0, 20.0, {"emotion": "calm", "transition": 1}, "t2"),
    )
    signals = {
        "ecg": Signal(rng.normal(size=(1, 4000)), 100.0, ("lead_ii",), "mV"),
        "gsr": Signal(rng.normal(size=(1, 160)), 4.0, ("gsr",), "µS"),
    }
    recording = Recording(signals, "mine", "p1", "s1", blocks)
    save_recording(recording, root / "p1.npz")
    return recording


def make(name: str, root: Path) -> Reader:
    """The reader `name` on a small data set of its own."""
    if name == "noneeg":
        write_noneeg(root)
    elif name == "fmov":
        write_fmov(root, fmov_table())
    elif name == "npz":
        write_folder(root)
    else:
        return Simulated(n_subjects=2, n_trials=4, block_seconds=10, rest_seconds=10)
    return READERS[name](root)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    reader = make(name, tmp_path)
    assert reader.name == name
    assert all([reader.title, reader.licence, reader.citation])
    # Around events a step is the shift of training copies, and there are none by default.
    assert reader.step == 0 if reader.event else 0 < reader.step <= reader.window
    recordings = list(reader)
    assert len(recordings) == len(reader.paths()) > 0
    assert len({recording.subject for recording in recordings}) == len(recordings)
    trials = [block.trial for recording in recordings for block in recording.blocks]
    assert len(set(trials)) == len(trials) > 0
    for recording in recordings:
        assert [block.start for block in recording.blocks] == sorted(b.start for b in recording.blocks)
        for block in recording.blocks:
            assert block.labels["emotion"] in reader.classes
            assert 0 <= block.start <= block.start + block.duration <= recording.duration
            assert (block.duration == 0) == (reader.event is not None)
        for signal in recording.signals.values():
            assert np.isfinite(signal.data).all()
            assert signal.unit


@pytest.mark.parametrize("name", sorted(READERS))
def test_reading_a_path_alone_gives_what_iteration_gives(name: str, tmp_path: Path) -> None:
    reader = make(name, tmp_path)
    last, alone = list(reader)[-1], reader.read(reader.paths()[-1])
    assert alone.blocks == last.blocks
    for modality, signal in last.signals.items():
        np.testing.assert_array_equal(alone.signals[modality].data, signal.data)


@pytest.mark.parametrize("name", sorted(set(READERS) - {"simulated"}))
def test_a_folder_without_the_data_is_refused(name: str, tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing", None):
        with pytest.raises(FileNotFoundError, match=f"reader '{name}'"):
            READERS[name](root)  # type: ignore[call-arg]


def test_an_unknown_reader_is_refused_with_the_names() -> None:
    assert find_reader("fmov") is find_reader(FMOV) is FMOV
    with pytest.raises(ValueError, match=r"'deap'.*fmov.*noneeg.*npz.*simulated"):
        find_reader("deap")


def test_noneeg_signals_and_blocks(tmp_path: Path) -> None:
    written = write_noneeg(tmp_path)
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
    write_noneeg(tmp_path)
    recording = NonEEG(tmp_path).read(str(tmp_path / file))
    assert (recording.subject, len(recording.blocks), len(recording.signals)) == ("Subject2", 5, 5)


def test_noneeg_without_annotations_has_no_blocks(tmp_path: Path) -> None:
    write_noneeg(tmp_path)
    (tmp_path / "Subject2_AccTempEDA.atr").unlink()
    assert NonEEG(tmp_path).read(tmp_path / "Subject2").blocks == ()


def test_noneeg_names_a_missing_partner_and_a_truncated_file(tmp_path: Path) -> None:
    write_noneeg(tmp_path)
    reader = NonEEG(tmp_path)
    data = tmp_path / "Subject2_AccTempEDA.dat"
    data.write_bytes(data.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"Subject2_AccTempEDA\.dat holds 35190 bytes.*35200"):
        reader.read(tmp_path / "Subject2")
    (tmp_path / "Subject10_SpO2HR.hea").unlink()
    with pytest.raises(FileNotFoundError, match=r"Subject10_SpO2HR\.hea is missing"):
        reader.read(tmp_path / "Subject10")


def test_noneeg_names_an_unknown_note(tmp_path: Path) -> None:
    write_noneeg(tmp_path)
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
    table = fmov_table()
    recording = FMOV(tmp_path if write_fmov(tmp_path, table) else None).read(
        tmp_path / "09_FMOV_preprocessed.txt"
    )
    np.testing.assert_allclose(recording.signals["gsr"].data, table[:, :1].T, rtol=1e-6)
    np.testing.assert_allclose(recording.signals["emg"].data, table[:, 1:3].T, rtol=1e-6)
    assert recording.signals["emg"].channel_names == ("zygomaticus", "corrugator")
    events = [(block.start, block.labels["emotion"]) for block in recording.blocks]
    assert events == [(5.0, "angry"), (15.0, "neutral"), (22.5, "happy")]


def test_fmov_names_the_file_and_the_column(tmp_path: Path) -> None:
    table = fmov_table()
    path = write_fmov(tmp_path, table)
    reader = FMOV(tmp_path)
    write_fmov(tmp_path, table[:, :7])
    with pytest.raises(ValueError, match=r"09_FMOV.*has 7 columns.*column 8 \(reference wave neutral\)"):
        reader.read(path)
    write_fmov(tmp_path, np.column_stack([table, table[:, :2]]))
    with pytest.raises(ValueError, match=r"09_FMOV.*columns; allowed are the 8"):
        reader.read(path)
    write_fmov(tmp_path, table)
    lines = path.read_text().splitlines()
    lines[4] = lines[4].replace(lines[4].split("\t")[2], "bad", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"09_FMOV.*column 3 \(raw corrugator\), row 5"):
        reader.read(path)


def test_folder_round_trip(tmp_path: Path) -> None:
    written = write_folder(tmp_path)
    reader = RecordingFolder(tmp_path, window=20.0)
    read = reader.read(reader.paths()[0])
    assert reader.classes == ("calm", "joy")
    assert (read.dataset, read.subject, read.session, read.blocks) == ("mine", "p1", "s1", written.blocks)
    for name, signal in written.signals.items():
        np.testing.assert_array_equal(read.signals[name].data, signal.data)


def test_folder_names_all_files_that_are_no_recordings(tmp_path: Path) -> None:
    write_folder(tmp_path)
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"(?s)save_recording.*arrays\.npz.*text\.npz"):
        RecordingFolder(tmp_path)


@pytest.mark.skipif(not (REAL / "noneeg").is_dir(), reason="the real Non-EEG data are not here")
def test_real_noneeg_counts() -> None:
    counts: Counter[str] = Counter()
    reader = NonEEG(REAL / "noneeg")
    assert len(reader.paths()) == 20
    for recording in reader:
        assert len(recording.blocks) == 7
        assert 2000 < recording.duration < 2600
        assert 20 < np.median(recording.signals["temperature"].data) < 40
        for block in recording.blocks:
            counts[block.labels["emotion"]] += int(block.duration // reader.window)
    assert counts == {"relax": 789, "emotional": 243, "cognitive": 221, "physical": 200}


@pytest.mark.skipif(not (REAL / "fmov").is_dir(), reason="the real FMOV data are not here")
def test_real_fmov_counts() -> None:
    counts: Counter[str] = Counter()
    reader = FMOV(REAL / "fmov")
    assert len(reader.paths()) == 37
    for recording in reader:
        assert len(recording.blocks) == 12
        assert recording.blocks[0].start >= reader.event[0]  # type: ignore[index]
        assert recording.blocks[-1].start + reader.event[1] <= recording.duration  # type: ignore[index]
        counts.update(block.labels["emotion"] for block in recording.blocks)
    assert counts == {"angry": 148, "happy": 148, "neutral": 148}
