"""Models that were fitted each by itself, as one: deep ensembles (Lakshminarayanan et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from encoders.model import ModelOutput, SignalModel

__all__ = ["ModelEnsemble", "stream_places"]


def stream_places(streams: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """The streams of each model by the names that their codes have among all models.

    Parameters
    ----------
    streams : sequence of sequence of str
        Names of the streams that each model reads.

    Returns
    -------
    list of dict of str to str
        A stream that a model before reads too gets a number: ``emg``, then ``emg_2``.
    """
    found: list[dict[str, str]] = []
    for names in streams:
        taken = [stream for place in found for stream in place.values()]
        counted = {name: taken.count(name) + 1 for name in names}
        found.append({name if n == 1 else f"{name}_{n}": name for name, n in counted.items()})
    return found


class ModelEnsemble(nn.Module):
    """Probabilities and values are the means of the models', and each model writes its own codes.

    Parameters
    ----------
    models : sequence of SignalModel
        With the same targets, all with quantizers or none.
    """

    def __init__(self, models: Sequence[SignalModel]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.targets = models[0].targets
        self._placed = list(
            zip(models, stream_places([list(model.encoders) for model in models]), strict=True)
        )
        self._stream_of = {name: (model, s) for model, place in self._placed for name, s in place.items()}

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """Networks by the names of their codes."""
        return {name: model.encoders[stream] for name, (model, stream) in self._stream_of.items()}

    @property
    def quantizers(self) -> dict[str, nn.Module]:
        """Quantizers by the names of their codes; empty without."""
        placed = self._stream_of.items()
        return {name: model.quantizers[s] for name, (model, s) in placed if s in model.quantizers}

    def forward(self, x: Mapping[str, torch.Tensor]) -> ModelOutput:
        """Read segments.

        Parameters
        ----------
        x : mapping of str to Tensor, shape (batch, n_channels, n_samples)
            By stream, or by the names of codes where the models read copies that differ.

        Returns
        -------
        ModelOutput
            Its embedding is those of the models behind each other.
        """
        found = [(model(_own_streams(x, place)), place) for model, place in self._placed]
        outputs = {
            target: _mean(target, torch.stack([one.outputs[target] for one, _ in found]))
            for target in self.targets
        }
        codes = {name: one.codes[s] for one, place in found for name, s in place.items() if s in one.codes}
        loss = torch.stack([one.loss for one, _ in found]).sum()
        return ModelOutput(outputs, codes, loss, torch.cat([one.embedding for one, _ in found], dim=1))

    def frames(self, x: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the frames before quantization by the names of their codes, as `SignalModel.frames`."""
        found = [(model.frames(_own_streams(x, place)), place) for model, place in self._placed]
        return {name: frames[stream] for frames, place in found for name, stream in place.items()}

    def code_evidence(self, stream: str) -> torch.Tensor:
        """What the heads of its model make of each code, as `SignalModel.code_evidence`."""
        model, own = self._stream_of[stream]
        return model.code_evidence(own)

    def require_quantizers(self) -> None:
        """Raise ValueError if there are no quantizers and so no codes."""
        for model, _ in self._placed:
            model.require_quantizers()


def _own_streams(x: Mapping[str, torch.Tensor], place: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """What one model reads, under its own names."""
    return {s: x[name] if name in x else x[s] for name, s in place.items() if name in x or s in x}


def _mean(target: str, outputs: torch.Tensor) -> torch.Tensor:
    """The logits, or values, of the mean answer; `outputs` are of shape (n_models, batch, n)."""
    if target == "emotion":
        return outputs.log_softmax(dim=-1).logsumexp(dim=0)
    if target == "transition":
        yes, no = (nn.functional.logsigmoid(sign * outputs).logsumexp(dim=0) for sign in (1, -1))
        return yes - no
    return outputs.mean(dim=0)
