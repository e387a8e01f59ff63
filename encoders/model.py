"""The model over all streams of a segment: networks, codes, pooling, fusion, and a head a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import nn

from encoders.heads import Heads
from encoders.networks import ENCODERS
from encoders.objectives import SpectrumDecoder, find_objective
from encoders.pooling import POOLINGS
from encoders.quantizers import QUANTIZERS
from encoders.stft import in_samples
from encoders.streams import StreamSpec, plain_channels

__all__ = ["ModelOutput", "SignalModel", "of_stream"]

Module = Callable[..., nn.Module]


class ModelOutput(NamedTuple):
    """What `SignalModel` returns.

    Attributes
    ----------
    outputs : dict of str to Tensor, shape (batch, n)
        By target: logits of the classes for ``emotion``, a value for ``valence`` and ``arousal``, a logit
        for ``transition``.
    codes : dict of str to Tensor of int64, shape (batch, n_codes)
        By stream; empty without quantizers.
    loss : scalar Tensor
        Sum of the losses that need no label: the quantizers' and the reconstruction's.
    embedding : Tensor, shape (batch, n)
        The pooled streams behind each other, which the heads read.
    """

    outputs: dict[str, torch.Tensor]
    codes: dict[str, torch.Tensor]
    loss: torch.Tensor
    embedding: torch.Tensor


class SignalModel(nn.Module):
    """One network a stream, its frames quantized if wished, pooled, joined, and read by a head a target.

    With a quantizer the heads see nothing but the codes' vectors, so their accuracy is what the codes carry.

    Parameters
    ----------
    streams : sequence of StreamSpec
    targets : mapping of str to int
        Target -> outputs of its head: the number of classes for ``emotion``, 1 for the others.
    network : str, callable, or mapping of str to these
        Name in `ENCODERS`, or a class with their contract; as a mapping by stream, with ``default``.
    network_options : mapping
        Further arguments of the networks, or, if its keys are streams or ``default``, such mappings. ``stft``
        gives those of spectrograms in s and Hz, see `encoders.stft`.
    quantizer : str, callable or None
        Name in `QUANTIZERS`, or a class with their contract.
    quantizer_options : mapping, optional
    pooling : str or callable
        Name in `POOLINGS`, or a class that takes `dim`.
    dim : int or mapping of str to int
        Size of a frame's vector, for all streams or by stream, with ``default``.
    fusion : sequence of int
        Widths of dense layers between the joined streams and the heads.
    dropout : float
        Before each dense layer and the heads.
    objective : str or mapping
        Name in `OBJECTIVES`, or weights of its losses.
    amplitude_copies : bool
        Whether the networks read the log-rectified copies of channels that streams hold.

    Raises
    ------
    ValueError
        If a name is unknown, or there is no stream or target.
    """

    def __init__(
        self,
        streams: Sequence[StreamSpec],
        targets: Mapping[str, int],
        network: str | Module | Mapping[str, Any] = "cnn",
        network_options: Mapping[str, Any] | None = None,
        quantizer: str | Module | None = None,
        quantizer_options: Mapping[str, Any] | None = None,
        pooling: str | Module = "attention",
        dim: int | Mapping[str, int] = 64,
        fusion: Sequence[int] = (),
        dropout: float = 0.3,
        objective: str | Mapping[str, float] = "supervised",
        amplitude_copies: bool = True,
    ):
        super().__init__()
        if not streams:
            raise ValueError("streams is empty; a model needs at least one, see default_streams.")
        self.streams, names = tuple(streams), [stream.name for stream in streams]
        self.dims = dims = {name: int(of_stream(dim, name)) for name in names}
        self.encoders = nn.ModuleDict()
        self.channels: dict[str, list[int] | slice] = {}
        for stream in streams:
            plain = plain_channels(stream)
            self.channels[stream.name] = slice(None) if amplitude_copies else plain
            n_channels = stream.n_channels if amplitude_copies else len(plain)
            sizes = (n_channels, stream.frame_stride, dims[stream.name])
            options = _options(network_options or {}, names, stream.name)
            choice = of_stream(network, stream.name)
            known = _known_options(_chosen("network", choice, ENCODERS), sizes)
            if known is None or "n_fft" in known:
                options = in_samples(options, stream.sampling_rate)
            self.encoders[stream.name] = _made("network", choice, ENCODERS, sizes, options)
        self.quantizers = nn.ModuleDict()
        if quantizer is not None:
            options = quantizer_options or {}
            self.quantizers.update(
                {name: _made("quantizer", quantizer, QUANTIZERS, (dims[name],), options) for name in names}
            )
        self.poolings = nn.ModuleDict(
            {name: _made("pooling", pooling, POOLINGS, (dims[name],), {}) for name in names}
        )
        self.heads = Heads(sum(dims.values()), targets, fusion, dropout)
        self.objective = find_objective(objective)
        self.decoders = nn.ModuleDict()
        if self.objective.reconstruction:
            self.decoders.update(
                {s.name: SpectrumDecoder(dims[s.name], s.n_channels, s.frame_stride) for s in streams}
            )

    @property
    def targets(self) -> dict[str, int]:
        """Target -> outputs of its head."""
        return self.heads.targets

    def forward(self, x: Mapping[str, torch.Tensor]) -> ModelOutput:
        """Read segments.

        Parameters
        ----------
        x : mapping of str to Tensor, shape (batch, n_channels, n_samples)
            By stream, normalised.

        Returns
        -------
        ModelOutput

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
            if name in self.decoders:
                losses.append(self.objective.reconstruction * self.decoders[name](frames, x[name]))
            pooled.append(self.poolings[name](frames))
        embedding = torch.cat(pooled, dim=1)
        outputs = self.heads(embedding if self.objective.supervised else embedding.detach())
        loss = torch.stack(losses).sum() if losses else embedding.new_zeros(())
        return ModelOutput(outputs, codes, loss, embedding)

    def frames(self, x: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return each stream's frames before quantization, shape (batch, n_frames, dim)."""
        missing = [name for name in self.encoders if name not in x]
        if missing:
            raise ValueError(f"the streams {missing} are missing; got {sorted(x)}.")
        return {name: encoder(x[name][:, self.channels[name]]) for name, encoder in self.encoders.items()}

    @torch.no_grad()
    def code_evidence(self, stream: str) -> torch.Tensor:
        """What the heads make of each code of a stream alone: shape (codebook_size, n_outputs).

        Changes of all heads' outputs against an embedding of zeros, those of the classes centred.
        """
        self.require_quantizers()
        quantizer: Any = self.quantizers[stream]
        device = next(self.parameters()).device
        values = quantizer.decode(torch.arange(quantizer.codebook_size, device=device))
        parts = [
            values if name == stream else values.new_zeros(len(values), dim)
            for name, dim in self.dims.items()
        ]
        return self.heads.evidence(torch.cat(parts, dim=1))

    def require_quantizers(self) -> None:
        """Raise ValueError if there are no quantizers and so no codes."""
        if not self.quantizers:
            raise ValueError("this model has no quantizer and so no codes; make it with quantizer='vq'.")


def of_stream(choice: Any, stream: str) -> Any:
    """What a setting says for a stream: itself, or its entry if it is a mapping by stream.

    Raises
    ------
    ValueError
        If a mapping has neither the stream nor ``default``.
    """
    if not isinstance(choice, Mapping):
        return choice
    if stream not in choice and "default" not in choice:
        raise ValueError(
            f"a setting by stream names {sorted(choice)}, but neither {stream!r} nor 'default'; add one."
        )
    return choice.get(stream, choice.get("default"))


def _options(options: Mapping[str, Any], streams: Sequence[str], stream: str) -> Mapping[str, Any]:
    """Options for all streams alike, or those of one where the keys are streams."""
    if not set(options) & {*streams, "default"}:
        return options
    mixed = sorted(
        name for name, value in options.items() if name == "stft" or not isinstance(value, Mapping | None)
    )
    if mixed:
        raise ValueError(
            f"network_options has {mixed} beside options by stream, {sorted(set(options) - set(mixed))}; put "
            "them into those of the streams."
        )
    return of_stream(options, stream) or {}


def _made(
    what: str, choice: str | Module, choices: Mapping[str, Module], sizes: tuple[int, ...], options: Mapping
) -> nn.Module:
    """The module of a name, or of one's own class, for some sizes and with options that it must know."""
    make = _chosen(what, choice, choices)
    known = _known_options(make, sizes)
    if known is not None and (unknown := sorted(set(options) - set(known))):
        raise ValueError(f"{what}_options has {unknown}; the {what} {choice!r} takes {known or 'none'}.")
    return make(*sizes, **options)


def _chosen(what: str, choice: str | Module, choices: Mapping[str, Module]) -> Module:
    if not callable(choice) and choice not in choices:
        raise ValueError(f"{what} is {choice!r}; allowed are {sorted(choices)} or a class.")
    return choice if callable(choice) else choices[choice]


def _known_options(make: Module, sizes: tuple[int, ...]) -> list[str] | None:
    """Names of the options behind the sizes; None where any is taken."""
    taken = list(signature(make).parameters.values())[len(sizes) :]
    return None if any(p.kind is p.VAR_KEYWORD for p in taken) else [p.name for p in taken]
