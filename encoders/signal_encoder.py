"""An encoder with its normalisation and head: inputs -> class probabilities and codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_builders.normalisation import Normaliser
from encoders.inputs import SignalInputs
from encoders.training import TrainingConfig

__all__ = ["EncoderConfig", "SignalEncoder", "labelled_rows"]


@dataclass
class EncoderConfig:
    """An encoder network, how its frames are quantized, and how it is trained."""

    network: str = "cnn"  # a name in encoders.networks.ENCODERS
    quantizer: str | None = "vq"  # vq, fsq, or None for a head on the frames themselves
    quantizer_options: dict = field(default_factory=dict)  # of the quantizer's class
    normalisation: str = "subject"  # subject, recording (transductive), baseline (causal), none
    dim: int = 64  # size of a frame's vector
    dropout: float = 0.3  # before the head
    pooling: str = "attention"  # attention or mean
    training: dict = field(default_factory=dict)  # of TrainingConfig


def labelled_rows(inputs: SignalInputs, classes: tuple[str, ...], on_grid: bool = False) -> np.ndarray:
    """Positions of the segments with a known label (only those that do not overlap, if `on_grid`)."""
    wanted = inputs.table["emotion"].isin(classes)
    if on_grid:
        wanted &= inputs.table["on_grid"].astype(bool)
    return np.flatnonzero(wanted.to_numpy())


class SignalEncoder:
    """Fit a network on the training subjects; the validation subjects choose when to stop.

    Parameters
    ----------
    config : EncoderConfig
    classes : tuple of str
    seed : int

    Attributes
    ----------
    network_ : SignalClassifier
    normalisers_ : dict of str to Normaliser, by stream
    history_ : list of dict, one an epoch
    """

    def __init__(self, config: EncoderConfig, classes: tuple[str, ...], seed: int = 0) -> None:
        self.config = config
        self.classes = classes
        self.seed = seed

    def fit(self, train: SignalInputs, validation: SignalInputs, progress: bool = True) -> SignalEncoder:
        """Fit on all labelled windows of `train`, overlapping ones too; stop by `validation`'s grid."""
        from encoders.training import fit_classifier

        self.normalisers_ = {
            name: Normaliser(self.config.normalisation).fit(data, train.table)
            for name, data in train.streams.items()
        }
        self.network_ = self.build(train.stream_specs)
        rows = labelled_rows(train, self.classes)
        held = labelled_rows(validation, self.classes, on_grid=True)
        self.history_ = fit_classifier(
            self.network_,
            self.normalised(train, rows),
            self._targets(train, rows),
            self.normalised(validation, held),
            self._targets(validation, held),
            TrainingConfig(**{"seed": self.seed, **self.config.training}),
            progress,
        )
        return self

    def build(self, stream_specs: list) -> Any:
        """The network with its first weights, which the seed determines."""
        import torch

        from encoders.classifier import SignalClassifier

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return SignalClassifier(
                stream_specs,
                len(self.classes),
                encoder=self.config.network,
                quantizer=self.config.quantizer,
                pooling=self.config.pooling,
                dim=self.config.dim,
                dropout=self.config.dropout,
                quantizer_options=self.config.quantizer_options,
            )

    def normalised(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Normalised streams of some rows; `inputs` must hold all windows of its subjects."""
        return {
            name: normaliser.transform(inputs.streams[name], inputs.table)[rows]
            for name, normaliser in self.normalisers_.items()
        }

    def predict_proba(self, inputs: SignalInputs, rows: np.ndarray) -> np.ndarray:
        """Class probabilities of the head for some rows, shape (len(rows), n_classes)."""
        from encoders.training import predict_proba

        return predict_proba(self.network_, self.normalised(inputs, rows))

    def codes(self, inputs: SignalInputs, rows: np.ndarray, copies: int = 0, seed: int = 0) -> list[dict]:
        """Codes of some rows, and of augmented copies of them.

        Parameters
        ----------
        copies : int
            Augmented copies to add, with the training's own augmentation; for training subjects only.

        Returns
        -------
        list of dict of str to ndarray, shape (len(rows), n_frames)
            The plain codes first, then one entry a copy.
        """
        import torch

        from encoders.training import augment, encode

        plain = self.normalised(inputs, rows)
        found = [encode(self.network_, plain)]
        generator = torch.Generator().manual_seed(seed)
        config = TrainingConfig(**self.config.training)
        tensors = {name: torch.as_tensor(data) for name, data in plain.items()}
        for _ in range(copies):
            changed = {n: t.numpy() for n, t in augment(tensors, generator, config).items()}
            found.append(encode(self.network_, changed))
        return found

    def _targets(self, inputs: SignalInputs, rows: np.ndarray) -> np.ndarray:
        number = {name: k for k, name in enumerate(self.classes)}
        return inputs.table["emotion"].iloc[rows].map(number).to_numpy(dtype=np.int64)
