"""ECG and pulse wave: heart rate and its variability, in time and frequency, of the beats in the window."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy import interpolate, signal

from encoders.features.channels import Features, by_channel
from encoders.features.numerics import centred, filtered

__all__ = [
    "MINIMUM",
    "beat_intervals",
    "ecg_features",
    "full_ecg_features",
    "full_pulse_features",
    "hrv",
    "hrv_spectrum",
    "pulse_features",
    "r_peaks",
    "without_jumps",
]

ECG_BAND = (0.5, 40.0)  # Hz
PULSE_BAND = (0.5, 8.0)  # Hz
MIN_BEATS = 5
RR_RANGE = (0.3, 2.0)  # s
AROUND, JUMP = 11, 0.25  # intervals, whose median one may differ from by a quarter of it
MIN_VALID = 0.8  # of the intervals, inside the range; of a shortest window, covered by those that are kept
MIN_CORRELATION = 0.66  # mean of the beats with their template (Orphanidou et al. 2015)
BEAT = (-0.2, 0.3)  # s around the peak, for the template
LOWEST_RATE = 20.0  # Hz
Detector = Callable[[np.ndarray, float], np.ndarray]
Description = Callable[[np.ndarray, np.ndarray, float], dict[str, float]]  # of intervals, times, seconds
HRV = ("heart_rate", "mean_rr", "sdnn", "rmssd", "pnn50")
BANDS = {"lf": (0.04, 0.15), "hf": (0.15, 0.4)}  # Hz (Task Force 1996)
SPECTRUM = (*BANDS, "lf_hf")
TACHOGRAM_RATE = 4.0  # Hz
WELCH = 120.0  # s
LEAST_POWER = 0.01  # ms²; less is rounding, of which a ratio means nothing
MINIMUM = {
    "heart_rate": 10.0,
    "mean_rr": 10.0,
    "rmssd": 30.0,
    "pnn50": 60.0,
    "sdnn": 60.0,
    "hf": 60.0,
    "lf": 120.0,
    "lf_hf": 120.0,
}
"""Shortest windows in s of the full set, whose features follow in this order."""


def ecg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """Heart rate and its variability from the R peaks of each lead (a lone lead needs no suffix).

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz, at least 20
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,)
        ``heart_rate`` in bpm; ``mean_rr``, ``sdnn`` and ``rmssd`` in ms; ``pnn50`` in %. All are NaN where
        fewer than 5 beats are found or what is found does not look like beats: intervals
        outside 0.3-2 s, or beats that do not resemble each other (Orphanidou et al. 2015, IEEE JBHI 19).

    Notes
    -----
    An interval that is a quarter longer or shorter than the median of the eleven around it, as where a beat
    was missed or is premature, is left out with those beside it (a threshold as that of Tarvainen et al.
    2014, Comput Methods Programs Biomed 113); so are the ends of a breathing rhythm that is as strong. Task
    Force of the ESC and NASPE (1996), Circulation 93. Variability over less than a minute is a rough
    figure: RMSSD is usable from about 30 s (Munoz et al. 2015), SDNN is not comparable across lengths.
    """
    return _heart(_ecg_peaks, ECG_BAND, _steady_in_time, data, sampling_rate, channel_names)


def pulse_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`ecg_features` from the systolic peaks of a pulse wave (PPG, BVP; Elgendi et al. 2013).

    ``mean_rr`` is the mean inter-beat interval (IBI). Intervals that jump stay: at the wrist they are made by
    movement, which tells states apart (docs/features.md). `full_pulse_features` leaves them out.
    """
    return _heart(_ppg_peaks, PULSE_BAND, _in_time, data, sampling_rate, channel_names)


def full_ecg_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`ecg_features` and their spectrum, each NaN in windows that are too short for it.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz, at least 20
    channel_names : sequence of str

    Returns
    -------
    dict of str to ndarray, shape (n_segments,)
        Those of `ecg_features`; ``lf`` (0.04-0.15 Hz) and ``hf`` (0.15-0.4 Hz), power in ms²; ``lf_hf``.
        Shortest windows: 10 s for the rate and the mean interval, 30 s for ``rmssd``, 60 s for ``pnn50``,
        ``sdnn`` and ``hf``, 120 s for ``lf`` and ``lf_hf``. The intervals that are kept must cover four
        fifths of them, and of the whole window for the spectrum.

    Notes
    -----
    The minima: about 1 min for HF and 2 min for LF, Task Force of the ESC and NASPE (1996); rate, RMSSD
    and pNN50 in agreement with 5 min, Baek et al. (2015), Telemed J E Health 21; 60 s for SDNN is the
    shortest in use (Shaffer and Ginsberg 2017, Front Public Health 5). `ecg_features` has no minimum
    but five beats, so that windows of 30 s keep their SDNN there.
    """
    return _heart(_ecg_peaks, ECG_BAND, _in_time_and_frequency, data, sampling_rate, channel_names)


def full_pulse_features(data: np.ndarray, sampling_rate: float, channel_names: Sequence[str]) -> Features:
    """`full_ecg_features` from a pulse wave; at rest close to those of the ECG (Schäfer and Vagedes 2013)."""
    return _heart(_ppg_peaks, PULSE_BAND, _in_time_and_frequency, data, sampling_rate, channel_names)


def r_peaks(data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Samples at which the beats of an ECG lead have their R peak, as `ecg_features` finds them.

    On MIT-BIH record 100 they meet the reference beats with an F1 of .9993 within 75 ms.

    Parameters
    ----------
    data : ndarray, shape (n_samples,), in any unit
    sampling_rate : float, in Hz, at least 20

    Returns
    -------
    ndarray of int, shape (n_beats,)
        NeuroKit2's detector (Makowski et al. 2021, Behavior Research Methods 53) after the band-pass.
    """
    return np.asarray(_ecg_peaks(_in_band(data, sampling_rate, ECG_BAND), sampling_rate), dtype=int)


