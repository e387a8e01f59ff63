"""What there is: a table of all readers, a data set's or a store's description, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, getdoc, signature
from itertools import takewhile
from pathlib import Path
from typing import Any

from data_builders.downloads import access
from data_builders.readers import READERS, Reader
from data_builders.store import SegmentStore

__all__ = ["DataInfoConfig", "DataListConfig", "data_info", "data_list", "describe_reader", "describe_store"]

SUBJECTS = {
    "amigos": "40",
    "deap": "32",
    "dreamer": "23",
    "seed": "15",
    "seed_iv": "15",
    "gameemo": "28",
    "wesad": "15",
    "kaggle": "2, not told apart",
    "noneeg": "20",
    "fmov": "37",
    "stress_predict": "34",
    "simulated": "any number",
    "simulated_features": "2, not told apart",
}
"""People whose recordings are read; a data set that is not named here has as many as its files."""
AS_FILES = "as the files"
TEXTS = ("title", "licence", "citation", "url")
COLUMNS = ("name", "modalities", "subjects", "licence", "data")


@dataclass
class DataListConfig:
    """All readers -> a table."""

    json: bool = field(default=False, metadata={"help": "print JSON instead of a table"})


@dataclass
class DataInfoConfig:
    """A reader, or the store that prepare wrote -> its description."""

    what: str = field(metadata={"help": "name of a reader, or folder (or URL) of a segment store"})
    json: bool = field(default=False, metadata={"help": "print JSON instead of text"})


def data_list(config: DataListConfig) -> None:
    """Print every reader with its modalities, subjects, licence and the way to its data."""
    rows = [_row(describe_reader(name)) for name in sorted(READERS)]
    print(json.dumps(rows, indent=1, ensure_ascii=False) if config.json else _table(rows))


def data_info(config: DataInfoConfig) -> None:
    """Print what a reader or a store is.

    Raises
    ------
    FileNotFoundError
        If it is the name of no reader and no finished store.
    """
    if config.what in READERS:
        about = describe_reader(config.what)
    elif "://" in config.what or Path(config.what).exists():
        about = describe_store(config.what)
    else:
        raise FileNotFoundError(
            f"{config.what}: there is no such store; allowed are the folder of one that 'biollm prepare' "
            f"wrote and the readers {sorted(READERS)}."
        )
    print(json.dumps(about, indent=1, ensure_ascii=False) if config.json else "\n".join(_lines(about)))


def describe_reader(name: str) -> dict[str, Any]:
    """What a reader knows of its data set.

    Returns
    -------
    dict
        ``name``, ``title``, ``licence``, ``citation``, ``url``, ``data`` (how one comes by the files),
        ``subjects``, ``modalities`` (name -> ``rate`` in Hz, ``unit``, ``channels``; empty where the files
        tell), ``labels`` (name -> source and scale), ``classes``, ``window`` and ``step`` in s, ``event``
        in s before and after, ``baseline``, ``left_out``, ``caution``, ``reader_options`` (name -> meaning).
        JSON values.
    """
    reader = READERS[name]
    modalities = {
        modality: {"rate": spec.sampling_rate, "unit": spec.unit, "channels": list(spec.channel_names)}
        for modality, spec in reader.modalities.items()
    }
    return {
        "name": name,
        **{text: getattr(reader, text) for text in TEXTS},
        "data": access(name),
        "subjects": SUBJECTS.get(name, AS_FILES),
        "modalities": modalities,
        "labels": dict(reader.labels),
        "classes": list(reader.classes),
        "window": reader.window,
        "step": reader.step,
        "event": list(reader.event) if reader.event else None,
        "baseline": reader.baseline,
        "left_out": list(reader.left_out),
        "caution": reader.caution,
        "reader_options": _options(reader),
    }


def describe_store(folder: str | Path) -> dict[str, Any]:
    """What `SegmentStore.describe` says, with rates in Hz, channels and units.

    Raises
    ------
    FileNotFoundError
        If the folder is no finished store.
    """
    store = SegmentStore(folder)
    return {
        **store.describe(),
        "n_windows": len(store),
        "rates": {name: spec.sampling_rate for name, spec in store.specs.items()},
        "channels": {name: list(spec.channel_names) for name, spec in store.specs.items()},
        "units": {name: spec.full_unit for name, spec in store.specs.items()},
        "left_out": [f"{entry['name']}: {entry['error']}" for entry in store.about["skipped"]],
        "notes": store.about.get("notes", []),  # stores of older versions have none
    }


def _options(reader: type[Reader]) -> dict[str, str]:
    """What ``reader_options`` may set, from the reader's docstring: name -> type, default, meaning."""
    parameters = signature(reader).parameters
    text = (getdoc(reader) or "").partition("Parameters\n----------\n")[2]
    found: dict[str, list[str]] = {}
    for line in takewhile(str.strip, text.splitlines()):
        name, _, kind = line.partition(" : ")
        if line.startswith(" "):
            found[list(found)[-1]].append(line.strip())
        else:
            default = parameters[name].default if name in parameters else Parameter.empty
            known = default not in (Parameter.empty, None)
            found[name] = [f"{kind or 'as its own'}{f', default {default!r}' if known else ''}."]
    return {name: " ".join(lines) for name, lines in found.items() if name != "root"}


def _row(about: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": about["name"],
        "modalities": ", ".join(about["modalities"]) or AS_FILES,
        "subjects": about["subjects"],
        "licence": about["licence"],
        "data": about["data"],
    }


def _table(rows: list[dict[str, str]]) -> str:
    rows = [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows]
    widths = {column: max(len(row[column]) for row in rows) for column in COLUMNS}
    return "\n".join("  ".join(f"{row[c]:<{widths[c]}}" for c in COLUMNS).rstrip() for row in rows)


def _lines(about: Mapping[str, Any]) -> Iterable[str]:
    """One line an entry; what is empty is left out."""
    for key, value in about.items():
        if isinstance(value, Mapping) and value:
            yield f"{key}:"
            yield from (f"  {name}: {_short(entry)}" for name, entry in value.items())
        elif isinstance(value, list) and key in ("left_out", "notes") and value:
            yield f"{key}:"
            yield from (f"  - {entry}" for entry in value)
        elif value not in ("", None, [], {}):
            yield f"{key}: {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['rate']:g} Hz, {value['unit']}, {len(value['channels'])}: {_short(value['channels'])}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
