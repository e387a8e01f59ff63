"""Channels made of channels: the EMG's rectified envelope, tonic and phasic skin conductance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data_builders.preprocessing.filters import apply_filter, design_filter
from data_builders.recording import Signal

__all__ = ["envelopes", "slow_part", "with_envelope", "with_tonic_and_phasic"]

ORDER = 2


def with_envelope(signal: Signal, low_pass: float, causal: bool = False) -> Signal:
    """`signal` and, as ``NAME_envelope``, each channel rectified and smoothed below `low_pass` Hz."""
    envelope = slow_part(np.abs(signal.data), signal.sampling_rate, low_pass, causal)
    # The filter rings below 0 after a burst, and an amplitude cannot be negative.
    return _with_channels(signal, {"envelope": np.maximum(envelope, 0)})


def envelopes(channel_names: Sequence[str]) -> list[int]:
    """Positions of the channels that `with_envelope` has made."""
    made = {f"{name}_envelope" for name in channel_names}
    return [k for k, name in enumerate(channel_names) if name in made]


def with_tonic_and_phasic(signal: Signal, split: float, causal: bool = False) -> Signal:
    """`signal` and, as ``NAME_tonic`` and ``NAME_phasic``, its parts below and above `split` Hz."""
    tonic = slow_part(signal.data, signal.sampling_rate, split, causal)
    return _with_channels(signal, {"tonic": tonic, "phasic": signal.data - tonic})


def slow_part(data: np.ndarray, sampling_rate: float, low_pass: float, causal: bool) -> np.ndarray:
    """What lies below `low_pass` Hz, by a Butterworth filter of order 2."""
    sections = design_filter(sampling_rate, None, low_pass, order=ORDER)
    return apply_filter(data, sections, round(sampling_rate / low_pass), causal)


def _with_channels(signal: Signal, further: dict[str, np.ndarray]) -> Signal:
    names = tuple(f"{channel}_{part}" for part in further for channel in signal.channel_names)
    data = np.concatenate([signal.data, *further.values()])
    return replace(signal, data=data, channel_names=(*signal.channel_names, *names))
