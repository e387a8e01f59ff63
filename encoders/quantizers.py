"""Learned codebooks: from a network's frames to codes and back.

All keep one contract: ``Quantizer(dim, **options)``; ``forward(frames)`` gives quantized frames, codes and a
loss; ``decode(codes)`` gives what each code adds to its frame, and ``frames(codes)`` the quantized frames of
segments; `codebook_size` codes, of which each frame has `codes_per_frame`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import vector_quantize_pytorch
from torch import nn

__all__ = ["FSQ", "QUANTIZERS", "VQ", "KMeansVQ", "Quantizer", "ResidualVQ", "ScalarFSQ"]


class Quantizer(nn.Module):
    """Base of the quantizers.

    Attributes
    ----------
    codebook_size, codebook_dim : int
    codes_per_frame : int
    """

    codebook_size: int
    codebook_dim: int
    codes_per_frame: int = 1

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, codebook_dim)."""
        raise NotImplementedError

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What each code adds to its frame: the codes' shape with `dim` behind it."""
        raise NotImplementedError

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """Quantized frames, (batch, n_frames, dim), of codes (batch, n_frames * codes_per_frame)."""
        return self.decode(codes).unflatten(1, (-1, self.codes_per_frame)).sum(dim=2)

    def require_trained(self, codebook: Any) -> None:
        """Raise RuntimeError in eval mode if the first batch has not set a codebook yet."""
        if not self.training and not codebook.initted:
            raise RuntimeError("the codebook was never trained; fit the network in training mode first.")

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames`.

        Parameters
        ----------
        frames : Tensor, shape (batch, n_frames, dim)

        Returns
        -------
        quantized : Tensor, shape (batch, n_frames, dim)
        codes : Tensor of int64, shape (batch, n_frames * codes_per_frame)
            Those of a frame behind each other.
        loss : scalar Tensor

        Raises
        ------
        RuntimeError
            If the codebook was never trained.
        """
        raise NotImplementedError


def _moving_averages(decay: float, commitment: float, dead_below: float) -> dict[str, Any]:
    """How a codebook starts (k-means on the first batch) and is trained."""
    return {
        "kmeans_init": True,
        "decay": decay,
        "commitment_weight": commitment,
        "threshold_ema_dead_code": dead_below,
    }


class VQ(Quantizer):
    """EMA VQ: a codebook of directions, trained by moving averages, with dead codes replaced.

    Frames are projected to `codebook_dim`, scaled to length 1, and replaced by the codebook's nearest row.
    The codebook is set by k-means on the first batch in training mode.
    Source: van den Oord et al. 2017, arXiv 1711.00937; Yu et al. 2022, arXiv 2110.04627.

    Parameters
    ----------
    dim : int
        Size of the frames' vectors.
    codebook_size, codebook_dim : int
    decay : float
        Of the moving averages.
    commitment : float
        Weight of the loss that holds frames near their codes.
    dead_below : float
        Codes with a moving average of fewer frames a batch are replaced by frames of the batch.
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int = 64,
        codebook_dim: int = 16,
        decay: float = 0.9,
        commitment: float = 0.25,
        dead_below: float = 2.0,
    ):
        super().__init__()
        self.codebook_size, self.codebook_dim = codebook_size, codebook_dim
        self.quantizer = vector_quantize_pytorch.VectorQuantize(
            dim=dim,
            codebook_size=codebook_size,
            codebook_dim=codebook_dim,
            use_cosine_sim=True,
            **_moving_averages(decay, commitment, dead_below),
        )

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, codebook_dim), each of length 1."""
        return self.quantizer.codebook

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What the network reads for `codes`: their shape with `dim` behind it."""
        return self.quantizer.get_output_from_indices(codes)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames` (batch, n_frames, dim), see `Quantizer.forward`."""
        self.require_trained(self.quantizer._codebook)
        quantized, codes, loss = self.quantizer(frames)
        return quantized, codes.long(), loss.sum()


class FSQ(Quantizer):
    """Finite scalar quantization: each of a few dimensions is rounded to one of its levels.

    There is no codebook to train and no loss; the codes are all combinations of the levels.
    Source: Mentzer et al. 2023, arXiv 2309.15505.

    Parameters
    ----------
    dim : int
        Size of the frames' vectors.
    levels : sequence of int
        Levels of each dimension, at least 3; the codebook's size is their product.
    """

    def __init__(self, dim: int, levels: Sequence[int] = (4, 4, 4)):
        super().__init__()
        _check_levels(levels)
        self.quantizer = vector_quantize_pytorch.FSQ(list(levels), dim=dim)
        self.codebook_size, self.codebook_dim = int(np.prod(levels)), len(levels)

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, codebook_dim), in -1 to 1."""
        return self.quantizer.implicit_codebook

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What the network reads for `codes`: their shape with `dim` behind it."""
        return self.quantizer.indices_to_codes(codes)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames` (batch, n_frames, dim); with a loss of zero, see `Quantizer.forward`."""
        quantized, codes = self.quantizer(frames)
        return quantized, codes.long(), frames.new_zeros(())


