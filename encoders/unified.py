"""Several data sets as one: shared electrodes by name, one rate, one length, subjects apart.

A model that is to be trained on several data sets needs one montage and one rate. What is shared is kept, so
that nothing is invented: no electrode is interpolated, no window stretched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from encoders.inputs import SignalInputs
from encoders.streams import DERIVED, StreamSpec, with_amplitude

__all__ = ["electrode_key", "unify"]

CHUNK = 256  # segments that are resampled at a time, which bounds the memory of the float64 copies
ALIASES = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8"}
"""Names of the 10-20 system that the 10-10 system renamed."""
SEPARATED = ("segment", "recording", "group", "subject", "stimulus", "source")
"""Ids that name the same thing within one data set only."""

Words = Mapping[str, Mapping[str, str]]


def electrode_key(name: str) -> str:
    """Name by which an electrode is compared: lower case, T3, T4, T5 and T6 as T7, T8, P7 and P8."""
    key = name.strip().lower()
    return ALIASES.get(key, key)


def unify(
    parts: Mapping[str, SignalInputs],
    stream: str = "eeg",
    words: Words | None = None,
    min_electrodes: int = 4,
) -> SignalInputs:
    """Join one stream of several data sets.

    Parameters
    ----------
    parts : mapping of str to SignalInputs
        By data set. The name goes before the ids of segments, recordings, groups, subjects and stimuli, as in
        ``deap/s01``, and into the column ``dataset``, over which ``balance: dataset`` samples.
    stream : str
        The stream that all of them have. Others are left out.
    words : mapping of str to mapping of str to str, optional
        For a data set, the shared word of each of its emotions. A data set that is not named keeps its words.
    min_electrodes : int
        Fewest electrodes that all must share.

    Returns
    -------
    SignalInputs
        Electrodes in the order and spelling of the first part; the lowest rate, by polyphase filtering; the
        length of the shortest window, from its start, and the shortest frame; features that all parts have.
        Ratings (``valence``, ``arousal``) are joined as they are: they must be on one scale.

    Raises
    ------
    ValueError
        With all of: a part without the stream, an electrode that is there twice, too few shared electrodes,
        an emotion without a shared word, and no emotion that all data sets have.
    """
    problems = _stream_problems(parts, stream)
    if not problems:
        problems = _electrode_problems(parts, stream, min_electrodes) + _word_problems(parts, words or {})
    if problems:
        raise ValueError("these data sets cannot be joined: " + "; ".join(problems) + ".")
    spec = _shared_spec([_spec(part, stream) for part in parts.values()])
    data = np.concatenate(
        [_brought_to(part.streams[stream], _spec(part, stream), spec) for part in parts.values()]
    )
    features = pd.concat([part.features for part in parts.values()], join="inner", ignore_index=True)
    tables = [_renamed(part.table, name, (words or {}).get(name)) for name, part in parts.items()]
    table = pd.concat(tables, ignore_index=True)
    table["duration"] = spec.n_samples / spec.sampling_rate
    return SignalInputs({stream: data}, features, table, [spec])


def _spec(part: SignalInputs, stream: str) -> StreamSpec:
    return next(spec for spec in part.stream_specs if spec.name == stream)


def _electrodes(spec: StreamSpec) -> list[str]:
    """Channels that were recorded; `stream_arrays` puts those that it derives behind them."""
    suffixes = tuple(f"_{DERIVED[modality]}" for modality in spec.modalities if modality in DERIVED)
    return [name for name in spec.channel_names if not (suffixes and name.endswith(suffixes))]


def _shared_keys(specs: Sequence[StreamSpec]) -> list[str]:
    """Keys of the electrodes that all have, in the order of the first."""
    keys = [[electrode_key(name) for name in _electrodes(spec)] for spec in specs]
    return [key for key in keys[0] if all(key in others for others in keys)]


def _stream_problems(parts: Mapping[str, SignalInputs], stream: str) -> list[str]:
    if not parts:
        return ["there are none"]
    names = {name: [spec.name for spec in part.stream_specs] for name, part in parts.items()}
    return [
        f"{name} has no stream {stream!r}, only {there}"
        for name, there in names.items()
        if stream not in there
    ]


def _electrode_problems(parts: Mapping[str, SignalInputs], stream: str, least: int) -> list[str]:
    specs = {name: _spec(part, stream) for name, part in parts.items()}
    problems = []
    for name, spec in specs.items():
        keys = pd.Series([electrode_key(channel) for channel in _electrodes(spec)])
        if keys.duplicated().any():
            problems.append(
                f"{name} has {sorted(set(keys[keys.duplicated()]))} twice, by these or older names"
            )
    shared = _shared_keys(list(specs.values()))
    if len(shared) < least:
        own = {name: _electrodes(spec) for name, spec in specs.items()}
        problems.append(
            f"they share {len(shared)} electrodes {shared} and min_electrodes is {least}; they have {own}: "
            f"leave a data set out, or rename channels to the 10-20 system"
        )
    return problems


def _word_problems(parts: Mapping[str, SignalInputs], words: Words) -> list[str]:
    problems = [
        f"words names {name!r}, which is none of {list(parts)}" for name in words if name not in parts
    ]
    said = {}
    for name, part in parts.items():
        found = set(part.table["emotion"].dropna())
        if name in words and (unknown := sorted(found - set(words[name]))):
            problems.append(f"words gives {name} nothing for {unknown}")
        said[name] = {words[name].get(word, word) for word in found} if name in words else found
    said = {name: found for name, found in said.items() if found}
    if said and not set.intersection(*said.values()):
        listed = {name: sorted(found) for name, found in said.items()}
        problems.append(f"no emotion is in all of them, which say {listed}: give words that map them")
    return problems


def _shared_spec(specs: Sequence[StreamSpec]) -> StreamSpec:
    """Shared electrodes, lowest rate, shortest window and shortest frame."""
    rate = min(spec.sampling_rate for spec in specs)
    seconds = min(spec.n_samples / spec.sampling_rate for spec in specs)
    frame = min(spec.frame_stride / spec.sampling_rate for spec in specs)
    # Rounding down: no window is longer than the shortest, after whole samples of the new rate.
    n_samples = int(seconds * rate + 1e-6)
    names = {electrode_key(name): name for name in _electrodes(specs[0])}
    electrodes = [names[key] for key in _shared_keys(specs)]
    if all(len(_electrodes(spec)) < spec.n_channels for spec in specs):
        electrodes += [f"{name}_{DERIVED[specs[0].modalities[0]]}" for name in electrodes]
    stride = min(n_samples, max(1, round(frame * rate)))
    return StreamSpec(specs[0].name, specs[0].modalities, rate, tuple(electrodes), n_samples, stride)


def _brought_to(data: np.ndarray, own: StreamSpec, shared: StreamSpec) -> np.ndarray:
    """Pick, resample and crop (n_segments, n_channels, n_samples); derived channels are derived again."""
    keys = [electrode_key(name) for name in _electrodes(own)]
    rows = [keys.index(electrode_key(name)) for name in _electrodes(shared)]
    ratio = Fraction(shared.sampling_rate / own.sampling_rate).limit_denominator(1000)
    out = np.empty((len(data), shared.n_channels, shared.n_samples), dtype=np.float32)
    for first in range(0, len(data), CHUNK):
        x = np.asarray(data[first : first + CHUNK, rows], dtype=np.float64)
        if ratio != 1:
            x = resample_poly(x, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
        x = x[..., : shared.n_samples]
        out[first : first + CHUNK] = with_amplitude(x) if shared.n_channels > len(rows) else x
    return out


def _renamed(table: pd.DataFrame, name: str, words: Mapping[str, str] | None) -> pd.DataFrame:
    """Put the data set's name before its ids, and its shared words in place of its own."""
    table = table.assign(dataset=name)
    for column in SEPARATED:
        if column in table:
            values = table[column]
            table[column] = values.where(
                values.isna() | (values.astype(str) == ""), f"{name}/" + values.astype(str)
            )
    if words is not None:
        table["emotion"] = table["emotion"].map(words, na_action="ignore")
    return table
