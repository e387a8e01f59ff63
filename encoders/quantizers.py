"""From numbers to codes: quantile bins for features, learned codebooks for frames of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
import vector_quantize_pytorch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

__all__ = ["FSQ", "QUANTIZERS", "VQ", "QuantileBins"]


class QuantileBins(TransformerMixin, BaseEstimator):
    """Bins that hold equally many training values, for each feature on its own.

    Parameters
    ----------
    n_bins : int
        Bins a feature; a feature with many equal values gets fewer, since equal edges fall together.

    Attributes
    ----------
    edges_ : list of ndarray
        Inner edges of each feature, ascending; a value on an edge belongs to the bin above it.
    n_bins_ : ndarray, shape (n_features,)
        Bins of each feature.
    """

    def __init__(self, n_bins: int = 16):
        self.n_bins = n_bins

    def fit(self, values: np.ndarray, y: object = None) -> Self:
        """Find the edges on training `values`, shape (n_segments, n_features); NaN is left out."""
        if self.n_bins < 2:
            raise ValueError(f"n_bins is {self.n_bins}; allowed are whole numbers from 2.")
        values = _matrix(values)
        self.edges_ = [_quantile_edges(column[~np.isnan(column)], self.n_bins) for column in values.T]
        self.n_bins_ = np.array([len(edges) + 1 for edges in self.edges_])
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value, int64 of the shape of `values`; -1 for NaN.

        Raises
        ------
        ValueError
            If `values` has another number of features than in `fit`.
        """
        check_is_fitted(self)
        values = _matrix(values)
        if values.shape[1] != self.n_features_in_:
            raise ValueError(
                f"values have {values.shape[1]} features; the bins were fitted on {self.n_features_in_}."
            )
        columns = zip(self.edges_, values.T, strict=True)
        codes = np.stack([np.searchsorted(edges, column, side="right") for edges, column in columns], axis=1)
        return np.where(np.isnan(values), -1, codes)


def _matrix(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"values have shape {values.shape}; allowed is (n_segments, n_features).")
    return values


def _quantile_edges(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the inner edges, all of them values above the minimum, so that no bin is empty."""
    if len(values) == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, n_bins) / n_bins, method="higher"))
    return edges[edges > values.min()]


class VQ(nn.Module):
    """Learned codebook of directions, trained by moving averages, with dead codes replaced.

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
            kmeans_init=True,
            decay=decay,
            commitment_weight=commitment,
            threshold_ema_dead_code=dead_below,
        )

    @property
    def codebook(self) -> torch.Tensor:
        """The codes' vectors, shape (codebook_size, codebook_dim), each of length 1."""
        return self.quantizer.codebook

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """What the network reads for `codes`: their shape with `dim` behind it."""
        return self.quantizer.get_output_from_indices(codes)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize `frames`.

        Parameters
        ----------
        frames : Tensor, shape (batch, n_frames, dim)

        Returns
        -------
        quantized : Tensor, shape (batch, n_frames, dim)
        codes : Tensor of int64, shape (batch, n_frames)
        loss : scalar Tensor

        Raises
        ------
        RuntimeError
            If the codebook was never trained.
        """
        if not self.training and not self.quantizer._codebook.initted:
            raise RuntimeError("the VQ codebook was never trained; fit the network in training mode first.")
        quantized, codes, loss = self.quantizer(frames)
        return quantized, codes.long(), loss.sum()


class FSQ(nn.Module):
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
        if not levels or min(levels) < 3:
            raise ValueError(f"levels are {list(levels)}; allowed is one or more whole numbers from 3.")
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
        """Quantize `frames` (batch, n_frames, dim); return as `VQ.forward`, with a loss of zero."""
        quantized, codes = self.quantizer(frames)
        return quantized, codes.long(), frames.new_zeros(())


QUANTIZERS: dict[str, Callable[..., nn.Module]] = {"vq": VQ, "fsq": FSQ}
