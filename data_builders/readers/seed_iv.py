"""SEED-IV: EEG of three sessions a subject, each with film clips of its own, of four emotions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from data_builders.readers.reader import Reader, existing_folder, one_below
from data_builders.readers.seed import CHANNELS, NO_BASELINE, SAMPLING_RATE, read_clips, subject_and_date
from data_builders.recording import Block, Recording
from data_builders.segments import SignalSpec

__all__ = ["SEEDIV", "SESSION_LABELS"]

WORDS = ("neutral", "sad", "fear", "happy")
SESSION_LABELS = {
    "1": (1, 2, 3, 0, 2, 0, 0, 1, 0, 1, 2, 1, 1, 1, 2, 3, 2, 2, 3, 3, 0, 3, 0, 3),
    "2": (2, 1, 3, 0, 0, 2, 0, 2, 3, 3, 2, 3, 2, 0, 1, 1, 2, 1, 0, 3, 0, 1, 3, 1),
    "3": (1, 2, 2, 1, 3, 3, 3, 1, 1, 2, 1, 0, 2, 3, 3, 0, 2, 3, 0, 0, 2, 0, 1, 0),
}
"""Places in `WORDS`, by session and clip, of the data set's ReadMe."""
N_CLIPS = 24


class SEEDIV(Reader):
    """SEED-IV's raw EEG, a recording a clip: 15 subjects, three sessions of 24 clips each.

    The three sessions show 72 different films, the same to all subjects, so that session and clip number
    together are the film: the `stimulus` ``s1-07`` is the seventh film of the first session.

    Parameters
    ----------
    root : str or Path
        The folder ``eeg_raw_data``: ``1``, ``2`` and ``3``, a folder a session, of ``1_20160518.mat`` ...
    sessions : sequence of str
        Which of "1", "2" and "3" are read: all, or those that one has.

    Raises
    ------
    FileNotFoundError
        If a session's folder is missing or holds no such file.
    ValueError
        If two of them hold the same file, or a session is none of the three.
    """

    name: ClassVar[str] = "seed_iv"
    title = "SEED-IV: EEG while watching neutral, sad, fearful and happy film clips"
    licence = "SEED licence agreement: on request, for research; no redistribution"
    citation = (
        "Zheng, Liu, Lu, Lu and Cichocki (2019), EmotionMeter: A Multimodal Framework for Recognizing Human "
        "Emotions, IEEE Transactions on Cybernetics 49(3)."
    )
    url = "https://bcmi.sjtu.edu.cn/home/seed/seed-iv.html"
    modalities: Mapping[str, SignalSpec] = {"eeg": SignalSpec(SAMPLING_RATE, CHANNELS, "µV")}
    labels: Mapping[str, str] = {
        "emotion": "the film's intended emotion, from the session's list (6 films of each emotion)"
    }
    baseline = "none: the files hold the clips alone"
    left_out = (
        "eeg_feature_smooth, eye_feature_smooth: biollm computes features from the signals",
        "eye_raw_data: not evenly sampled",
    )
    caution = (
        "The label is the film's, and all subjects see the same films in the same order: hold out films "
        "(leave one stimulus out) or sessions as well as subjects, or a model may know the film and not the "
        "emotion. The files state no unit; it is taken for µV, as other loaders do, and no channel names: "
        "the order of the channel sheet is assumed."
    )
    classes = WORDS
    window = 4.0
    step = 2.0

    def __init__(self, root: str | Path | None, sessions: Sequence[str] = tuple(SESSION_LABELS)) -> None:
        content = "eeg_raw_data: a folder a session, 1, 2 and 3, of SUBJECT_YYYYMMDD.mat"
        self.root = existing_folder(root, self.name, content)
        if not sessions or isinstance(sessions, str) or not set(sessions) <= SESSION_LABELS.keys():
            raise ValueError(
                f"reader {self.name!r}: sessions is {sessions!r}; allowed is a list of "
                f"{list(SESSION_LABELS)}."
            )
        self.sessions = sorted(set(sessions))
        missing = [session for session in self.sessions if not any((self.root / session).glob("*.mat"))]
        if missing:
            raise FileNotFoundError(
                f"reader {self.name!r}: {self.root} holds no .mat files in the session folders {missing}; "
                f"it needs {content}, or those of 'sessions' alone.{one_below(self.root, '[123]/*.mat')}"
            )
        counts = Counter(path.name for path in self.paths())
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(
                f"reader {self.name!r}: {self.root} holds {twice} in two session folders, which have labels "
                "of their own. A subject has another date in each: move the copies away."
            )

    def paths(self) -> list[Path]:
        """The files, by session and subject."""
        folders = [self.root / session for session in self.sessions]
        return [path for folder in folders for path in sorted(folder.glob("*.mat"), key=subject_and_date)]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The 24 clips of one session.

        Raises
        ------
        ValueError
            If the folder is none of the sessions', the name is not ``SUBJECT_YYYYMMDD.mat``, a clip is
            missing, or one has not 62 channels; names the file and every such clip.
        """
        session = Path(path).parent.name
        if session not in SESSION_LABELS:
            raise ValueError(
                f"{path}: lies in the folder {session!r}; allowed are {list(SESSION_LABELS)}, since the "
                "folder is the session, and each session has labels of its own. Move the file there."
            )
        subject, _ = subject_and_date(path)
        for number, signal in read_clips(path, N_CLIPS):
            labels = {"emotion": WORDS[SESSION_LABELS[session][number - 1]]}
            block = Block(0.0, signal.duration, labels, f"{number:02d}", f"s{session}-{number:02d}")
            yield Recording(
                {"eeg": signal}, self.name, str(subject), session, (block,), block.trial, baseline=NO_BASELINE
            )
