"""Signals from parameters: skin conductance, heart beats, muscle and brain activity.

Each function takes `values` (name to one value a stretch, in the units of `physiology.PARAMETERS`), the
stretches' `edges` in seconds, the sampling rate in Hz and a generator. Nothing in them knows the time in
the session: all drifts are stationary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from data_builders.simulation.montages import electrode_positions
from data_builders.simulation.physiology import MONTAGE, MUSCLES

__all__ = ["WAVEFORMS", "beat_times", "ecg", "eeg", "emg", "gsr"]

Values = Mapping[str, np.ndarray]
CONTROL_RATE = 20.0
WARM_UP = 30.0
CHUNK = 16384
"""Samples that are computed in double precision at a time, which bounds the memory of long sessions."""


def gsr(values: Values, edges: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Skin conductance in µS, shape (1, n_samples): level, stationary drift, and bi-exponential SCRs.

    Rise 0.75 s and decay 2 s after Boucsein (2012); the level follows a stretch with a lag of 3 s.
    """
    from scipy.signal import fftconvolve

    n = _n_samples(edges, rate)
    onsets, stretch = _events(values["scr_rate"], edges, rng, lead=WARM_UP)
    sizes = values["scr_amplitude"][stretch] * np.exp(0.3 * rng.standard_normal(len(onsets)))
    lead = round(WARM_UP * rate)
    responses = _impulses(onsets, sizes, rate, n + lead, -WARM_UP)
    time = np.arange(round(20 * rate)) / rate
    kernel = np.exp(-time / 2.0) - np.exp(-time / 0.75)
    responses = fftconvolve(responses, kernel / kernel.max())[lead : lead + n]
    drift = 0.015 * _noise(rng, 1, max(n, round(600 * rate)), rate, _band(0.004, 0.02))[0, :n]
    level = course(values["tonic_level"], edges, np.arange(n) / rate, lag=3.0)
    return (level * np.exp(drift) + responses + 0.001 * rng.standard_normal(n))[None].astype(np.float32)


