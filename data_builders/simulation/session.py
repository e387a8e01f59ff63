"""One simulated subject's session: its plan, its true parameters, and the oracle that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_builders.simulation.montages import strange_electrodes
from data_builders.simulation.physiology import (
    CIRCUMPLEX,
    EFFECTS,
    MONTAGE,
    MUSCLES,
    PARAMETERS,
    natural_values,
)

__all__ = ["Session", "SimulationOptions", "draw_session", "label_posterior"]

RATES = {"emg": 500.0, "eeg": 128.0, "ecg": 128.0, "gsr": 8.0}
LOWEST_RATES = {"emg": 100.0, "eeg": 64.0, "ecg": 50.0, "gsr": 2.0}
BLOCK_NOISE = 0.45
RESPONSIVENESS_SPREAD = 0.2
RATING_NOISE = 0.15
BURST_RATE = next(p.centre for p in PARAMETERS if p.name == "burst_rate")


@dataclass(frozen=True)
class SimulationOptions:
    """What to simulate; the defaults are the set that ships with biollm.

    Raises
    ------
    ValueError
        Names all options out of range at once.
    """

    n_subjects: int = 24
    n_trials: int = 12  # blocks a subject
    block_seconds: float = 20.0
    rest_seconds: float = 60.0  # unlabelled rest before the first block
    modalities: tuple[str, ...] = ("emg", "eeg", "ecg", "gsr")
    emotions: tuple[str, ...] = ("anger", "anxiety", "fear", "happiness")
    sampling_rates: Mapping[str, float] = field(default_factory=dict)  # Hz by modality, over the defaults
    montage: tuple[str, ...] = MONTAGE  # electrodes of the EEG, places of the 10-10 system
    muscles: tuple[str, ...] = MUSCLES  # channels of the EMG
    burst_rate: float = BURST_RATE  # of the muscles, a minute, of the median subject at rest
    persistence: float = 0.0  # chance that a block keeps the emotion of the one before, as in a film
    label_noise: float = 0.05  # fraction of blocks whose label is replaced by another one
    effect: float = 1.0  # factor on all profiles; at 0 the signals know nothing of the label
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("modalities", "emotions", "montage", "muscles"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "sampling_rates", RATES | dict(self.sampling_rates))
        if problems := self._problems():
            raise ValueError("the simulated set cannot be made: " + "; ".join(problems) + ".")

    def _problems(self) -> list[str]:
        checks = {
            f"n_subjects is {self.n_subjects}; allowed is 1 or more": self.n_subjects >= 1,
            f"n_trials is {self.n_trials}; allowed is 1 or more": self.n_trials >= 1,
            f"block_seconds is {self.block_seconds}; allowed is 1 or more": self.block_seconds >= 1,
            f"rest_seconds is {self.rest_seconds}; allowed is 0 or more": self.rest_seconds >= 0,
            f"modalities are {self.modalities}; allowed are some of {tuple(RATES)}, each once": (
                0 < len(self.modalities) == len(set(self.modalities) & set(RATES))
            ),
            f"emotions are {self.emotions}; allowed are two or more of {tuple(EFFECTS)}, each once": (
                2 <= len(self.emotions) == len(set(self.emotions) & set(EFFECTS))
            ),
            f"sampling_rates are for {tuple(self.sampling_rates)}; allowed are {tuple(RATES)}": (
                set(self.sampling_rates) <= set(RATES)
            ),
            f"montage is {self.montage}; allowed are places of the 10-10 system, such as F3, each once": (
                0 < len(self.montage) == len({name.upper() for name in self.montage})
                and not strange_electrodes(self.montage)
            ),
            f"muscles are {self.muscles}; allowed are some of {MUSCLES}, each once": (
                0 < len(self.muscles) == len(set(self.muscles) & set(MUSCLES))
            ),
            f"burst_rate is {self.burst_rate}; allowed is above 0": self.burst_rate > 0,
            f"persistence is {self.persistence}; allowed is 0 to below 1": 0 <= self.persistence < 1,
            f"label_noise is {self.label_noise}; allowed is 0 to below 1": 0 <= self.label_noise < 1,
            f"effect is {self.effect}; allowed is 0 or more": self.effect >= 0,
        } | {
            f"the sampling rate of {name} is {rate:g} Hz; allowed is {LOWEST_RATES[name]:g} or more": (
                rate >= LOWEST_RATES[name]
            )
            for name, rate in self.sampling_rates.items()
            if name in LOWEST_RATES
        }
        return [message for message, passed in checks.items() if not passed]


@dataclass(frozen=True)
class Session:
    """Plan and true parameters of a subject's session; stretches are rest first, then the blocks.

    Parameters
    ----------
    subject : str
    edges : ndarray, shape (n_stretches + 1,)
        In seconds.
    n_rest : int
        Stretches of rest at the start.
    emotions : tuple of str
        True emotion of each block.
    labels : tuple of mapping
        Labels of each block, as a `Block` has them.
    shift : ndarray, shape (n_stretches, n_parameters)
        What the emotion and chance moved, in effect units, without the subject's offset.
    responsiveness : ndarray, shape (n_parameters,)
        Factor of the subject on the profiles, one value a modality.
    values : dict of str to ndarray, shape (n_stretches,)
        True parameters by name, in natural units.
    """

    subject: str
    edges: np.ndarray
    n_rest: int
    emotions: tuple[str, ...]
    labels: tuple[Mapping[str, Any], ...]
    shift: np.ndarray
    responsiveness: np.ndarray
    values: Mapping[str, np.ndarray]


def draw_session(number: int, options: SimulationOptions) -> Session:
    """Session of subject `number` (from 1), a function of it and the options alone."""
    rng = np.random.default_rng([options.seed, number, 0])
    n_rest = int(np.ceil(options.rest_seconds / options.block_seconds))
    offset = rng.standard_normal(len(PARAMETERS)).clip(-2.5, 2.5)
    responsiveness = _draw_responsiveness(rng)
    emotions = _persistent(rng, _balanced_order(rng, options.emotions, options.n_trials), options)
    profiles = np.array([EFFECTS["neutral"]] * n_rest + [EFFECTS[emotion] for emotion in emotions])
    noise = BLOCK_NOISE * rng.standard_normal(profiles.shape)
    shift = options.effect * responsiveness * profiles + noise
    values = {p.name: column for p, column in zip(PARAMETERS, natural_values(offset, shift).T, strict=True)}
    values["burst_rate"] = values["burst_rate"] * (options.burst_rate / BURST_RATE)
    return Session(
        subject=f"S{number:02d}",
        edges=_edges(n_rest, options),
        n_rest=n_rest,
        emotions=emotions,
        labels=_draw_labels(rng, emotions, options),
        shift=shift,
        responsiveness=responsiveness,
        values=values,
    )


def _draw_responsiveness(rng: np.random.Generator) -> np.ndarray:
    factor = {name: float(np.exp(RESPONSIVENESS_SPREAD * rng.standard_normal())) for name in sorted(RATES)}
    return np.array([factor[p.modality] for p in PARAMETERS])


def _balanced_order(rng: np.random.Generator, emotions: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Each emotion equally often, the rest drawn without repetition, in random order."""
    full, left = divmod(n, len(emotions))
    order = [*emotions * full, *rng.permutation(emotions)[:left]]
    return tuple(str(emotion) for emotion in rng.permutation(order))


