"""Which channels and features speak for what an encoder reads: occlusion (Zeiler and Fergus 2014)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_builders.channel_words import channel_in_words
from data_builders.segment_faults import channels_in_words
from data_builders.segments import SignalSpec
from encoders.features.channels import channel_keys
from encoders.features.eeg import channel_groups
from encoders.inputs import MEASURED, SignalInputs
from encoders.quantities import described, parts_of_column
from encoders.signal_encoder import SignalEncoder
from encoders.streams import DERIVED, StreamSpec

__all__ = ["Evidence", "evidence", "hideable", "hideable_features"]

Hidden = dict[str, list[int]]
"""Stream -> its channels that are hidden together."""


@dataclass(frozen=True)
class Evidence:
    """What an encoder reads of some segments, and what it reads it from.

    Attributes
    ----------
    names : list of str
        What was hidden, in words.
    features : list of bool
        Whether it is one feature, not all of a channel.
    modalities : list of str
        Of what was hidden; empty for a value that was given.
    weights : ndarray, shape (n_rows, n_names)
        By how much the probability of the class that is read falls when it is hidden; below 0 where it rises.
    probabilities : ndarray, shape (n_rows, n_classes)
        With nothing hidden.
    """

    names: list[str]
    features: list[bool]
    modalities: list[str]
    weights: np.ndarray
    probabilities: np.ndarray

    def clues(self, row: int, lost: Collection[str] = ()) -> list[tuple[str, float, bool]]:
        """Name, weight and whether it is a feature, of each, the heaviest first.

        Of a signal and its channels the heavier stand, since hiding the whole hides them too. Modalities, and
        channels by their name in words, that are `lost` in this segment, flat or noise, are no evidence.
        """
        kept: list[int] = []
        for k in np.argsort(-self.weights[row], kind="stable"):
            channels = [j for j in kept if self.modalities[j] == self.modalities[k] and not self.features[j]]
            whole = channel_in_words(self.modalities[k])
            nested = not self.features[k] and any(whole in (self.names[j], self.names[k]) for j in channels)
            if not nested and not {self.modalities[k], self.names[k]} & set(lost):
                kept.append(int(k))
        return [(self.names[k], float(self.weights[row, k]), self.features[k]) for k in kept]


def evidence(
    encoder: SignalEncoder, inputs: SignalInputs, rows: np.ndarray, specs: Mapping[str, SignalSpec]
) -> Evidence:
    """Hide channels, and features with a name in words, one by one, and look how the reading changes.

    What is hidden is 0 after normalisation: the mean of the subject (or of whatever the encoder normalises
    by), so that a channel without any change weighs nothing.

    Parameters
    ----------
    encoder : SignalEncoder
        With a head for emotions.
    inputs : SignalInputs
        All windows of their subjects.
    rows : ndarray of int
    specs : mapping of str to SignalSpec
        By modality, for the names of the channels.

    Raises
    ------
    ValueError
        If the encoder reads no emotions.
    """
    from encoders.training import outputs

    if "emotion" not in encoder.config.targets:
        raise ValueError(
            f"the encoder reads {encoder.config.targets}; evidence is for an emotion. "
            "Train one with the target 'emotion', or leave the task 'evidence' out."
        )
    x = encoder.normalised(inputs, rows)
    plain = outputs(encoder.network_, x)["emotion"]
    channels = hideable(encoder.stream_specs_, specs)
    # A feature that is all of its channel, as a rate that was recorded, is that channel.
    groups = hideable_features(encoder.stream_specs_, specs) | channels
    read = np.arange(len(rows)), plain.argmax(axis=1)
    left = [outputs(encoder.network_, _without(x, hidden))["emotion"][read] for hidden in groups.values()]
    features = [name not in channels for name in groups]
    modalities = _modalities(list(groups), encoder.stream_specs_, specs)
    return Evidence(list(groups), features, modalities, plain[read][:, None] - np.stack(left, axis=1), plain)


def hideable(streams: Sequence[StreamSpec], specs: Mapping[str, SignalSpec]) -> dict[str, Hidden]:
    """What can be hidden, by its name in words: a channel with its derived copies and its own features.

    EEG of more than 6 channels is hidden by region, as its features describe it. Features of a whole
    modality, such as those of the acceleration's magnitude, are hidden with all of its channels.
    """
    groups: dict[str, Hidden] = {}
    for stream in streams:
        named = _of_features(stream) if stream.name == MEASURED else _of_channels(stream, specs)
        for position, name in enumerate(named):
            groups.setdefault(name, {}).setdefault(stream.name, []).append(position)
    for modality, spec in specs.items():
        whole = groups.get(channel_in_words(modality))
        parts = [groups[name] for name in dict.fromkeys(_words(spec, modality)) if name in groups]
        if whole is not None and whole not in parts:
            for part in parts:
                for name, positions in part.items():
                    whole[name] = sorted({*whole.get(name, []), *positions})
    return groups


def hideable_features(streams: Sequence[StreamSpec], specs: Mapping[str, SignalSpec]) -> dict[str, Hidden]:
    """The features that an encoder reads one by one, those that are described in words, by their names."""
    return {
        one.name: {stream.name: [stream.channel_names.index(one.key)]}
        for stream in streams
        if stream.name == MEASURED
        for one in described(stream.channel_names, specs)
    }


def _modalities(
    names: Sequence[str], streams: Sequence[StreamSpec], specs: Mapping[str, SignalSpec]
) -> list[str]:
    """The modality of each name of a channel, a signal or a feature."""
    columns = [column for stream in streams if stream.name == MEASURED for column in stream.channel_names]
    known = {one.name: parts_of_column(one.key)[0] for one in described(columns, specs)}
    for modality, spec in specs.items():
        known |= dict.fromkeys([channel_in_words(modality), *_words(spec, modality)], modality)
    return [known.get(name, "") for name in names]


def _of_features(stream: StreamSpec) -> list[str]:
    names = []
    for column in stream.channel_names:
        modality, _, channel = parts_of_column(column)
        names.append(channel_in_words(modality, channel) if modality else column.replace("_", " "))
    return names


def _of_channels(stream: StreamSpec, specs: Mapping[str, SignalSpec]) -> list[str]:
    """Name of each channel of a stream; derived copies stand behind the channels of their modality."""
    names: list[str] = []
    for modality in stream.modalities:
        names += _words(specs[modality], modality) * (2 if modality in DERIVED else 1)
    return names


def _words(spec: SignalSpec, modality: str) -> list[str]:
    """What each channel is hidden with."""
    if modality != "eeg":
        return channels_in_words(spec, modality)
    keys = channel_keys(spec.channel_names)
    group_of = {k: group for group, members in channel_groups(keys).items() for k in members}
    return [channel_in_words(modality, group_of[k]) for k in range(len(keys))]


def _without(x: Mapping[str, np.ndarray], hidden: Hidden) -> dict[str, np.ndarray]:
    """The normalised streams with some channels at 0."""
    out = dict(x)
    for stream, channels in hidden.items():
        out[stream] = x[stream].copy()
        out[stream][:, channels] = 0
    return out
