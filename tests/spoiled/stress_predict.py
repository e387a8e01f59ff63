"""Stress-Predict, spoiled."""

from __future__ import annotations

from pathlib import Path

from written import stress_predict
from written.empatica import write_track

from spoiled.case import cases_of, cut, empty, folder_instead, rewrite

BVP = "Raw_data/S02/BVP.csv"
case = cases_of("stress_predict", stress_predict)


def labels(root: Path, rows: list[str]) -> None:
    stress_predict.write_labels(root, rows)


CASES = {
    "empty": case(lambda r: empty(r / BVP), r"S02/BVP\.csv: "),
    "a header alone": case(lambda r: cut(r / BVP, 0.0005), r"S02/BVP\.csv: "),
    "text among numbers": case(lambda r: rewrite(r / BVP, "\n3", "\nhigh"), r"S02/BVP\.csv: .*row "),
    "a file is missing": case(lambda r: (r / "Raw_data/S02/EDA.csv").unlink(), r"S02/EDA\.csv"),
    "a directory as a file": case(lambda r: folder_instead(r / "Raw_data/S02/EDA.csv"), r"S02/EDA\.csv"),
    "another rate": case(
        lambda r: rewrite(r / BVP, "64.000000", "32.000000"), r"S02/BVP\.csv: row 2 tells a rate of 32 Hz"
    ),
    "files that share no time": case(
        lambda r: write_track(r / "Raw_data/S02", "EDA", start=1.6e9), r"S02: the files share no time"
    ),
    "labels of another day": case(
        lambda r: labels(r, stress_predict.label_rows(2, 1_600_000_000)), r"S02: .*labels of the same session"
    ),
    "unknown label": case(
        lambda r: labels(r, [row[:-1] + "2" for row in stress_predict.label_rows(2)]),
        r"hr_rsp_binary\.csv: .*the labels \[.*2\.0",
    ),
    "times that go back": case(
        lambda r: labels(r, stress_predict.label_rows(2)[::-1]), r"hr_rsp_binary\.csv: .*that are not 1 s"
    ),
    "no labels of a subject": case(
        lambda r: labels(r, stress_predict.label_rows(3)), r"hr_rsp_binary\.csv: has 0 rows of S02"
    ),
    "no column of labels": case(
        lambda r: rewrite(r / stress_predict.TABLE, "Label", "State"),
        r"hr_rsp_binary\.csv: .*not \['Label'\]",
    ),
}
