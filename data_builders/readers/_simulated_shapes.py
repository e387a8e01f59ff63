"""The shapes of other data sets, for the simulated set: rates, electrodes, lengths, emotions, subjects."""

from __future__ import annotations

from data_builders.readers.amigos import AMIGOS
from data_builders.readers.deap import DEAP
from data_builders.readers.gameemo import GAMEEMO
from data_builders.readers.reader import Reader
from data_builders.readers.seed_iv import SEEDIV
from data_builders.simulation import EFFECTS, SimulationOptions

__all__ = ["SHAPES", "WINDOWS"]

QUADRANTS = ("anger", "happiness", "neutral", "sadness")
"""An emotion a quadrant of valence and arousal; neutral for calm, since no known profile is calm."""


def _eeg(reader: type[Reader]) -> dict:
    """Options of a set that has the EEG of a reader, with its rate and electrodes."""
    spec = reader.modalities["eeg"]
    rates = {"eeg": spec.sampling_rate}
    return {"modalities": ("eeg",), "sampling_rates": rates, "montage": spec.channel_names}


SHAPES: dict[str, SimulationOptions] = {
    # 16 short films of four clips each, one ECG lead; a rating from -1 to 1 for each clip of 20 s. An emotion
    # outlasts a clip more often than not; how often it does in the data is not known here.
    "amigos": SimulationOptions(
        n_subjects=37, n_trials=64, block_seconds=20.0, rest_seconds=5.0, emotions=QUADRANTS,
        modalities=("eeg", "ecg", "gsr"), sampling_rates={"eeg": 128.0, "ecg": 128.0, "gsr": 128.0},
        montage=AMIGOS.modalities["eeg"].channel_names, persistence=0.6,
    ),
    "deap": SimulationOptions(
        n_subjects=32, n_trials=40, block_seconds=60.0, rest_seconds=3.0, emotions=QUADRANTS, **_eeg(DEAP)
    ),
    # Four games of 38,252 samples; sadness stands for boring, neutral for calm.
    "gameemo": SimulationOptions(
        n_subjects=28, n_trials=4, block_seconds=38_252 / 128, rest_seconds=0.0,
        emotions=("sadness", "neutral", "fear", "happiness"), **_eeg(GAMEEMO),
    ),
    # One of the three sessions; the clips' lengths differ, and 60 s is a short one.
    "seed_iv": SimulationOptions(
        n_subjects=15, n_trials=24, block_seconds=60.0, rest_seconds=0.0,
        emotions=("neutral", "sadness", "fear", "happiness"), **_eeg(SEEDIV),
    ),
    # Samples of 45,000 points, four of each emotion. An expression is shown in each sample, so that bursts
    # come as often as once a second; number of subjects and samples are not known.
    "emg": SimulationOptions(
        n_subjects=24, n_trials=48, block_seconds=3.0, rest_seconds=0.0, emotions=tuple(EFFECTS),
        modalities=("emg",), sampling_rates={"emg": 15_000.0}, burst_rate=60.0,
    ),
}  # fmt: skip
"""Name of a shape -> its options; the EEG data sets have the EEG that GRU-XNet reads, and nothing else."""

WINDOWS: dict[str | None, tuple[float, float]] = {
    "amigos": (AMIGOS.window, AMIGOS.step),
    "deap": (DEAP.window, DEAP.step),
    "gameemo": (GAMEEMO.window, GAMEEMO.step),
    "seed_iv": (SEEDIV.window, SEEDIV.step),
    "emg": (3.0, 3.0),
}
"""Name of a shape -> default window and step in s: those of the data set's own reader."""
