"""The experiments that biollm grew from: their data, protocols, models, and what they reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from data_builders.options import merged
from encoders.stft import STFTS

__all__ = ["EXPERIMENTS", "Experiment", "Study", "quick"]

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """What is run on one data set.

    Parameters
    ----------
    dataset, simulated : str
        Readers of the real recordings, and of the simulated ones in their place; "" where `joins` are given.
    protocols : tuple of str
        The experiment's own first; which of them leak, their splits tell.
    settings : mapping
        Fields of `CompareConfig`, or of `EvaluateConfig` if `llm`.
    reader_options, simulated_options : mapping
        Of the two readers.
    prepare : mapping
        Fields of `PrepareConfig`, for both.
    metrics : tuple of str
        Keys of the reports' rows that are shown.
    llm : bool
        Whether the rows are those of ``biollm evaluate``.
    n_folds : int or None
        How many folds of a protocol are run; all by default.
    smaller : mapping
        Fields of a quick run; mappings change what is there.
    joins : mapping of str to mapping
        Studies of the same experiment whose stores are joined, with the shared words for their emotions.
    """

    dataset: str
    simulated: str
    protocols: tuple[str, ...]
    settings: Settings
    reader_options: Settings = field(default_factory=dict)
    simulated_options: Settings = field(default_factory=dict)
    prepare: Settings = field(default_factory=lambda: {"preprocessing": "none"})
    metrics: tuple[str, ...] = ("balanced_accuracy", "accuracy")
    llm: bool = False
    n_folds: int | None = None
    smaller: Settings = field(default_factory=dict)
    joins: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """A predecessor's experiment: `reported` is its own account, `leak` where its protocol leaks."""

    title: str
    reported: str
    leak: str
    studies: Mapping[str, Study]


def quick(study: Study) -> Study:
    """A study that takes minutes: fewer simulated subjects, folds, epochs and models."""
    known = {f.name: getattr(study, f.name) for f in fields(study)}
    return replace(study, **merged({name: known[name] for name in study.smaller}, study.smaller))


def _training(epochs: int, **others: Any) -> Settings:
    return {"training": {"epochs": epochs, "patience": 5, **others}}


# That project's, but for the batches (128 at a rate of 1e-3; here the network then stays at its first answer)
# and the augmentation: it wrote two copies of each sample before the split. Here nothing is augmented.
GRU_XNET_TRAINING = {
    "optimizer": "adam", "learning_rate": 3e-4, "lowest_rate": 1e-6, "weight_decay": 1e-4, "patience": 10,
    "min_delta": 1e-3, "batch_size": 16, "scaling": 0.0, "jitter": 0.0, "shift": 0.0, "channel_dropout": 0.0,
}  # fmt: skip
GRU_XNET_BAND = (0.5, 50.0)  # Hz
GRU_XNETS = ("GRU-XNet", "GRU-XNet, dynamic")


AMIGOS_LSTM = Study(
    "amigos", "simulated", ("holdout-7", "loso10", "loso25", "shuffled5"),
    reader_options={"videos": "all", "annotation": "external"},
    simulated_options={"shape": "amigos"},
    settings={
        "methods": ["majority", "logistic regression", "extra trees", *(
            f"Multimodal LSTM, {size}" for size in ("maximum", "loso", "moderate", "lightweight")
        )],
        "targets": ["valence", "arousal", "transition"],
        "frame_seconds": {"default": 0.5},  # 64 steps a second: EEG up to 32 Hz
        "encoder": _training(30),
    },
    metrics=("mae", "ccc", "transition_f1"),
    smaller={
        "protocols": ("holdout-3", "shuffled5"),
        "simulated_options": {"n_subjects": 10, "n_trials": 24},
        "settings": {
            "methods": ["majority", "logistic regression", "extra trees", "Multimodal LSTM, maximum"],
            "encoder": _training(20, batch_size=16),
        },
        "n_folds": 1,
    },
)  # fmt: skip

