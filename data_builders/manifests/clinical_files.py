"""Signals in the recorders' own formats: EDF, BDF, FIF and BrainVision through MNE, and WFDB."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from data_builders.manifests.signal_file import (
    Channel,
    DamageNamed,
    SignalFile,
    check_claim,
    package_missing,
)

__all__ = ["open_brainvision", "open_edf", "open_fif", "open_wfdb"]

ANNOTATIONS = ("EDF Annotations", "BDF Annotations", "Status")
"""Channels of an EDF or BDF file that hold events and no signal."""

DISCONTINUOUS = ("EDF+D", "BDF+D")
"""How the reserved field of a header begins whose records do not follow each other in time."""

VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "nV": 1e-9}
SIEMENS = {"S": 1.0, "uS": 1e-6, "µS": 1e-6}
EDF_SCALES = {"mV": 1e-3, "uV": 1e-6, "µV": 1e-6}
"""What MNE multiplies an EDF file's values by to reach volts; other units it leaves as they are."""

MNE_KINDS = {"resp": "respiration", "temperature": "temperature"}
"""MNE's channel types that are called otherwise here."""

WFDB_BYTES = {"8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5}
"""Bytes a sample of the WFDB formats of fixed size."""


def _mne(path: Path) -> ModuleType:
    try:
        import mne
    except ModuleNotFoundError as error:
        raise package_missing(path, "mne", "mne") from error
    return mne


def open_edf(path: Path, key: str = "", index: int | None = None, layout: str = "") -> SignalFile:
    """EDF, EDF+, BDF: each channel at its own rate and in its header's unit.

    Raises
    ------
    ValueError
        If the file is damaged or does not hold the records that its header tells.
    """
    mne = _mne(path)
    with DamageNamed(path, "EDF"):
        channels, names, claimed = _edf_header(path)
    check_claim(path, "its header", claimed, path.stat().st_size)

    def read(positions: Sequence[int]) -> np.ndarray:
        wanted = [names[position] for position in positions]
        open_raw = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
        # Only the wanted ones: MNE would bring all channels of a file to its highest rate.
        with DamageNamed(path, "EDF"):
            raw = open_raw(path, include=wanted, preload=False, encoding="latin1", verbose="error")
            data = raw.get_data(picks=wanted)
        scales = [EDF_SCALES.get(channels[position].unit, 1.0) for position in positions]
        return data / np.array(scales)[:, None]

    return SignalFile(channels, read)


def _edf_header(path: Path) -> tuple[tuple[Channel, ...], list[str], int]:
    """Channels of an EDF or BDF header (Kemp et al., 1992), their names, and the bytes that it tells."""
    with path.open("rb") as file:
        fixed = file.read(256).decode("latin1")
        if fixed[192:197] in DISCONTINUOUS:
            raise ValueError(
                f"it is {fixed[192:197]}: its records may have gaps between them, and all times behind a gap "
                "would be wrong; export it as EDF+C, a file for each stretch without a gap"
            )
        n_signals, n_records, seconds = int(fixed[252:256]), int(fixed[236:244]), float(fixed[244:252])
        text = file.read(256 * n_signals).decode("latin1")
    if len(text) < 256 * n_signals or n_signals < 1 or n_records < 1:
        raise ValueError(f"its header tells {n_signals} signals and {n_records} records")

    def column(before: int, width: int) -> list[str]:
        start = before * n_signals
        return [text[start + width * k : start + width * (k + 1)].strip() for k in range(n_signals)]

    names, units, samples = column(0, 16), column(96, 8), [int(n) for n in column(216, 8)]
    sample_bytes = 3 if path.suffix.lower() == ".bdf" else 2
    claimed = 256 * (n_signals + 1) + n_records * sum(samples) * sample_bytes
    kept = [k for k in range(n_signals) if names[k] not in ANNOTATIONS]
    channels = tuple(Channel(names[k], n_records * samples[k], samples[k] / seconds, units[k]) for k in kept)
    return channels, [names[k] for k in kept], claimed


def open_fif(path: Path, key: str = "", index: int | None = None, layout: str = "") -> SignalFile:
    """Elekta's FIF, as MNE writes it: channels have kinds, and electrodes are in volts."""
    mne = _mne(path)
    with DamageNamed(path, "FIF"):
        raw = mne.io.read_raw_fif(path, preload=False, verbose="error")
        kinds = raw.get_channel_types()
    channels = []
    for name, about, kind in zip(raw.ch_names, raw.info["chs"], kinds, strict=True):
        unit = {107: "V", 114: "S"}.get(int(about["unit"]), "")
        channels.append(Channel(name, raw.n_times, float(raw.info["sfreq"]), unit, MNE_KINDS.get(kind, kind)))
    return SignalFile(tuple(channels), lambda positions: _raw_data(path, raw, positions))


def _raw_data(path: Path, raw: Any, positions: Sequence[int]) -> np.ndarray:
    with DamageNamed(path, "a file for MNE"):
        return raw.get_data(picks=list(positions))


def open_brainvision(path: Path, key: str = "", index: int | None = None, layout: str = "") -> SignalFile:
    """BrainVision, by its ``.vhdr`` file, with the data file beside it; in the header's units."""
    mne = _mne(path)
    with DamageNamed(path, "BrainVision"):
        raw = mne.io.read_raw_brainvision(path, preload=False, verbose="error")
        units = _brainvision_units(path)
    rate = float(raw.info["sfreq"])
    names = raw.ch_names
    channels = tuple(Channel(name, raw.n_times, rate, units.get(name, "")) for name in names)
    scales = VOLTS | SIEMENS

    def read(positions: Sequence[int]) -> np.ndarray:
        scale = [scales.get(channels[position].unit, 1.0) for position in positions]
        return _raw_data(path, raw, positions) / np.array(scale)[:, None]

    return SignalFile(channels, read)


def _brainvision_units(path: Path) -> dict[str, str]:
    """Unit a channel, of lines such as ``Ch1=Fp1,,0.5,µV``; µV where a line has none, as the format says."""
    raw = path.read_bytes()
    text = raw.decode("utf-8" if b"UTF-8" in raw else "latin1")
    found = {}
    for line in re.findall(r"^Ch\d+=(.*)$", text.partition("[Channel Infos]")[2], re.MULTILINE):
        name, *rest = (part.strip() for part in line.split(","))
        if len(rest) > 1:
            found[name.replace(r"\1", ",")] = rest[2] if len(rest) > 2 and rest[2] else "µV"
    return found


def open_wfdb(path: Path, key: str = "", index: int | None = None, layout: str = "") -> SignalFile:
    """A WFDB record, by its ``.hea`` file: each channel at its own rate and in its header's unit.

    Raises
    ------
    ValueError
        If a file of the record is missing or holds less than the header tells.
    """
    import wfdb

    record = str(path.with_suffix(""))
    with DamageNamed(path, "a WFDB record"):
        header = wfdb.rdheader(record)
    if not header.n_sig or not header.sig_len or not header.file_name:
        raise ValueError(
            f"{path}: tells {header.n_sig} signals of {header.sig_len} samples; allowed are some."
        )
    _check_wfdb_files(path, header)
    units = ["" if unit in (None, "NU") else unit for unit in header.units]
    channels = tuple(
        Channel(name, header.sig_len * frames, header.fs * frames, unit)
        for name, frames, unit in zip(header.sig_name, header.samps_per_frame, units, strict=True)
    )

    def read(positions: Sequence[int]) -> np.ndarray:
        with DamageNamed(path, "a WFDB record"):
            signals = wfdb.rdrecord(record, channels=list(positions), smooth_frames=False).e_p_signal
        return np.stack(signals)

    return SignalFile(channels, read)


def _check_wfdb_files(path: Path, header: Any) -> None:
    for name in sorted(set(header.file_name)):
        file = path.with_name(name)
        if not file.is_file():
            raise FileNotFoundError(f"{file}: is missing; the header {path.name} names it. Place it there.")
        rows = [k for k, other in enumerate(header.file_name) if other == name]
        if all(header.fmt[k] in WFDB_BYTES for k in rows):
            samples = sum(header.samps_per_frame[k] * WFDB_BYTES[header.fmt[k]] for k in rows)
            offset = header.byte_offset[rows[0]] or 0
            check_claim(
                file, f"its header {path.name}", header.sig_len * samples, file.stat().st_size - offset
            )
