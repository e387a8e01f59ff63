"""ECG: R waves that point up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_builders.recording import Signal

__all__ = ["upright"]

BEAT = 2.0  # s, in which there is a beat at 30 a minute and above


def upright(signal: Signal, start: float = 0.0, stop: float = np.inf) -> Signal:
    """`signal` with those channels turned over whose largest deflections point down.

    A channel is turned if, of the largest deflections from the median in each 2 s, more than half point
    down: the rule of NeuroKit2's `ecg_invert` (Makowski et al. 2021). Leads that are negative by nature
    (aVR) are turned too.

    Parameters
    ----------
    signal : Signal
    start, stop : float, in s
        The stretch that is looked at.

    Raises
    ------
    ValueError
        If the stretch is empty.
    """
    rate = signal.sampling_rate
    seen = signal.data[:, round(start * rate) : None if np.isinf(stop) else round(stop * rate)]
    if not seen.shape[1]:
        raise ValueError(
            f"ECG polarity: the stretch from {start:g} to {stop:g} s holds no sample of "
            f"{signal.duration:g} s. Set ecg's 'upright' to false, or give the recording a baseline."
        )
    signs = [-1.0 if _points_down(channel, max(1, round(BEAT * rate))) else 1.0 for channel in seen]
    return replace(signal, data=signal.data * np.array(signs, np.float32)[:, None])


def _points_down(channel: np.ndarray, length: int) -> bool:
    known = channel[np.isfinite(channel)]
    if not known.size:
        return False
    known = known - np.median(known)
    n_beats = max(1, known.size // length)
    beats = known[: n_beats * length].reshape(n_beats, -1)
    largest = beats[np.arange(n_beats), np.abs(beats).argmax(axis=1)]
    return bool(np.mean(largest < 0) > 0.5)
