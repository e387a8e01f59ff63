"""DREAMER: EEG and ECG while film clips are seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_builders.affect import QUADRANTS, quadrant
from data_builders.readers._matlab import read_mat
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["DREAMER"]

EEG = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
FIELDS = {"eeg": "EEG", "ecg": "ECG"}
FILE = "DREAMER.mat"
MIDPOINT = 3.0


class DREAMER(Reader):
    """DREAMER (Katsigiannis and Ramzan), a recording a film clip that a subject saw.

    Each clip has a baseline recording of its own, of a neutral clip that was shown before it: 61 s. It is
    put before the clip's signals, so that a recording is baseline and then clip, with a jump between
    them that no window crosses (filters ring about it). All subjects are in
    one file, which is read as a whole: about 2 GB of memory.

    The file states no units. EEG is from an Emotiv EPOC, in µV with the device's offset of some thousand;
    ECG is from a Shimmer2 sensor, in steps of its converter, which are given as they are ("a.u.").

    Parameters
    ----------
    root : str or Path
        Folder of ``DREAMER.mat``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold it.
    """

    name: ClassVar[str] = "dreamer"
    title = "DREAMER: EEG and ECG of wireless low-cost devices while film clips are seen"
    licence = "on request, for academic research only (end user licence agreement)"
    citation = (
        "Katsigiannis, Ramzan (2018), DREAMER: A Database for Emotion Recognition Through EEG and ECG "
        "Signals From Wireless Low-cost Off-the-Shelf Devices, IEEE J. Biomedical and Health Informatics "
        "22(1), 98-107."
    )
    url = "https://zenodo.org/records/546113"
    modalities: Mapping[str, SignalSpec] = {
        "eeg": SignalSpec(128.0, EEG, "µV"),
        "ecg": SignalSpec(256.0, ("ecg1", "ecg2"), "a.u."),
    }
    labels: Mapping[str, str] = {
        "valence": "self-assessment, 1 to 5",
        "arousal": "self-assessment, 1 to 5",
        "emotion": "quadrant of valence and arousal about 3; a value of 3 counts as high",
    }
    baseline = "the 61 s of a neutral clip before each clip, at the start of each recording"
    left_out = ("self-assessed dominance", "age and gender")
    caution = (
        "Ratings are whole numbers from 1 to 5, and many are 3, which counts as high: the four quadrants are "
        "unbalanced. All subjects saw the same 18 clips, so that ratings follow the clip."
    )
    classes = QUADRANTS

    def __init__(self, root: str | Path | None) -> None:
        self.root = existing_folder(root, self.name, FILE)
        files_in(self.root, FILE, self.name, f"the data set's one file {FILE}")

    def paths(self) -> list[Path]:
        """The one file."""
        return [self.root / FILE]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """All subjects' clips.

        Raises
        ------
        ValueError
            If the file is damaged, or rates, electrodes or shapes are not the documented ones.
        """
        path = Path(path)
        about = _header(path)
        for number, data in enumerate(about["Data"].ravel(), start=1):
            subject = f"S{number:02d}"
            parts = _subject_parts(path, subject, data)
            for clip in range(len(parts["valence"])):
                yield self._recording(path, parts, subject, clip)

    def _recording(self, path: Path, parts: dict[Any, Any], subject: str, clip: int) -> Recording:
        name = f"{subject}-{clip + 1:02d}"
        signals, lengths = {}, {}
        for modality, spec in self.modalities.items():
            rest, film = (parts[modality, kind][clip] for kind in ("baseline", "stimuli"))
            joined = np.concatenate([rest, film]).T
            signals[modality] = Signal(joined, spec.sampling_rate, spec.channel_names, spec.unit)
            lengths[modality] = len(rest) / spec.sampling_rate
        start = lengths["eeg"]
        # EEG and ECG share the time axis only if their baselines are equally long, to a sample of EEG.
        if abs(start - lengths["ecg"]) > 1 / self.modalities["eeg"].sampling_rate:
            raise ValueError(
                f"{path}: {name} has a baseline of {start} s in EEG and of {lengths['ecg']} s in ECG; "
                "allowed is the same in both. Copy the file of the data set again."
            )
        valence, arousal = float(parts["valence"][clip]), float(parts["arousal"][clip])
        labels = {"emotion": quadrant(valence, arousal, MIDPOINT), "valence": valence, "arousal": arousal}
        duration = min(signal.duration for signal in signals.values()) - start
        block = Block(start, duration, labels, name, stimulus=f"clip-{clip + 1:02d}")
        return Recording(signals, self.name, subject, blocks=(block,), name=name, baseline=(0.0, start))


def _header(path: Path) -> np.void:
    """The one variable, after a check of what holds for all subjects."""
    found = read_mat(path, ("DREAMER",))["DREAMER"]
    needed = ("Data", "EEG_SamplingRate", "ECG_SamplingRate", "EEG_Electrodes")
    missing = [name for name in needed if name not in (found.dtype.names or ())]
    if missing or found.shape != (1, 1):
        raise ValueError(
            f"{path}: DREAMER has shape {found.shape} and lacks {missing}; allowed is one struct of {needed}."
        )
    about = found[0, 0]
    electrodes = tuple(str(np.ravel(name)[0]).strip() for name in about["EEG_Electrodes"].ravel())
    rates = tuple(float(about[name].item()) for name in needed[1:3])
    allowed = tuple(spec.sampling_rate for spec in DREAMER.modalities.values())
    problems = []
    if rates != allowed:
        problems.append(f"sampling rates of EEG and ECG are {rates} Hz; allowed are {allowed}")
    if electrodes != EEG:
        problems.append(f"EEG_Electrodes are {list(electrodes)}; allowed are {list(EEG)} in this order")
    if problems:
        raise ValueError(f"{path}: {'; '.join(problems)}. Copy the file of the data set again.")
    return about


def _subject_parts(path: Path, subject: str, data: np.ndarray) -> dict[Any, Any]:
    """Cells of signals by (modality, kind) and the two ratings, after a check of all their shapes."""
    person = data[0, 0]
    parts: dict[Any, Any] = {
        "valence": np.ravel(person["ScoreValence"]),
        "arousal": np.ravel(person["ScoreArousal"]),
    }
    for modality, field in FIELDS.items():
        for kind in ("baseline", "stimuli"):
            parts[modality, kind] = list(np.ravel(person[field][0, 0][kind]))
    n_clips = len(parts["valence"])
    problems = [
        f"{key} has {len(part)} clips, not {n_clips}" for key, part in parts.items() if len(part) != n_clips
    ]
    for modality, spec in DREAMER.modalities.items():
        for kind in ("baseline", "stimuli"):
            width = len(spec.channel_names)
            problems += [
                f"{kind} of {modality}, clip {clip}, has shape {np.shape(cell)}, not (n_samples, {width})"
                for clip, cell in enumerate(parts[modality, kind], start=1)
                if np.ndim(cell) != 2 or np.shape(cell)[1] != width
            ]
    bare = [key for key in ("valence", "arousal") if not np.isfinite(parts[key].astype(float)).all()]
    problems += [f"{key} holds values that are no finite numbers" for key in bare]
    if problems:
        raise ValueError(f"{path}: subject {subject}: {'; '.join(problems)}. Copy the file again.")
    return parts
