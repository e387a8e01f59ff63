"""Manifests at fault: each fault is named, all at once, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from written import signal_files
from written.tables import (
    NAMES,
    RATE,
    cell,
    check,
    eeg,
    file,
    healthy,
    named_and_nothing_written,
    write_table,
)

from data_builders.readers.manifest import ManifestReader


def mixed_spelling(root: Path, table: pd.DataFrame) -> None:
    table.loc[table["subject"] == "S02", "subject"] = "s2"
    table.loc[0, "subject"] = table.loc[1, "subject"] = "S2"


def typing_error(root: Path, table: pd.DataFrame) -> None:
    table["emotion"] = ["happy", "happy", "happy", "hapy", "happy", "happy", "happy", "happy"]


def drop(*names: str) -> Callable[[Path, pd.DataFrame], None]:
    return lambda root, table: table.drop(columns=list(names), inplace=True)


CASES: dict[str, tuple[Callable[[Path, pd.DataFrame], Any], str]] = {
    "missing file": (cell(4, "path", "none.csv"), r"row 4, column 'path'.*none\.csv: there is no such file"),
    "folder as file": (
        lambda root, table: ((root / "d.csv").mkdir(), cell(4, "path", "d.csv")(root, table)),
        r"row 4, column 'path'.*d\.csv: is a folder",
    ),
    "no path": (cell(4, "path", ""), r"row 4, column 'path': is empty"),
    "no subject": (cell(4, "subject", ""), r"row 4, column 'subject': is empty"),
    "subject with a separator": (cell(4, "subject", "S/2"), r"row 4, column 'subject': is 'S/2'"),
    "no subject column": (drop("subject"), r"has no column 'subject'"),
    "no label column": (drop("emotion", "valence", "transition"), r"has no label; allowed.*'emotion'"),
    "misspelled column": (
        lambda root, table: table.rename(columns={"sampling_rate": "samplingrate"}, inplace=True),
        r"column 'samplingrate': is unknown; did you mean 'sampling_rate'",
    ),
    "transition": (cell(4, "transition", 2), r"row 4, column 'transition': is '2'; allowed is 0 or 1"),
    "valence": (cell(4, "valence", "high"), r"row 4, column 'valence': is 'high'; allowed is a finite"),
    "decimal comma": (cell(4, "valence", "0,5"), r"row 4, column 'valence': is '0,5'.*decimal point"),
    "infinite valence": (cell(4, "valence", "inf"), r"row 4, column 'valence': is 'inf'"),
    "start": (cell(4, "start", -1), r"row 4, column 'start': is '-1'; allowed is seconds from 0"),
    "end before start": (cell(4, "start", 12.5), r"row 4, column 'end': is 12 s and 'start' is 12\.5 s"),
    "overlapping stretches": (
        cell(4, "start", 2),
        r"row 4, column 'start': is 2 s of recording S02:a:film, where the stretch of row 5 lasts from 0 s "
        r"to 12 s; allowed are stretches that do not overlap",
    ),
    "end beyond the file": (cell(4, "end", 99), r"row 4, column 'end': is 99 s.*up to the 12 s"),
    "rate of zero": (cell(4, "sampling_rate", 0), r"row 4, column 'sampling_rate': is '0\.0'.*above 0"),
    "negative rate": (cell(5, "sampling_rate", -4), r"row 5, column 'sampling_rate': is '-4\.0'; allowed"),
    "no rate": (cell(5, "sampling_rate", ""), r"row 5: .*s1\.npy: tells no sampling rate"),
    "another rate than the file's": (cell(4, "sampling_rate", 256), r"row 4: .*tells 128 Hz.*is 256"),
    "mixed rates": (cell(5, "sampling_rate", 64), r"row 5.*gsr has 64 Hz, mixed with the 128 Hz of 3"),
    "unknown unit": (cell(4, "unit", "bananas"), r"row 4, column 'unit': unit 'bananas' does not convert"),
    "unit of another kind": (cell(5, "unit", "mV"), r"row 5, column 'unit': unit 'mV'.*µS of gsr.*kOhm"),
    "no unit": (cell(4, "unit", ""), r"row 4: .*s1\.csv: tells no unit; allowed"),
    "unit of no kind beside others": (cell(4, "unit", "a.u."), r"row 4.*is in a\.u\., and 3 others"),
    "modality by another name": (cell(4, "modality", "EDA"), r"row 4, column 'modality': is 'EDA'.*'gsr'"),
    "no modality": (cell(4, "modality", ""), r"row 4, column 'modality': is ''; allowed are eeg, emg"),
    "label with a space": (cell(4, "emotion", "joy "), r"row 4, column 'emotion': is 'joy '"),
    "label in capitals": (cell(4, "emotion", "Joy"), r"row 4, column 'emotion': is 'Joy'.*'joy'"),
    "typing error": (typing_error, r"row 5, column 'emotion': is 'hapy', an unknown label.*'happy' is on 7"),
    "subject in two spellings": (mixed_spelling, r"'subject': is 's2' \(2 rows\), and 'S2' is on 2 rows"),
    "two labels for a stretch": (cell(5, "emotion", "calm"), r"row 5, column 'emotion'.*; row 4 has 'joy'"),
    "two subjects on a file": (
        cell(4, "path", "s0.csv"),
        r"row 4, column 'subject': is 'S02', and row 2 of the same file has 'S01'",
    ),
    "a label among the channels": (
        file(lambda path: signal_files.csv(path, eeg(1), RATE, (*NAMES[1:], "Label"))),
        r"row 4.*s1\.csv: has \['Label'\] among its columns.*--reader_options '\{\"channels\": \{\"eeg\"",
    ),
    "a row twice": (
        lambda root, table: table.loc.__setitem__(len(table), table.loc[0]),
        r"row 10, column 'path': repeats row 2",
    ),
    "two files of a trial": (
        lambda root, table: table.loc.__setitem__(3, table.loc[2].to_dict() | {"path": "s1.npy"}),
        r"rows \[4, 5\], column 'trial': 2 files of eeg have trial 'film'",
    ),
    "a missing modality": (
        lambda root, table: table.drop(index=3, inplace=True),
        r"row 4, column 'modality': recording S02:a has \['eeg'\], and 3 others",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_named_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    named_and_nothing_written(tmp_path, *CASES[case])


def test_the_healthy_table_of_the_cases_has_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path, healthy(tmp_path).to_dict("records"))
    found = check(tmp_path)
    assert (found["n_recordings"], found["n_subjects"], found["labels"]) == (4, 4, {"calm": 4 // 2, "joy": 2})
    assert set(found["modalities"]) == {"eeg", "gsr"}
    assert "no problems" in capsys.readouterr().out


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    table = healthy(tmp_path)
    faults = {
        2: ("path", "none.csv"),
        4: ("transition", 2),
        5: ("sampling_rate", -4),
        6: ("unit", ""),
        9: ("unit", "mV"),
    }
    for number, (column, value) in faults.items():
        cell(number, column, value)(tmp_path, table)
    write_table(tmp_path, table.to_dict("records"))
    with pytest.raises(ValueError, match="5 problems") as error:
        check(tmp_path)
    assert all(f"row {number}" in str(error.value) for number in faults)
    # the reader tells what the table alone shows: all but the unit that a file might have told
    with pytest.raises(ValueError, match="4 problems"):
        ManifestReader(tmp_path)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes(b"path,subject,emotion\ncaf\xe9.csv,S1,joy\n")
    with pytest.raises(ValueError, match=r"manifest\.csv: cannot be read as a table.*UTF-8"):
        check(tmp_path)
    (tmp_path / "manifest.csv").write_text("path,subject,emotion\n")
    with pytest.raises(ValueError, match=r"manifest\.csv: has no rows"):
        check(tmp_path)
    (tmp_path / "manifest.tsv").write_text("path\tsubject\temotion\n")
    with pytest.raises(FileNotFoundError, match=r"2 tables manifest\.\* \(manifest\.csv, manifest\.tsv\)"):
        check(tmp_path)
