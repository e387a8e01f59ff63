"""What encoders and classical models read of segments: streams and hand-made features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_builders.segments import Segments, SignalSpec
from data_builders.store import SegmentStore
from encoders.features import extract_features
from encoders.streams import StreamSpec, default_streams, stream_arrays

__all__ = [
    "MEASURED",
    "SignalInputs",
    "blank_features",
    "measured_stream",
    "signal_inputs",
    "streams_of",
    "streams_read",
    "with_feature_stream",
]

MEASURED = "measured"
"""Name of the stream that holds hand-made features."""


@dataclass
class SignalInputs:
    """Streams and features of segments, not yet normalised.

    Parameters
    ----------
    streams : dict of str to ndarray, shape (n_segments, n_channels, n_samples)
    features : DataFrame, n_segments rows
        Columns named ``<modality>_<feature>``; NaN where a feature is undefined.
    table : DataFrame, n_segments rows
        Ids and labels, as in `Segments`.
    stream_specs : list of StreamSpec
    specs : dict of str to SignalSpec
        Of the modalities, as in `Segments`: the features are in their units.
    """

    streams: dict[str, np.ndarray]
    features: pd.DataFrame
    table: pd.DataFrame
    stream_specs: list[StreamSpec]
    specs: dict[str, SignalSpec]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: np.ndarray | Sequence[int] | slice) -> SignalInputs:
        rows = np.arange(len(self))[rows]
        streams = {name: data[rows] for name, data in self.streams.items()}
        table, features = (frame.iloc[rows].reset_index(drop=True) for frame in (self.table, self.features))
        return replace(self, streams=streams, features=features, table=table)


def blank_features(store: SegmentStore, features: str = "standard") -> list[str]:
    """Names of the features of a store, of which no segment is measured."""
    return list(extract_features(store.segments(np.arange(0)), features).columns)


def measured_stream(columns: Sequence[str], window: float) -> StreamSpec:
    """The stream of hand-made features, one sample a window of so many s."""
    return StreamSpec(MEASURED, (MEASURED,), 1 / window, tuple(columns), 1, 1)


def streams_read(
    streams: Sequence[StreamSpec], reads: str, store: SegmentStore, features: str
) -> list[StreamSpec]:
    """Of a store's streams those that an encoder reads, with that of its features where it reads them.

    Parameters
    ----------
    streams : sequence of StreamSpec
        From `streams_of`.
    reads : {"signals", "features", "both"}
    store : SegmentStore
    features : {"standard", "full"}
    """
    if reads == "signals":
        return list(streams)
    measured = measured_stream(blank_features(store, features), store.about["window"])
    return [*(streams if reads == "both" else []), measured]


def with_feature_stream(inputs: SignalInputs, signals: bool = True) -> SignalInputs:
    """The inputs with their hand-made features as a further stream, ``measured``, of one sample.

    Parameters
    ----------
    signals : bool
        Whether the other streams stay.
    """
    values = inputs.features.to_numpy(np.float32)[:, :, None]
    spec = measured_stream(list(inputs.features.columns), float(inputs.table["duration"].iloc[0]))
    streams = {**(inputs.streams if signals else {}), MEASURED: values}
    return replace(inputs, streams=streams, stream_specs=[*(inputs.stream_specs if signals else []), spec])


def streams_of(
    specs: dict[str, SignalSpec], n_seconds: float, frame_seconds: float | dict
) -> list[StreamSpec]:
    """The streams of segments of these specs; `frame_seconds` may name only some of them."""
    if isinstance(frame_seconds, dict):
        names = [stream.name for stream in default_streams(specs, n_seconds, n_seconds)]
        unknown = sorted(set(frame_seconds) - {*names, "default"})
        if unknown:
            raise ValueError(f"frame_seconds names {unknown}; the streams are {names} (or 'default').")
        default = frame_seconds.get("default", 2.0)
        frame_seconds = {name: frame_seconds.get(name, default) for name in names}
    return default_streams(specs, n_seconds, frame_seconds)


def signal_inputs(
    segments: Segments, frame_seconds: float | dict = 2.0, features: str = "standard"
) -> SignalInputs:
    """Compute streams and features of segments.

    Parameters
    ----------
    segments : Segments
    frame_seconds : float or dict of str to float
        Length of a frame in s, for all streams or by stream, with ``default`` for the rest.
    features : ``"standard"`` or ``"full"``
        The set of hand-made features, as `extract_features` takes it.
    """
    specs = streams_of(segments.specs, float(segments.table["duration"].iloc[0]), frame_seconds)
    values = extract_features(segments, features)
    return SignalInputs(stream_arrays(segments, specs), values, segments.table, specs, segments.specs)
