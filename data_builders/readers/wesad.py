"""WESAD: wearable stress and affect detection, at the chest and at the wrist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_builders.readers._unpickling import load_arrays
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["WESAD"]

CONDITIONS = {1: "baseline", 2: "stress", 3: "amusement", 4: "meditation"}
IGNORED = (0, 5, 6, 7)
FILE = "**/S[0-9]*.pkl"
LABEL_RATE = 700.0
ACC = ("ax", "ay", "az")
DEVICES = {
    "chest": {
        "acceleration": ("ACC", SignalSpec(700.0, ACC, "g")),
        "ecg": ("ECG", SignalSpec(700.0, ("ecg",), "mV")),
        "emg": ("EMG", SignalSpec(700.0, ("trapezius",), "mV")),
        "gsr": ("EDA", SignalSpec(700.0, ("gsr",), "µS")),
        "temperature": ("Temp", SignalSpec(700.0, ("temperature",), "°C")),
        "respiration": ("Resp", SignalSpec(700.0, ("respiration",), "%")),
    },
    "wrist": {
        "acceleration": ("ACC", SignalSpec(32.0, ACC, "g/64")),
        "bvp": ("BVP", SignalSpec(64.0, ("bvp",), "a.u.")),
        "gsr": ("EDA", SignalSpec(4.0, ("gsr",), "µS")),
        "temperature": ("TEMP", SignalSpec(4.0, ("temperature",), "°C")),
    },
}


class WESAD(Reader):
    """WESAD (Schmidt et al.), a recording a subject, with a block a condition.

    The chest (RespiBAN, 700 Hz) and the wrist (Empatica E4, 4 to 64 Hz) both have skin conductance,
    temperature and acceleration. They are two readings of the data set and not one recording, so that
    ``gsr`` means one signal, of which models trained on other data know the name; `device` tells which.

    Blocks are the runs of one value in the 700 Hz labels, so that meditation, which comes twice, has two.

    Parameters
    ----------
    root : str or Path
        Folder of ``S2/S2.pkl`` to ``S17/S17.pkl``. The pickles are read without running what they name, each
        as a whole: memory of about three times a file's size is needed.
    device : {"chest", "wrist"}

    Raises
    ------
    FileNotFoundError
        If the folder holds no such file.
    ValueError
        If the device is unknown.
    """

    name: ClassVar[str] = "wesad"
    title = "WESAD: wearable stress and affect detection"
    licence = "free for academic, not for commercial use; CC BY 4.0 in the UCI repository"
    citation = (
        "Schmidt, Reiss, Duerichen, Marberger, Van Laerhoven (2018), Introducing WESAD, a Multimodal Dataset "
        "for Wearable Stress and Affect Detection, ICMI 2018, 400-408."
    )
    url = "https://archive.ics.uci.edu/dataset/465/wesad+wearable+stress+and+affect+detection"
    modalities: Mapping[str, SignalSpec] = {name: spec for name, (_, spec) in DEVICES["chest"].items()}
    labels: Mapping[str, str] = {"emotion": "condition of the study protocol, one value a sample at 700 Hz"}
    baseline = "the first 120 s of each recording, before the protocol's first condition (neutral reading)"
    left_out = (
        "label 0 (between conditions) and labels 5 to 7, which the data set says to ignore",
        "subjects 1 and 12, whose sensors failed; the data set does not hold them",
        "the questionnaires, and the raw files beside the pickles",
    )
    caution = (
        "Each condition comes once (meditation twice) in one of two orders, so that the time in the session "
        "tells much about the label. Skin conductance of the wrist is sampled at 4 Hz: single responses are "
        "not to be found in it."
    )
    classes = tuple(CONDITIONS.values())
    window = 60.0
    step = 30.0

    def __init__(self, root: str | Path | None, device: str = "chest") -> None:
        content = "the subjects' folders with their pickles, S2/S2.pkl to S17/S17.pkl"
        self.root = existing_folder(root, self.name, content)
        if device not in DEVICES:
            raise ValueError(f"reader 'wesad': device is {device!r}; allowed are {sorted(DEVICES)}.")
        files_in(self.root, FILE, self.name, content)
        self.device = device
        self.modalities = {name: spec for name, (_, spec) in DEVICES[device].items()}

    def paths(self) -> list[Path]:
        """The subjects' pickles, by number."""
        files = [path for path in self.root.glob(FILE) if path.is_file()]
        return sorted(files, key=lambda path: (int(re.sub(r"\D", "", path.stem) or 0), path.stem))

    def read(self, path: str | Path) -> Recording:
        """One subject's session.

        Raises
        ------
        ValueError
            If the pickle is damaged or names anything but arrays, lacks a signal, or a shape, a label or a
            length is not the documented one; the message lists all of it.
        """
        path = Path(path)
        content = load_arrays(path)
        arrays = _device_arrays(path, content, self.device)
        labels = np.ravel(content["label"])
        _check_arrays(path, arrays, labels, self.device)
        signals = {
            name: Signal(arrays[name].T, spec.sampling_rate, spec.channel_names, spec.unit)
            for name, spec in self.modalities.items()
        }
        subject = path.stem
        end = min(signal.duration for signal in signals.values())
        return Recording(signals, self.name, subject, blocks=tuple(_blocks(labels, subject, end)))


