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


def stft_options(dataset: str, sampling_rate: float) -> dict[str, int]:
    """Options `n_fft` and `hop` of a network that reads a data set as `STFTS` says.

    Raises
    ------
    ValueError
        If the data set is not one of `STFTS`.
    """
    if dataset not in STFTS:
        raise ValueError(f"no STFT is known for {dataset!r}; there are {sorted(STFTS)}. Give n_fft and hop.")
    window, hop = STFTS[dataset]
    return {"n_fft": round(window * sampling_rate), "hop": round(hop * sampling_rate)}
