"""The short-time Fourier transform in seconds and hertz, and that of each data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["STFTS", "in_samples"]

STFTS: dict[str, dict[str, float]] = {
    "deap": {"window": 2.0, "hop": 1.0},  # trials of 60 s: resolution before time
    "seed_iv": {"window": 2.0, "hop": 1.0},  # trials of minutes, at 200 Hz: the same seconds as DEAP
    "gameemo": {"window": 1.0, "hop": 0.5},  # shorter windows: its segments are short
    "amigos": {"window": 1.0, "hop": 0.5},  # no choice of the reference: GAMEEMO's headset, rate, lengths
}
"""STFT windows and hops in s by data set, those of the GRU-XNet reference; half overlapping Hann windows."""
KEYS = ("window", "hop", "band")


def in_samples(options: Mapping[str, Any], sampling_rate: float) -> dict[str, Any]:
    """Options of a network that reads spectrograms, with `stft` in samples.

    Parameters
    ----------
    options : mapping
        Options of the network. ``stft``, if there, is a data set of `STFTS` or a mapping: ``window`` in s,
        ``hop`` in s, by default half the window, and ``band``, the lowest and highest frequency in Hz that
        are read, to the nearest bin, by default as the network has it.
    sampling_rate : float
        Hz.

    Returns
    -------
    dict
        In place of ``stft``: ``n_fft``, ``hop`` and, of a band, ``first_bin`` and ``n_bins``.

    Raises
    ------
    ValueError
        If the data set, a key or a value is not allowed, or the same is said in samples too.
    """
    if "stft" not in options:
        return dict(options)
    others = {name: value for name, value in options.items() if name != "stft"}
    found = _in_samples(options["stft"], sampling_rate)
    if twice := sorted(set(found) & set(others)):
        raise ValueError(f"network_options has stft and {twice}, the same in samples; give one of them.")
    return others | found


def _in_samples(stft: Any, sampling_rate: float) -> dict[str, int]:
    asked = STFTS.get(stft) if isinstance(stft, str) else stft
    if not isinstance(asked, Mapping) or "window" not in asked or set(asked) - set(KEYS):
        raise ValueError(
            f"stft is {stft!r}; allowed are {sorted(STFTS)}, or a mapping with window and, if wanted, hop in "
            "s and band in Hz."
        )
    window, hop, band = asked["window"], asked.get("hop"), asked.get("band")
    edges = band if isinstance(band, list | tuple) else ()
    numbers = [window, *edges] if hop is None else [window, hop, *edges]
    if len(edges) != (0 if band is None else 2) or not all(
        isinstance(number, int | float) and math.isfinite(number) for number in numbers
    ):
        raise ValueError(f"stft is {stft!r}; window and hop are numbers of s, band is two numbers of Hz.")
    hop = window / 2 if hop is None else hop
    n_fft, n_hop = round(window * sampling_rate), round(hop * sampling_rate)
    if not 0 < n_hop <= n_fft:
        raise ValueError(
            f"stft has window {window} s and hop {hop} s, {n_fft} and {n_hop} samples at {sampling_rate:g} "
            "Hz; allowed is a hop of a sample or more, up to the window."
        )
    options = {"n_fft": n_fft, "hop": n_hop}
    if band is None:
        return options
    low, high = edges
    if not 0 <= low < high <= sampling_rate / 2:
        raise ValueError(
            f"stft has the band {list(edges)} Hz; allowed are two rising frequencies from 0 to "
            f"{sampling_rate / 2:g} Hz."
        )
    first, last = (min(round(edge * n_fft / sampling_rate), n_fft // 2) for edge in edges)
    return options | {"first_bin": first, "n_bins": last - first + 1}
