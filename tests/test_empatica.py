"""E4 folders on one time axis, and Stress-Predict, which is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from written import empatica, stress_predict

from data_builders.readers import Empatica, StressPredict

NAMES = {
    "bvp": "BVP",
    "gsr": "EDA",
    "temperature": "TEMP",
    "heart_rate": "HR",
    "acceleration": "ACC",
}


def test_all_files_are_cut_to_the_time_that_they_share(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    recording = Empatica(tmp_path).read(tmp_path / "P01")
    assert set(recording.signals) == set(NAMES)
    for modality, name in NAMES.items():
        signal, rate = recording.signals[modality], empatica.RATES[name]
        # 10 s of all but the heart rate lie before its start; at the end, EDA and TEMP go on longer
        skipped = (10 - empatica.LATER.get(name, 0)) * rate
        samples = empatica.track(name, empatica.SECONDS + {"EDA": 1.5, "TEMP": 3}.get(name, 0))
        wanted = samples[skipped : skipped + 120 * rate].T
        scale = 1 / 64 if name == "ACC" else 1
        np.testing.assert_allclose(signal.data, wanted * scale, rtol=1e-6)
        assert signal.duration == recording.duration == 120


def test_a_later_start_moves_the_common_start(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    empatica.write_track(tmp_path / "P01", "EDA", start=empatica.START + 20.25)
    recording = Empatica(tmp_path).read(tmp_path / "P01")
    # EDA's first sample is now 20.25 s after the start: 1296 samples of BVP and 10.25 s of HR are gone
    np.testing.assert_allclose(recording.signals["gsr"].data[0, 0], empatica.track("EDA")[0, 0], rtol=1e-6)
    np.testing.assert_allclose(recording.signals["bvp"].data[0, 0], empatica.track("BVP")[1296, 0], rtol=1e-6)
    np.testing.assert_allclose(
        recording.signals["heart_rate"].data[0, 0], empatica.track("HR")[10, 0], rtol=1e-6
    )


def test_any_subset_of_the_files_will_do(tmp_path: Path) -> None:
    for subject in ("P01", "P02"):
        empatica.write_subject(tmp_path / subject, ("EDA", "BVP"))
    reader = Empatica(tmp_path)
    assert list(reader.modalities) == ["bvp", "gsr"]
    # without HR.csv the first 10 s are there
    assert [recording.duration for recording in reader] == [130, 130]


def test_folders_with_other_files_than_the_first_are_named(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    (tmp_path / "P02" / "HR.csv").unlink()
    with pytest.raises(ValueError, match=r"P02 holds \['ACC.csv', 'BVP.csv', 'EDA.csv', 'TEMP.csv'\].*P01"):
        Empatica(tmp_path)


def test_presses_of_the_button_part_the_recording(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    reader = Empatica(tmp_path, labels=["rest", "stress", None, "rest"])
    assert reader.classes == ("rest", "stress")
    blocks = [(b.start, b.duration, b.labels["emotion"]) for b in reader.read(tmp_path / "P01").blocks]
    # the recording starts 10 s after the first file, and the presses are 40, 70.5 and 100 s after it
    assert blocks == [(0, 30, "rest"), (30, 30.5, "stress"), (90, 30, "rest")]


def test_without_labels_there_are_no_blocks(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    reader = Empatica(tmp_path)
    assert reader.classes == ()
    assert [recording.blocks for recording in reader] == [(), ()]


def test_labels_that_do_not_fit_the_presses_are_named_for_all_folders(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    (tmp_path / "P02" / "tags.csv").write_text("")
    with pytest.raises(
        ValueError, match=r"P01: 3 presses make 4 stretches; .*P02: 0 presses make 1 stretches.*2 are given"
    ):
        Empatica(tmp_path, labels=["rest", "stress"])
    (tmp_path / "P02" / "tags.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"P02: has \[\]; allowed is one file tags\.csv"):
        Empatica(tmp_path, labels=["rest", "stress", None, "rest"])


def test_a_press_outside_of_the_recording_is_named(tmp_path: Path) -> None:
    empatica.write(tmp_path)
    (tmp_path / "P01" / "tags.csv").write_text(f"{empatica.START + 40}\n{empatica.START - 43200}\n")
    (tmp_path / "P02" / "tags.csv").write_text(f"{empatica.START + 40}\n{empatica.START + 50}\n")
    reader = Empatica(tmp_path, labels=["rest", "stress", "rest"])
    with pytest.raises(
        ValueError, match=r"P01: the presses .* \[30\.0, -43210\.0\] s of a recording of 120\.0 s"
    ):
        reader.read(tmp_path / "P01")


def rewrite(path: Path, row: int, text: str) -> None:
    """Change one row, counted from 1."""
    lines = path.read_text().splitlines()
    lines[row - 1] = text
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("EDA.csv", lambda p: p.write_text(""), r"EDA\.csv: is no table"),
        (
            "HR.csv",
            lambda p: p.write_text("1644227584\n1.0\n"),
            r"HR\.csv: has 1 columns and 2 rows; allowed are .*\['heart_rate'\] and more than 2 rows",
        ),
        (
            "BVP.csv",
            lambda p: rewrite(p, 2, "128.000000"),
            r"BVP\.csv: row 2 tells a rate of 128 Hz; allowed for BVP\.csv is 64 Hz",
        ),
        (
            "TEMP.csv",
            lambda p: rewrite(p, 7, "warm"),
            r"TEMP\.csv: .*row 7, column 1 \(temperature\): 'warm'",
        ),
        ("ACC.csv", lambda p: rewrite(p, 5, "1,,2"), r"ACC\.csv: .*row 5, column 2 \(ay\): 'nan'"),
        (
            "ACC.csv",
            lambda p: p.write_text("\n".join(line.split(",")[0] for line in p.read_text().splitlines())),
            r"ACC\.csv: has 1 columns .*\['ax', 'ay', 'az'\]",
        ),
        (
            "TEMP.csv",
            lambda p: rewrite(p, 1, "1644300000.0"),
            r"P01: the files share no time: BVP\.csv 1644227574\.00 to 1644227704\.00.*TEMP\.csv 1644300000",
        ),
    ],
)
def test_a_malformed_file_is_refused(
    file: str, spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    empatica.write(tmp_path)
    reader = Empatica(tmp_path)
    spoil(tmp_path / "P01" / file)
    with pytest.raises(ValueError, match=said):
        reader.read(tmp_path / "P01")


def test_stress_predict_labels_are_those_of_the_table(tmp_path: Path) -> None:
    stress_predict.write(tmp_path)
    recordings = list(StressPredict(tmp_path))
    assert [recording.subject for recording in recordings] == ["S02", "S03"]
    # the table's first second is one before the recording's, its changes are 40, 70 and 100 s after START
    blocks = [(b.start, b.duration, b.labels["emotion"]) for b in recordings[0].blocks]
    assert blocks == [(0, 30, "rest"), (30, 30, "stress"), (60, 30, "rest"), (90, 30, "stress")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            lambda rows: [row for row in rows if not row.startswith("3,")],
            r"binary\.csv: has 0 rows of S03",
        ),
        (lambda rows: rows[:100] + rows[110:], r"has 111 rows of S02, .*and 1 steps in 'Time\(sec\)'"),
        (
            lambda rows: [row[:-1] + "2" for row in rows],
            r"of S02, with the labels \[.*2\.0.*\].*allowed is a row every second, with label 0 or 1",
        ),
        (
            lambda rows: [row.replace("16442", "17442") for row in rows],
            r"S02: the files cover 1644227584 to 1644227704 .*its labels in .* 1744227583 to 1744227703",
        ),
        (
            lambda rows: [rows[0].replace("1644227583", "soon"), *rows[1:]],
            r"binary\.csv: these hold no finite number: row 2, column 2 \(Time\(sec\)\): 'soon'",
        ),
    ],
)
def test_a_malformed_label_table_is_refused(rows: Callable[[list], list], said: str, tmp_path: Path) -> None:
    stress_predict.write(tmp_path)
    stress_predict.write_labels(tmp_path, rows(stress_predict.label_rows(2) + stress_predict.label_rows(3)))
    with pytest.raises(ValueError, match=said):
        list(StressPredict(tmp_path))


def test_a_label_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    stress_predict.write(tmp_path)
    (tmp_path / stress_predict.TABLE).write_text("Participant,HR\n2,80\n")
    with pytest.raises(
        ValueError, match=r"has the columns \['Participant', 'HR'\], but not \['Label', 'Time\(sec\)'\]"
    ):
        StressPredict(tmp_path)
    (tmp_path / stress_predict.TABLE).unlink()
    with pytest.raises(FileNotFoundError, match=r"reader 'stress_predict': .*holds no Processed_data"):
        StressPredict(tmp_path)
