"""Connectivity of the channels of a segment: phase locking, coherence and partial directed coherence.

Volume conduction and a shared reference reach all electrodes at once. They raise phase locking and coherence
without any coupling of the brain, most of all between neighbours; partial directed coherence looks at
delayed influence alone, but mixing blurs its directions too (Nolte et al. 2004, Clin. Neurophysiol. 115).
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from encoders.features.numerics import band_passed, centred, ratio

__all__ = [
    "autoregression",
    "coherence",
    "directed_coherence",
    "partial_directed_coherence",
    "phase_locking",
]

WINDOW = 1.0  # s, of the spectra for coherence; halves overlap
ORDER = 8  # samples into the past, of the autoregression
SMALLEST = 1e-10  # of the largest variance; below it is only rounding, as after an average reference


def phase_locking(data: np.ndarray, sampling_rate: float, band: tuple[float, float]) -> np.ndarray:
    """Phase-locking value of each pair of channels in a frequency band.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz
    band : (low, high), in Hz, at most half the sampling rate

    Returns
    -------
    ndarray, shape (n_segments, n_channels, n_channels)
        Length of the mean difference of the phases, as unit vectors, over the segment: symmetric, 1 for a
        constant difference, NaN for a channel that is constant or has a gap. Independent channels do not
        give 0 but about sqrt(pi / (4 n)) with n = bandwidth x seconds: 0.16 from 3 Hz and 10 s.

    Raises
    ------
    ValueError
        If the band is not one of the sampling rate.

    Notes
    -----
    Lachaux et al. (1999), Human Brain Mapping 8, over time within one segment; phases are those of the
    analytic signal after a zero-phase Butterworth filter. Volume conduction raises it (see the module).
    """
    _check_band(sampling_rate, band)
    analytic = signal.hilbert(band_passed(_without_gaps(data), sampling_rate, band))
    phase = analytic * ratio(np.ones(()), np.abs(analytic))
    return np.abs(phase @ phase.conj().swapaxes(-1, -2)) / data.shape[-1]


def coherence(
    data: np.ndarray, sampling_rate: float, band: tuple[float, float], window: float = WINDOW
) -> np.ndarray:
    """Magnitude-squared coherence of each pair of channels, the mean over a frequency band.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
    sampling_rate : float, in Hz
    band : (low, high), in Hz, at most half the sampling rate; the bins from `low` to below `high` count
    window : float, in s
        Of the Hann windows that are averaged, half overlapping; also sets the resolution, 1 / `window` Hz.

    Returns
    -------
    ndarray, shape (n_segments, n_channels, n_channels)
        Symmetric, 1 for channels that are a filtered copy of each other, NaN for a channel that is constant
        or has a gap. Independent channels give about 1 / n_windows.

    Raises
    ------
    ValueError
        If the band is not one of the sampling rate, or the data hold fewer than two windows.

    Notes
    -----
    Equals `scipy.signal.coherence` of each pair (Carter 1987, Proc. IEEE 75). Volume conduction raises it
    (see the module).
    """
    _check_band(sampling_rate, band)
    spectra = _spectra(data, sampling_rate, band, window)
    cross = spectra @ spectra.conj().swapaxes(-1, -2)
    power = np.einsum("sfcc->sfc", cross).real
    together = power[..., :, None] * power[..., None, :]
    return ratio(np.abs(cross) ** 2, together).mean(1)


def partial_directed_coherence(
    data: np.ndarray, sampling_rate: float, band: tuple[float, float], order: int = ORDER
) -> np.ndarray:
    """Partial directed coherence from each channel to each other, the mean over a frequency band.

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples), in any unit
        Not band-passed: filters leave directions that an autoregression cannot fit. It depends on the
        channels' scales; standardise them where these mean nothing.
    sampling_rate : float, in Hz
    band : (low, high), in Hz, at most half the sampling rate
    order : int
        Samples into the past.

    Returns
    -------
    ndarray, shape (n_segments, n_channels, n_channels)
        ``[:, i, j]`` is from channel j to channel i, between 0 and 1; at each frequency the squares of a
        column add up to 1.

    Raises
    ------
    ValueError
        If the band is not one of the sampling rate, or the samples are fewer than the unknowns. A usable
        fit has ten times as many: ``n_samples >= 10 * order * n_channels``.

    Notes
    -----
    Baccala and Sameshima (2001), Biological Cybernetics 84, with the autoregression of `autoregression`.
    """
    _check_band(sampling_rate, band)
    return directed_coherence(autoregression(data, order), sampling_rate, band)


def autoregression(data: np.ndarray, order: int = ORDER) -> np.ndarray:
    """Vector autoregression of each segment by least squares, x(t) = sum over k of A_k x(t - k) + e(t).

    Parameters
    ----------
    data : ndarray, shape (n_segments, n_channels, n_samples)
        The mean is taken out.
    order : int

    Returns
    -------
    ndarray, shape (n_segments, order, n_channels, n_channels)
        ``[:, k - 1, i, j]``, from channel j to channel i after k samples. Where channels are sums of each
        other, as after an average reference, the fit with the smallest coefficients. NaN in a segment in
        which a channel is constant or has a gap.

    Raises
    ------
    ValueError
        If there are not more equations (``n_samples - order``) than unknowns (``order * n_channels``).
    """
    n_segments, n_channels, n_samples = data.shape
    if n_samples - order <= order * n_channels:
        raise ValueError(
            f"autoregression: {n_samples} samples of {n_channels} channels at order {order}; needed are more "
            f"than {order * (n_channels + 1)}. Use longer windows, fewer channels or a lower order."
        )
    data = _without_gaps(data)
    usable = np.ptp(data, axis=-1).all(-1)[:, None, None, None]
    lagged = np.stack([data[..., order - k : n_samples - k] for k in range(1, order + 1)], axis=1)
    past = lagged.reshape(n_segments, order * n_channels, -1)
    covariance = past @ past.swapaxes(-1, -2)
    inverse = np.linalg.pinv(covariance, rcond=SMALLEST, hermitian=True)
    coefficients = data[..., order:] @ past.swapaxes(-1, -2) @ inverse
    coefficients = coefficients.reshape(n_segments, n_channels, order, n_channels).swapaxes(1, 2)
    return np.where(usable, coefficients, np.nan)


def directed_coherence(
    coefficients: np.ndarray, sampling_rate: float, band: tuple[float, float]
) -> np.ndarray:
    """`partial_directed_coherence` of an autoregression, the mean over every half hertz of the band.

    Parameters
    ----------
    coefficients : ndarray, shape (n_segments, order, n_channels, n_channels), as of `autoregression`
    sampling_rate : float, in Hz
    band : (low, high), in Hz
    """
    frequencies = np.arange(band[0], band[1], 0.5)
    lags = np.arange(1, coefficients.shape[1] + 1)
    turns = np.exp(-2j * np.pi * np.outer(frequencies, lags) / sampling_rate)
    transfer = np.eye(coefficients.shape[-1]) - np.einsum("fk,skij->sfij", turns, coefficients)
    outflow = np.linalg.norm(transfer, axis=-2, keepdims=True)
    return ratio(np.abs(transfer), outflow).mean(1)


def _check_band(sampling_rate: float, band: tuple[float, float]) -> None:
    if not 0 < band[0] < band[1] <= sampling_rate / 2:
        raise ValueError(
            f"connectivity: the band is {band} Hz at a sampling rate of {sampling_rate} Hz; allowed is "
            f"0 < low < high <= {sampling_rate / 2:g}. Choose a lower band or a faster recording."
        )


def _without_gaps(data: np.ndarray) -> np.ndarray:
    """Centred, as float64; a channel with a value that is not finite becomes a constant, which gives NaN."""
    data = np.asarray(data, dtype=np.float64)
    return centred(np.where(np.isfinite(data).all(-1, keepdims=True), data, 0.0))


def _spectra(data: np.ndarray, sampling_rate: float, band: tuple[float, float], window: float) -> np.ndarray:
    """Spectra of the windows inside the band, shape (n_segments, n_frequencies, n_channels, n_windows)."""
    length = round(window * sampling_rate)
    step = length - length // 2
    frequencies = np.fft.rfftfreq(length, 1 / sampling_rate)
    inside = (frequencies >= band[0]) & (frequencies < band[1])
    if not inside.any():
        raise ValueError(
            f"coherence: the band {band} Hz holds no frequency of a window of {window} s, which are "
            f"{1 / window:g} Hz apart. Use a longer window or a wider band."
        )
    if data.shape[-1] < length + step:
        raise ValueError(
            f"coherence: {data.shape[-1]} samples hold fewer than two windows of {length}, with which "
            f"everything is coherent; needed are {length + step}. Use longer segments or a shorter window."
        )
    windows = np.lib.stride_tricks.sliding_window_view(_without_gaps(data), length, axis=-1)[..., ::step, :]
    spectra = np.fft.rfft(centred(windows) * signal.get_window("hann", length))
    return np.moveaxis(spectra[..., inside], -1, 1)