EMG_FRAMES = {"emg": 0.5}
EMG_SAMPLES = {"preprocessing": "none", "window": 3.0, "step": 3.0}
# Expressions of 12 s, cut into samples of 3 s: where samples are shuffled, most have a neighbour in training.
EXPRESSIONS = {"shape": "emg", "block_seconds": 12.0}
EMG_ENCODERS = Study(
    "manifest", "simulated", ("shuffled5", "gkf5"),
    simulated_options={**EXPRESSIONS, "n_trials": 24},
    prepare=EMG_SAMPLES,
    settings={
        "methods": ["majority", "SVM-RBF", "EMG-CNN", "TCN", "LSTM"],
        "targets": ["emotion"], "frame_seconds": EMG_FRAMES, "encoder": _training(30),
    },
    smaller={
        "simulated_options": {"n_subjects": 10, "n_trials": 12},
        "settings": {"encoder": _training(8, batch_size=16)},
        "n_folds": 1,
    },
)  # fmt: skip
EMG_LLM = Study(
    "manifest", "simulated", ("shuffled5", "gkf5"),
    reader_options={"manifest": "llm.csv"},
    simulated_options={
        **EXPRESSIONS, "n_trials": 12, "emotions": ("anger", "anxiety", "fear", "happiness"),
    },
    prepare=EMG_SAMPLES,
    settings={
        "groups": ["llm", "floats"], "tokenizer": {"frame_seconds": EMG_FRAMES, "n_bins": 8},
        "build": {"n_conversations": 2400, "copies": 8}, "training": {"max_steps": 150},
    },
    llm=True,
    smaller={
        "simulated_options": {"n_subjects": 10, "n_trials": 8},
        "settings": {"build": {"n_conversations": 640, "copies": 2}, "training": {"max_steps": 40}},
        "n_folds": 1,
    },
)  # fmt: skip

KAGGLE_GRU = Study(
    "kaggle", "simulated_features", ("shuffled5", "blocks5"),
    settings={
        "methods": ["majority", "k-NN", "extra trees", "FeatureGRU"],
        "targets": ["emotion"], "normalisation": "none", "frame_seconds": {"features": 1.0},
        "encoder": _training(10, batch_size=32),
    },
    smaller={
        "simulated_options": {"part": 4},
        "settings": {"encoder": _training(2, batch_size=16)},
        "n_folds": 1,
    },
)  # fmt: skip


# EEG as it is, at its own rate, which by default ends at 128 Hz.
NO_STEPS: Settings = {
    "high_pass": None, "low_pass": None, "notch": [], "flat": None, "loudest": None, "reference": False,
}  # fmt: skip


def _gru_xnet_settings(data: str, **training: Any) -> Settings:
    """On windows with the spectra of one data set."""
    stft = {**STFTS[data], "band": GRU_XNET_BAND}
    return {
        "methods": ["majority", "extra trees", *GRU_XNETS],
        "targets": ["emotion"], "frame_seconds": {"default": 2.0},
        "encoder": {
            "network_options": {row: {"stft": stft} for row in GRU_XNETS},
            **_training(30, **GRU_XNET_TRAINING, **training),
        },
    }  # fmt: skip


# Its own dropout of 0.5 in three places holds the network at its first answer on a few hundred windows.
GRU_XNET_QUICK = {
    "frame_seconds": {"default": 1.0},
    "encoder": {
        "network_options": {row: {"dropout": 0.2} for row in GRU_XNETS},
        "training": {"epochs": 8, "batch_size": 8},
    },
}  # fmt: skip


def _gru_xnet(data: str, rate: float, n_subjects: int, n_trials: int, **reader_options: Any) -> Study:
    """Windows of one data set of GRU-XNet; a quick run has few subjects and short blocks of them."""
    return Study(
        data, "simulated", ("shuffled5", "gkf5"),
        reader_options=reader_options,
        simulated_options={"shape": data},
        prepare={"preprocessing": {"eeg": {**NO_STEPS, "rate": rate}}},
        settings=_gru_xnet_settings(data),
        smaller={
            "simulated_options": {"n_subjects": n_subjects, "n_trials": n_trials, "block_seconds": 16.0},
            "prepare": {"window": 2.0, "step": 2.0},
            "settings": {**GRU_XNET_QUICK, "methods": ["majority", "extra trees", "GRU-XNet"]},
            "n_folds": 1,
        },
    )  # fmt: skip


