"""A TCN that reads a signal as it comes, chunk by chunk."""

from __future__ import annotations

from typing import cast

import torch

from encoders.networks.stem import pool_steps
from encoders.networks.tcn import TCN, CausalBlock

__all__ = ["TCNStream"]


class TCNStream:
    """Frames of a growing signal, equal to those of the whole signal at once.

    Each layer keeps only the past that its next step needs, so memory and work a chunk do not grow with
    the length of the signal. Samples that do not fill a frame yet wait for the next chunk.

    Parameters
    ----------
    tcn : TCN
        In evaluation mode: in training, its norms would depend on the chunk.

    Raises
    ------
    ValueError
        If the network is in training mode.
    """

    def __init__(self, tcn: TCN):
        if tcn.training:
            raise ValueError("the TCN is in training mode; call .eval() before it reads a stream.")
        self.tcn = tcn
        self.blocks = cast("list[CausalBlock]", list(tcn.blocks))
        self.reset()

    def reset(self) -> None:
        """Forget the signal so far; the next chunk begins a new one, of any batch size."""
        self._samples: torch.Tensor | None = None
        self._steps: list[torch.Tensor] = []

    @torch.no_grad()
    def __call__(self, chunk: torch.Tensor) -> torch.Tensor:
        """Read the next samples and return the frames that they complete.

        Parameters
        ----------
        chunk : Tensor, shape (batch, n_channels, n_samples)
            Any number of samples, also none.

        Returns
        -------
        Tensor, shape (batch, n_frames, dim)
            With `n_frames` 0 as long as no frame is complete.

        Raises
        ------
        ValueError
            If the chunk has other channels than the network, or another batch size than the one before.
        """
        self._check(chunk)
        stem = self.tcn.stem
        samples = (
            torch.cat([self._samples, chunk], dim=2) if self._samples is not None else self._begin(chunk)
        )
        used = (samples.shape[2] - stem.padding[0]) // stem.frame_stride * stem.frame_stride
        self._samples = samples[:, :, used:].clone()
        if not used:
            return chunk.new_zeros(len(chunk), 0, stem.norm.num_features)
        steps = stem.steps(samples[:, :, : used + stem.padding[0]])
        for position, block in enumerate(self.blocks):
            padded = torch.cat([self._steps[position], steps], dim=2)
            self._steps[position] = padded[:, :, padded.shape[2] - block.past :].clone()
            steps = block.steps(padded)
        return pool_steps(steps, stem.n_steps)

    def _begin(self, chunk: torch.Tensor) -> torch.Tensor:
        """Put the zeros that stand before every signal in front of all layers."""
        stem, batch = self.tcn.stem, len(chunk)
        self._steps = [chunk.new_zeros(batch, stem.norm.num_features, block.past) for block in self.blocks]
        return torch.cat([chunk.new_zeros(batch, stem.n_channels, stem.padding[0]), chunk], dim=2)

    def _check(self, chunk: torch.Tensor) -> None:
        n_channels = self.tcn.stem.n_channels
        batch = "batch" if self._samples is None else len(self._samples)
        if chunk.ndim != 3 or chunk.shape[1] != n_channels or batch not in ("batch", len(chunk)):
            raise ValueError(
                f"a chunk has shape {tuple(chunk.shape)}; allowed is ({batch}, {n_channels}, n_samples). "
                f"Call reset() before another signal."
            )
