"""DEAP: EEG and peripheral signals while music videos are seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_builders.affect import QUADRANTS, quadrant
from data_builders.readers._matlab import read_mat
from data_builders.readers._unpickling import load_arrays
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["DEAP"]

EEG = (
    *("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz"),
    *("Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2"),
)
SAMPLING_RATE = 128.0
BASELINE = 3.0
SHAPE = (40, 40, 8064)
MIDPOINT = 5.0
ROWS = {
    "eeg": slice(0, 32),
    "eog": slice(32, 34),
    "emg": slice(34, 36),
    "gsr": slice(36, 37),
    "respiration": slice(37, 38),
    "bvp": slice(38, 39),
    "temperature": slice(39, 40),
}


class DEAP(Reader):
    """The preprocessed files of DEAP (Koelstra et al.), a recording a music video that a subject saw.

    A recording is 3 s of baseline and 60 s of video. In the preprocessed files the videos are in the
    order of their ids, not of presentation, so that video k is the same for all subjects.

    EEG is band-passed to 4-45 Hz and cleaned of eye movements. Skin response is *resistance* in Ω ("values
    from Twente converted to Geneva format"), which falls where skin conductance rises, with a mean that
    the preprocessing has moved. Of the plethysmograph, the respiration belt and the temperature sensor no
    unit is documented.

    Parameters
    ----------
    root : str or Path
        Folder of ``s01.dat`` to ``s32.dat`` (data_preprocessed_python) or ``s01.mat`` to ``s32.mat``
        (data_preprocessed_matlab), which hold the same; where both are there, ``.dat`` is read.
    modalities : sequence of str, optional
        Which of them to read, all by default.

    Raises
    ------
    FileNotFoundError
        If the folder holds neither.
    ValueError
        If a modality is unknown.
    """

    name: ClassVar[str] = "deap"
    title = "DEAP: emotion analysis using physiological signals"
    licence = "on request, for academic research only (end user licence agreement)"
    citation = (
        "Koelstra, Mühl, Soleymani, Lee, Yazdani, Ebrahimi, Pun, Nijholt, Patras (2012), DEAP: A Database "
        "for Emotion Analysis Using Physiological Signals, IEEE Trans. Affective Computing 3(1), 18-31."
    )
    url = "https://www.eecs.qmul.ac.uk/mmv/datasets/deap/"
    modalities: Mapping[str, SignalSpec] = {
        "eeg": SignalSpec(SAMPLING_RATE, EEG, "µV"),
        "eog": SignalSpec(SAMPLING_RATE, ("hEOG", "vEOG"), "µV"),
        "emg": SignalSpec(SAMPLING_RATE, ("zEMG", "tEMG"), "µV"),
        "gsr": SignalSpec(SAMPLING_RATE, ("gsr",), "Ω"),
        "respiration": SignalSpec(SAMPLING_RATE, ("respiration",), "a.u."),
        "bvp": SignalSpec(SAMPLING_RATE, ("bvp",), "a.u."),
        "temperature": SignalSpec(SAMPLING_RATE, ("temperature",), "a.u."),
    }
    labels: Mapping[str, str] = {
        "valence": "self-assessment, 1 to 9",
        "arousal": "self-assessment, 1 to 9",
        "emotion": "quadrant of valence and arousal about 5; a value of 5 counts as high",
    }
    baseline = (
        "the first 3 s of each recording, before the video starts; windows that are longer have no causal "
        "reference in it"
    )
    left_out = (
        "self-assessed dominance and liking",
        "the face videos and the unprocessed BioSemi files",
    )
    caution = (
        "All subjects saw the same 40 videos, so that valence and arousal follow the video: split by "
        "stimulus too where a model should know people it has not seen and videos it has not seen. "
        "Skin response is resistance, not conductance."
    )
    classes = QUADRANTS

    def __init__(self, root: str | Path | None, modalities: Sequence[str] | None = None) -> None:
        content = "the preprocessed files s01.dat to s32.dat, or s01.mat to s32.mat"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, "s[0-9][0-9].[dm]at", self.name, content)
        chosen = list(ROWS) if modalities is None else list(modalities)
        if not chosen or set(chosen) - set(ROWS):
            raise ValueError(f"reader 'deap': modalities are {chosen}; allowed are some of {list(ROWS)}.")
        self.modalities = {name: DEAP.modalities[name] for name in chosen}

    def paths(self) -> list[Path]:
        """The subjects' files, by number."""
        files = [path for path in self.root.glob("s[0-9][0-9].[dm]at") if path.is_file()]
        return [
            path for path in sorted(files) if path.suffix == ".dat" or path.with_suffix(".dat") not in files
        ]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The 40 videos of one subject.

        Raises
        ------
        ValueError
            If the file is damaged, names anything but arrays, or the arrays have not the documented shape.
        """
        data, ratings = _arrays(Path(path))
        subject = Path(path).stem
        for number, (samples, rating) in enumerate(zip(data, ratings, strict=True), start=1):
            yield self._recording(samples, rating, subject, number)

    def _recording(self, samples: np.ndarray, rating: np.ndarray, subject: str, number: int) -> Recording:
        signals = {
            name: Signal(samples[ROWS[name]], spec.sampling_rate, spec.channel_names, spec.unit)
            for name, spec in self.modalities.items()
        }
        valence, arousal = float(rating[0]), float(rating[1])
        labels = {"emotion": quadrant(valence, arousal, MIDPOINT), "valence": valence, "arousal": arousal}
        name = f"{subject}-{number:02d}"
        duration = samples.shape[1] / SAMPLING_RATE - BASELINE
        block = Block(BASELINE, duration, labels, name, stimulus=f"video-{number:02d}")
        return Recording(signals, self.name, subject, blocks=(block,), name=name, baseline=(0.0, BASELINE))


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Data of shape (40, 40, 8064) and ratings of (40, 4) of a file of either kind."""
    found: Any = load_arrays(path) if path.suffix == ".dat" else read_mat(path)
    if not isinstance(found, dict) or not {"data", "labels"} <= set(found):
        raise ValueError(f"{path}: holds {_content(found)}; allowed is a dict of 'data' and 'labels'.")
    problems = [
        f"{name} is {_content(found[name])}; allowed is a numeric array of shape {shape}"
        for name, shape in (("data", SHAPE), ("labels", (SHAPE[0], 4)))
        if not _fits(found[name], shape)
    ]
    if not problems and (bad := [name for name in ("data", "labels") if not np.isfinite(found[name]).all()]):
        problems = [f"{' and '.join(bad)} hold values that are no finite numbers"]
    if problems:
        raise ValueError(f"{path}: {'; '.join(problems)}. Copy the file of the data set again.")
    return found["data"], found["labels"]


def _fits(array: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(array, np.ndarray) and array.shape == shape and array.dtype.kind in "fiu"


def _content(found: Any) -> str:
    if isinstance(found, np.ndarray):
        return f"an array of shape {found.shape} and type {found.dtype}"
    return f"a {type(found).__name__}" + (f" of {sorted(map(str, found))}" if isinstance(found, dict) else "")
