"""EEG, the full set: delta, activity, entropies and connectivity beside the standard features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
from scipy import signal

from encoders.features.channels import Features, channel_keys, checked, measured
from encoders.features.connectivity import (
    ORDER,
    autoregression,
    coherence,
    directed_coherence,
    phase_locking,
)
from encoders.features.eeg import (
    BANDS,
    BROAD_BAND,
    MOST_CHANNELS,
    band_power,
    by_group,
    channel_groups,
    eeg_features,
    region,
    spectrum,
)
from encoders.features.entropy import (
    differential_entropy,
    permutation_entropy,
    sample_entropy,
    spectral_entropy,
)
from encoders.features.numerics import band_passed, blocks, centred, log_positive, ratio

__all__ = ["ENTROPY_SAMPLES", "FULL_BANDS", "SHORTEST", "SHORTEST_COUPLING", "full_eeg_features"]

FULL_BANDS = {"delta": (1.0, 4.0), **BANDS}  # Hz
LOWEST_RATE = 20.0  # Hz
SLOW_RATE = 100.0  # Hz; faster signals are decimated to between this and its double
SHORTEST = 2.0  # s; two periods of 1 Hz
SHORTEST_COUPLING = 4.0  # s; four periods of 1 Hz for phase locking, and seven windows for coherence
FIT_SAMPLES = 10  # for each coefficient of a channel in an autoregression
ENTROPY_SAMPLES = 200  # for sample entropy (Yentes et al. 2013, Ann. Biomed. Eng. 41)
PIECE = 10.0  # s; sample entropy is the mean over pieces of up to this length
SPECTRUM = ("delta", "delta_relative", "activity", "spectral_entropy")
ENTROPIES = ("sample_entropy", "permutation_entropy")


def full_eeg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`eeg_features`, and delta, activity, entropies and connectivity.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µV
    sampling_rate : float, in Hz, at least 20; bands above half of it are left out
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,)
        Those of `eeg_features`. For each channel or region: ``delta`` (1-4 Hz), natural logarithm of the
        power in µV²; ``delta_relative``, as a part of the power of all five bands; ``activity``, natural
        logarithm of the power from 1 to 45 Hz in µV²; ``de_<band>``, differential entropy in nats;
        ``spectral_entropy`` and ``permutation_entropy``, 0 to 1, and ``sample_entropy``, in nats, all three
        from 1 to 45 Hz. For each pair of channels, or of regions where there are more than 6 channels
        (others then have none): ``plv_<band>_<a>_and_<b>`` and ``coherence_<band>_<a>_and_<b>``, the mean
        over the pairs of their channels, and ``pdc_<band>_<a>_to_<b>``, between the mean signals of the
        regions, in standard deviations; all 0 to 1. NaN in segments under 2 s, connectivity under 4 s;
        sample entropy under 200 samples, and directions under 80 samples a channel or region.

    Raises
    ------
    ValueError
        If the sampling rate is below 20 Hz.

    Notes
    -----
    Differential, permutation and sample entropy and the connectivity are of the signal at 100 to 200 Hz, to
    which faster ones are decimated: they depend on the rate. Sample entropy is the mean over pieces of up to
    10 s, as its cost grows with the square of the length. The sources are with the functions of
    `encoders.features.entropy` and `encoders.features.connectivity`, and so is what volume conduction does.
    """
    if sampling_rate < LOWEST_RATE:
        raise ValueError(
            f"sampling_rate is {sampling_rate} Hz; the full set of EEG features needs {LOWEST_RATE:g} Hz or "
            "more. Use a faster recording, or the standard set."
        )
    features = eeg_features(data, sampling_rate, channel_names)
    data, keys = checked(data, sampling_rate, channel_names), channel_keys(channel_names)
    features |= by_group(measured(_measure, data, sampling_rate), channel_groups(keys))
    nodes = _nodes(keys)
    return (features | _connectivity(data, sampling_rate, nodes)) if len(nodes) > 1 else features


def _step(sampling_rate: float) -> int:
    return max(1, int(sampling_rate / SLOW_RATE))


def _slowed(data: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, float]:
    """Centred data at 100 to 200 Hz, and that rate."""
    data, step = centred(data), _step(sampling_rate)
    return (signal.decimate(data, step, ftype="fir") if step > 1 else data), sampling_rate / step


def _bands(sampling_rate: float) -> dict[str, tuple[float, float]]:
    return {name: band for name, band in FULL_BANDS.items() if band[1] <= sampling_rate / 2}


