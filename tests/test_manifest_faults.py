"""Manifests and signal files at fault: each fault is named, all at once, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from written import signal_files
from written.tables import NAMES, RATE, check, eeg, row, write_table

from data_builders.readers.manifest import ManifestReader


def healthy(root: Path) -> pd.DataFrame:
    """Four subjects with a file each; every case below breaks one thing of it."""
    rows = []
    for k in range(4):
        signal_files.csv(root / f"s{k}.csv", eeg(k), RATE, NAMES)
        np.save(root / f"s{k}.npy", np.abs(eeg(k, n_channels=1)))
        cells = {"session": "a", "trial": "film", "start": 0, "end": 12, "valence": 0.5, "transition": 1}
        emotion = ("calm", "joy")[k % 2]
        rows.append(row(f"s{k}.csv", f"S0{k + 1}", emotion=emotion, **cells))
        about = {"modality": "gsr", "unit": "uS"}
        rows.append(row(f"s{k}.npy", f"S0{k + 1}", emotion=emotion, **(cells | about)))
    return pd.DataFrame(rows).astype(object)


def cell(number: int, column: str, value: Any) -> Callable[[Path, pd.DataFrame], None]:
    """Set a cell by the row number that an editor shows."""

    def change(root: Path, table: pd.DataFrame) -> None:
        table.loc[number - 2, column] = value

    return change


def file(write: Callable[[Path], Any], name: str = "s1.csv") -> Callable[[Path, pd.DataFrame], None]:
    """Write another file in place of one."""

    def change(root: Path, table: pd.DataFrame) -> None:
        for number in table.index[table["path"] == "s1.csv"]:
            table.loc[number, "path"] = name
        (root / "s1.csv").unlink()
        write(root / name)

    return change


def text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(content)


def rows_of(values: str, n: int = 200) -> str:
    return "".join(f"{values.format(t=k / RATE, k=k)}\n" for k in range(n))


def shorter(write: Callable[[Path], Any], n_bytes: int) -> Callable[[Path], Any]:
    def change(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:-n_bytes])

    return change


def channels(data: np.ndarray, names: list[str], rate: float = RATE) -> Callable[[Path], Any]:
    return lambda path: signal_files.csv(path, data, rate, names)


def with_row(values: float, k: int = 0) -> np.ndarray:
    data = eeg(1)
    data[k] = values
    return data


def claims(path: Path) -> None:
    """A .npy header of 2 GB ahead of 100 bytes."""
    with path.open("wb") as out:
        about = {"descr": "<f4", "fortran_order": False, "shape": (8, 62_500_000)}
        np.lib.format.write_array_header_1_0(out, about)
        out.write(bytes(100))


def hdf5_claim(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as out:
        out.create_dataset("signal", shape=(8, 62_500_000), chunks=(1, 1000), dtype="f4")


def mat_claim(path: Path) -> None:
    """A header of 300 million numbers ahead of 36: tag of 8 bytes, flags of 16, then the dimensions."""
    savemat(path, {"signal": np.ones((3, 12))})
    content = bytearray(path.read_bytes())
    place = content.index(np.array([3, 12], "<i4").tobytes())
    content[place : place + 8] = np.array([3, 100_000_000], "<i4").tobytes()
    path.write_bytes(content)


def edf_claim(path: Path) -> None:
    signal_files.edf(path, eeg(1), RATE, NAMES)
    content = bytearray(path.read_bytes())
    content[236:244] = b"9999999 "
    path.write_bytes(content)


def mixed_spelling(root: Path, table: pd.DataFrame) -> None:
    table.loc[table["subject"] == "S02", "subject"] = "s2"
    table.loc[0, "subject"] = table.loc[1, "subject"] = "S2"


def typing_error(root: Path, table: pd.DataFrame) -> None:
    table["emotion"] = ["happy", "happy", "happy", "hapy", "happy", "happy", "happy", "happy"]


def drop(*names: str) -> Callable[[Path, pd.DataFrame], None]:
    return lambda root, table: table.drop(columns=list(names), inplace=True)


def record(path: Path) -> None:
    signal_files.record(path, eeg(1), RATE, NAMES)
    data = path.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-50])


def brainvision(path: Path) -> None:
    signal_files.brainvision(path, eeg(1), RATE, NAMES)
    path.with_suffix(".eeg").unlink()


def npz_of_objects(path: Path) -> None:
    np.savez(path, signal=np.array([{"a": 1}, None], dtype=object))


def npy_of_objects(path: Path) -> None:
    np.save(path, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


CASES: dict[str, tuple[Callable[[Path, pd.DataFrame], Any], str]] = {
    "missing file": (cell(4, "path", "none.csv"), r"row 4, column 'path'.*none\.csv: there is no such file"),
    "folder as file": (
        lambda root, table: ((root / "d.csv").mkdir(), cell(4, "path", "d.csv")(root, table)),
        r"row 4, column 'path'.*d\.csv: is a folder",
    ),
    "empty file": (file(text("")), r"row 4, column 'path'.*s1\.csv: is empty"),
    "unknown format": (file(text("x"), "s1.xyz"), r"row 4.*s1\.xyz: is of an unknown format; allowed.*\.edf"),
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
    "subject in two spellings": (mixed_spelling, r"column 'subject': is 's2' \(2 rows\).*'S2' \(2 rows\)"),
    "two labels for a stretch": (cell(5, "emotion", "calm"), r"row 5, column 'emotion'.*; row 4 has 'joy'"),
    "two subjects on a file": (
        cell(4, "path", "s0.csv"),
        r"row 4, column 'subject': is 'S02', and row 2 of the same file has 'S01'",
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
    "unreadable text": (file(lambda p: p.write_bytes(b"a,b\n\xff\xfe\x00,1\n")), r"row 4: .*s1\.csv: cannot"),
    "a word among numbers": (
        file(text("time,Fp1\n0,1\n1,two\n2,3\n")),
        r"s1\.csv, row 3, column 'Fp1': is 'two'; allowed",
    ),
    "truncated text": (
        file(shorter(channels(eeg(1), NAMES), 25), "s1.csv"),
        r"s1\.csv, row 1537: the last line lacks its last value",
    ),
    "a claim of 2 GB in mat": (file(mat_claim, "s1.mat"), r"variable 'signal' tells 300,000,000 bytes"),
    "no header": (file(text(rows_of("{k},2,3"))), r"s1\.csv: has no line of channel names"),
    "semicolons": (file(text("time;Fp1\n0;1\n")), r"s1\.csv: its columns are separated by ';'"),
    "times that fall": (
        file(text("time,Fp1,Fp2,Cz\n0,1,2,3\n2,1,2,4\n1,1,3,3\n3,2,1,3\n")),
        r"s1\.csv, row 4, column 'time': 1 s follows 2 s.*non-monotonic",
    ),
    "times with a gap": (
        file(text("time,Fp1,Fp2,Cz\n" + rows_of("{t},1,2,{k}") + "9.9,1,2,3\n")),
        r"s1\.csv, row 202, column 'time': a step of 8\.345\d* s",
    ),
    "channels in another order": (
        file(channels(eeg(1), NAMES[::-1])),
        r"row 4.*eeg has the channels in another order, \['Cz', 'Fp2', 'Fp1'\].*3 others",
    ),
    "a missing channel": (file(channels(eeg(1)[:2], NAMES[:2])), r"row 4.*lacks the channels \['Cz'\] of 3"),
    "a channel name twice": (
        file(text("Fp1,Fp1\n" + rows_of("{k},2"))),
        r"s1\.csv: has several channels named \['Fp1'\]",
    ),
    "NaN only": (file(channels(with_row(np.nan, 2), NAMES)), r"channel 'Cz': is NaN or empty throughout"),
    "infinite values": (file(channels(with_row(np.inf, 1), NAMES)), r"channel 'Fp2': has 1536 infinite"),
    "truncated npy": (
        file(shorter(lambda p: np.save(p, eeg(1)), 100), "s1b.npy"),
        r"s1b\.npy: its header tells 36,864 bytes, and the file holds 36,764",
    ),
    "a claim of 2 GB in npy": (file(claims, "s1b.npy"), r"tells 2,000,000,000 bytes, and the file holds 100"),
    "a claim of 2 GB in HDF5": (file(hdf5_claim, "s1.h5"), r"'signal' tells 2,000,000,000 bytes.*holds 0"),
    "a claim in EDF": (file(edf_claim, "s1.edf"), r"s1\.edf: its header tells 7,680,000,256 bytes"),
    "a pickle in npy": (file(npy_of_objects, "s1b.npy"), r"s1b\.npy: holds Python objects.*can run code"),
    "a pickle in npz": (file(npz_of_objects, "s1.npz"), r"s1\.npz: holds Python objects.*can run code"),
    "truncated npz": (
        file(shorter(lambda p: signal_files.npz(p, eeg(1), RATE, NAMES), 200), "s1.npz"),
        r"s1\.npz: cannot be read as a \.npz archive",
    ),
    "truncated mat": (
        file(shorter(lambda p: signal_files.mat(p, eeg(1), RATE, NAMES), 500), "s1.mat"),
        r"row 4: .*s1\.mat: cannot be read as",
    ),
    "truncated HDF5": (
        file(shorter(lambda p: signal_files.hdf5(p, eeg(1), RATE, NAMES), 500), "s1.h5"),
        r"s1\.h5: cannot be read as an HDF5 file",
    ),
    "truncated EDF": (
        file(shorter(lambda p: signal_files.edf(p, eeg(1), RATE, NAMES), 500), "s1.edf"),
        r"s1\.edf: its header tells 10,240 bytes, and the file holds 9,740",
    ),
    "text as EDF": (file(text("no EDF at all"), "s1.edf"), r"s1\.edf: cannot be read as EDF"),
    "text as FIF": (file(text("no FIF at all"), "s1_raw.fif"), r"s1_raw\.fif: cannot be read as FIF"),
    "truncated WFDB": (file(record, "s1.hea"), r"s1\.dat: its header s1\.hea tells 9,216 bytes.*9,166"),
    "BrainVision without data": (file(brainvision, "s1.vhdr"), r"s1\.vhdr: cannot be read as BrainVision"),
    "a transposed array": (
        file(lambda p: np.save(p, eeg(1).T), "s1b.npy"),
        r"s1b\.npy: has shape \(1536, 3\).*Set the option layout to 'samples_first'",
    ),
    "an array of three axes": (
        file(lambda p: np.save(p, np.zeros((2, 3, 99))), "s1b.npy"),
        r"s1b\.npy: has shape \(2, 3, 99\) and no index",
    ),
    "several variables": (
        file(lambda p: np.savez(p, a=eeg(1), b=eeg(2)), "s1.npz"),
        r"s1\.npz: holds 2 numeric arrays \('a' \(3, 1536\), 'b' \(3, 1536\)\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_named_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    table = healthy(tmp_path)
    change, message = CASES[case]
    change(tmp_path, table)
    write_table(tmp_path, table.to_dict("records"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ValueError, match=message) as error:
        check(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert str(error.value).startswith(f"{tmp_path / 'manifest.csv'}: ")


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
