"""Non-EEG data set: autonomic signals from the wrist under four kinds of load."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

if TYPE_CHECKING:
    import wfdb

__all__ = ["NonEEG"]

EMOTION_OF_NOTE = {
    "Relax": "relax",
    "PhysicalStress": "physical",
    "CognitiveStress": "cognitive",
    "EmotionalStress": "emotional",
}
WRIST = "_AccTempEDA"
FINGER = "_SpO2HR"
SIGNALS = {
    "gsr": (WRIST, ("EDA",), ("gsr",), "µS"),
    "temperature": (WRIST, ("temp",), ("temperature",), "°C"),
    "acceleration": (WRIST, ("ax", "ay", "az"), ("ax", "ay", "az"), "g"),
    "spo2": (FINGER, ("SpO2",), ("spo2",), "%"),
    "heart_rate": (FINGER, ("hr",), ("heart_rate",), "bpm"),
}
RATES = {WRIST: 8.0, FINGER: 1.0}
INSTRUCTIONS = 60.0


class NonEEG(Reader):
    """PhysioNet's "Non-EEG Dataset for Assessment of Neurological Status" 1.0.0, a recording a subject.

    The 8 Hz and the 1 Hz record of a subject start together. The blocks are those of the ``.atr`` file;
    an emotional block under 60 s is the instructions to the cognitive task (40 s) and left out. On the
    blocks' own grids there are 1453 windows of 30 s, 54 % of them relaxed. The order of the blocks is the
    same for all subjects, so that the time in the session alone tells the label.

    Parameters
    ----------
    root : str or Path
        Folder of ``SubjectN_AccTempEDA`` and ``SubjectN_SpO2HR`` (``.hea``, ``.dat``) with ``.atr``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such record.
    """

    name: ClassVar[str] = "noneeg"
    title = "Non-EEG Dataset for Assessment of Neurological Status 1.0.0"
    licence = "PhysioNet open access"
    citation = (
        "Birjandtalab, Cogan, Pouyan, Nourani (2016), A Non-EEG Biosignals Dataset for Assessment and "
        "Visualization of Neurological Status, IEEE SiPS; Goldberger et al. (2000), PhysioNet."
    )
    url = "https://physionet.org/content/noneeg/1.0.0/"
    modalities: Mapping[str, SignalSpec] = {
        name: SignalSpec(RATES[kind], channels, unit) for name, (kind, _, channels, unit) in SIGNALS.items()
    }
    labels: Mapping[str, str] = {"emotion": "task of the protocol, from the notes of the .atr file"}
    baseline = "the first 120 s of the recording: relaxation"
    left_out = (
        "an emotional block under 60 s: the instructions to the cognitive task",
        "the subjects' age, sex, height and weight",
    )
    caution = (
        "The order of the blocks is the same for all subjects, so that the time in the session alone tells "
        "the label. Skin conductance is at 8 Hz: enough to count responses, coarse for their amplitude and "
        "rise time."
    )
    classes = tuple(EMOTION_OF_NOTE.values())
    window = 30.0
    step = 10.0

    def __init__(self, root: str | Path | None) -> None:
        content = f"the records SubjectN{WRIST} and SubjectN{FINGER}"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, f"*{WRIST}.hea", self.name, content)

    def paths(self) -> list[Path]:
        """The 8 Hz records without suffix, by the subject's number."""
        records = [path.with_suffix("") for path in self.root.glob(f"*{WRIST}.hea")]
        return sorted(records, key=lambda path: (int(re.sub(r"\D", "", path.name) or 0), path.name))

    def read(self, path: str | Path) -> Recording:
        """Both records of the subject that `path` belongs to.

        Parameters
        ----------
        path : str or Path
            A record without suffix, or the ``.hea``, ``.dat`` or ``.atr`` file of either record.

        Returns
        -------
        Recording
            Without blocks if there is no ``.atr`` file.

        Raises
        ------
        FileNotFoundError
            If a file of either record is missing.
        ValueError
            If a ``.dat`` file has not the size that its header tells, or a channel or note is unknown.
        """
        base = _base(Path(path))
        records = {kind: _read_record(base.with_name(base.name + kind)) for kind in (WRIST, FINGER)}
        signals = {
            modality: _signal(records[kind], wanted, names, unit)
            for modality, (kind, wanted, names, unit) in SIGNALS.items()
        }
        return Recording(signals, self.name, base.name, blocks=tuple(_blocks(base, records[WRIST])))


def _base(path: Path) -> Path:
    """Path of a subject, without the record's kind and suffix."""
    name = re.sub(r"\.(hea|dat|atr)$", "", path.name)
    return path.with_name(name.removesuffix(WRIST).removesuffix(FINGER))


@contextmanager
def _damage_named(file: str) -> Iterator[None]:
    """Name the file in what wfdb raises on bytes that are no WFDB."""
    try:
        yield
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: is empty or damaged ({error}). Download the file again.") from error


def _read_record(path: Path) -> wfdb.Record:
    import wfdb

    for suffix in (".hea", ".dat"):
        file = path.with_name(path.name + suffix)
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is missing; a subject needs {WRIST} and {FINGER}, .hea and .dat."
            )
    with _damage_named(f"{path}.hea"):
        header = wfdb.rdheader(str(path))
    expected = header.sig_len * header.n_sig * 2
    found = path.with_name(path.name + ".dat").stat().st_size
    if found != expected:
        raise ValueError(
            f"{path}.dat holds {found} bytes; its header tells {header.sig_len} samples of {header.n_sig} "
            f"signals in format 16, which are {expected} bytes. Download the file again."
        )
    return wfdb.rdrecord(str(path))


def _signal(record: wfdb.Record, wanted: tuple[str, ...], names: tuple[str, ...], unit: str) -> Signal:
    missing = [name for name in wanted if name not in record.sig_name]
    if missing:
        raise ValueError(
            f"record {record.record_name}: has the signals {record.sig_name}, but not {missing}."
        )
    rows = [record.sig_name.index(name) for name in wanted]
    return Signal(record.p_signal[:, rows].T, float(record.fs), names, unit)


def _blocks(base: Path, record: wfdb.Record) -> Iterator[Block]:
    import wfdb

    path = base.with_name(base.name + WRIST)
    if not path.with_name(path.name + ".atr").is_file():
        return
    with _damage_named(f"{path}.atr"):
        annotation = wfdb.rdann(str(path), "atr")
    edges = [*annotation.sample, record.sig_len]
    for number, note in enumerate(annotation.aux_note):
        word = note.strip("\x00 ")
        if word not in EMOTION_OF_NOTE:
            raise ValueError(f"{path}.atr: note {number} is {word!r}; allowed are {sorted(EMOTION_OF_NOTE)}.")
        start, end = float(edges[number] / record.fs), float(edges[number + 1] / record.fs)
        if word != "EmotionalStress" or end - start >= INSTRUCTIONS:
            labels = {"emotion": EMOTION_OF_NOTE[word]}
            yield Block(start, end - start, labels, trial=f"{base.name}-{number}")
