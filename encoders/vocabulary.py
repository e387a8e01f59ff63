"""Names of the signal tokens: readable, and the same for ever once a tokenizer is saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["bin_token", "bracket", "code_token", "level_token", "ordinal_vectors", "rotated"]


def bracket(name: str, close: bool = False) -> str:
    """``<|gsr|>`` opens a modality, ``<|/gsr|>`` closes it."""
    return f"<|/{name}|>" if close else f"<|{name}|>"


def code_token(stream: str, quantizer: str, code: int) -> str:
    """A codebook entry, ``<|emg_vq_0412|>``."""
    return f"<|{stream}_{quantizer}_{code:04d}|>"


def bin_token(feature: str, k: int) -> str:
    """The k-th quantile bin of a feature, ``<|gsr_scr_rate_07|>``."""
    return f"<|{feature}_{k:02d}|>"


def level_token(feature: str, k: int) -> str:
    """The k-th quantile bin of a feature as measured, ``<|gsr_level_abs_21|>``."""
    return f"<|{feature}_abs_{k:02d}|>"


def rotated(vectors: np.ndarray, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Vectors at unit spread, turned at random into `dim` dimensions.

    Codebooks of several streams then lie in different directions of one space, around places a quarter
    of the spread apart: the centre of every FSQ codebook with odd levels is the same zero vector.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    dim : int

    Returns
    -------
    ndarray, shape (n, dim)
    """
    centred = vectors - vectors.mean(axis=0)
    spread = centred.std() or 1.0
    turned = centred / spread @ rng.standard_normal((vectors.shape[1], dim)) / np.sqrt(vectors.shape[1])
    return turned + rng.standard_normal(dim) / 4


def ordinal_vectors(n_bins: Sequence[int], dim: int, rng: np.random.Generator) -> np.ndarray:
    """Vectors for the bins of several features: neighbours close, features apart.

    Parameters
    ----------
    n_bins : sequence of int, one a feature
    dim : int

    Returns
    -------
    ndarray, shape (sum of n_bins, dim)
        A random direction that says which feature, and one along which its bins stand in order.
    """
    rows = []
    for n in n_bins:
        place, direction = rng.standard_normal((2, dim))
        position = np.linspace(-1.5, 1.5, n)[:, None]
        rows.append((place + position * direction) / np.sqrt(2))
    return np.concatenate(rows) if rows else np.empty((0, dim))
