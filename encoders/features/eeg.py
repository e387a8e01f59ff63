"""EEG: band powers, frontal alpha asymmetry and Hjorth parameters, by channel or by region."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy import signal

from encoders.features.channels import Features, channel_keys, checked, measured
from encoders.features.numerics import centred, log_positive, ratio

__all__ = [
    "BANDS",
    "BROAD_BAND",
    "MOST_CHANNELS",
    "band_power",
    "by_group",
    "channel_groups",
    "eeg_features",
    "region",
    "spectrum",
]

BANDS = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}  # Hz
BROAD_BAND = (1.0, 45.0)  # Hz; leaves drifts and mains out
ASYMMETRY = {"faa": ("f4", "f3"), "faa_f8_f7": ("f8", "f7"), "faa_af4_af3": ("af4", "af3")}
MOST_CHANNELS = 6  # above this many channels, regions are described instead of channels
REGIONS = (
    ("frontal", r"(fp|af|f|fc)(\d+|z)"),
    ("temporal", r"(ft|t|tp)\d+"),
    ("central", r"c(\d+|z)"),
    ("parietal", r"(cp|p)(\d+|z)"),
    ("occipital", r"(po|o)(\d+|z)"),
)


def eeg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Spectral features of each channel, or the mean of each region where there are more than 6 channels.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in µV
    sampling_rate : float, in Hz; bands above half of it are left out
    channel_names : sequence of str
        Names of the 10-20 system and its extensions are put into regions; others stand alone.

    Returns
    -------
    dict of str to ndarray, shape (n_segments,), for each channel or region
        ``theta``, ``alpha``, ``beta``, ``gamma``, natural logarithm of the power in µV²; ``theta_relative``
        and so on, as a part of the power of all bands; ``mobility`` in Hz and ``complexity`` (1 for a sine)
        between 1 and 45 Hz. Once: ``faa`` (F4, F3), ``faa_f8_f7``, ``faa_af4_af3``, right minus left
        log alpha power, where both channels are present.

    Notes
    -----
    Welch spectra of 2 s Hann windows. Asymmetry: Coan and Allen (2004), Biological Psychology 67; Hjorth
    parameters from the moments of the spectrum: Hjorth (1970), Electroencephalogr. Clin. Neurophysiol. 29.
    """
    data = checked(data, sampling_rate, channel_names)
    values = measured(_measure, data, sampling_rate)
    keys = channel_keys(channel_names)
    features = by_group(values, channel_groups(keys))
    if "alpha" in values:
        for name, (right, left) in ASYMMETRY.items():
            if right in keys and left in keys:
                features[name] = values["alpha"][:, keys.index(right)] - values["alpha"][:, keys.index(left)]
    return features


def region(key: str) -> str | None:
    """Region of a 10-20 channel in lower case, frontal ones by side; None for any other name."""
    name = next((name for name, pattern in REGIONS if re.fullmatch(pattern, key)), None)
    if name != "frontal":
        return name
    if key.endswith("z"):
        return "frontal_midline"
    return "frontal_left" if int(key[-1]) % 2 else "frontal_right"


def channel_groups(keys: Sequence[str]) -> dict[str, list[int]]:
    """Channels of each region where there are more than 6; else, and of unknown names, each by itself."""
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        group = (region(key) or key) if len(keys) > MOST_CHANNELS else key
        groups.setdefault(group, []).append(index)
    return groups


def by_group(values: Features, groups: dict[str, list[int]]) -> Features:
    """Mean over the channels of each group, from (n_segments, n_channels), as ``<feature>_<group>``."""
    return {
        f"{name}_{group}": value[:, members].mean(-1)
        for group, members in groups.items()
        for name, value in values.items()
    }


def spectrum(data: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power density over the last axis: Welch, Hann windows of 2 s or all there is."""
    length = min(data.shape[-1], max(2, round(2 * sampling_rate)))
    return signal.welch(centred(data), sampling_rate, nperseg=length, detrend="constant")


def band_power(frequencies: np.ndarray, density: np.ndarray, low: float, high: float) -> np.ndarray:
    """Power in the bins from `low` to below `high`, in the unit of the data squared."""
    inside = (frequencies >= low) & (frequencies < high)
    return density[..., inside].sum(-1) * (frequencies[1] - frequencies[0])


def _measure(data: np.ndarray, sampling_rate: float) -> Features:
    frequencies, density = spectrum(data, sampling_rate)
    power = {
        name: band_power(frequencies, density, low, high)
        for name, (low, high) in BANDS.items()
        if high <= sampling_rate / 2
    }
    total = sum(power.values(), start=np.zeros(data.shape[:-1]))
    features = {name: log_positive(value) for name, value in power.items()}
    features |= {f"{name}_relative": ratio(value, total) for name, value in power.items()}
    return features | _hjorth(frequencies, density)


def _hjorth(frequencies: np.ndarray, density: np.ndarray) -> Features:
    inside = (frequencies >= BROAD_BAND[0]) & (frequencies <= BROAD_BAND[1])
    moments = (density[..., inside] @ frequencies[inside] ** order for order in (0, 2, 4))
    variance, first, second = moments
    mobility = np.sqrt(ratio(first, variance))
    return {"mobility": mobility, "complexity": ratio(np.sqrt(ratio(second, first)), mobility)}