def beat_times(values: Values, edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Times of the R peaks in seconds, from 5 s before the recording to 5 s after its end.

    The successive differences of the RR intervals have 70 % of their mean square (RMSSD²) from
    respiratory sinus arrhythmia at the subject's 0.2-0.3 Hz, 15 % from a wave at 0.1 Hz, 15 % at random.
    """
    time = np.arange(-5.0, edges[-1] + 5.0, 1 / CONTROL_RATE)
    rr = 60.0 / course(values["heart_rate"], edges, time, lag=2.0)
    rmssd = course(values["rmssd"], edges, time, lag=2.0) / 1000.0
    waves = np.zeros_like(time)
    for share, frequency in ((0.70, rng.uniform(0.2, 0.3)), (0.15, 0.1)):
        phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * frequency * time
        waves += np.sqrt(share / 2) / np.sin(np.pi * frequency * rr) * np.sin(phase)
    phase = np.cumsum(1 / (rr + rmssd * waves)) / CONTROL_RATE
    beats = np.interp(np.arange(np.ceil(phase[0]), phase[-1]), phase, time)
    jitter = np.sqrt(0.15 / 6) * np.interp(beats, time, rmssd)
    return beats + jitter * rng.standard_normal(len(beats))


def ecg(values: Values, edges: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Lead II in mV, shape (1, n_samples): a sum of Gaussians for P, Q, R, S and T on each beat.

    The model of McSharry et al. (2003), IEEE TBME 50, 289-294, with the T wave moving as √RR (Bazett).
    """
    beats = beat_times(values, edges, rng)
    time = np.arange(_n_samples(edges, rate)) / rate
    following = np.searchsorted(beats, time)
    gain = np.exp(0.15 * rng.standard_normal(5))
    heights = gain * np.array([0.12, -0.10, 1.0, -0.18, 0.28])
    signal = 0.015 * rng.standard_normal(len(time))
    for shift in (-1, 0):
        beat = beats[following + shift]
        stretch = np.sqrt(np.diff(beats, append=beats[-1] + 0.8)[following + shift])
        for height, offset, width in zip(
            heights, (-0.18, -0.035, 0.0, 0.035, 0.30), (0.025, 0.011, 0.013, 0.012, 0.05), strict=True
        ):
            late = stretch if offset > 0.1 else 1.0
            signal += height * np.exp(-0.5 * ((time - beat - offset * late) / width) ** 2)
    wander = _noise(rng, 1, max(len(time), round(60 * rate)), rate, _band(0.1, 0.4))[0]
    signal += 0.05 * wander[: len(time)]
    return signal[None].astype(np.float32)


def emg(
    values: Values,
    edges: np.ndarray,
    rate: float,
    rng: np.random.Generator,
    muscles: Sequence[str] = MUSCLES,
) -> np.ndarray:
    """Facial EMG in µV, shape (n_muscles, n_samples): noise of a set median frequency, gated by bursts.

    Bursts of 1 s are shared by the muscles, each with its own size; between them is a tone of 2 µV RMS.
    """
    bounds = np.append(np.round(edges[:-1] * rate), _n_samples(edges, rate)).astype(int)
    signal = np.empty((len(muscles), bounds[-1]), dtype=np.float32)
    for median, start, stop in zip(values["median_frequency"], bounds[:-1], bounds[1:], strict=True):
        signal[:, start:stop] = _noise(rng, len(muscles), stop - start, rate, muscle_spectrum(median, rate))
    control, envelopes = _burst_envelopes(values, edges, rng, muscles)
    tone = 2.0 * np.exp(0.2 * rng.standard_normal((len(muscles), 1)))
    for part in _chunks(bounds[-1]):
        time = np.arange(part.start, part.stop) / rate
        for row, envelope in zip(signal, tone + envelopes, strict=True):
            row[part] *= np.interp(time, control, envelope).astype(np.float32)
    return signal


def _burst_envelopes(
    values: Values, edges: np.ndarray, rng: np.random.Generator, muscles: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Control times in seconds and the muscles' RMS in bursts in µV, shape (n_muscles, n_times)."""
    from scipy.signal import fftconvolve

    onsets, stretch = _events(values["burst_rate"], edges, rng)
    gains = np.exp(0.25 * rng.standard_normal((1, len(onsets))))
    gains = gains * np.exp(0.25 * rng.standard_normal((len(muscles), len(onsets))))
    control = np.arange(0, edges[-1] + 1 / CONTROL_RATE, 1 / CONTROL_RATE)
    trains = [
        _impulses(onsets, gain * values[muscle][stretch], CONTROL_RATE, len(control))
        for gain, muscle in zip(gains, muscles, strict=True)
    ]
    burst = np.hanning(round(CONTROL_RATE) + 2)[None]
    return control, fftconvolve(np.stack(trains), burst, axes=1)[:, : len(control)]


def muscle_spectrum(median: float, rate: float) -> Callable[[np.ndarray], np.ndarray]:
    """Power density of Stulen & De Luca (1981), within 20-450 Hz and 0.45 of the rate, by its median.

    Parameters
    ----------
    median : float
        Wanted median frequency in Hz; lower rates reach only lower ones.
    rate : float
        Sampling rate in Hz.
    """
    top = min(450.0, 0.45 * rate)
    grid = np.linspace(20.0, top, 400)

    def density(frequency: np.ndarray, high: np.ndarray | float) -> np.ndarray:
        low = 0.5 * high
        power = frequency**2 / ((frequency**2 + low**2) * (frequency**2 + high**2) ** 2)
        return power * (frequency >= 20.0) * (frequency <= top)

    highs = np.geomspace(10.0, 1000.0, 200)
    total = np.cumsum(density(grid[None], highs[:, None]), axis=1)
    medians = grid[(total < total[:, -1:] / 2).sum(1).clip(max=len(grid) - 1)]
    high = float(np.interp(median, medians, highs))
    return lambda frequency: density(frequency, high)


def eeg(
    values: Values,
    edges: np.ndarray,
    rate: float,
    rng: np.random.Generator,
    montage: Sequence[str] = MONTAGE,
) -> np.ndarray:
    """EEG in µV, shape (n_electrodes, n_samples): a 1/f background with theta, alpha and beta.

    Neighbouring electrodes share sources. Alpha is largest at the back, at the subject's own 9-11 Hz,
    theta at the front; the asymmetry moves alpha power between the frontal electrodes of both sides.
    """
    n = _n_samples(edges, rate)
    mixing, front, side = _layout(montage)
    peak = rng.uniform(9.5, 10.5)
    bands = {
        "theta": (4.0, 8.0, 1.0 + 0.5 * front),
        "alpha": (peak - 1.5, peak + 1.5, 1.0 - 0.5 * front),
        "beta": (13.0, 30.0, np.ones(len(montage))),
    }
    signal = 5.0 * (mixing @ _noise(rng, len(montage), n, rate, lambda f: (f >= 0.5) / np.maximum(f, 0.5)))
    for name, (low, high, topography) in bands.items():
        band = mixing @ _noise(rng, len(montage), n, rate, _band(low, high))
        for part in _chunks(n):
            time = np.arange(part.start, part.stop) / rate
            power = np.log(course(values[name], edges, time, lag=0.5))[None] + np.log(topography)[:, None]
            if name == "alpha":
                asymmetry = course(values["frontal_asymmetry"], edges, time, lag=0.5)
                power = power + 0.5 * asymmetry * (side * (front > 0))[:, None]
            signal[:, part] += band[:, part] * np.exp(0.5 * power).astype(np.float32)
    return signal


WAVEFORMS: dict[str, Callable[..., np.ndarray]] = {
    "emg": emg,
    "eeg": eeg,
    "ecg": ecg,
    "gsr": gsr,
}


def _layout(montage: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mixing of unit-variance sources (n, n), front (1) to back (-1) and right (1), left (-1) or between."""
    x, y = electrode_positions(montage).T
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    mixing = np.exp(-((distance / 0.5) ** 2))
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    return mixing.astype(np.float32), y, np.sign(x)


def course(values: np.ndarray, edges: np.ndarray, time: np.ndarray, lag: float) -> np.ndarray:
    """Values of the stretches as a curve over `time` that follows each step with a time constant `lag`."""
    curve = np.empty(len(time))
    for part in _chunks(len(time)):
        curve[part] = _course(values, edges, time[part], lag)
    return curve


def _course(values: np.ndarray, edges: np.ndarray, time: np.ndarray, lag: float) -> np.ndarray:
    index = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, len(values) - 1)
    reached = edges[1:-1] <= time[-1]
    elapsed = time[None] - edges[1:-1][reached, None]
    steps = np.diff(values)[reached, None]
    return values[index] - (steps * np.exp(-np.maximum(elapsed, 0) / lag) * (elapsed >= 0)).sum(0)


def _chunks(n_samples: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, n_samples)) for start in range(0, n_samples, CHUNK))


def _band(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """Flat power density from `low` to `high` Hz."""
    return lambda frequency: (frequency >= low) * (frequency < high)


def _n_samples(edges: np.ndarray, rate: float) -> int:
    """Samples that cover the whole session."""
    return int(np.ceil(edges[-1] * rate - 1e-6))


def _noise(
    rng: np.random.Generator,
    n_channels: int,
    n_samples: int,
    rate: float,
    density: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Gaussian noise of unit variance and the given power density, shape (n_channels, n_samples) float32."""
    from scipy.fft import irfft, next_fast_len

    length = next_fast_len(n_samples, real=True)
    amplitude = np.sqrt(density(np.fft.rfftfreq(length, 1 / rate)).astype(float))
    amplitude *= length / np.sqrt(4 * np.sum(amplitude**2))
    parts = rng.standard_normal((n_channels, len(amplitude), 2), dtype=np.float32)
    spectrum = parts.view(np.complex64)[..., 0] * amplitude.astype(np.float32)
    return irfft(spectrum, length, axis=1)[:, :n_samples]


def _events(
    per_minute: np.ndarray, edges: np.ndarray, rng: np.random.Generator, lead: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Poisson events: their times in seconds and their stretches; the first stretch starts `lead` earlier."""
    starts = edges[:-1] - lead * (np.arange(len(per_minute)) == 0)
    lengths = edges[1:] - starts
    stretch = np.repeat(np.arange(len(per_minute)), rng.poisson(per_minute * lengths / 60.0))
    return starts[stretch] + lengths[stretch] * rng.random(len(stretch)), stretch


def _impulses(
    times: np.ndarray, sizes: np.ndarray, rate: float, n_samples: int, start: float = 0.0
) -> np.ndarray:
    """Impulses on a grid from `start` seconds, shape (n_samples,), each shared by the two nearest samples."""
    position = (times - start) * rate
    index = np.floor(position).astype(int).clip(0, n_samples - 2)
    share = (position - index).clip(0, 1)
    train = np.bincount(index, sizes * (1 - share), n_samples)
    return train + np.bincount(index + 1, sizes * share, n_samples)
