"""The simulated set: made on the fly, with any modalities, rates and emotions, and a known ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data_builders.readers._simulated_shapes import SHAPES, WINDOWS
from data_builders.readers.reader import Reader
from data_builders.recording import BASELINE_SECONDS, Block, Recording, Signal, load_recording
from data_builders.segments import SignalSpec
from data_builders.simulation import (
    WAVEFORMS,
    Session,
    SimulationOptions,
    draw_session,
    label_posterior,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHAPES", "Simulated"]

UNITS = {"emg": "µV", "eeg": "µV", "ecg": "mV", "gsr": "µS"}

DEFAULTS = SimulationOptions()


def _specs(options: SimulationOptions) -> dict[str, SignalSpec]:
    channels = {"emg": options.muscles, "eeg": options.montage, "ecg": ("ecg",), "gsr": ("gsr",)}
    return {
        name: SignalSpec(options.sampling_rates[name], channels[name], UNITS[name])
        for name in options.modalities
    }


def _options(shape: str | None, changes: Mapping[str, Any]) -> SimulationOptions:
    if shape is None:
        return SimulationOptions(**changes)
    if shape not in SHAPES:
        raise ValueError(f"reader 'simulated': shape is {shape!r}; allowed are {list(SHAPES)} or none.")
    rates = {**SHAPES[shape].sampling_rates, **changes.get("sampling_rates", {})}
    return replace(SHAPES[shape], **{**changes, "sampling_rates": rates})


class Simulated(Reader):
    """Sessions of simulated subjects: a minute of rest, then blocks of emotions in random order.

    With a `shape` they have the rates, channels, lengths, emotions and subjects of another data set, so that
    what is made for that one runs without it; the physiology stays the same, and nothing is copied from it.

    What moves with an emotion, and the sources for it, stand in `data_builders.simulation.physiology`.
    A recording is a function of the options, the seed and the subject alone, and a modality's signal
    does not depend on which others are simulated.

    Parameters
    ----------
    root : None
        There is no folder to read.
    shape : {"amigos", "deap", "gameemo", "seed_iv", "emg"}, optional
        A data set whose shape is taken, see `data_builders.readers.simulated.SHAPES`; the other options
        change it. The default windows are its reader's, and a causal baseline sees only the rest before the
        first block. "emg" is 8 channels at 15 kHz and samples of 3 s, of 12 emotions.
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

    def __init__(self, root: str | Path | None = None, shape: str | None = None, **options: Any) -> None:
        if root is not None:
            raise ValueError(
                f"reader 'simulated': root is {root}; allowed is none, since nothing is read. "
                "Read saved recordings with the reader 'npz'."
            )
        self.options = _options(shape, options)
        self.reference = (0.0, self.options.rest_seconds if shape else BASELINE_SECONDS)
        self.window, self.step = WINDOWS.get(shape, (Simulated.window, Simulated.step))
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
        return Recording(signals, self.name, session.subject, blocks=blocks, baseline=self.reference)

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
        spec = self.modalities[modality]
        rng = np.random.default_rng([self.options.seed, number, 1 + sorted(UNITS).index(modality)])
        channels = {"eeg": {"montage": spec.channel_names}, "emg": {"muscles": spec.channel_names}}
        data = WAVEFORMS[modality](
            session.values, session.edges, spec.sampling_rate, rng, **channels.get(modality, {})
        )
        return Signal(data, spec.sampling_rate, spec.channel_names, spec.unit)
