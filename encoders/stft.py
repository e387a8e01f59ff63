"""Windows of the short-time Fourier transform by data set."""

from __future__ import annotations

__all__ = ["STFTS", "stft_options"]

STFTS: dict[str, tuple[float, float]] = {
    "deap": (2.0, 1.0),  # s of window and hop; trials of 60 s: resolution before time
    "seed_iv": (2.0, 1.0),  # trials of minutes, at 200 Hz: the same seconds as DEAP
    "gameemo": (1.0, 0.5),  # shorter windows: its segments are short
    "amigos": (1.0, 0.5),  # no choice of the reference: GAMEEMO's headset, rate and order of lengths
}
"""STFT windows and hops by data set, those of the GRU-XNet reference; half overlapping Hann windows."""


def stft_options(
    dataset: str, sampling_rate: float, band: tuple[float, float] | None = None
) -> dict[str, int]:
    """Options of a network that reads a data set as `STFTS` says: `n_fft` and `hop`.

    Parameters
    ----------
    dataset : str
    sampling_rate : float
        Hz.
    band : (float, float), optional
        Lowest and highest frequency in Hz that are read, to the nearest bin, as `first_bin` and `n_bins`.

    Raises
    ------
    ValueError
        If the data set is not one of `STFTS`, or the band is not within 0 and half the sampling rate.
    """
    if dataset not in STFTS:
        raise ValueError(f"no STFT is known for {dataset!r}; there are {sorted(STFTS)}. Give n_fft and hop.")
    window, hop = STFTS[dataset]
    n_fft = round(window * sampling_rate)
    options = {"n_fft": n_fft, "hop": round(hop * sampling_rate)}
    if band is None:
        return options
    low, high = band
    if not 0 <= low < high <= sampling_rate / 2:
        raise ValueError(
            f"band is {band} Hz; allowed are two rising frequencies from 0 to {sampling_rate / 2:g} Hz."
        )
    first, last = (min(round(edge * n_fft / sampling_rate), n_fft // 2) for edge in band)
    return options | {"first_bin": first, "n_bins": last - first + 1}
