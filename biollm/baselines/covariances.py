"""Covariance matrices of the EEG and EMG channels of each window, and their common scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_builders.normalisation import windows_seen
from encoders.inputs import SignalInputs
from encoders.streams import StreamSpec, plain_channels

__all__ = ["covariance_channels", "read_covariances", "recentre", "window_covariances"]

MODALITIES = ("eeg", "emg")


def covariance_channels(stream_specs: Sequence[StreamSpec]) -> dict[str, list[int]]:
    """Measured channels of the EEG and EMG streams that have two or more; their positions by stream.

    The log-rectified copies are left out: as functions of their channel they add nothing to a covariance
    but noise.
    """
    found = {spec.name: plain_channels(spec) for spec in stream_specs if spec.name in MODALITIES}
    return {name: channels for name, channels in found.items() if len(channels) > 1}


def read_covariances(
    fitted: SignalInputs, held: SignalInputs, normalisation: str
) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of both, recentred; a window without any signal gets the mean of the fitted windows."""
    found = window_covariances(fitted), window_covariances(held)
    flat = [np.diagonal(c, axis1=1, axis2=2).min(axis=1) <= 0 for c in found]
    if flat[0].all():
        raise ValueError("covariances: all windows of the training part are flat; leave this stream out.")
    mean = found[0][~flat[0]].mean(axis=0)
    for covariances, without in zip(found, flat, strict=True):
        covariances[without] = mean
    return recentre(found[0], fitted.table, normalisation), recentre(found[1], held.table, normalisation)


def window_covariances(inputs: SignalInputs) -> np.ndarray:
    """Covariance of each window's channels, shrunk towards the identity (OAS, Chen et al. 2010).

    Parameters
    ----------
    inputs : SignalInputs

    Returns
    -------
    ndarray, shape (n_segments, n_channels, n_channels)
        Block-diagonal where there are both EEG and EMG, which have different rates: then squared
        Riemannian distances are sums over the two, and tangent vectors are those of both, concatenated.

    Raises
    ------
    ValueError
        If neither EEG nor EMG has two channels.
    """
    from pyriemann.estimation import Covariances

    streams = covariance_channels(inputs.stream_specs)
    if not streams:
        raise ValueError(
            f"covariances need a stream 'eeg' or 'emg' with 2 channels or more; there are "
            f"{[f'{s.name} ({len(s.channel_names)})' for s in inputs.stream_specs]}."
        )
    blocks = [
        Covariances("oas").transform(np.asarray(inputs.streams[name][:, channels], np.float64))
        for name, channels in streams.items()
    ]
    return _block_diagonal(blocks)


def _block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    n_channels = sum(block.shape[1] for block in blocks)
    whole = np.zeros((len(blocks[0]), n_channels, n_channels))
    first = 0
    for block in blocks:
        last = first + block.shape[1]
        whole[:, first:last, first:last] = block
        first = last
    return whole


def recentre(covariances: np.ndarray, table: pd.DataFrame, how: str) -> np.ndarray:
    """Move each subject's (or recording's) mean matrix to the identity (Zanini et al. 2018).

    What `Normaliser` does to features: the same windows are looked at, with the same names.

    Parameters
    ----------
    covariances : ndarray, shape (n_segments, n_channels, n_channels)
    table : DataFrame, n_segments rows
        With ``subject``, ``recording``, ``session`` and ``reference``, as far as `how` needs them.
    how : {"subject", "recording", "baseline", "none"}
        See `data_builders.normalisation.NORMALISATIONS`; "none" changes nothing.
    """
    from pyriemann.utils.base import invsqrtm
    from pyriemann.utils.mean import mean_riemann

    if how == "none":
        return covariances
    result = np.empty_like(covariances)
    for rows, seen in windows_seen(table, how):
        whitening = invsqrtm(mean_riemann(covariances[seen]))
        result[rows] = whitening @ covariances[rows] @ whitening
    return result
