"""A manifest and its files, spoiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from written import manifest

from spoiled.case import Trap, cases_of, cut, empty, folder_instead, rewrite

case = cases_of("manifest", manifest, "manifest.csv")
GSR, ECG = "S01_a_eda.npy", "S01_a_ecg.csv"


def gsr(path: Path, data: np.ndarray) -> None:
    np.save(path.with_name(GSR), data, allow_pickle=True)


def lying_header(path: Path) -> None:
    with path.with_name(GSR).open("wb") as file:
        about = {"descr": "<f4", "fortran_order": False, "shape": (1, 500_000_000)}
        np.lib.format.write_array_header_1_0(file, about)


def times(path: Path) -> None:
    """Two rows of the file change places."""
    file = path.with_name(ECG)
    frame = pd.read_csv(file)
    frame.iloc[[100, 101]] = frame.iloc[[101, 100]].to_numpy()
    frame.to_csv(file, index=False)


CASES = {
    "empty table": case(empty, r"manifest\.csv"),
    "a directory as the table": case(folder_instead, r"manifest"),
    "no column of subjects": case(lambda p: rewrite(p, ",subject,", ",person,"), r"manifest\.csv.*subject"),
    "a file is missing": case(lambda p: p.with_name(GSR).unlink(), r"manifest\.csv, row \d+.*S01_a_eda\.npy"),
    "a directory as a file": case(
        lambda p: folder_instead(p.with_name(GSR)), r"manifest\.csv, row \d+.*S01_a_eda\.npy"
    ),
    "two spellings of a subject": case(lambda p: rewrite(p, "S01,b", "s1,b"), r"'S01'.*'s1'|'s1'.*'S01'"),
    "a rate that is no number": case(
        lambda p: rewrite(p, "gsr,4,", "gsr,four,"), r"row 3.*'sampling_rate'.*four"
    ),
    "an unknown unit": case(lambda p: rewrite(p, ",uS,", ",pound,"), r"row 3.*'pound'"),
    "an end before the start": case(
        lambda p: rewrite(p, ",0,20,calm", ",30,20,calm"), r"row 2.*'(start|end)'"
    ),
    "an end behind the file": case(lambda p: rewrite(p, ",0,20,calm", ",0,400,calm"), r"row \d+.*400"),
    "a label that is no number": case(
        lambda p: rewrite(p, "calm,0.0", "calm,good"), r"row 2.*'valence'.*'good'"
    ),
    "a pickle": case(
        lambda p: gsr(p, np.array([Trap(p.parent)], dtype=object)), r"S01_a_eda\.npy: holds Python objects"
    ),
    "2 GB in the header": case(lying_header, r"S01_a_eda\.npy: its header tells 2,000,000,000 bytes"),
    "truncated": case(lambda p: cut(p.with_name(GSR)), r"S01_a_eda\.npy"),
    "NaN only": case(lambda p: gsr(p, np.full((1, 160), np.nan)), r"manifest\.csv#S01:a.*NaN throughout"),
    "times that go back": case(times, r"S01_a_ecg\.csv"),
    "text among numbers": case(lambda p: rewrite(p.with_name(ECG), "0.05,", "0.05,high"), r"S01_a_ecg\.csv"),
    "other channels": case(lambda p: rewrite(p.with_name("S02_a_ecg.csv"), "II", "V1"), r"S02"),
}
