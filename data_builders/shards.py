"""One shard of a store: an Arrow file of segments, written whole or not at all, and its card."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec, signal_summary

__all__ = ["specs_from_card", "write_shard"]

NUMBERS = ("start", "duration", "valence", "arousal", "transition")
FLAGS = ("on_grid", "reference")


def write_shard(parts: Iterable[tuple[str, Segments]], path: Path) -> dict[str, Any] | None:
    """Write segments as they come into one Arrow file.

    Parameters
    ----------
    parts : iterable of (name, Segments)
        What each file holds, by the file's name; memory holds one at a time.
    path : Path
        Local; the file appears when it is whole.

    Returns
    -------
    dict or None
        The card: ``specs``, ``files`` (name, count of segments, ids of recordings), ``n_segments``,
        ``sha256`` of the file's bytes. None, and no file, where there are no parts.

    Raises
    ------
    ValueError
        If the modalities, rates or channels of a file differ from those of the one before it.
    """
    from datasets import Features
    from datasets.arrow_writer import ArrowWriter

    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    writer, specs, files = None, None, list[dict[str, Any]]()
    try:
        for name, segments in parts:
            if specs is None:
                specs = segments.specs
                writer = ArrowWriter(path=str(partial), features=Features(_features(segments)))
            check_specs(name, segments.specs, specs)
            writer.write_table(_arrow_table(segments))  # type: ignore[union-attr]
            recordings = sorted(segments.table["recording"].unique())
            files.append({"name": name, "n_segments": len(segments), "recordings": recordings})
        if writer is None:
            return None
        writer.finalize()
        card = {
            "specs": specs_to_card(specs or {}),
            "files": files,
            "n_segments": sum(file["n_segments"] for file in files),
            "sha256": _sha256(partial),
        }
        os.replace(partial, path)
    finally:
        if writer is not None:
            writer.close()
        partial.unlink(missing_ok=True)
    return card


def check_specs(name: str, found: dict[str, SignalSpec], expected: dict[str, SignalSpec]) -> None:
    """Refuse a file whose signals are not those of the files before it."""
    if found != expected:
        raise ValueError(
            f"{name}: has {_in_words(found)}; the files before it have {_in_words(expected)}. One store "
            "holds one set of modalities, rates and channels, all or none above the baseline: resample, "
            "pick channels, set the modality's 'baseline' in --preprocessing, or leave the file out."
        )


def _in_words(specs: dict[str, SignalSpec]) -> str:
    return "; ".join(f"{name} at {signal_summary(spec)}" for name, spec in specs.items())


def specs_to_card(specs: dict[str, SignalSpec]) -> dict[str, dict]:
    """Specs as JSON values."""
    return {name: asdict(spec) | {"channel_names": list(spec.channel_names)} for name, spec in specs.items()}


def specs_from_card(card: dict[str, dict]) -> dict[str, SignalSpec]:
    """Specs from what `specs_to_card` made."""
    return {
        name: SignalSpec(**{**about, "channel_names": tuple(about["channel_names"])})
        for name, about in card.items()
    }


def _kinds() -> dict[str, str]:
    kinds = dict.fromkeys(TABLE_COLUMNS, "string")
    return kinds | dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(FLAGS, "bool")


def _features(segments: Segments) -> dict[str, Any]:
    from datasets import List, Value

    features: dict[str, Any] = {name: Value(kind) for name, kind in _kinds().items()}
    for name, data in segments.signals.items():
        features[name] = List(Value("float32"), length=data.shape[1] * data.shape[2])
    return features


def _arrow_table(segments: Segments) -> Any:
    import pyarrow as pa

    columns = {}
    for name, kind in _kinds().items():
        values = segments.table[name]
        values = values.astype(float) if kind == "float64" else values.where(values.notna(), None)
        columns[name] = pa.array(values, type=pa.type_for_alias(kind), from_pandas=True)
    for name, data in segments.signals.items():
        flat = pa.array(np.ascontiguousarray(data, dtype=np.float32).reshape(-1), type=pa.float32())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, data.shape[1] * data.shape[2])
    return pa.table(columns)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
