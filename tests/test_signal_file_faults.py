"""Signal files at fault: empty, cut off, lying headers, pickles, and what differs from the other files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from written import signal_files
from written.tables import (
    NAMES,
    RATE,
    check,
    eeg,
    file,
    named_and_nothing_written,
    row,
    write_table,
)

from data_builders.manifests import ManifestOptions, Source, load, look_into
from data_builders.manifests.signal_file import DamageNamed


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


def edf_with_gaps(path: Path) -> None:
    signal_files.edf(path, eeg(1), RATE, NAMES)
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)


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
    "empty file": (file(text("")), r"row 4, column 'path'.*s1\.csv: is empty"),
    "unknown format": (file(text("x"), "s1.xyz"), r"row 4.*s1\.xyz: is of an unknown format; allowed.*\.edf"),
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
    "decimal points and commas": (
        file(text("time;Fp1\n0;1,5\n1;1.5\n")),
        r"s1\.csv, row 2, column 'Fp1': is '1,5'; allowed are numbers of one decimal sign",
    ),
    "decimal commas between commas": (
        file(text('time,Fp1\n0,"1,5"\n1,"2,5"\n')),
        r"s1\.csv, row 2, column 'Fp1': is '1,5'; allowed are numbers of one decimal sign",
    ),
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
    "gaps in EDF": (file(edf_with_gaps, "s1.edf"), r"s1\.edf: .*it is EDF\+D: its records may have gaps"),
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
    named_and_nothing_written(tmp_path, *CASES[case])


@pytest.mark.parametrize("name", signal_files.WRITERS)
def test_damage_anywhere_is_read_or_named(name: str, tmp_path: Path) -> None:
    """Cut off or with other bytes at random places: no library's own error comes through, and no crash."""
    rng = np.random.default_rng(0)
    path = tmp_path / name
    signal_files.WRITERS[name](path, eeg(), RATE, NAMES)
    whole = path.read_bytes()
    n_named = 0
    for k in range(40):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if k % 2 else whole)
        for place in rng.integers(0, min(len(damaged), 800), size=4):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        source = Source("eeg", path, "", None, RATE, "uV", 2)
        try:
            stream, problems = look_into(source, ManifestOptions())
            if stream is not None:
                load(stream, "eeg")
        except (ValueError, OSError) as error:
            problems = [str(error)]
        assert all(str(tmp_path) in problem for problem in problems)
        n_named += bool(problems)
    # a flipped byte of a sample is another number, which nobody can see; a header's is seen
    assert n_named >= 10


@pytest.mark.parametrize(("name", "package", "extra"), [("a.edf", "mne", "mne"), ("a.h5", "h5py", "hdf5")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_files.WRITERS[name](tmp_path / name, eeg(), RATE, NAMES)
    write_table(tmp_path, [row(name)])
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"row 2: .*{name}: .*package {package}.*'biollm\[{extra}\]'"):
        check(tmp_path)


class OwnError(Exception):
    """Of another kind than damage."""


@pytest.mark.parametrize("error", [Exception("unknown tag 9"), EOFError(), ValueError("no header")])
def test_damage_of_any_library_is_named(error: Exception) -> None:
    with (
        pytest.raises(ValueError, match=r"s1\.fif: cannot be read as FIF") as named,
        DamageNamed(Path("s1.fif"), "FIF"),
    ):
        raise error
    assert named.value.__cause__ is error


@pytest.mark.parametrize("error", [OwnError(), KeyboardInterrupt()])
def test_what_is_no_damage_goes_on_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)), DamageNamed(Path("s1.fif"), "FIF"):
        raise error
