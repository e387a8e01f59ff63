"""AMIGOS: EEG, ECG and skin response while short and long films are seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_builders.affect import QUADRANTS, TRANSITION_RULES, TransitionRule, quadrant, transitions
from data_builders.readers._amigos_files import (
    BASELINE,
    CLIP,
    SAMPLING_RATE,
    VIDEOS,
    Trial,
    clips,
    read_trials,
    saw_long,
)
from data_builders.readers.reader import Reader, existing_folder, files_in
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import SignalSpec

__all__ = ["AMIGOS"]

EEG = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
COLUMNS = {"eeg": slice(0, 14), "ecg": slice(14, 16), "gsr": slice(16, 17)}
FILE = "Data_Preprocessed_P[0-9][0-9].mat"
SELF_MIDPOINT = 5.0
EXTERNAL_MIDPOINT = 0.0


class AMIGOS(Reader):
    """The preprocessed files of AMIGOS (Miranda-Correa et al.), a recording a film that a subject saw.

    A recording starts with 5 s of baseline; the film runs from there to its end. Films are told by
    ``VideoIDs``, since their order in a file is not fixed.

    Labels are the subject's own, one for the film, or those of the three external annotators, one for
    each clip of 20 s: the first clip starts with the baseline (5 s before the film), then come clips
    side by side from the film's start on, and the last one is the film's last 20 s. So the first and
    the last clip overlap their neighbours by up to 20 s; all clips of a film share their trial, which
    no split separates. `edge_clips` leaves these two out.

    ``transition`` is 1 for a clip if affect has changed since the clip before it; see
    `data_builders.affect.transitions`. Clip k is compared with clip k - 1 in the annotation's order; the
    first of a film has no transition, and neither has one behind a missing annotation.

    The files state no units. EEG is from an Emotiv EPOC (µV; 4-45 Hz, average reference), ECG and skin
    response from Shimmer sensors (low-pass 60 Hz): ECG in mV as these are calibrated, and the skin
    response as *resistance*, in Ω, which falls where skin conductance rises. No value is converted.

    Parameters
    ----------
    root : str or Path
        Folder of ``Data_Preprocessed_P01.mat`` to ``P40.mat``, each also in a folder of its own.
    videos : {"short", "long", "all"}
        16 short films, 4 long ones, or both.
    annotation : {"self", "external"}
    transition_rule : str or callable
        "quadrant" (another quadrant of valence and arousal), "distance" (at least
        `transition_threshold` away), or a function as in `data_builders.affect.TRANSITION_RULES`.
    transition_threshold : float
        On the scale of -1 to 1.
    edge_clips : bool
        Whether the first and the last clip of a film, which overlap their neighbours, are blocks.
    modalities : sequence of str, optional
        Which of ``eeg``, ``ecg``, ``gsr`` to read, all by default. A film is left out only for what is
        missing in these.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such file.
    ValueError
        If options are unknown; the message names all of them.
    """

    name: ClassVar[str] = "amigos"
    title = "AMIGOS: affect, personality and mood of individuals and groups"
    licence = "on request, for academic research only (end user licence agreement)"
    citation = (
        "Miranda-Correa, Abadi, Sebe, Patras (2021), AMIGOS: A Dataset for Affect, Personality and Mood "
        "Research on Individuals and Groups, IEEE Trans. Affective Computing 12(2), 479-493."
    )
    url = "https://www.eecs.qmul.ac.uk/mmv/datasets/amigos/"
    modalities: Mapping[str, SignalSpec] = {
        "eeg": SignalSpec(SAMPLING_RATE, EEG, "µV"),
        "ecg": SignalSpec(SAMPLING_RATE, ("right arm", "left arm"), "mV"),
        "gsr": SignalSpec(SAMPLING_RATE, ("gsr",), "Ω"),
    }
    labels: Mapping[str, str] = {
        "valence": "self-assessment 1 to 9, or external annotation -1 to 1 (annotation='external')",
        "arousal": "as valence",
        "emotion": "quadrant of valence and arousal about 5 (self) or 0 (external); on it counts as high",
        "transition": "external annotation only: 1 if affect has changed since the clip before",
    }
    baseline = (
        "the first 5 s of each recording, before the film starts; windows that are longer have no causal "
        "reference in it"
    )
    left_out = (
        "participants 8, 24 and 28 did not see the long films (some loaders name 32 in the place of 28): "
        "their cells are empty, and with videos='long' their files are not read",
        "films without signals, with NaN in them, or without labels, listed by `missing` and in a warning; "
        "TorchEEG leaves out participants 9, 12, 21, 22, 23, 24 and 33 altogether",
        "self-assessed dominance, liking, familiarity and the seven basic emotions",
    )
    caution = (
        "Seventeen participants saw the long films alone and twenty in groups of four, so that subjects of a "
        "group are not independent. With annotation='external' the first and the last clip of a film share "
        "samples with their neighbours. Skin response is resistance, not conductance."
    )
    classes = QUADRANTS
    window = CLIP
    step = 10.0

    def __init__(
        self,
        root: str | Path | None,
        videos: str = "short",
        annotation: str = "self",
        transition_rule: str | TransitionRule = "quadrant",
        transition_threshold: float = 0.1,
        edge_clips: bool = True,
        modalities: Sequence[str] | None = None,
    ) -> None:
        content = "the preprocessed MATLAB files Data_Preprocessed_P01.mat to P40.mat"
        self.root = existing_folder(root, self.name, content)
        files_in(self.root, f"**/{FILE}", self.name, content)
        chosen = list(COLUMNS) if modalities is None else list(modalities)
        _check_options(videos, annotation, transition_rule, chosen)
        self.videos, self.annotation, self.edge_clips = videos, annotation, edge_clips
        self.transition_rule, self.transition_threshold = transition_rule, transition_threshold
        self.modalities = {name: AMIGOS.modalities[name] for name in chosen}

    def paths(self) -> list[Path]:
        """The participants' files, by number; with videos="long", of those who saw a long film."""
        files = sorted((p for p in self.root.glob(f"**/{FILE}") if p.is_file()), key=lambda path: path.name)
        return [path for path in files if self.videos != "long" or saw_long(path)]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The chosen films of one participant; a warning lists those that are left out.

        Raises
        ------
        ValueError
            If the file is damaged, an array has not the documented shape, or a video id is unknown.
        """
        trials = read_trials(Path(path), VIDEOS[self.videos])
        left_out = self._faults(trials)
        if left_out:
            listed = ", ".join(f"{video} ({fault})" for video, fault in left_out.items())
            warnings.warn(f"{path}: left out the videos {listed}.", stacklevel=2)
        for trial in trials:
            if trial[0] not in left_out:
                yield self._recording(trial, _subject(path))

    def missing(self, path: str | Path) -> dict[str, str]:
        """The chosen films of a file that are left out: video id -> what is missing."""
        return self._faults(read_trials(Path(path), VIDEOS[self.videos]))

    def _faults(self, trials: list[Trial]) -> dict[str, str]:
        return {trial[0]: fault for trial in trials if (fault := self._fault(trial))}

    def _fault(self, trial: Trial) -> str:
        """What is missing in a trial, or nothing."""
        _, signals, own, external = trial
        if len(signals) <= BASELINE * SAMPLING_RATE:
            return "no signals"
        bare = [name for name in self.modalities if np.isnan(signals[:, COLUMNS[name]]).any()]
        if bare:
            return f"NaN in {' and '.join(bare)}"
        if self.annotation == "self":
            return "no self-assessment" if own.size < 2 or np.isnan(own.flat[:2]).any() else ""
        if not external.size or np.isnan(external).any(axis=1).all():
            return "no external annotation"
        n_clips = len(clips(len(signals) / SAMPLING_RATE))
        if len(external) != n_clips:
            return f"{len(external)} annotations of {n_clips} clips"
        return ""

    def _recording(self, trial: Trial, subject: str) -> Recording:
        video, samples, own, external = trial
        signals = {
            name: Signal(samples[:, COLUMNS[name]].T, spec.sampling_rate, spec.channel_names, spec.unit)
            for name, spec in self.modalities.items()
        }
        name = f"{subject}-{video}"
        duration = len(samples) / SAMPLING_RATE
        blocks: tuple[Block, ...]
        if self.annotation == "self":
            arousal, valence = (float(value) for value in own.flat[:2])
            labels = _affect(valence, arousal, SELF_MIDPOINT)
            blocks = (Block(BASELINE, duration - BASELINE, labels, name, video),)
        else:
            blocks = tuple(self._clip_blocks(external, duration, name, video))
        return Recording(signals, self.name, subject, blocks=blocks, name=name, baseline=(0.0, BASELINE))

    def _clip_blocks(
        self, annotation: np.ndarray, duration: float, trial: str, video: str
    ) -> Iterator[Block]:
        """A block a clip, in the order of the annotation's first column (the clip's number)."""
        affect = annotation[np.argsort(annotation[:, 0], kind="stable"), 1:]
        changes = transitions(affect, self.transition_rule, EXTERNAL_MIDPOINT, self.transition_threshold)
        starts = clips(duration)
        for number, (start, (valence, arousal), change) in enumerate(
            zip(starts, affect, changes, strict=True)
        ):
            edge = number in (0, len(starts) - 1)
            if np.isnan(valence) or np.isnan(arousal) or (edge and not self.edge_clips):
                continue
            labels = _affect(float(valence), float(arousal), EXTERNAL_MIDPOINT)
            if change is not None:
                labels["transition"] = change
            yield Block(start, CLIP, labels, trial, video)


def _check_options(videos: str, annotation: str, rule: str | Callable, modalities: list[str]) -> None:
    problems = []
    if videos not in VIDEOS:
        problems.append(f"videos is {videos!r}; allowed are {sorted(VIDEOS)}")
    if annotation not in ("self", "external"):
        problems.append(f"annotation is {annotation!r}; allowed are 'self' and 'external'")
    if not callable(rule) and rule not in TRANSITION_RULES:
        allowed = f"{sorted(TRANSITION_RULES)} or a callable"
        problems.append(f"transition_rule is {rule!r}; allowed are {allowed}")
    if not modalities or set(modalities) - set(COLUMNS):
        problems.append(f"modalities are {modalities}; allowed are some of {list(COLUMNS)}")
    if problems:
        raise ValueError(f"reader 'amigos': {'; '.join(problems)}.")


def _subject(path: str | Path) -> str:
    return Path(path).stem.rpartition("_")[2]


def _affect(valence: float, arousal: float, midpoint: float) -> dict[str, Any]:
    return {"emotion": quadrant(valence, arousal, midpoint), "valence": valence, "arousal": arousal}
