"""Generators of all modalities of segments, each on signals that are relative to their subject."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from data_builders.augmentation.generative import GENERATIVE, load_generator
from data_builders.augmentation.generator import ConditionalGenerator, GenerativeConfig
from data_builders.segments import Segments

__all__ = ["Synthesis"]

ABOUT = "synthesis.json"


class Synthesis:
    """One generator a modality: learns segments by emotion, and draws new ones for known subjects.

    Signals are z-scored by subject before they are learned, and put on the subject's level and scale after
    they are drawn: what differs between people is not left to the generator. Modalities are drawn each on
    its own, so that what they share within a class is lost.

    Parameters
    ----------
    kind : str
        One of `GENERATIVE`.
    config : GenerativeConfig, optional

    Attributes
    ----------
    classes_ : tuple of str
    fitted_on_ : tuple of str
        Ids of the segments that were learned from, for `check_leaks`.
    generators_ : dict of str to ConditionalGenerator, by modality
    moments_ : dict of str to dict of str to ndarray, shape (2, n_channels)
        By modality and subject: means and standard deviations.
    """

    def __init__(self, kind: str = "cvae", config: GenerativeConfig | None = None) -> None:
        self.kind = kind
        self.config = config or GenerativeConfig()

    def fit(self, segments: Segments, progress: bool = True) -> Synthesis:
        """Learn from segments of the training part.

        Parameters
        ----------
        segments : Segments
            With ``emotion``. Those with NaN in a modality are left out of that modality's training.

        Raises
        ------
        ValueError
            If the kind is unknown, a segment has no emotion, or a modality has a class of nothing but NaN.
        """
        emotion = segments.table["emotion"]
        problems = (
            [] if self.kind in GENERATIVE else [f"generator is {self.kind!r}, not of {list(GENERATIVE)}"]
        )
        if emotion.isna().any() or not len(segments):
            problems.append(f"{emotion.isna().sum()} of {len(segments)} segments have no emotion to learn by")
        if problems:
            raise ValueError(f"generators cannot be fitted: {'; '.join(problems)}. Choose others.")
        self.classes_ = tuple(sorted(emotion.unique()))
        self.fitted_on_ = tuple(segments.table["segment"])
        y = _numbers(emotion, self.classes_)
        self.moments_ = {name: _moments(data, segments.table) for name, data in segments.signals.items()}
        self.generators_: dict[str, ConditionalGenerator] = {}
        for name, data in segments.signals.items():
            whole = np.isfinite(data).all(axis=(1, 2))
            lacking = [k for k in range(len(self.classes_)) if not (y[whole] == k).any()]
            if lacking:
                raise ValueError(
                    f"{name}: all segments of {[self.classes_[k] for k in lacking]} have NaN; generators "
                    "learn from whole segments. Fill the gaps, or leave the modality or the classes out."
                )
            x = self._relative(name, data, segments.table, forth=True)[whole]
            generator = GENERATIVE[self.kind](self.config)
            self.generators_[name] = generator.fit(x, y[whole], len(self.classes_), progress)
        return self

    def sample(self, table: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
        """Draw a segment for each row's emotion and subject.

        Parameters
        ----------
        table : DataFrame
            With ``emotion`` and ``subject``, both known from the fit.
        seed : int

        Returns
        -------
        dict of str to ndarray, shape (n_rows, n_channels, n_samples), by modality

        Raises
        ------
        ValueError
            If an emotion or a subject is unknown.
        """
        subjects = {subject for known in self.moments_.values() for subject in known}
        strange = {
            "emotions": sorted(set(table["emotion"].astype(str)) - set(self.classes_)),
            "subjects": sorted(set(table["subject"]) - subjects),
        }
        problems = [f"{what} {names[:5]}" for what, names in strange.items() if names]
        if problems:
            raise ValueError(
                f"the generators do not know the {' and the '.join(problems)}; allowed are the emotions "
                f"{list(self.classes_)} and the {len(subjects)} subjects that they were fitted on."
            )
        y = _numbers(table["emotion"], self.classes_)
        return {
            name: self._relative(name, generator.sample(y, seed + k), table, forth=False)
            for k, (name, generator) in enumerate(self.generators_.items())
        }

    def save(self, folder: str | Path) -> None:
        """Write a folder a generator, and ``synthesis.json`` when all are there."""
        folder = Path(folder)
        for name, generator in self.generators_.items():
            generator.save(folder / name)
        moments = {name: {s: m.tolist() for s, m in known.items()} for name, known in self.moments_.items()}
        about = {"classes": self.classes_, "fitted_on": self.fitted_on_, "moments": moments}
        (folder / ABOUT).write_text(json.dumps({"kind": self.kind, **about}))

    @classmethod
    def load(cls, folder: str | Path) -> Synthesis:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder holds no such generators.
        """
        folder = Path(folder)
        if not (folder / ABOUT).is_file():
            raise FileNotFoundError(f"{folder}: expected {ABOUT}, as Synthesis.save writes.")
        about = json.loads((folder / ABOUT).read_text())
        generators = {name: load_generator(folder / name) for name in about["moments"]}
        made = cls(about["kind"], next(iter(generators.values())).config)
        made.classes_, made.fitted_on_ = tuple(about["classes"]), tuple(about["fitted_on"])
        made.generators_ = generators
        made.moments_ = {
            name: {s: np.array(m) for s, m in known.items()} for name, known in about["moments"].items()
        }
        return made

    def _relative(self, name: str, data: np.ndarray, table: pd.DataFrame, forth: bool) -> np.ndarray:
        """To z-scores by subject (`forth`), or back from them."""
        moments = np.array([self.moments_[name][subject] for subject in table["subject"]])
        mean, sd = moments[:, 0, :, None], moments[:, 1, :, None]
        return ((data - mean) / sd if forth else data * sd + mean).astype(np.float32)


def _numbers(emotion: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    return emotion.map({name: k for k, name in enumerate(classes)}).to_numpy(np.int64)


def _moments(data: np.ndarray, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Mean and standard deviation of each subject's channels; 0 and 1 where there is nothing to scale."""
    found = {}
    for subject, rows in table.groupby("subject", sort=False).indices.items():
        values = np.ma.masked_invalid(data[rows].astype(np.float64))
        mean, sd = values.mean(axis=(0, 2)).filled(0.0), values.std(axis=(0, 2)).filled(0.0)
        found[str(subject)] = np.array([mean, np.where(sd > 1e-9 * np.maximum(1, np.abs(mean)), sd, 1.0)])
    return found