def _measure(data: np.ndarray, sampling_rate: float) -> Features:
    bands = _bands(sampling_rate)
    if data.shape[-1] < SHORTEST * sampling_rate:
        names = [*SPECTRUM, *(f"de_{band}" for band in bands), *ENTROPIES]
        return dict.fromkeys(names, np.full(data.shape[:-1], np.nan))
    slow, slow_rate = _slowed(data, sampling_rate)
    broad = band_passed(slow, slow_rate, BROAD_BAND)
    return {
        **_spectral(data, sampling_rate),
        **{
            f"de_{name}": differential_entropy(band_passed(slow, slow_rate, band))
            for name, band in bands.items()
        },
        "sample_entropy": _mean_sample_entropy(broad, slow_rate),
        "permutation_entropy": permutation_entropy(broad),
    }


def _spectral(data: np.ndarray, sampling_rate: float) -> Features:
    frequencies, density = spectrum(data, sampling_rate)
    power = {
        name: band_power(frequencies, density, low, high)
        for name, (low, high) in _bands(sampling_rate).items()
    }
    inside = (frequencies >= BROAD_BAND[0]) & (frequencies <= BROAD_BAND[1])
    broad = density[..., inside]
    return {
        "delta": log_positive(power["delta"]),
        "delta_relative": ratio(power["delta"], sum(power.values(), start=np.zeros(data.shape[:-1]))),
        "activity": log_positive(broad.sum(-1) * (frequencies[1] - frequencies[0])),
        "spectral_entropy": spectral_entropy(broad),
    }


def _mean_sample_entropy(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Over equal pieces of up to 10 s."""
    n_samples = data.shape[-1]
    if n_samples < ENTROPY_SAMPLES:
        return np.full(data.shape[:-1], np.nan)
    n_pieces = int(np.ceil(n_samples / (PIECE * sampling_rate)))
    return sample_entropy(blocks(data, n_samples // n_pieces)).mean(-1)


def _nodes(keys: Sequence[str]) -> dict[str, list[int]]:
    """Channels of each end of a connection; pairs of lone electrodes would be too many."""
    groups = channel_groups(keys)
    if len(keys) <= MOST_CHANNELS:
        return groups
    regions = {region(key) for key in keys}
    return {name: members for name, members in groups.items() if name in regions}


def _connectivity(data: np.ndarray, sampling_rate: float, nodes: dict[str, list[int]]) -> Features:
    finite = np.isfinite(data).all(-1, keepdims=True)
    usable = finite & (np.ptp(np.where(finite, data, 0.0), axis=-1, keepdims=True) > 0)
    # All of a channel: one that is dead must not pass as a part of its region's mean.
    slow, slow_rate = _slowed(np.where(usable, data, np.nan), sampling_rate)
    return _coupling(slow, slow_rate, nodes) | _direction(slow, slow_rate, nodes)


def _coupling(data: np.ndarray, sampling_rate: float, nodes: dict[str, list[int]]) -> Features:
    features: Features = {}
    enough = data.shape[-1] >= SHORTEST_COUPLING * sampling_rate
    missing = np.full((*data.shape[:2], data.shape[1]), np.nan)
    for measure, function in {"plv": phase_locking, "coherence": coherence}.items():
        for name, band in _bands(sampling_rate).items():
            values = function(data, sampling_rate, band) if enough else missing
            for (one, ours), (other, theirs) in combinations(nodes.items(), 2):
                features[f"{measure}_{name}_{one}_and_{other}"] = values[:, ours][:, :, theirs].mean((1, 2))
    return features


def _direction(data: np.ndarray, sampling_rate: float, nodes: dict[str, list[int]]) -> Features:
    features: Features = {}
    enough = data.shape[-1] >= FIT_SAMPLES * ORDER * len(nodes)
    means = np.stack([data[:, members].mean(1) for members in nodes.values()], axis=1)
    coefficients = autoregression(ratio(means, means.std(-1, keepdims=True))) if enough else None
    missing = np.full((len(data), len(nodes), len(nodes)), np.nan)
    for name, band in _bands(sampling_rate).items():
        values = missing if coefficients is None else directed_coherence(coefficients, sampling_rate, band)
        for (source, one), (sink, other) in permutations(enumerate(nodes), 2):
            features[f"pdc_{name}_{one}_to_{other}"] = values[:, sink, source]
    return features
