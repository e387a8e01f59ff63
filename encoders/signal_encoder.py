"""An encoder with its normalisation and heads: inputs -> classes, ratings, transitions, and codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.normalisation import Normaliser
from encoders.inputs import SignalInputs, with_feature_stream
from encoders.targets import target_sizes
from prompts.words import RATINGS

__all__ = ["EncoderConfig", "SignalEncoder", "labelled_rows"]

READS = ("signals", "features", "both")


@dataclass
class EncoderConfig:
    """An encoder network, what it reads, how its frames are quantized, what it is taught, and how.

    `network`, `network_options` and `dim` may be mappings by stream, with ``default`` for the rest.
    """

    network: str | dict = "cnn"  # a name of encoders.networks.ENCODERS
    network_options: dict = field(default_factory=dict)  # of the network's class
    reads: str = "signals"  # signals, features (hand-made, as a stream of one sample), or both
    amplitude_copies: bool = True  # of EMG and EEG channels, log-rectified, beside them
    quantizer: str | None = "vq"  # vq, rvq, kmeans, fsq, scalar, or None for heads on the frames themselves
    quantizer_options: dict = field(default_factory=dict)  # of the quantizer's class
    objective: str | dict = "supervised"  # or reconstruction, both, contrastive, or weights of the three
    targets: list[str] = field(default_factory=lambda: ["emotion"])  # and valence, arousal, transition
    normalisation: str = "subject"  # subject, recording (transductive), baseline (causal), none
    dim: int | dict = 64  # size of a frame's vector
    fusion: list[int] = field(default_factory=list)  # widths of dense layers between streams and heads
    dropout: float = 0.3  # before each dense layer and the heads
    pooling: str = "attention"  # attention, mean or last
    training: dict = field(default_factory=dict)  # of TrainingConfig

    def __post_init__(self) -> None:
        if self.reads not in READS:
            raise ValueError(f"EncoderConfig: reads is {self.reads!r}; allowed are {list(READS)}.")


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
    """Fit a network on the training subjects; the validation subjects choose when to stop.

    Parameters
    ----------
    config : EncoderConfig
    classes : tuple of str
    seed : int

    Attributes
    ----------
    stream_specs_ : list of StreamSpec
        What the network reads.
    network_ : SignalModel
    normalisers_ : dict of str to Normaliser, by stream
    ratings_ : dict of str to (mean, standard deviation)
        Of the training ratings, by which the network's values are scaled.
    history_ : list of dict, one an epoch
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
            Gets a checkpoint after each epoch, from which a stopped training goes on.
        """
        from encoders.training import Examples, fit_model
        from encoders.training_config import TrainingConfig

        self.stream_specs_ = self._read(train).stream_specs
        self.normalisers_ = {
            name: Normaliser(self.config.normalisation).fit(data, train.table)
            for name, data in self._read(train).streams.items()
        }
        rows = labelled_rows(train, self.classes, targets=self.config.targets)
        held = labelled_rows(validation, self.classes, on_grid=True, targets=self.config.targets)
        self.ratings_ = {t: self._scale(train, rows, t) for t in self.config.targets if t in RATINGS}
        self.network_ = self.build(self.stream_specs_)
        datasets = train.table["dataset"].to_numpy()[rows]
        self.history_ = fit_model(
            self.network_,
            Examples(self.normalised(train, rows), self._labels(train, rows), datasets),
            Examples(self.normalised(validation, held), self._labels(validation, held)),
            TrainingConfig(**{"seed": self.seed, **self.config.training}),
            None if folder is None else Path(folder),
            progress,
        )
        self._fit_codebooks(train, rows)
        return self

    def _fit_codebooks(self, train: SignalInputs, rows: np.ndarray) -> None:
        """Find the codebooks of quantizers that are fitted after the network."""
        from encoders.training import frames

        late = [name for name, quantizer in self.network_.quantizers.items() if hasattr(quantizer, "fit")]
        if late:
            found = frames(self.network_, self.normalised(train, rows))
            for name in late:
                self.network_.quantizers[name].fit(found[name], self.seed)

    @staticmethod
    def _scale(train: SignalInputs, rows: np.ndarray, target: str) -> tuple[float, float]:
        values = train.table[target].iloc[rows].to_numpy(dtype=float)
        return float(np.nanmean(values)), float(np.nanstd(values)) or 1.0

    def build(self, stream_specs: list) -> Any:
        """The network with its first weights, which the seed determines."""
        import torch

        from encoders.model import SignalModel

        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
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
        if self.config.reads == "signals":
            return inputs
        return with_feature_stream(inputs, signals=self.config.reads == "both")

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
            The plain codes first, then one entry a copy.
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
        """Normalised streams of some rows, then augmented."""
        import torch

        from encoders.augmenting import augment
        from encoders.training_config import TrainingConfig

        plain = self.normalised(inputs, rows)
        yield plain
        generator = torch.Generator().manual_seed(seed)
        config = TrainingConfig(**self.config.training)
        tensors = {name: torch.as_tensor(data) for name, data in plain.items()}
        for _ in range(copies):
            yield {n: t.numpy() for n, t in augment(tensors, generator, config).items()}

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
