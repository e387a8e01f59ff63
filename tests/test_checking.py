"""A first table of a folder, and what its check notes besides faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from written import signal_files
from written.tables import NAMES, RATE, check, eeg, row, write_table

from data_builders.checking import DataCheckConfig, DataInitConfig, data_check, data_init
from data_builders.manifests.drafting import guess_modality, guess_session, guess_subject
from data_builders.readers.manifest import ManifestReader


def test_a_constant_channel_and_an_unlikely_unit_are_notes(tmp_path: Path) -> None:
    data = eeg()
    data[1] = 3.0
    signal_files.csv(tmp_path / "a.csv", data, RATE, NAMES)
    write_table(tmp_path, [row("a.csv", unit="V", comment="electrode 2 fell off")])
    notes = "\n".join(check(tmp_path)["notes"])
    for expected in (
        "'Fp2': is 3e+06 µV throughout",
        "'Fp1': varies by",
        "not read: comment",
        "1 subject only",
    ):
        assert expected in notes


@pytest.mark.parametrize(
    ("modality", "unit", "scale", "expected"),
    [
        ("emg", "V", 0.05, "µV, where emg varies by 0.1 to 5000"),
        ("gsr", "kOhm", 0.25, "'Fp1': has the median 200 µS, where gsr has 0.01 to 100"),
    ],
)
def test_a_level_or_a_spread_that_nobody_has_is_a_note(
    modality: str, unit: str, scale: float, expected: str, tmp_path: Path
) -> None:
    data = scale * eeg() if modality == "emg" else 5 + 0.01 * eeg()
    signal_files.csv(tmp_path / "a.csv", data, RATE, NAMES)
    write_table(tmp_path, [row("a.csv", modality=modality, unit=unit)])
    assert expected in "\n".join(check(tmp_path)["notes"])
    right = {"emg": "uV", "gsr": "uS"}[modality]
    write_table(tmp_path, [row("a.csv", modality=modality, unit=right)])
    assert "is the unit right" not in "\n".join(check(tmp_path)["notes"])


def with_times(path: Path, data: np.ndarray, rate: float, start: float) -> None:
    times = start + np.arange(data.shape[1]) / rate
    pd.DataFrame({"time": times} | dict(zip(NAMES, data, strict=False))).to_csv(path, index=False)


@pytest.mark.parametrize("late", [7.6, -5.2])
def test_files_of_one_recording_that_start_apart_are_refused(late: float, tmp_path: Path) -> None:
    clock = 1_700_000_000.0
    with_times(tmp_path / "a.csv", eeg(), RATE, clock)
    with_times(tmp_path / "b.csv", 5 + 0.01 * eeg(n_channels=1)[:, :48], 4.0, clock + late)
    cells = {"trial": "film", "start": 0, "end": 10}
    gsr = {"modality": "gsr", "unit": "uS", "sampling_rate": 4.0}
    write_table(tmp_path, [row("a.csv", **cells), row("b.csv", **(cells | gsr))])
    with pytest.raises(
        ValueError, match=r"row 2: .*\.csv: starts at 17\d+\.?\d* s by its column of times, and"
    ):
        check(tmp_path)
    with pytest.raises(ValueError, match="allowed is one start"):
        next(iter(ManifestReader(tmp_path)))


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_files_that_start_within_a_sample_of_the_slower_are_one_recording(
    late: float, tmp_path: Path
) -> None:
    with_times(tmp_path / "a.csv", eeg(), RATE, 100.0)
    with_times(tmp_path / "b.csv", 5 + 0.01 * eeg(n_channels=1)[:, :48], 4.0, 100.0 + late)
    cells = {"trial": "film", "start": 0, "end": 10}
    gsr = {"modality": "gsr", "unit": "uS", "sampling_rate": 4.0}
    write_table(tmp_path, [row("a.csv", **cells), row("b.csv", **(cells | gsr))])
    assert check(tmp_path)["n_recordings"] == 1
    assert set(next(iter(ManifestReader(tmp_path))).signals) == {"eeg", "gsr"}


def test_what_is_wrong_on_many_rows_is_told_once_with_its_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    rows = [row("a.npy", start=k, end=k + 1, unit="bananas") for k in range(9)]
    rows[3]["start"] = -1
    write_table(tmp_path, rows)
    with pytest.raises(ValueError, match=r"manifest\.csv: 9 problems") as error:
        check(tmp_path)
    _, unit, start = str(error.value).split("\n- ")
    assert unit.startswith(
        "manifest.csv, rows 2, 3, 4, 6, 7 and 3 more, column 'unit': unit 'bananas' does not"
    )
    assert start.startswith("manifest.csv, row 5, column 'start': is '-1'")


def test_unread_signals_are_not_judged(tmp_path: Path) -> None:
    signal_files.csv(tmp_path / "a.csv", np.full((3, 1536), np.nan), RATE, NAMES)
    write_table(tmp_path, [row("a.csv")])
    headers_only = DataCheckConfig(str(tmp_path), read_signals=False)
    assert data_check(headers_only, progress=False)["n_recordings"] == 1


@pytest.mark.parametrize(
    ("path", "subject", "session", "modality"),
    [
        ("S01_ecg.csv", "S01", "", "ecg"),
        ("sub-07/ses-2/sub-07_ses-2_task-rest_eeg.vhdr", "sub-07", "ses-2", "eeg"),
        ("data/P3/EDA.csv", "P3", "", "gsr"),
        ("subject12.edf", "subject12", "", ""),
        ("(S01)/S01G1AllChannels.csv", "S01", "", ""),
        ("Subject_4/session_b/emg.npy", "Subject_4", "session_b", "emg"),
        ("mitdb_100.hea", "", "", ""),
        ("class3.csv", "", "", ""),
    ],
)
def test_names_tell_subject_session_and_modality(
    path: str, subject: str, session: str, modality: str
) -> None:
    guesses = (guess_subject(Path(path)), guess_session(Path(path)), guess_modality(Path(path)))
    assert guesses == (subject, session, modality)


def test_a_draft_names_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    """As DataLad lays out files: a format of two files looks for the other one beside the link."""
    (tmp_path / "objects").mkdir()
    signal_files.edf(tmp_path / "objects" / "a1b2", eeg(0), RATE, NAMES)
    (tmp_path / "data set" / "sub-00").mkdir(parents=True)
    (tmp_path / "data set" / "sub-00" / "night_eeg.edf").symlink_to(tmp_path / "objects" / "a1b2")
    (tmp_path / "data set" / "gone.csv").symlink_to(tmp_path / "nowhere")
    path = data_init(DataInitConfig(str(tmp_path / "data set")))
    assert pd.read_csv(path)["path"].tolist() == ["sub-00/night_eeg.edf"]


def test_init_drafts_a_table_that_check_takes_when_it_is_filled_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(3):
        folder = tmp_path / f"sub-0{k}"
        folder.mkdir()
        signal_files.edf(folder / "night_eeg.edf", eeg(k), RATE, NAMES)
        np.save(folder / "emg.npy", np.stack([eeg(k), eeg(k + 9)]))
    (tmp_path / "participants.csv").write_text("id,age\nsub-00,twenty\n")
    path = data_init(DataInitConfig(str(tmp_path)))
    said = capsys.readouterr().out
    assert "participants.csv" in said
    assert "biollm data check" in said
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(table["path"][:3]) == ["sub-00/emg.npy", "sub-00/emg.npy", "sub-00/night_eeg.edf"]
    assert list(table["index"][:3]) == ["0", "1", ""]
    assert list(table["sampling_rate"][:3]) == ["", "", "128"]
    assert list(table["unit"][:3]) == ["", "", "uV"]
    assert list(table["subject"][::3]) == ["sub-00", "sub-01", "sub-02"]
    with pytest.raises(FileExistsError, match=r"manifest\.csv: is there already"):
        data_init(DataInitConfig(str(tmp_path)))
    with pytest.raises(ValueError, match="has no label"):
        check(tmp_path)
    table = table[table["modality"] == "eeg"].assign(emotion="calm")
    table.to_csv(path, index=False)
    assert check(tmp_path)["modalities"]["eeg"]["files"] == 3


def test_init_refuses_a_folder_without_signals(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no signal file"):
        data_init(DataInitConfig(str(tmp_path)))
    with pytest.raises(FileNotFoundError, match="is no folder"):
        data_init(DataInitConfig(str(tmp_path / "none")))
    assert not list(tmp_path.iterdir())