def _ecg_peaks(beats: np.ndarray, sampling_rate: float) -> np.ndarray:
    import neurokit2

    return neurokit2.ecg_peaks(beats, sampling_rate=sampling_rate)[1]["ECG_R_Peaks"]


def _ppg_peaks(beats: np.ndarray, sampling_rate: float) -> np.ndarray:
    import neurokit2

    try:
        return neurokit2.ppg_findpeaks(beats, sampling_rate=sampling_rate)["PPG_Peaks"]
    except IndexError:  # it takes the first wave without asking whether there is one
        return np.empty(0, dtype=int)


def _in_band(data: np.ndarray, sampling_rate: float, band: tuple[float, float]) -> np.ndarray:
    """Band-passed over the last axis, below the band's end where the rate is too low for it."""
    return filtered(centred(data), sampling_rate, [band[0], min(band[1], 0.4 * sampling_rate)], "bandpass")


def beat_intervals(peaks: np.ndarray, data: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Intervals between `peaks` in ms, with the peaks placed between samples by a parabola.

    Parameters
    ----------
    peaks : ndarray of int, shape (n_beats,)
    data : ndarray, shape (n_samples,)
    sampling_rate : float, in Hz
    """
    inner = peaks.clip(1, len(data) - 2)
    before, at, after = data[inner - 1], data[inner], data[inner + 1]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / np.where(bend == 0, np.inf, bend)
    return np.diff(peaks + shift.clip(-0.5, 0.5)) / sampling_rate * 1000


def hrv(intervals: np.ndarray) -> dict[str, float]:
    """Time-domain heart rate variability of RR intervals.

    Parameters
    ----------
    intervals : ndarray, shape (n_intervals,), in ms
        NaN marks an interval to leave out, with its two differences to the neighbours.

    Returns
    -------
    dict of str to float: ``heart_rate`` in bpm, ``mean_rr``, ``sdnn``, ``rmssd`` in ms, ``pnn50`` in %
    """
    valid = intervals[np.isfinite(intervals)]
    differences = np.diff(intervals)
    differences = differences[np.isfinite(differences)]
    if len(valid) < 2 or not len(differences):
        return dict.fromkeys(HRV, np.nan)
    return {
        "heart_rate": 60_000 / valid.mean(),
        "mean_rr": valid.mean(),
        "sdnn": valid.std(ddof=1),
        "rmssd": np.sqrt((differences**2).mean()),
        "pnn50": 100 * (np.abs(differences) > 50).mean(),
    }


def hrv_spectrum(intervals: np.ndarray, times: np.ndarray) -> dict[str, float]:
    """Frequency-domain heart rate variability of RR intervals.

    Parameters
    ----------
    intervals : ndarray, shape (n_intervals,), in ms
        NaN marks an interval to leave out.
    times : ndarray, shape (n_intervals,), in s
        When each interval ended.

    Returns
    -------
    dict of str to float
        ``lf`` and ``hf`` in ms², ``lf_hf`` (NaN where ``hf`` is below 0.01 ms²): from the cubic spline
        through the intervals at 4 Hz, by Welch spectra of 120 s Hann windows, each without its line. All
        NaN under 4 intervals. What is left out is bridged by a monotone curve, for over a gap of seconds
        the spline itself swings far beyond the intervals on either side.
    """
    valid = np.isfinite(intervals)
    if valid.sum() < 4:
        return dict.fromkeys(SPECTRUM, np.nan)
    knots = _with_beats_in_gaps(times, valid, intervals[valid].mean() / 1000)
    bridged = interpolate.PchipInterpolator(times[valid], intervals[valid])(knots)
    grid = np.arange(knots[0], knots[-1], 1 / TACHOGRAM_RATE)
    tachogram = interpolate.CubicSpline(knots, bridged)(grid)
    length = min(len(grid), round(WELCH * TACHOGRAM_RATE))
    frequencies, density = signal.welch(tachogram, TACHOGRAM_RATE, nperseg=length, detrend="linear")
    power = {
        name: density[(frequencies >= low) & (frequencies < high)].sum() * frequencies[1]
        for name, (low, high) in BANDS.items()
    }
    return power | {"lf_hf": power["lf"] / power["hf"] if power["hf"] > LEAST_POWER else np.nan}


def _with_beats_in_gaps(times: np.ndarray, valid: np.ndarray, interval: float) -> np.ndarray:
    """Times of the valid intervals, and about every `interval` s one where others lay between two of them."""
    kept = times[valid]
    gaps = np.flatnonzero(np.diff(np.flatnonzero(valid)) > 1)
    between = [
        np.linspace(kept[k], kept[k + 1], round((kept[k + 1] - kept[k]) / interval) + 1)[1:-1] for k in gaps
    ]
    return np.sort(np.concatenate([kept, *between]))


def _in_time(intervals: np.ndarray, times: np.ndarray, seconds: float) -> dict[str, float]:
    return hrv(intervals)


def without_jumps(intervals: np.ndarray) -> np.ndarray:
    """Intervals with NaN in place of those that a missed or a premature beat has made.

    Parameters
    ----------
    intervals : ndarray, shape (n_intervals,), in ms
        NaN where one was left out already.

    Returns
    -------
    ndarray, shape (n_intervals,)
        NaN too where one differs by more than a quarter from the median of the eleven around it, and beside
        such a one: a beat in the wrong place spoils two.
    """
    padded = np.pad(intervals, AROUND // 2, constant_values=np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        level = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, AROUND), axis=1)
    jumps = np.pad(np.abs(intervals - level) > JUMP * level, 1)
    return np.where(jumps[:-2] | jumps[1:-1] | jumps[2:], np.nan, intervals)


def _steady_in_time(intervals: np.ndarray, times: np.ndarray, seconds: float) -> dict[str, float]:
    return hrv(without_jumps(intervals))


def _in_time_and_frequency(intervals: np.ndarray, times: np.ndarray, seconds: float) -> dict[str, float]:
    intervals = without_jumps(intervals)
    kept = intervals[np.isfinite(intervals)]
    # An interval more than there are, since the window begins and ends inside one.
    covered = (len(kept) + 1) * kept.mean() / 1000 if len(kept) else 0.0
    allowed = [
        name
        for name, minimum in MINIMUM.items()
        if seconds >= minimum and covered >= MIN_VALID * (seconds if name in SPECTRUM else minimum)
    ]
    values = hrv(intervals) | (hrv_spectrum(intervals, times) if "hf" in allowed else {})
    return {name: values[name] for name in allowed}


def _heart(
    detect: Detector,
    band: tuple[float, float],
    describe: Description,
    data: np.ndarray,
    sampling_rate: float,
    channel_names: Sequence[str],
) -> Features:
    if sampling_rate < LOWEST_RATE:
        raise ValueError(
            f"sampling_rate is {sampling_rate} Hz; beats need {LOWEST_RATE:g} Hz or more. "
            "Use a faster recording, or give a heart rate series as the modality 'heart_rate'."
        )
    names = tuple(MINIMUM) if describe is _in_time_and_frequency else HRV

    def measure(data: np.ndarray, sampling_rate: float) -> Features:
        data = _in_band(data, sampling_rate, band)
        rows = [_row(detect, describe, row, sampling_rate) for row in data.reshape(-1, data.shape[-1])]
        values = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
        return {name: value.reshape(data.shape[:-1]) for name, value in values.items()}

    return by_channel(measure, data, sampling_rate, channel_names)


def _row(detect: Detector, describe: Description, data: np.ndarray, sampling_rate: float) -> dict[str, float]:
    """What `describe` says of the beats; nothing where there are too few or they do not look like beats."""
    if data.any() and data.shape[-1] >= MIN_BEATS * RR_RANGE[0] * sampling_rate:
        peaks = np.asarray(detect(data, sampling_rate), dtype=int)
        if len(peaks) >= MIN_BEATS and _resemblance(peaks, data, sampling_rate) >= MIN_CORRELATION:
            intervals = beat_intervals(peaks, data, sampling_rate)
            low, high = (1000 * limit for limit in RR_RANGE)
            valid = (intervals >= low) & (intervals <= high)
            if valid.mean() >= MIN_VALID:
                times = np.cumsum(intervals) / 1000
                return describe(np.where(valid, intervals, np.nan), times, len(data) / sampling_rate)
    return {}


def _resemblance(peaks: np.ndarray, data: np.ndarray, sampling_rate: float) -> float:
    """Mean correlation of the beats with their mean; 0 where fewer than two lie inside the window."""
    offsets = np.arange(round(BEAT[0] * sampling_rate), round(BEAT[1] * sampling_rate))
    whole = peaks[(peaks + offsets[0] >= 0) & (peaks + offsets[-1] < len(data))]
    if len(whole) < 2:
        return 0.0
    beats = centred(data[whole[:, None] + offsets])
    template = beats.mean(0)
    lengths = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    return float((beats @ template / np.where(lengths == 0, np.inf, lengths)).mean())
