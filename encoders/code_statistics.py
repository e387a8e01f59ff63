"""How well a codebook is used, and what its codes keep of the frames and know of the labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from encoders.quantizers import Quantizer

__all__ = ["bin_statistics", "code_statistics", "mutual_information"]

SHUFFLES = 20
"""Of the labels, for what chance gives."""


@torch.no_grad()
def code_statistics(quantizer: Quantizer, frames: torch.Tensor, labels: np.ndarray) -> dict[str, float]:
    """Measure a codebook on segments that it was not trained on.

    Parameters
    ----------
    quantizer : Quantizer
        Fitted, in eval mode.
    frames : Tensor, shape (n_segments, n_frames, dim)
    labels : ndarray, shape (n_segments,)
        None or NaN where unknown.

    Returns
    -------
    dict of str to float
        ``usage``, share of the codes that occur; ``perplexity``, two to the entropy of the codes, which is
        the codebook's size where all occur alike; ``reconstruction_error``, of the quantized frames as a
        share of the frames' variance; and, where there are labels, ``mutual_information`` between a single
        code and its segment's label in bits, and ``label_entropy``, the most that it could be.
    """
    quantized, codes, _ = quantizer(frames)
    spread = (frames - frames.mean(dim=(0, 1))).pow(2).sum()
    error = float((frames - quantized).pow(2).sum() / spread) if spread > 0 else 0.0
    return _statistics(codes.cpu().numpy(), quantizer.codebook_size, error, labels)


def bin_statistics(values: np.ndarray, bins: np.ndarray, n_bins: int, labels: np.ndarray) -> dict[str, float]:
    """Measure the bins of one feature as `code_statistics` does a codebook.

    Parameters
    ----------
    values, bins : ndarray, shape (n_segments,)
        The feature, and which bin each value is in; -1 for NaN, which is left out. Some must be known.
    n_bins : int
    labels : ndarray, shape (n_segments,)
        None or NaN where unknown.

    Returns
    -------
    dict of str to float
        As `code_statistics`; each bin stands for the mean of the values in it.
    """
    found = bins >= 0
    values, bins = values[found].astype(float), bins[found]
    counts = np.bincount(bins, minlength=n_bins)
    means = np.bincount(bins, values, minlength=n_bins) / np.maximum(counts, 1)
    spread = np.square(values - values.mean()).sum()
    error = float(np.square(values - means[bins]).sum() / spread) if spread > 0 else 0.0
    return _statistics(bins[:, None], n_bins, error, labels[found])


def _statistics(codes: np.ndarray, n_codes: int, error: float, labels: np.ndarray) -> dict[str, float]:
    """What is said of codes (n_segments, n) out of `n_codes`."""
    counts = np.bincount(codes.ravel(), minlength=n_codes)
    found = {
        "usage": float((counts > 0).mean()),
        "perplexity": float(2 ** _entropy(counts)),
        "reconstruction_error": error,
    }
    known = pd.notna(labels)
    if not known.any():
        return found
    labels = np.asarray(labels, dtype=object)[known].astype(str)
    return found | {
        "mutual_information": mutual_information(codes[known], labels),
        "label_entropy": _entropy(np.unique(labels, return_counts=True)[1]),
    }


def mutual_information(codes: np.ndarray, labels: np.ndarray) -> float:
    """Mutual information of a code and its segment's label in bits, less what chance gives in such a sample.

    Counting overstates it, the more so the fewer segments there are and the more alike a segment's codes are.
    What it gives for labels that are shuffled over the segments, in the mean of some shuffles with a fixed
    seed, is taken off. Of unrelated labels the rest scatters around 0 if segments are independent; neighbours
    that share code and label, and subjects with codes of their own, leave more.

    Parameters
    ----------
    codes : ndarray, shape (n_segments, n_codes)
    labels : ndarray, shape (n_segments,)
    """
    if not codes.size:
        return float("nan")
    code = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
    label = np.unique(labels, return_inverse=True)[1]
    draw = np.random.default_rng(0)
    chance = np.mean([_information(code, draw.permutation(label)) for _ in range(SHUFFLES)])
    return float(_information(code, label) - chance)


def _information(code: np.ndarray, label: np.ndarray) -> float:
    n_codes, n_labels = code.max() + 1, label.max() + 1
    joint = np.bincount((code * n_labels + label[:, None]).ravel(), minlength=n_codes * n_labels)
    joint = joint.reshape(n_codes, n_labels)
    return _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.ravel())


def _entropy(counts: np.ndarray) -> float:
    """Entropy in bits of the distribution that counts stand for."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
