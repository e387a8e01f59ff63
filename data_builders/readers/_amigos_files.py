"""The preprocessed files of AMIGOS: their cells, and when the annotators' clips start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_builders.readers._matlab import read_mat

__all__ = ["BASELINE", "CLIP", "SAMPLING_RATE", "VIDEOS", "Trial", "clips", "read_trials", "saw_long"]

SAMPLING_RATE = 128.0
BASELINE = 5.0
CLIP = 20.0
N_COLUMNS = 17
KEYS = ("joined_data", "labels_selfassessment", "labels_ext_annotation", "VideoIDs")
SHORT = ("4", "5", "9", "10", "13", "18", "19", "20", "23", "30", "31", "34", "36", "58", "80", "138")
LONG = ("N1", "P1", "B1", "U1")
VIDEOS = {"short": SHORT, "long": LONG, "all": SHORT + LONG}

Trial = tuple[str, np.ndarray, np.ndarray, np.ndarray]
"""(video, signals of shape (n_samples, 17), self-assessment, external annotation)"""


def clips(duration: float) -> list[float]:
    """Starts in s of the externally annotated 20 s clips in a recording with its 5 s of baseline.

    The layout is that of two public loaders, which check it on the files: the first clip from -5 to 15 s
    of the film, then every 20 s from its start, and its last 20 s. They count 340 clips a participant
    (94 of the short films, 246 of the long ones), 12,580 of the 37 who saw all.
    """
    inner = np.arange(BASELINE, duration - CLIP, CLIP)
    return [0.0, *(float(start) for start in inner), duration - CLIP]


def saw_long(path: Path) -> bool:
    """Whether a file holds ratings of a long film; a damaged file is told of when it is read."""
    try:
        found = read_mat(path, ("labels_selfassessment", "VideoIDs"), others=False)
    except ValueError:
        return True
    rated = zip(found["VideoIDs"].ravel(), found["labels_selfassessment"].ravel(), strict=False)
    return any(_video(cell) in LONG and rating.size > 0 for cell, rating in rated)


def _video(cell: np.ndarray) -> str:
    """A video's id, which a file has as text in an array."""
    return str(np.ravel(cell)[0]).strip() if np.size(cell) else ""


def read_trials(path: Path, wanted: Sequence[str]) -> list[Trial]:
    """The wanted films of a file, in its own order.

    Raises
    ------
    ValueError
        If the file is damaged, a shape is not the documented one, or a video is unknown; tells all of it.
    """
    found = read_mat(path, KEYS)
    signals, own, external, ids = (found[key].ravel() for key in KEYS)
    videos = [_video(cell) for cell in ids]
    problems = [f"{key} has {found[key].size} cells" for key in KEYS if found[key].size != len(videos)]
    problems += _video_problems(videos)
    for video, samples, annotation in zip(videos, signals, external, strict=False):
        problems += _shape_problems(video, samples, annotation)
    if problems:
        raise ValueError(
            f"{path}: {'; '.join(problems)}. Allowed are 20 cells a variable: signals of (n_samples, "
            f"{N_COLUMNS}), annotations of (n_clips, 3). Copy the file of the data set again."
        )
    cells = zip(videos, signals, own, external, strict=True)
    return [(v, s.reshape(-1, N_COLUMNS), o, e.reshape(-1, 3)) for v, s, o, e in cells if v in wanted]


def _video_problems(videos: list[str]) -> list[str]:
    problems = []
    # A film that was not seen may lack its id too.
    unknown = sorted({video for video in videos if video} - set(VIDEOS["all"]))
    if unknown:
        problems.append(f"VideoIDs holds {unknown}; allowed are {list(VIDEOS['all'])}")
    twice = sorted({video for video in videos if video and videos.count(video) > 1})
    if twice:
        problems.append(f"VideoIDs holds {twice} more than once")
    return problems


def _shape_problems(video: str, samples: np.ndarray, annotation: np.ndarray) -> list[str]:
    """What is wrong with the shapes of a film's arrays; empty ones are no fault of the file."""
    problems = []
    if samples.size and not video:
        problems.append(f"joined_data holds signals of shape {samples.shape} without an id in VideoIDs")
    if samples.size and (samples.ndim != 2 or samples.shape[1] != N_COLUMNS):
        problems.append(f"joined_data of video {video} has shape {samples.shape}")
    if annotation.size and (annotation.ndim != 2 or annotation.shape[1] != 3):
        problems.append(f"labels_ext_annotation of video {video} has shape {annotation.shape}")
    return problems
