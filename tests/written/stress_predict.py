"""Stress-Predict as its owners hand it out: E4 folders, and a table of labels a second."""

from __future__ import annotations

from pathlib import Path

from written.empatica import SECONDS, START, write_subject

CHANGES = (40, 70, 100)
"""Seconds from the start of the raw files at which the label changes."""
TABLE = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"
HEADER = "Participant,HR,respr,Time(sec),Label"


def label_rows(participant: int, start: int = START) -> list[str]:
    """Rows of one subject; the first second is 9 s after the start, as in the real table."""
    seconds = range(9, SECONDS)
    labels = [sum(second >= change for change in CHANGES) % 2 for second in seconds]
    # Cells of the heart rate are empty in the real table too.
    rates = ["" if second == 50 else "118.5" for second in seconds]
    return [
        f"{participant},{rate},12.1276927,{start + second},{label}"
        for second, rate, label in zip(seconds, rates, labels, strict=True)
    ]


def write_labels(root: Path, rows: list[str]) -> Path:
    """The table."""
    path = root / TABLE
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def write(root: Path) -> None:
    """S01, which has no labels, S02 and S03."""
    for subject in ("S01", "S02", "S03"):
        write_subject(root / "Raw_data" / subject, ("BVP", "EDA", "TEMP", "HR"))
    write_labels(root, label_rows(2) + label_rows(3))
