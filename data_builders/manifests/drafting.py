"""A first manifest from a folder: a row a signal file, with what names and headers tell."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from data_builders.manifests.array_files import array_shapes
from data_builders.manifests.formats import FORMATS, open_signals, path_problem
from data_builders.manifests.signal_file import SignalFile
from data_builders.manifests.table import COLUMNS

__all__ = ["draft", "guess_modality", "guess_session", "guess_subject"]

ARRAYS = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".hdf")
SUBJECT = re.compile(
    r"(?:^|[^a-z])((?:sub|subj|subject|participant|proband|vp|id|s|p)[-_ ]?\d+)", re.IGNORECASE
)
BIDS_SUBJECT = re.compile(r"(?:^|[^a-z])(sub-[a-z0-9]+)", re.IGNORECASE)
SESSION = re.compile(r"(?:^|[^a-z])((?:session|ses)(?:[-_ ][a-z0-9]+|\d+))", re.IGNORECASE)
MODALITY_WORDS = {
    "eeg": "eeg",
    "emg": "emg",
    "ecg": "ecg",
    "ekg": "ecg",
    "gsr": "gsr",
    "eda": "gsr",
    "temp": "temperature",
    "acc": "acceleration",
    "bvp": "bvp",
    "ppg": "bvp",
    "resp": "respiration",
}


def guess_subject(path: Path) -> str:
    """The part of a name that reads ``S01``, ``sub-01``, ``P3``, ``subject12`` or the like, as it stands.

    The file's own name is looked at first, then its folders from the inside out; letters may not stand
    directly before it. Empty where nothing is found: a wrong subject would be worse than none.
    """
    for part in (path.stem, *reversed(path.parts[:-1])):
        for pattern in (BIDS_SUBJECT, SUBJECT):
            if found := pattern.search(part):
                return found[1]
    return ""


def guess_session(path: Path) -> str:
    """The part that reads ``ses-2`` or ``session_2``, looked for as `guess_subject` does."""
    for part in (path.stem, *reversed(path.parts[:-1])):
        if found := SESSION.search(part):
            return found[1]
    return ""


def guess_modality(path: Path) -> str:
    """The modality that the file's name, or else a folder's, has as a word of its own."""
    for part in (path.stem, *reversed(path.parts[:-1])):
        words = re.split(r"[^a-z]+", part.casefold())
        found = {MODALITY_WORDS[word] for word in words if word in MODALITY_WORDS}
        if len(found) == 1:
            return found.pop()
    return ""


def draft(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Rows for the signal files of a folder and its sub-folders, and what was left out and why.

    Text files that are no signals (tables of labels, notes) and damaged files are left out. An array of
    shape (n, n_channels, n_samples) gives a row an item, a file of several arrays a row an array.
    """
    rows: list[dict[str, object]] = []
    left_out = []
    for path in sorted(folder.rglob("*")):
        known = path.suffix.lower() in FORMATS and path.is_file()
        if not known or path.name.startswith((".", "manifest.")):
            continue
        try:
            rows += _rows(path, folder)
        except ValueError as error:
            left_out.append(str(error))
    return pd.DataFrame(rows, columns=list(COLUMNS)).fillna(""), left_out


def _rows(path: Path, folder: Path) -> list[dict[str, object]]:
    place = path.relative_to(folder)
    row: dict[str, object] = {
        "path": place.as_posix(),
        "subject": guess_subject(place),
        "session": guess_session(place),
        "modality": guess_modality(place),
    }
    if problem := path_problem(path):
        raise ValueError(problem)
    if path.suffix.lower() not in ARRAYS:
        return [row | _of_header(open_signals(path))]
    shapes = array_shapes(path)
    if not shapes:
        raise ValueError(f"{path}: holds no array of two or three axes, such as (n_channels, n_samples).")
    found: list[dict[str, object]] = []
    for key, shape in shapes.items():
        named = row | {"key": key} if len(shapes) > 1 else row
        found += [named | {"index": str(k)} for k in range(shape[0])] if len(shape) == 3 else [named]
    return found


def _of_header(file: SignalFile) -> dict[str, object]:
    """Rate and unit, where the channels agree on one."""
    rates = {channel.sampling_rate for channel in file.channels}
    units = {channel.unit for channel in file.channels}
    rate = rates.pop() if len(rates) == 1 else None
    return {
        "sampling_rate": "" if rate is None else f"{rate:.10g}",
        "unit": units.pop() if len(units) == 1 else "",
    }
