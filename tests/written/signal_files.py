"""One signal in every format of a manifest: each writer takes a path, data in µV, rate and names."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import wfdb
from scipy.io import savemat


def csv(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    separator = "\t" if path.suffix == ".tsv" else ","
    table = pd.DataFrame({"time": np.arange(data.shape[1]) / rate} | dict(zip(names, data, strict=True)))
    table.to_csv(path, sep=separator, index=False)


def biosppy(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    head = f"# Simple Text Format\n# Sampling Rate (Hz):= {rate:.2f}\n# Labels:= {' '.join(names)}\n"
    path.write_text(head + "\n".join("\t".join(f"{v:.9g}" for v in row) for row in data.T))


def npy(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    np.save(path, data)


def npz(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    np.savez_compressed(path, signal=data, rate=rate)


def mat(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    savemat(path, {"signal": data, "rate": rate, "note": "made by a test"}, do_compression=True)


def mat73(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    """As MATLAB writes v7.3: HDF5 with 512 bytes ahead of it, axes in reverse, text as numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("signal", data=data.T).attrs["MATLAB_class"] = np.bytes_("double")
        note = np.frombuffer("made by a test".encode("utf-16-le"), np.uint16)
        file.create_dataset("note", data=note[:, None]).attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def hdf5(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("recording/signal", data=data, chunks=True, compression="gzip")


def edf(path: Path, data: np.ndarray, rate: float, names: list[str], unit: str = "uV") -> None:
    """One record a second (Kemp et al., 1992); BDF is the same with three bytes a sample."""
    width = 3 if path.suffix == ".bdf" else 2
    top = 2 ** (8 * width - 1) - 1
    n, seconds, step = len(names), int(data.shape[1] / rate), int(rate)
    limit = float(np.ceil(np.abs(data).max()))
    start = "\xffBIOSEMI" if width == 3 else "0"
    fixed = [(start, 8), ("X X X X", 80), ("", 80), ("01.01.20", 8), ("00.00.00", 8), (256 * (n + 1), 8)]
    fixed += [("24BIT" if width == 3 else "", 44), (seconds, 8), (1, 8), (n, 4)]
    columns = [(names, 16), ([""] * n, 80), ([unit] * n, 8), ([-limit] * n, 8), ([limit] * n, 8)]
    columns += [([-top] * n, 8), ([top] * n, 8), ([""] * n, 80), ([step] * n, 8), ([""] * n, 32)]
    header = "".join(str(text).ljust(size) for text, size in fixed)
    header += "".join(str(text).ljust(size) for texts, size in columns for text in texts)
    digital = np.round(data * top / limit).astype("<i4").reshape(n, seconds, step).swapaxes(0, 1)
    samples = np.frombuffer(np.ascontiguousarray(digital).tobytes(), np.uint8).reshape(-1, 4)[:, :width]
    path.write_bytes(header.encode("latin1") + samples.tobytes())


def fif(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    import mne

    info = mne.create_info([*names, "trigger"], rate, ["eeg"] * len(names) + ["stim"])
    values = np.vstack([data * 1e-6, np.zeros(data.shape[1])])
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")


def brainvision(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    lines = ["Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]", "Codepage=UTF-8"]
    lines += [f"DataFile={path.stem}.eeg", "DataFormat=BINARY", "DataOrientation=MULTIPLEXED"]
    lines += [f"NumberOfChannels={len(names)}", f"SamplingInterval={1e6 / rate:g}"]
    lines += ["[Binary Infos]", "BinaryFormat=IEEE_FLOAT_32", "[Channel Infos]"]
    lines += [f"Ch{k + 1}={name},,1,µV" for k, name in enumerate(names)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".eeg").write_bytes(data.T.astype("<f4").tobytes())


def record(path: Path, data: np.ndarray, rate: float, names: list[str]) -> None:
    units, formats = ["uV"] * len(names), ["16"] * len(names)
    wfdb.wrsamp(path.stem, rate, units, names, p_signal=data.T, fmt=formats, write_dir=str(path.parent))


WRITERS = {
    "a.csv": csv,
    "a.tsv": csv,
    "a.txt": biosppy,
    "a.npy": npy,
    "a.npz": npz,
    "a.mat": mat,
    "v73.mat": mat73,
    "a.h5": hdf5,
    "a.edf": edf,
    "a.bdf": edf,
    "a_raw.fif": fif,
    "a.vhdr": brainvision,
    "a.hea": record,
}
"""File name -> what writes it."""
NAMELESS = ("a.npy", "a.npz", "a.mat", "v73.mat", "a.h5")
"""Formats that tell neither names nor rate nor unit."""
