"""What is read from a segment's vector: classes, ratings, transitions, several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from encoders.targets import TARGETS

__all__ = ["Heads"]


class Heads(nn.Module):
    """Dense layers that all targets share, then a linear head for each.

    Parameters
    ----------
    dim : int
        Size of the vector that is read.
    targets : mapping of str to int
        Target -> outputs of its head.
    fusion : sequence of int
        Widths of the shared layers, each with batch normalisation and ReLU.
    dropout : float
        Before each layer.
    """

    def __init__(
        self, dim: int, targets: Mapping[str, int], fusion: Sequence[int] = (), dropout: float = 0.3
    ):
        super().__init__()
        if not targets:
            raise ValueError(f"targets is empty; a model needs at least one of {list(TARGETS)}.")
        layers: list[nn.Module] = []
        for width in fusion:
            layers += [nn.Dropout(dropout), nn.Linear(dim, width), nn.BatchNorm1d(width), nn.ReLU()]
            dim = width
        self.fusion = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.ModuleDict({target: nn.Linear(dim, size) for target, size in targets.items()})
        self.targets = dict(targets)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Outputs by target, (batch, n), of vectors (batch, dim)."""
        x = self.dropout(self.fusion(x))
        return {target: head(x) for target, head in self.outputs.items()}

    def evidence(self, x: torch.Tensor) -> torch.Tensor:
        """Change of all outputs from zeros to each row of `x`, (n, n_outputs), classes centred."""
        training = self.training
        self.eval()
        zero = self(torch.zeros_like(x[:1]))
        change = {target: value - zero[target] for target, value in self(x).items()}
        self.train(training)
        if "emotion" in change:
            change["emotion"] = change["emotion"] - change["emotion"].mean(dim=1, keepdim=True)
        return torch.cat(list(change.values()), dim=1)
