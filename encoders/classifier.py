"""Supervised network over all streams: encoder, codes, pooling and a classification head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from encoders.networks import ENCODERS
from encoders.quantizers import QUANTIZERS
from encoders.streams import StreamSpec

__all__ = ["ClassifierOutput", "SignalClassifier"]

Module = Callable[..., nn.Module]


class ClassifierOutput(NamedTuple):
    """What `SignalClassifier` returns.

    Attributes
    ----------
    logits : Tensor, shape (batch, n_classes)
    codes : dict of str to Tensor of int64, shape (batch, n_frames)
        By stream; empty without quantizers.
    loss : scalar Tensor
        Sum of the quantizers' losses.
    """

    logits: torch.Tensor
    codes: dict[str, torch.Tensor]
    loss: torch.Tensor


class AttentionPooling(nn.Module):
    """Mean over frames with learned weights: (batch, n_frames, dim) -> (batch, dim)."""

    def __init__(self, dim: int):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return (self.score(frames).softmax(dim=1) * frames).sum(dim=1)


class MeanPooling(nn.Module):
    """Mean over frames: (batch, n_frames, dim) -> (batch, dim)."""

    def __init__(self, dim: int):
        super().__init__()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.mean(dim=1)


POOLINGS: dict[str, Module] = {"attention": AttentionPooling, "mean": MeanPooling}


class SignalClassifier(nn.Module):
    """One encoder a stream, its frames quantized if wished, pooled, joined and classified.

    With a quantizer the head sees nothing but the codes' vectors, so its accuracy is what the codes carry.

    Parameters
    ----------
    streams : sequence of StreamSpec
    n_classes : int
    encoder : str or callable
        Name in `ENCODERS`, or a class with their contract.
    quantizer : str, callable or None
        Name in `QUANTIZERS`, or a class with their contract.
    pooling : str or callable
        ``attention`` or ``mean``, or a class that takes `dim`.
    dim : int
        Size of a frame's vector.
    dropout : float
        Before the head.
    encoder_options, quantizer_options : mapping, optional
        Further arguments of the encoders and quantizers.

    Raises
    ------
    ValueError
        If a name is unknown or there is no stream.
    """

    def __init__(
        self,
        streams: Sequence[StreamSpec],
        n_classes: int,
        encoder: str | Module = "cnn",
        quantizer: str | Module | None = None,
        pooling: str | Module = "attention",
        dim: int = 64,
        dropout: float = 0.3,
        encoder_options: Mapping[str, Any] | None = None,
        quantizer_options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        if not streams:
            raise ValueError("streams is empty; a classifier needs at least one, see default_streams.")
        make_encoder = _choose("encoder", encoder, ENCODERS)
        make_pooling = _choose("pooling", pooling, POOLINGS)
        self.streams, self.n_classes = tuple(streams), n_classes
        self.encoders = nn.ModuleDict(
            {
                s.name: make_encoder(s.n_channels, s.frame_stride, dim, **(encoder_options or {}))
                for s in streams
            }
        )
        self.quantizers = nn.ModuleDict()
        if quantizer is not None:
            make_quantizer = _choose("quantizer", quantizer, QUANTIZERS)
            self.quantizers.update(
                {s.name: make_quantizer(dim, **(quantizer_options or {})) for s in streams}
            )
        self.poolings = nn.ModuleDict({s.name: make_pooling(dim) for s in streams})
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim * len(self.streams), n_classes))

    def forward(self, x: Mapping[str, torch.Tensor]) -> ClassifierOutput:
        """Classify segments.

        Parameters
        ----------
        x : mapping of str to Tensor, shape (batch, n_channels, n_samples)
            By stream, normalised.

        Returns
        -------
        ClassifierOutput

        Raises
        ------
        ValueError
            If a stream is missing.
        """
        pooled, codes, losses = [], {}, []
        for name, frames in self.frames(x).items():
            if name in self.quantizers:
                frames, codes[name], loss = self.quantizers[name](frames)
                losses.append(loss)
            pooled.append(self.poolings[name](frames))
        logits = self.head(torch.cat(pooled, dim=1))
        return ClassifierOutput(logits, codes, torch.stack(losses).sum() if losses else logits.new_zeros(()))

    def frames(self, x: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return each stream's frames before quantization, shape (batch, n_frames, dim)."""
        missing = [name for name in self.encoders if name not in x]
        if missing:
            raise ValueError(f"the streams {missing} are missing; got {sorted(x)}.")
        return {name: encoder(x[name]) for name, encoder in self.encoders.items()}

    def codes(self, x: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return each stream's codes, int64 of shape (batch, n_frames).

        Raises
        ------
        ValueError
            If the classifier has no quantizers.
        """
        self.require_quantizers()
        return {name: self.quantizers[name](frames)[1] for name, frames in self.frames(x).items()}

    @torch.no_grad()
    def code_evidence(self, stream: str) -> torch.Tensor:
        """What the head makes of each code of a stream, centred: shape (codebook_size, n_classes)."""
        self.require_quantizers()
        quantizer: Any = self.quantizers[stream]
        linear: Any = self.head[-1]
        values = quantizer.decode(torch.arange(quantizer.codebook_size, device=linear.weight.device))
        position, dim = list(self.encoders).index(stream), values.shape[1]
        logits = values @ linear.weight[:, position * dim : (position + 1) * dim].T
        return logits - logits.mean(dim=1, keepdim=True)

    def require_quantizers(self) -> None:
        """Raise ValueError if there are no quantizers and so no codes."""
        if not self.quantizers:
            raise ValueError("this classifier has no quantizer and so no codes; make it with quantizer='vq'.")


def _choose(what: str, choice: str | Module, choices: Mapping[str, Module]) -> Module:
    if callable(choice):
        return choice
    if choice not in choices:
        raise ValueError(f"{what} is {choice!r}; allowed are {sorted(choices)} or a class.")
    return choices[choice]