# Quadrants and clips by their valence, in the words of the readers and then of the simulation, whose neutral
# stands for calm in DEAP and GAMEEMO.
VALENCE: dict[str, dict[str, str | None]] = {
    "deap": {
        "happy": "pleasant", "calm": "pleasant", "angry": "unpleasant", "sad": "unpleasant",
        "happiness": "pleasant", "neutral": "pleasant", "anger": "unpleasant", "sadness": "unpleasant",
    },
    "gameemo": {
        "funny": "pleasant", "calm": "pleasant", "horror": "unpleasant", "boring": "unpleasant",
        "happiness": "pleasant", "neutral": "pleasant", "fear": "unpleasant", "sadness": "unpleasant",
    },
    "seed_iv": {
        "happy": "pleasant", "sad": "unpleasant", "fear": "unpleasant", "neutral": None,
        "happiness": "pleasant", "sadness": "unpleasant",
    },
}  # fmt: skip
GRU_XNET_UNIFIED = Study(
    "",
    "",
    ("shuffled5", "gkf5"),
    settings=_gru_xnet_settings("deap", balance="both"),
    smaller={"settings": GRU_XNET_QUICK, "n_folds": 1},
    joins=VALENCE,
)


EXPERIMENTS: dict[str, Experiment] = {
    "amigos-lstm": Experiment(
        "Multimodal LSTM on AMIGOS: valence, arousal and transitions of 20 s segments",
        "MAE of 0.06 to 0.10 for valence and arousal, on 7 held-out subjects of 37 and leaving one out.",
        "Its protocols keep subjects apart. The shuffled split beside them shows what a model of this kind "
        "gains where segments of the same people and films are shared out at random.",
        {"amigos": AMIGOS_LSTM},
    ),
    "emg-llm": Experiment(
        "Facial EMG: encoders on twelve emotions, an LLM on four",
        "CNN, TCN and LSTM at 87 to 89 % on shuffled windows; LLMs on the numbers as text at 24 to 27 % on "
        "four emotions, which is chance.",
        "Windows are shuffled before the split, so that each test window has windows of its own recording in "
        "training.",
        {"encoders": EMG_ENCODERS, "llm": EMG_LLM},
    ),
    "kaggle-gru": Experiment(
        "GRU on the precomputed features of the EEG Brainwave Dataset",
        "public notebooks with a shuffled split of the rows.",
        "Rows are overlapping windows of two people, shuffled before the split. There are no subject ids, "
        "and the rows of the public table are not in order of time: contiguous blocks of them have "
        "neighbours on both sides too, and no protocol on that table is honest. In the simulated one rows "
        "are in order, and blocks keep neighbours apart.",
        {"table": KAGGLE_GRU},
    ),
    "gru-xnet": Experiment(
        "GRU-XNet on DEAP, GAMEEMO and SEED-IV, on each and on all three as one",
        "95.9 % on two classes, by one model on all three with samples shuffled, of which its authors say by "
        "now that it establishes nothing about new people.",
        "Samples and their augmented copies were shuffled before the split. Here are no copies, but windows "
        "of each trial are on both sides, with the trial's label.",
        {
            "deap": _gru_xnet("deap", 128.0, 6, 8, modalities=["eeg"]),
            "gameemo": _gru_xnet("gameemo", 128.0, 6, 8),
            "seed_iv": _gru_xnet("seed_iv", 200.0, 5, 4),
            "unified": GRU_XNET_UNIFIED,
        },
    ),
}  # fmt: skip
"""Name of an experiment -> what it was. Figures of others stand as they were reported."""