def _device_arrays(path: Path, content: Any, device: str) -> dict[str, np.ndarray]:
    """Signals by modality, shape (n_samples, n_channels), of a pickle that holds all of them."""
    if not isinstance(content, dict) or not {"signal", "label"} <= set(content):
        raise ValueError(
            f"{path}: holds a {type(content).__name__}; allowed is a dict of 'signal' and 'label'."
        )
    found = content["signal"].get(device) if isinstance(content["signal"], dict) else None
    keys = [key for key, _ in DEVICES[device].values()]
    missing = [key for key in keys if key not in (found or {})]
    if found is None or missing:
        raise ValueError(
            f"{path}: 'signal' lacks {device} {missing}; allowed are {keys}. Fetch the file again."
        )
    return {name: _columns(found[key]) for name, (key, _) in DEVICES[device].items()}


def _columns(array: Any) -> np.ndarray:
    """An array of one channel may be flat."""
    array = np.asarray(array)
    return array[:, None] if array.ndim == 1 else array


def _check_arrays(path: Path, arrays: dict[str, np.ndarray], labels: np.ndarray, device: str) -> None:
    problems = []
    seconds = len(labels) / LABEL_RATE
    for name, (key, spec) in DEVICES[device].items():
        array, width = arrays[name], len(spec.channel_names)
        if array.ndim != 2 or array.shape[1] != width or array.dtype.kind not in "fiu":
            problems.append(
                f"{key} has shape {array.shape} of {array.dtype}; allowed is (n_samples, {width})"
            )
        # The devices stop some samples apart; more than a second is another time axis.
        elif abs(len(array) / spec.sampling_rate - seconds) > 1:
            problems.append(
                f"{key} lasts {len(array) / spec.sampling_rate:.1f} s, its labels {seconds:.1f} s"
            )
    unknown = sorted(set(np.unique(labels).tolist()) - set(CONDITIONS) - set(IGNORED))
    if unknown:
        problems.append(f"label holds {unknown[:5]}; allowed are {sorted([*CONDITIONS, *IGNORED])}")
    if problems:
        raise ValueError(f"{path}: {device}: {'; '.join(problems)}. Fetch the file of the data set again.")


def _blocks(labels: np.ndarray, subject: str, end: float) -> Iterator[Block]:
    """The runs of the four conditions, to the end of the shortest signal."""
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    runs = [(a, b) for a, b in pairwise(edges) if b > a and labels[a] in CONDITIONS]
    for number, (first, stop) in enumerate(runs, start=1):
        start = first / LABEL_RATE
        duration = min(stop / LABEL_RATE, end) - start
        if duration > 0:
            emotion = CONDITIONS[int(labels[first])]
            yield Block(float(start), float(duration), {"emotion": emotion}, trial=f"{subject}-{number}")
