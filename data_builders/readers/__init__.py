"""Readers: files to `Recording`, one class a data set."""

from __future__ import annotations

from data_builders.readers.amigos import AMIGOS
from data_builders.readers.deap import DEAP
from data_builders.readers.dreamer import DREAMER
from data_builders.readers.empatica import Empatica
from data_builders.readers.fmov import FMOV
from data_builders.readers.folder import RecordingFolder
from data_builders.readers.gameemo import GAMEEMO
from data_builders.readers.kaggle import KaggleEEG
from data_builders.readers.manifest import ManifestReader
from data_builders.readers.noneeg import NonEEG
from data_builders.readers.reader import Reader
from data_builders.readers.seed import SEED
from data_builders.readers.seed_iv import SEEDIV
from data_builders.readers.simulated import Simulated
from data_builders.readers.simulated_features import SimulatedFeatures
from data_builders.readers.stress_predict import StressPredict
from data_builders.readers.wesad import WESAD

__all__ = [
    "AMIGOS",
    "DEAP",
    "DREAMER",
    "FMOV",
    "GAMEEMO",
    "READERS",
    "SEED",
    "SEEDIV",
    "WESAD",
    "Empatica",
    "KaggleEEG",
    "ManifestReader",
    "NonEEG",
    "Reader",
    "RecordingFolder",
    "Simulated",
    "SimulatedFeatures",
    "StressPredict",
    "find_reader",
]

READERS: dict[str, type[Reader]] = {
    "amigos": AMIGOS,
    "deap": DEAP,
    "dreamer": DREAMER,
    "seed": SEED,
    "seed_iv": SEEDIV,
    "gameemo": GAMEEMO,
    "wesad": WESAD,
    "kaggle": KaggleEEG,
    "noneeg": NonEEG,
    "fmov": FMOV,
    "stress_predict": StressPredict,
    "empatica": Empatica,
    "simulated": Simulated,
    "simulated_features": SimulatedFeatures,
    "npz": RecordingFolder,
    "manifest": ManifestReader,
}


def find_reader(name: str | type[Reader]) -> type[Reader]:
    """The reader class of that name; a class is handed through.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(name, str):
        return name
    if name not in READERS:
        raise ValueError(f"reader is {name!r}; allowed are {sorted(READERS)} or a Reader class.")
    return READERS[name]
