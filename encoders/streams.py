"""Streams: what one encoder network reads, with the filters that each modality needs before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfiltfilt

from data_builders.preprocessing import envelopes
from data_builders.segments import Segments, SignalSpec

__all__ = [
    "FAST_ABOVE",
    "StreamSpec",
    "default_streams",
    "plain_channels",
    "stream_arrays",
]

FAST_ABOVE = 32.0  # Hz: faster modalities are streams of their own, the others are read together
CHUNK = 256  # segments that are filtered at a time, which bounds the memory of the float64 copies


@dataclass(frozen=True)
class StreamSpec:
    """What one encoder network reads.

    Parameters
    ----------
    name : str
    modalities : tuple of str
        Whose channels are joined, in this order.
    sampling_rate : float
        In Hz, of the stream; slower modalities are interpolated to it.
    channel_names : tuple of str
        With the derived channels that `stream_arrays` adds.
    n_samples : int
        Of a segment.
    frame_stride : int
        Samples a frame.
    """

    name: str
    modalities: tuple[str, ...]
    sampling_rate: float
    channel_names: tuple[str, ...]
    n_samples: int
    frame_stride: int

    @property
    def n_channels(self) -> int:
        """Channels that the network reads."""
        return len(self.channel_names)

    @property
    def n_frames(self) -> int:
        """Frames of a segment."""
        return self.n_samples // self.frame_stride


def high_pass(x: np.ndarray, sampling_rate: float, cutoff: float) -> np.ndarray:
    """Filter (..., n_samples) forwards and backwards by a Butterworth high-pass at `cutoff` Hz."""
    sos = butter(2, cutoff, "highpass", fs=sampling_rate, output="sos")
    # Three time constants of mirrored signal let the filter settle before the segment starts.
    padding = min(x.shape[-1] - 1, round(0.5 * sampling_rate / cutoff))
    passed = sosfiltfilt(sos, x, axis=-1, padlen=padding)
    # What rounding leaves of a constant is no signal, and normalisation would make one of it.
    passed[np.ptp(x, axis=-1) == 0] = 0.0
    return passed


def log_rectified(x: np.ndarray) -> np.ndarray:
    """Return log(|x| + rms / 10) of (..., n_samples): the amplitude on a scale that networks read easily.

    A gain `g` of the amplifier moves the result by log(g) and changes nothing else. NaN where `x` is zero
    throughout: any finite number far below the others would set the scale of all windows of its subject.
    """
    rms = np.sqrt(np.mean(x**2, axis=-1, keepdims=True))
    return np.log(np.abs(x) + np.where(rms > 0, 0.1 * rms, np.nan))


HIGH_PASS = {"emg": 20.0, "eeg": 0.5, "ecg": 0.5}
"""Modality -> Hz, or a tenth of the sampling rate where that is lower; the others are read as they are."""
DERIVED = {"emg": "log_rectified", "eeg": "log_rectified"}
"""Modality -> suffix of a copy of each of its channels."""


def prepared(x: np.ndarray, sampling_rate: float, modality: str, channel_names: Sequence[str]) -> np.ndarray:
    """High-pass the channels of a modality, and append their log-rectified copies where it has some.

    Parameters
    ----------
    x : ndarray, shape (n_segments, n_channels, n_samples)
    sampling_rate : float, in Hz
    modality : str
    channel_names : sequence of str
        Envelopes among them, which lie below the high-pass, are left as they are.

    Returns
    -------
    ndarray, shape (n_segments, n_channels or 2 * n_channels, n_samples)
    """
    if modality not in HIGH_PASS:
        return x
    x = x.astype(np.float64)
    passed = high_pass(x, sampling_rate, min(HIGH_PASS[modality], sampling_rate / 10))
    slow = envelopes(channel_names)
    passed[:, slow] = x[:, slow]
    return np.concatenate([passed, log_rectified(passed)], axis=-2) if modality in DERIVED else passed


def plain_channels(stream: StreamSpec) -> list[int]:
    """Positions of the channels that are not derived from another one of the stream."""
    copies = {f"{name}_{suffix}" for name in stream.channel_names for suffix in DERIVED.values()}
    return [k for k, name in enumerate(stream.channel_names) if name not in copies]


def default_streams(
    specs: Mapping[str, SignalSpec], n_seconds: float, frame_seconds: float | Mapping[str, float] = 2.0
) -> list[StreamSpec]:
    """Share the modalities out to streams.

    Each modality above 32 Hz is a stream of its own name. The others are joined into one stream at the
    highest rate among them: ``peripheral``, or the modality's own name if it is alone.

    Parameters
    ----------
    specs : mapping of str to SignalSpec
        By modality.
    n_seconds : float
        Length of a segment in s.
    frame_seconds : float or mapping of str to float
        Length of a frame in s, for all streams or by the stream's name.

    Returns
    -------
    list of StreamSpec
        The fast ones in the order of `specs`, then the slow one.

    Raises
    ------
    ValueError
        If there is no modality, or a frame is longer than a segment or shorter than a sample.
    KeyError
        If `frame_seconds` lacks a stream.
    """
    if not specs:
        raise ValueError("there is no modality to make streams of.")
    groups: dict[str, tuple[str, ...]] = {
        name: (name,) for name, spec in specs.items() if spec.sampling_rate > FAST_ABOVE
    }
    slow = tuple(name for name in specs if name not in groups)
    if slow:
        groups["peripheral" if len(slow) > 1 else slow[0]] = slow
    return [_stream(name, names, specs, n_seconds, frame_seconds) for name, names in groups.items()]


def _stream(
    name: str,
    modalities: tuple[str, ...],
    specs: Mapping[str, SignalSpec],
    n_seconds: float,
    frame_seconds: float | Mapping[str, float],
) -> StreamSpec:
    if isinstance(frame_seconds, Mapping) and name not in frame_seconds:
        raise KeyError(f"frame_seconds names {sorted(frame_seconds)} but not the stream {name!r}.")
    seconds = frame_seconds[name] if isinstance(frame_seconds, Mapping) else frame_seconds
    rate = max(specs[modality].sampling_rate for modality in modalities)
    n_samples, stride = round(n_seconds * rate), round(seconds * rate)
    if not 1 <= stride <= n_samples:
        raise ValueError(
            f"stream {name!r}: a frame of {seconds} s is {stride} samples at {rate} Hz; allowed are 1 to "
            f"{n_samples}, the segment's {n_seconds} s. Change frame_seconds."
        )
    channels = tuple(channel for m in modalities for channel in _channel_names(m, specs[m]))
    return StreamSpec(name, modalities, rate, channels, n_samples, stride)


def _channel_names(modality: str, spec: SignalSpec) -> tuple[str, ...]:
    names = tuple(spec.channel_names)
    if modality not in DERIVED:
        return names
    return names + tuple(f"{name}_{DERIVED[modality]}" for name in names)


def stream_arrays(segments: Segments, streams: Sequence[StreamSpec]) -> dict[str, np.ndarray]:
    """Filter, interpolate and join the signals of each stream; nothing is fitted or normalised.

    Parameters
    ----------
    segments : Segments
    streams : sequence of StreamSpec
        From `default_streams` on the same specs.

    Returns
    -------
    dict of str to ndarray, shape (n_segments, n_channels, n_samples), float32
        NaN in the log-rectified copy of a channel that is constant over a segment, and nowhere else.

    Raises
    ------
    ValueError
        If a modality is missing or has other channels or a NaN; the message names it and the segment.
    """
    return {stream.name: _stream_array(segments, stream) for stream in streams}


def _stream_array(segments: Segments, stream: StreamSpec) -> np.ndarray:
    missing = sorted(set(stream.modalities) - set(segments.signals))
    if missing:
        raise ValueError(
            f"stream {stream.name!r} needs {missing}; the segments have {sorted(segments.signals)}. "
            "Prepare these recordings with the same modalities."
        )
    out = np.empty((len(segments), stream.n_channels, stream.n_samples), dtype=np.float32)
    first = 0
    for modality in stream.modalities:
        n_channels = len(_channel_names(modality, segments.specs[modality]))
        _fill(out[:, first : first + n_channels], segments, modality, stream)
        first += n_channels
    if first != stream.n_channels:
        raise ValueError(
            f"stream {stream.name!r} has {stream.n_channels} channels {list(stream.channel_names)}; "
            f"the segments give {first}. Make the streams from the specs of these recordings."
        )
    return out


def _fill(out: np.ndarray, segments: Segments, modality: str, stream: StreamSpec) -> None:
    """Prepare one modality, some segments at a time, into `out` (n_segments, n_channels, n_samples)."""
    signal, rate = segments.signals[modality], segments.specs[modality].sampling_rate
    _check_finite(signal, modality, segments)
    names = segments.specs[modality].channel_names
    for start in range(0, len(signal), CHUNK):
        x = prepared(signal[start : start + CHUNK], rate, modality, names)
        out[start : start + CHUNK] = interpolate(x, rate, stream.sampling_rate, stream.n_samples)


def _check_finite(signal: np.ndarray, modality: str, segments: Segments) -> None:
    broken = ~np.isfinite(signal).all(axis=(1, 2))
    if broken.any():
        names = segments.table["segment"].to_numpy()[broken]
        raise ValueError(
            f"{modality} has NaN or infinite samples in {broken.sum()} of {len(broken)} segments, the first "
            f"is {names[0]!r}. Interpolate short gaps or leave these segments out before encoding."
        )


def interpolate(x: np.ndarray, rate: float, new_rate: float, n_samples: int) -> np.ndarray:
    """Interpolate (..., T) at `rate` Hz linearly to `n_samples` at `new_rate` Hz; the last value is held."""
    if rate == new_rate and x.shape[-1] == n_samples:
        return x
    position = np.minimum(np.arange(n_samples) * (rate / new_rate), x.shape[-1] - 1)
    left = np.floor(position).astype(int)
    right = np.minimum(left + 1, x.shape[-1] - 1)
    weight = position - left
    return x[..., left] * (1 - weight) + x[..., right] * weight
