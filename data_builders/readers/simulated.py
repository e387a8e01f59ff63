"""The simulated set: made on the fly, with any modalities, rates and emotions, and a known ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data_builders.readers.reader import Reader
from data_builders.recording import Block, Recording, Signal, load_recording
from data_builders.segments import SignalSpec
from data_builders.simulation import (
    MONTAGE,
    MUSCLES,
    WAVEFORMS,
    Session,
    SimulationOptions,
    draw_session,
    label_posterior,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Simulated"]

CHANNELS = {"emg": (MUSCLES, "µV"), "eeg": (MONTAGE, "µV"), "ecg": (("ecg",), "mV"), "gsr": (("gsr",), "µS")}

DEFAULTS = SimulationOptions()


def _specs(options: SimulationOptions) -> dict[str, SignalSpec]:
    return {name: SignalSpec(options.sampling_rates[name], *CHANNELS[name]) for name in options.modalities}


class Simulated(Reader):
    """Sessions of simulated subjects: a minute of rest, then blocks of emotions in random order.

    What moves with an emotion, and the sources for it, stand in `data_builders.simulation.physiology`.
    A recording is a function of the options, the seed and the subject alone, and a modality's signal
    does not depend on which others are simulated.

    Parameters
    ----------
    root : None
        There is no folder to read.
    **options
        See `data_builders.simulation.SimulationOptions`.

    Raises
    ------
    ValueError
        If there is a root, or an option is out of range.
    """

    name: ClassVar[str] = "simulated"
    title = "Simulated emotional physiology (EMG, EEG, ECG, skin conductance)"
    licence = "MIT"
    citation = "biollm; sources of the effects in data_builders.simulation.physiology"
    modalities: Mapping[str, SignalSpec] = _specs(DEFAULTS)
    labels: Mapping[str, str] = {
        "emotion": "of the block; 5 % of the labels are replaced by another one (option label_noise)",
        "valence": "a rating of the block, -1 to 1",
        "arousal": "a rating of the block, -1 to 1",
        "transition": "1 where the emotion is another than the block's before; the first block has none",
    }
    baseline = "the minute of rest before the first block"
    caution = (
        "Simulated: the effects are the literature's, at strengths chosen so that the best possible accuracy "
        "is below 1 (oracle tells it). It shows that a pipeline works, and nothing about people."
    )
    classes = DEFAULTS.emotions
    window = 10.0
    step = 5.0

    def __init__(self, root: str | Path | None = None, **options: Any) -> None:
        if root is not None:
            raise ValueError(
                f"reader 'simulated': root is {root}; allowed is none, since nothing is read. "
                "Read saved recordings with the reader 'npz'."
            )
        self.options = SimulationOptions(**options)
        self.classes = self.options.emotions
        self.modalities = _specs(self.options)

    def paths(self) -> list[str]:
        """The subjects: ``"S01"``, ``"S02"``, ..."""
        return [f"S{number:02d}" for number in range(1, self.options.n_subjects + 1)]

    def read(self, path: str | Path) -> Recording:
        """A subject's session, or a saved one if `path` ends in ``.npz``."""
        if Path(path).suffix == ".npz":
            return load_recording(path)
        number = self._number(str(path))
        session = draw_session(number, self.options)
        signals = {name: self._signal(name, number, session) for name in self.options.modalities}
        blocks = tuple(
            Block(float(start), self.options.block_seconds, labels, trial=f"{session.subject}-{i:02d}")
            for i, (start, labels) in enumerate(
                zip(session.edges[session.n_rest : -1], session.labels, strict=True)
            )
        )
        return Recording(signals, self.name, session.subject, blocks=blocks)

    def session(self, subject: str) -> Session:
        """True parameters of a subject's session."""
        return draw_session(self._number(subject), self.options)

    def oracle(self, table: pd.DataFrame) -> np.ndarray:
        """Best possible probabilities of the labels: what one knows who sees the true parameters.

        Parameters
        ----------
        table : DataFrame
            Rows of segments with the columns ``subject`` and ``trial``.

        Returns
        -------
        ndarray, shape (n_rows, n_classes)
            In the order of `classes`; see `data_builders.simulation.label_posterior`.

        Raises
        ------
        ValueError
            If a trial is none of its subject's.
        """
        posterior = {
            f"{subject}-{i:02d}": row
            for subject in table["subject"].unique()
            for i, row in enumerate(label_posterior(self.session(subject), self.options))
        }
        unknown = sorted(set(table["trial"].astype(str)) - set(posterior))
        if unknown:
            raise ValueError(
                f"trials {unknown[:5]} are not of these options' {len(posterior)} blocks (such as 'S01-00'); "
                "leave rows of the rest out, and give the options that made the recordings."
            )
        return np.array([posterior[trial] for trial in table["trial"]]).reshape(-1, len(self.classes))

    def _number(self, subject: str) -> int:
        if subject not in self.paths():
            raise ValueError(
                f"subject is {subject!r}; allowed are 'S01' to {self.paths()[-1]!r} and .npz files."
            )
        return int(subject[1:])

    def _signal(self, modality: str, number: int, session: Session) -> Signal:
        channels, unit = CHANNELS[modality]
        rate = self.options.sampling_rates[modality]
        rng = np.random.default_rng([self.options.seed, number, 1 + sorted(CHANNELS).index(modality)])
        data = WAVEFORMS[modality](session.values, session.edges, rate, rng)
        return Signal(data, rate, channels, unit)