def _persistent(
    rng: np.random.Generator, emotions: tuple[str, ...], options: SimulationOptions
) -> tuple[str, ...]:
    """Some blocks with the emotion of the block before; all stay as they are with a persistence of 0."""
    if not options.persistence:
        return emotions
    changes = rng.random(len(emotions)) >= options.persistence
    changes[0] = True
    # The latest change up to each block is what it shows.
    return tuple(emotions[k] for k in np.maximum.accumulate(np.arange(len(emotions)) * changes))


def _edges(n_rest: int, options: SimulationOptions) -> np.ndarray:
    rest = np.linspace(0.0, options.rest_seconds, n_rest + 1)
    return np.append(rest, options.rest_seconds + options.block_seconds * np.arange(1, options.n_trials + 1))


def _draw_labels(
    rng: np.random.Generator, emotions: tuple[str, ...], options: SimulationOptions
) -> tuple[dict[str, Any], ...]:
    """Noisy labels; `transition` compares with the label before, and the first block has none."""
    replaced = rng.random(len(emotions)) < options.label_noise
    steps = rng.integers(1, len(options.emotions), len(emotions))
    ratings = np.array([CIRCUMPLEX[e] for e in emotions]) + RATING_NOISE * rng.standard_normal(
        (len(emotions), 2)
    )
    labels: list[dict[str, Any]] = []
    for i, emotion in enumerate(emotions):
        position = options.emotions.index(emotion) + int(replaced[i]) * int(steps[i])
        label = options.emotions[position % len(options.emotions)]
        valence, arousal = (float(value) for value in ratings[i].clip(-1, 1))
        row: dict[str, Any] = {"emotion": label, "valence": valence, "arousal": arousal}
        if labels:
            row["transition"] = int(label != labels[-1]["emotion"])
        labels.append(row)
    return tuple(labels)


def label_posterior(session: Session, options: SimulationOptions) -> np.ndarray:
    """Probability of each label for each block, given the true parameters of that block.

    The shift of a block is Gaussian around the subject's response to the emotion, and a label is
    replaced by each other one equally often, so that this is Bayes' rule in closed form: no
    classifier that sees one block at a time does better on average. Only parameters of the simulated
    modalities and muscles count.

    Returns
    -------
    ndarray, shape (n_blocks, n_emotions)
        In the order of `options.emotions`; rows sum to 1.
    """
    from scipy.special import softmax

    unseen = set(MUSCLES) - set(options.muscles)
    seen = np.array([p.modality in options.modalities and p.name not in unseen for p in PARAMETERS])
    profiles = np.array([EFFECTS[emotion] for emotion in options.emotions])
    expected = options.effect * session.responsiveness * profiles
    distance = session.shift[session.n_rest :, None, seen] - expected[None, :, seen]
    posterior = softmax(-0.5 * (distance**2).sum(-1) / BLOCK_NOISE**2, axis=1)
    other = options.label_noise / (len(options.emotions) - 1)
    return (1 - options.label_noise) * posterior + other * (1 - posterior)
