"""An encoder with its normalisation and heads: inputs -> classes, ratings, transitions, and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_builders.normalisation import Normaliser
from encoders.encoder_config import EncoderConfig
from encoders.inputs import MEASURED, SignalInputs, with_feature_stream
from encoders.streams import StreamSpec
from encoders.targets import target_sizes
from prompts.words import RATINGS

if TYPE_CHECKING:
    from encoders.model import SignalModel
    from encoders.training_config import TrainingConfig

__all__ = ["BESIDE", "SignalEncoder", "labelled_rows"]

BESIDE = "beside-{}"
"""Folder of the training of an encoder beside, in that of the first."""


def labelled_rows(
    inputs: SignalInputs, classes: Sequence[str], on_grid: bool = False, targets: Sequence[str] = ("emotion",)
) -> np.ndarray:
    """Positions of the segments with a label of any target (only those that do not overlap, if `on_grid`)."""
    wanted = np.zeros(len(inputs), dtype=bool)
    for target in targets:
        column = inputs.table[target]
        wanted |= (column.isin(classes) if target == "emotion" else column.notna()).to_numpy()
    if on_grid:
        wanted &= inputs.table["on_grid"].to_numpy(dtype=bool)
    return np.flatnonzero(wanted)


class SignalEncoder:
    """Fit a network on the training subjects, or several; the validation subjects choose when to stop.

    Parameters
    ----------
    config : EncoderConfig
    classes : tuple of str
    seed : int

    Attributes
    ----------
    stream_specs_ : list of StreamSpec, what is read
    network_ : SignalModel, or ModelEnsemble of several
    normalisers_ : dict of str to Normaliser, by stream
    ratings_ : dict of str to (mean, standard deviation)
        Of the training ratings, by which the network's values are scaled.
    history_ : list of dict, one an epoch; with the ``encoder``, from 1, where there are several
    """

    def __init__(self, config: EncoderConfig, classes: tuple[str, ...], seed: int = 0) -> None:
        self.config = config
        self.classes = classes
        self.seed = seed

    def fit(
        self,
        train: SignalInputs,
        validation: SignalInputs,
        progress: bool = True,
        folder: str | Path | None = None,
    ) -> SignalEncoder:
        """Fit on all labelled windows of `train`, overlapping ones too; stop by `validation`'s grid.

        Parameters
        ----------
        train, validation : SignalInputs
            All windows of their subjects, since normalisation is relative to the subject.
        folder : path, optional
            Gets a checkpoint after each epoch, from which a stopped training goes on; ``beside-1`` and so on
            in it get those of encoders beside.
        """
        from encoders.training import Examples, fit_model, launched_processes

        self.stream_specs_ = self._read(train).stream_specs
        self.normalisers_ = {
            name: Normaliser(self.config.normalisation).fit(data, train.table)
            for name, data in self._read(train).streams.items()
        }
        rows = labelled_rows(train, self.classes, targets=self.config.targets)
        held = labelled_rows(validation, self.classes, on_grid=True, targets=self.config.targets)
        self.ratings_ = {t: self._scale(train, rows, t) for t in self.config.targets if t in RATINGS}
        launched_processes(self._training(0))  # before codebooks are made, which they keep alike
        self.network_ = self.build(self.stream_specs_)
        datasets = train.table["dataset"].to_numpy()[rows]
        x, y = self.normalised(train, rows), self._labels(train, rows)
        x_held, y_held = self.normalised(validation, held), self._labels(validation, held)
        self.history_ = []
        for k, model in enumerate(self.models_):
            history = fit_model(
                model,
                Examples({name: x[name] for name in model.encoders}, y, datasets),
                Examples({name: x_held[name] for name in model.encoders}, y_held),
                self._training(k),
                None if folder is None else Path(folder, BESIDE.format(k) if k else ""),
                progress,
            )
            self.history_ += [{"encoder": k + 1, **row} for row in history] if self.config.beside else history
            _fit_codebooks(model, x, self._seed(k))
        return self

    @property
    def models_(self) -> list[SignalModel]:
        """The network, and those of the encoders beside."""
        return list(self.network_.models) if self.config.beside else [self.network_]

    def _seed(self, k: int) -> int:
        """Of the k-th encoder: two that differ in nothing else are two draws."""
        return self.seed + 100 * k

    def _training(self, k: int) -> TrainingConfig:
        from encoders.training_config import TrainingConfig

        training = {"seed": self.seed, **self.config.each()[k].training}
        return TrainingConfig(**{**training, "seed": training["seed"] + 100 * k})

    @staticmethod
    def _scale(train: SignalInputs, rows: np.ndarray, target: str) -> tuple[float, float]:
        values = train.table[target].iloc[rows].to_numpy(dtype=float)
        return float(np.nanmean(values)), float(np.nanstd(values)) or 1.0

    def build(self, stream_specs: list[StreamSpec]) -> Any:
        """The network, or networks, with their first weights, which the seed determines."""
        from encoders.model_ensemble import ModelEnsemble

        models = [
            self._model(config, self._streams_of(config, stream_specs), self._seed(k))
            for k, config in enumerate(self.config.each())
        ]
        return ModelEnsemble(models) if len(models) > 1 else models[0]

    def _streams_of(self, config: EncoderConfig, specs: list[StreamSpec]) -> list[StreamSpec]:
        """Of the streams that all encoders read together, those of one."""
        if config.reads == self.config.read_by_any:
            return specs
        return [spec for spec in specs if (spec.name == MEASURED) == (config.reads == "features")]

    def _model(self, config: EncoderConfig, stream_specs: list[StreamSpec], seed: int) -> SignalModel:
        import torch

        from encoders.model import SignalModel

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return SignalModel(
                stream_specs,
                target_sizes(config.targets, self.classes),
                config.network,
                config.network_options,
                config.quantizer,
                config.quantizer_options,
                config.pooling,
                config.dim,
                config.fusion,
                config.dropout,
                config.objective,
                config.amplitude_copies,
            )

    def normalised(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Normalised streams of some rows; `inputs` must hold all windows of its subjects."""
        streams = self._read(inputs).streams
        # What is undefined, a feature or the amplitude of a flat channel, is taken for the mean: here 0.
        return {
            name: np.nan_to_num(normaliser.transform(streams[name], inputs.table)[rows], copy=False)
            for name, normaliser in self.normalisers_.items()
        }

    def _read(self, inputs: SignalInputs) -> SignalInputs:
        """The streams that any of the encoders reads."""
        if self.config.read_by_any == "signals":
            return inputs
        return with_feature_stream(inputs, signals=self.config.read_by_any == "both")

    def predict(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What the heads say of some rows.

        Returns
        -------
        dict of str to ndarray
            ``emotion``: probabilities, shape (len(rows), n_classes); ``valence``, ``arousal``: in the labels'
            own unit, and ``transition``: its probability, shape (len(rows),).
        """
        from encoders.training import outputs

        found = outputs(self.network_, self.normalised(inputs, rows))
        for target, (mean, scale) in self.ratings_.items():
            found[target] = mean + scale * found[target]
        return found

    def predict_proba(self, inputs: SignalInputs, rows: np.ndarray) -> np.ndarray:
        """Probabilities of the emotion classes for some rows, shape (len(rows), n_classes)."""
        return self.predict(inputs, rows)["emotion"]

    def codes(self, inputs: SignalInputs, rows: np.ndarray, copies: int = 0, seed: int = 0) -> list[dict]:
        """Codes of some rows, and of augmented copies of them.

        Parameters
        ----------
        copies : int
            Augmented copies to add, with the training's own augmentation; for training subjects only.

        Returns
        -------
        list of dict of str to ndarray, shape (len(rows), n_codes)
            The plain codes first, then one entry a copy. By stream; of several encoders that read the same,
            the later ones by `stream_places`.
        """
        from encoders.training import encode

        return [encode(self.network_, one) for one in self._copies(inputs, rows, copies, seed)]

    def embeddings(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int = 0, seed: int = 0
    ) -> list[np.ndarray]:
        """What the heads read of some rows, (len(rows), n), and of augmented copies of them."""
        from encoders.training import embeddings

        return [embeddings(self.network_, one) for one in self._copies(inputs, rows, copies, seed)]

    def _copies(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Normalised streams of some rows, then augmented as each encoder's training does."""
        import torch

        from encoders.augmenting import augment

        plain = self.normalised(inputs, rows)
        yield plain
        generator = torch.Generator().manual_seed(seed)
        tensors = {name: torch.as_tensor(data) for name, data in plain.items()}
        for _ in range(copies):
            copied: dict[str, np.ndarray] = {}
            for k, place in enumerate(self._places()):
                own = {stream: tensors[stream] for stream in place.values()}
                found = augment(own, generator, self._training(k))
                copied |= {name: found[stream].numpy() for name, stream in place.items()}
            yield copied

    def quantizer_names(self) -> dict[str, str | None]:
        """The quantizer of each stream, by the name that its codes have."""
        placed = zip(self.config.each(), self._places(), strict=True)
        return {name: config.quantizer for config, place in placed for name in place}

    def _places(self) -> list[dict[str, str]]:
        """The streams of each model, by the names that their codes have."""
        from encoders.model_ensemble import stream_places

        return stream_places([list(model.encoders) for model in self.models_])

    def codebook_report(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, dict[str, float]]:
        """Usage, perplexity, reconstruction error and mutual information of the codes of some rows.

        Returns
        -------
        dict of dict, by stream
            See `encoders.code_statistics.code_statistics`.
        """
        from encoders.code_statistics import code_statistics
        from encoders.training import frames

        x = self.normalised(inputs, rows)
        labels = inputs.table["emotion"].iloc[rows].to_numpy()
        return {
            name: code_statistics(self.network_.quantizers[name], found, labels)
            for name, found in frames(self.network_, x).items()
        }

    def _labels(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Labels of some rows by target, NaN where unknown; ratings scaled as the network is taught them."""
        table = inputs.table.iloc[rows]
        number = {name: k for k, name in enumerate(self.classes)}
        labels = {
            target: (table[target].map(number) if target == "emotion" else table[target]).to_numpy(float)
            for target in self.config.targets
        }
        for target, (mean, scale) in self.ratings_.items():
            labels[target] = (labels[target] - mean) / scale
        return labels


def _fit_codebooks(model: SignalModel, x: Mapping[str, np.ndarray], seed: int) -> None:
    """Find the codebooks of quantizers that are fitted after the network."""
    from encoders.training import frames

    late: dict[str, Any] = {name: q for name, q in model.quantizers.items() if hasattr(q, "fit")}
    if late:
        found = frames(model, x)
        for name, quantizer in late.items():
            quantizer.fit(found[name], seed)
