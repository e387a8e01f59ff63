"""What of a training's settings does not fit a store, found before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_builders.places import is_remote
from data_builders.splits import Split
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.inputs import blank_features, streams_of, streams_read
from encoders.quantities import parts_of_column
from encoders.signal_encoder import SignalEncoder
from encoders.signal_tokenizer import SignalTokenizerConfig
from encoders.streams import StreamSpec
from encoders.trainer_config import TrainEncoderConfig

__all__ = ["check_against_store", "labelled"]


def check_against_store(
    settings: SignalTokenizerConfig, config: TrainEncoderConfig, store: SegmentStore, split: Split
) -> None:
    """Fail with all that does not fit.

    Raises
    ------
    ValueError
        If `out` is a URL, subjects would be normalised in parts, a target has no labels to learn from or to
        choose by, or a network refuses its options or its streams.
    """
    problems = []
    if is_remote(config.out):
        problems.append(f"out: {config.out} is a URL; give a folder on this machine, and copy it later.")
    if not split.subject_disjoint and settings.normalisation != "none":
        problems.append(
            f"the protocol {split.protocol!r} has the same subjects in training and test, and normalisation "
            f"({settings.normalisation}) would take other statistics of them in each part. Take a protocol "
            "by subject, or the normalisation none; 'biollm compare' scores networks on such protocols."
        )
    if settings.encoder is not None:
        encoder = EncoderConfig(**settings.encoder)
        problems += _nameless(encoder)
        unlabelled = _unlabelled(encoder.targets, store, split)
        problems += unlabelled or _refusals(encoder, settings, store, config.seed)
    problems += _unknown_features(store, settings.features)
    if problems:
        raise ValueError(f"{config.store}:\n" + "\n".join(f"  {problem}" for problem in problems))


def labelled(table: pd.DataFrame, targets: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """The rows of a segment table that have a label of any target."""
    known = [table[t].isin(classes) if t == "emotion" else table[t].notna() for t in targets]
    return table[np.logical_or.reduce(known)]


def _nameless(encoder: EncoderConfig) -> list[str]:
    """Networks that a folder cannot hold."""
    networks = [network for one in encoder.each() for network in _by_stream(one.network)]
    return [
        f"encoder: network is {network!r}; allowed in a signal tokenizer, which is loaded by names, are "
        "those of ENCODERS (encoders/networks): give the class a line there."
        for network in networks
        if not isinstance(network, str)
    ]


def _by_stream(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else [value]


def _unknown_features(store: SegmentStore, features: str) -> list[str]:
    """Features of one's own that nothing is known of."""
    problems = []
    for name in blank_features(store, features):
        try:
            parts_of_column(name)
        except KeyError:
            problems.append(
                f"features: {name!r} has no row in CATALOGUE (encoders/features/catalogue.py), which says "
                "its unit and formula: add one."
            )
    return problems


def _unlabelled(targets: Sequence[str], store: SegmentStore, split: Split) -> list[str]:
    parts = {part: store.table[split.mask(store.table, part)] for part in ("train", "validation")}
    return [
        f"targets: no segment of the {part} part has the label {target!r}; leave it out."
        for target in targets
        for part, table in parts.items()
        if table.empty or labelled(table, [target], store.classes).empty
    ]


def _refusals(
    encoder: EncoderConfig, settings: SignalTokenizerConfig, store: SegmentStore, seed: int
) -> list[str]:
    """What the model says of its options and of these streams, once it is made and has read zeros."""
    import torch

    specs = _streams(encoder, settings, store)
    try:
        model = SignalEncoder(encoder, store.classes, seed).build(specs).eval()
        with torch.no_grad():
            model.frames({spec.name: torch.zeros(2, spec.n_channels, spec.n_samples) for spec in specs})
    except (ValueError, TypeError) as error:  # a TypeError where a value is of another kind
        return [f"encoder: {error}"]
    return []


def _streams(
    encoder: EncoderConfig, settings: SignalTokenizerConfig, store: SegmentStore
) -> list[StreamSpec]:
    streams = streams_of(store.specs, store.about["window"], settings.frame_seconds)
    return streams_read(streams, encoder.read_by_any, store, settings.features)
