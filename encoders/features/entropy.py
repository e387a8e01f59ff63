"""Entropies over the last axis: differential, spectral, permutation and sample entropy."""

from __future__ import annotations

import math

import numpy as np

from encoders.features.numerics import centred, log_positive, ratio

__all__ = ["differential_entropy", "permutation_entropy", "sample_entropy", "spectral_entropy"]

SERIES = 56  # counted together in `sample_entropy`: keeps the work inside the cache
COUNTS = 255  # the most that a byte can count


def differential_entropy(data: np.ndarray) -> np.ndarray:
    """Differential entropy of a band-passed signal, taken as Gaussian: ½ ln(2πe σ²).

    Parameters
    ----------
    data : ndarray, shape (..., n_samples), in µV for nats relative to 1 µV

    Returns
    -------
    ndarray, shape (...)
        NaN for a constant.

    Notes
    -----
    Duan, Zhu and Lu (2013), IEEE/EMBS NER: the feature of the SEED data sets. It is half the log band power
    plus a constant.
    """
    return 0.5 * (math.log(2 * math.pi * math.e) + log_positive(centred(data).var(-1)))


def spectral_entropy(density: np.ndarray) -> np.ndarray:
    """Shannon entropy of a power spectrum, as a part of that of a flat one: 0 for a line, 1 for white noise.

    Parameters
    ----------
    density : ndarray, shape (..., n_frequencies), at least 0
        The power in 2 or more bins of equal width, in any unit.

    Returns
    -------
    ndarray, shape (...)
        NaN where there is no power.

    Notes
    -----
    Inouye et al. (1991), Electroencephalogr. Clin. Neurophysiol. 79.
    """
    share = ratio(density, density.sum(-1, keepdims=True))
    return _shannon(share) / math.log(density.shape[-1])


def permutation_entropy(data: np.ndarray, order: int = 3, delay: int = 1) -> np.ndarray:
    """Shannon entropy of the orders of neighbouring samples, as a part of that of equally likely orders.

    Parameters
    ----------
    data : ndarray, shape (..., n_samples), more than ``(order - 1) * delay`` samples
    order : int, at least 2
        Samples that are compared.
    delay : int
        Samples from one to the next.

    Returns
    -------
    ndarray, shape (...)
        0 where all orders are the same (a ramp), 1 where all are equally frequent (white noise). Of equal
        samples the earlier one counts as the smaller. NaN for a constant.

    Notes
    -----
    Bandt and Pompe (2002), Physical Review Letters 88.
    """
    n_patterns = data.shape[-1] - (order - 1) * delay
    samples = [data[..., k * delay : k * delay + n_patterns] for k in range(order)]
    # Lehmer code: how many of the later samples are smaller, in the number system of the factorials.
    code = np.zeros(samples[0].shape, dtype=np.intp)
    for first in range(order - 1):
        smaller = sum((later < samples[first]).view(np.int8) for later in samples[first + 1 :])
        code += math.factorial(order - 1 - first) * np.asarray(smaller, dtype=np.intp)
    entropy = _shannon(_frequencies(code, math.factorial(order))) / math.log(math.factorial(order))
    return np.where(np.ptp(data, axis=-1) > 0, entropy, np.nan)


def sample_entropy(data: np.ndarray, dimension: int = 2, tolerance: float = 0.2) -> np.ndarray:
    """How rarely stretches that are alike stay alike one sample later, -ln(A / B).

    B counts the pairs of stretches of `dimension` samples that differ nowhere by more than the tolerance,
    A those of one sample more (Richman and Moorman 2000, Am. J. Physiol. 278). All pairs are counted, so the
    cost grows with the square of the length: half a millisecond for 1,280 samples, on one core.

    Parameters
    ----------
    data : ndarray, shape (..., n_samples), more than ``dimension + 1`` samples
    dimension : int
    tolerance : float
        In standard deviations (n - 1) of the series.

    Returns
    -------
    ndarray, shape (...)
        NaN for a constant, and where no stretch of ``dimension + 1`` samples is alike another.
    """
    series = data.reshape(-1, data.shape[-1])
    parts = [series[start : start + SERIES] for start in range(0, len(series), SERIES)]
    counts = [_alike(part, dimension, tolerance) for part in parts]
    shorter, longer = np.concatenate([np.empty((2, 0)), *counts], axis=1).reshape(2, *data.shape[:-1])
    entropy = log_positive(shorter) - log_positive(longer)
    return np.where(np.ptp(data, axis=-1) > 0, entropy, np.nan)


def _shannon(share: np.ndarray) -> np.ndarray:
    return -(share * np.log(np.where(share == 0, 1, share))).sum(-1)


def _frequencies(code: np.ndarray, n_codes: int) -> np.ndarray:
    """Relative frequency of each code along the last axis, shape (..., n_codes)."""
    rows = code.reshape(-1, code.shape[-1]) + n_codes * np.arange(math.prod(code.shape[:-1]))[:, None]
    counts = np.bincount(rows.ravel(), minlength=len(rows) * n_codes)
    return counts.reshape(*code.shape[:-1], n_codes) / code.shape[-1]


def _alike(series: np.ndarray, dimension: int, tolerance: float) -> np.ndarray:
    """Pairs of alike stretches of `dimension` samples and of one more, shape (2, n_series)."""
    n_series, n_samples = series.shape
    rank, lowest, width = (part.ravel() for part in _ranks(series, tolerance))
    n_stretches = n_samples - dimension
    # The sample is the slow axis: a shift in time is one slice of a flat array, for all series at once.
    total = np.zeros((2, n_stretches * n_series), dtype=np.uint32)
    count = np.zeros((2, n_stretches * n_series), dtype=np.uint8)
    for lag in range(1, n_stretches):
        # Unsigned numbers wrap: one comparison sees what lies below the lowest and above the highest rank.
        near = (rank[lag * n_series :] - lowest[: -lag * n_series]) <= width[: -lag * n_series]
        size = (n_stretches - lag) * n_series
        alike = near[:size]
        for step in range(1, dimension):
            alike = alike & near[step * n_series :][:size]
        count[0, :size] += alike.view(np.uint8)
        alike = alike & near[dimension * n_series :]
        count[1, :size] += alike.view(np.uint8)
        if lag % COUNTS == 0:
            total += count
            count[:] = 0
    return (total + count).reshape(2, n_stretches, n_series).sum(1)


def _ranks(series: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank of each sample in its series, the lowest rank inside its tolerance, and how many ranks that spans.

    Ranks stand for the values exactly, in a quarter of the memory. Each has shape (n_samples, n_series).
    """
    n_series, n_samples = series.shape
    ranks = np.empty((3, n_samples, n_series), dtype=np.min_scalar_type(n_samples))
    reach = tolerance * centred(series).std(-1, ddof=1)
    for row, values in enumerate(series):
        order = values.argsort()
        ordered = values[order]
        lowest = np.searchsorted(ordered, ordered - reach[row], "left")
        highest = np.searchsorted(ordered, ordered + reach[row], "right") - 1
        ranks[:, order, row] = np.arange(n_samples), lowest, highest - lowest
    return ranks[0], ranks[1], ranks[2]
