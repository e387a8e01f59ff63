"""The folder of a signal tokenizer: one JSON file of what it is, and one of arrays."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_builders.normalisation import Normaliser
from data_builders.places import write_whole
from encoders.bins import QuantileBins
from encoders.encoder_config import EncoderConfig
from encoders.signal_encoder import SignalEncoder
from encoders.streams import StreamSpec
from encoders.token_sources import Levels, NormalisedFeatures

if TYPE_CHECKING:
    from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

__all__ = ["read_folder", "restore", "write_folder"]

CONFIG, WEIGHTS = "signal_tokenizer.json", "signal_tokenizer.safetensors"
Arrays = dict[str, np.ndarray]


def write_folder(tokenizer: SignalTokenizer, folder: Path) -> None:
    """Write all that a fitted tokenizer has learned."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {}
    normalisers = {"": tokenizer.features_.normaliser}
    encoder = tokenizer.encoder_
    if encoder is not None:
        arrays = {f"network.{k}": v.cpu().numpy() for k, v in encoder.network_.state_dict().items()}
        normalisers |= encoder.normalisers_
    for name, normaliser in normalisers.items():
        arrays |= {f"mean.{name}": normaliser.mean_, f"scale.{name}": normaliser.scale_}
    about = {
        "config": asdict(tokenizer.config),
        "signal_mode": tokenizer.signal_mode,
        "spelling": tokenizer.spelling,
        "classes": tokenizer.classes,
        "seed": tokenizer.seed,
        "streams": [asdict(stream) for stream in tokenizer.stream_specs_],
        "features": tokenizer.features_.names,
        "bin_features": tokenizer.bins_.columns,
        "edges": _edges(tokenizer.bins_.quantiles),
        "level_features": tokenizer.levels_.keys,
        "level_edges": _edges(tokenizer.levels_.quantiles) if tokenizer.levels_.keys else [],
        "ratings": encoder.ratings_ if encoder is not None else {},
    }
    text = json.dumps(about, indent=1)
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / WEIGHTS)
    write_whole(folder / CONFIG, text)


def read_folder(folder: Path, config: type[SignalTokenizerConfig]) -> tuple[dict[str, Any], Arrays]:
    """What `write_folder` wrote: the JSON file, whose settings must be fields of `config`, and the arrays.

    Raises
    ------
    FileNotFoundError
        If the folder holds no signal tokenizer.
    ValueError
        If it is of a version with other settings.
    """
    from safetensors.numpy import load_file

    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder}: holds no {CONFIG}; 'biollm train-encoder' writes one.")
    about = json.loads((folder / CONFIG).read_text())
    unknown = [
        *_unknown("", about["config"], config),
        *_unknown("encoder.", about["config"].get("encoder") or {}, EncoderConfig),
    ]
    if unknown:
        raise ValueError(
            f"{folder / CONFIG}: the settings {unknown} are unknown to this version of biollm. Fit the "
            "signal tokenizer again with 'biollm train-encoder', and build again what was built with it."
        )
    return about, load_file(folder / WEIGHTS)


def _unknown(where: str, settings: dict[str, Any], config: type) -> list[str]:
    known = {field.name for field in fields(config)}
    return [where + name for name in settings if name not in known]


def restore(tokenizer: SignalTokenizer, about: dict[str, Any], arrays: Arrays) -> None:
    """Give a new tokenizer, and its new encoder if it has one, what another has learned."""
    tokenizer.signal_mode, tokenizer.spelling = about["signal_mode"], about["spelling"]
    tokenizer.stream_specs_ = [_stream(stream) for stream in about["streams"]]
    if tokenizer.encoder_ is not None:
        _restore_encoder(tokenizer.encoder_, tokenizer.stream_specs_, arrays)
        tokenizer.encoder_.ratings_ = {name: tuple(scale) for name, scale in about["ratings"].items()}
    normaliser = _normaliser(tokenizer.config.normalisation, arrays, "")
    tokenizer.features_ = NormalisedFeatures(normaliser, about["features"])
    columns, edges = about["bin_features"], about["edges"]
    tokenizer.bins_ = tokenizer.new_bins(columns, _bins(tokenizer.config.n_bins, edges))
    keys, edges = about["level_features"], about["level_edges"]
    tokenizer.levels_ = Levels(keys, _bins(tokenizer.config.n_levels, edges))


def _edges(quantiles: QuantileBins) -> list[list[float]]:
    return [edges.tolist() for edges in quantiles.edges_]


def _bins(n_bins: int, edges: list[list[float]]) -> QuantileBins:
    bins = QuantileBins(n_bins)
    bins.edges_ = [np.array(inner) for inner in edges]
    bins.n_bins_ = np.array([len(inner) + 1 for inner in edges], dtype=int)
    bins.n_features_in_ = len(edges)
    return bins


def _restore_encoder(encoder: SignalEncoder, specs: list[StreamSpec], arrays: Arrays) -> None:
    import torch

    how = encoder.config.normalisation
    encoder.normalisers_ = {spec.name: _normaliser(how, arrays, spec.name) for spec in specs}
    encoder.stream_specs_ = specs
    encoder.network_ = encoder.build(specs).eval()
    weights = {
        k.removeprefix("network."): torch.tensor(v) for k, v in arrays.items() if k.startswith("network.")
    }
    encoder.network_.load_state_dict(weights)


def _normaliser(how: str, arrays: Arrays, name: str) -> Normaliser:
    normaliser = Normaliser(how)
    normaliser.mean_, normaliser.scale_ = arrays[f"mean.{name}"], arrays[f"scale.{name}"]
    return normaliser


def _stream(fields: dict[str, Any]) -> StreamSpec:
    names = {name: tuple(fields[name]) for name in ("modalities", "channel_names")}
    return StreamSpec(**{**fields, **names})