class ScalarFSQ(Quantizer):
    """FSQ whose dimensions are written apart: a frame has a code for each, not one for their combination.

    Codes are few and each is seen often, and what a linear head reads is a sum over them, which is easily
    learned from the codes alone. The codes of a dimension stand behind each other, in order. Parameters and
    source are those of `FSQ`; the codebook's size is the sum of the levels.
    """

    first: torch.Tensor
    sizes: torch.Tensor
    rows: torch.Tensor

    def __init__(self, dim: int, levels: Sequence[int] = (4,) * 12):
        super().__init__()
        _check_levels(levels)
        self.quantizer: Any = vector_quantize_pytorch.FSQ(list(levels), dim=dim, return_indices=False)
        self.codebook_size, self.codebook_dim = sum(levels), 2 * len(levels)
        self.codes_per_frame = len(levels)
        rounded = [(torch.arange(n) - n // 2) / (n // 2) for n in levels]
        sizes = torch.tensor(levels)
        self.register_buffer("rows", torch.block_diag(*(row[:, None] for row in rounded)), persistent=False)
        self.register_buffer("first", sizes.cumsum(0) - sizes, persistent=False)
        self.register_buffer("sizes", sizes, persistent=False)

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors: by dimension the value, in -1 to 1, and then 1 in the code's own."""
        own = torch.arange(self.codes_per_frame, device=self.rows.device).repeat_interleave(self.sizes)
        return torch.cat([self.rows, nn.functional.one_hot(own, self.codes_per_frame)], dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What each code adds to its frame; the dimensions share the projection's bias evenly."""
        return _projected(self.rows[codes], self.quantizer.project_out, self.codes_per_frame)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames` (batch, n_frames, dim); with a loss of zero, see `Quantizer.forward`."""
        rounded = self.quantizer.quantize(self.quantizer.project_in(frames))
        middle = self.sizes // 2
        codes = (rounded * middle).round().long() + middle + self.first
        return self.quantizer.project_out(rounded), codes.flatten(1), frames.new_zeros(())


def _check_levels(levels: Sequence[int]) -> None:
    if not levels or min(levels) < 3:
        raise ValueError(f"levels are {list(levels)}; allowed is one or more whole numbers from 3.")


def _projected(rows: torch.Tensor, project: nn.Module, n_shares: int) -> torch.Tensor:
    """Rows of a codebook as a projection, if there is one, makes them; each with its share of the bias."""
    if not isinstance(project, nn.Linear):
        return rows
    return rows @ project.weight.T + project.bias / n_shares


class ResidualVQ(Quantizer):
    """Several codebooks behind each other, each for what the ones before leave over of a frame.

    A frame has one code a level; the codes of level k are those from ``k * codebook_size_per_level`` on, so
    that tokens tell the level. The codebooks are trained by moving averages, as `VQ` but not on directions.
    Source: Zeghidour et al. 2021, arXiv 2107.03312.

    Parameters
    ----------
    dim : int
        Size of the frames' vectors.
    levels : int
    codebook_size : int
        Codes a level.
    codebook_dim : int
    decay, commitment, dead_below : float
        As of `VQ`.
    """

    first: torch.Tensor

    def __init__(
        self,
        dim: int,
        levels: int = 2,
        codebook_size: int = 64,
        codebook_dim: int = 16,
        decay: float = 0.9,
        commitment: float = 0.25,
        dead_below: float = 2.0,
    ):
        super().__init__()
        self.codes_per_frame = levels
        self.codebook_size, self.codebook_dim = levels * codebook_size, codebook_dim
        self.quantizer: Any = vector_quantize_pytorch.ResidualVQ(
            dim=dim,
            num_quantizers=levels,
            codebook_size=codebook_size,
            codebook_dim=codebook_dim,
            **_moving_averages(decay, commitment, dead_below),
        )
        self.register_buffer("first", torch.arange(levels) * codebook_size, persistent=False)

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, codebook_dim), level after level."""
        return self.quantizer.codebooks.flatten(0, 1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What each code adds to its frame; the levels share the projection's bias evenly."""
        return _projected(self.codebook[codes], self.quantizer.project_out, self.codes_per_frame)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames` (batch, n_frames, dim), see `Quantizer.forward`."""
        self.require_trained(self.quantizer.layers[0]._codebook)
        quantized, codes, losses = self.quantizer(frames)
        return quantized, (codes.long() + self.first).flatten(1), losses.sum()


class KMeansVQ(Quantizer):
    """Codebook found by k-means on the frames of a network that was trained without one (as of HuBERT).

    While the network is trained the frames pass unchanged; `fit` is called on the training segments'
    frames afterwards, and the heads then read the codes' vectors, which they were not trained on.
    Source: Hsu et al. 2021, arXiv 2106.07447.

    Parameters
    ----------
    dim : int
        Size of the frames' vectors.
    codebook_size : int
    """

    centres: torch.Tensor
    fitted: torch.Tensor

    def __init__(self, dim: int, codebook_size: int = 64):
        super().__init__()
        self.codebook_size, self.codebook_dim = codebook_size, dim
        self.register_buffer("centres", torch.zeros(codebook_size, dim))
        self.register_buffer("fitted", torch.tensor(False))

    @torch.no_grad()
    def fit(self, frames: torch.Tensor, seed: int = 0) -> None:
        """Find the codebook on frames (batch, n_frames, dim).

        Raises
        ------
        ValueError
            If there are fewer frames than codes.
        """
        from sklearn.cluster import MiniBatchKMeans

        rows = frames.flatten(0, 1).cpu().numpy()
        if len(rows) < self.codebook_size:
            raise ValueError(
                f"k-means has {len(rows)} frames for a codebook of {self.codebook_size}; allowed are as many "
                "frames or more. Take a smaller codebook or more segments."
            )
        found = MiniBatchKMeans(self.codebook_size, batch_size=4096, n_init=3, random_state=seed).fit(rows)
        self.centres.copy_(torch.as_tensor(found.cluster_centers_))
        self.fitted.fill_(True)

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, dim)."""
        return self.centres

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What the network reads for `codes`: their shape with `dim` behind it."""
        return self.centres[codes]

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames` (batch, n_frames, dim), once fitted; see `Quantizer.forward`."""
        if not self.fitted:
            codes = torch.zeros(frames.shape[:2], dtype=torch.long, device=frames.device)
            return frames, codes, frames.new_zeros(())
        codes = torch.cdist(frames, self.centres[None].to(frames.dtype)).argmin(dim=-1)
        return self.decode(codes).to(frames.dtype), codes, frames.new_zeros(())


QUANTIZERS: dict[str, Callable[..., Quantizer]] = {
    "vq": VQ,
    "rvq": ResidualVQ,
    "kmeans": KMeansVQ,
    "fsq": FSQ,
    "scalar": ScalarFSQ,
}
