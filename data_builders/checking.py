"""``biollm data init`` and ``biollm data check``: a manifest of one's own recordings, begun and checked."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data_builders.manifests.checks import FileCheck, check_files, modality_problems
from data_builders.manifests.drafting import draft
from data_builders.manifests.manifest import Manifest, read_manifest
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.table import LABEL_COLUMNS, one_line_each
from data_builders.options import as_mapping

__all__ = ["DataCheckConfig", "DataInitConfig", "data_check", "data_init"]


@dataclass
class DataCheckConfig:
    """A manifest and its files -> all that is wrong with them, or what was found."""

    root: str = field(
        metadata={"help": "folder that holds manifest.csv (.tsv, .parquet, .jsonl), or the table"}
    )
    reader_options: dict | str | None = field(
        default=None, metadata={"help": "options of the reader 'manifest', as JSON; the same as for prepare"}
    )
    read_signals: bool = field(
        default=True, metadata={"help": "read every sample; false looks at the table and the headers only"}
    )


@dataclass
class DataInitConfig:
    """A folder of signal files -> a first manifest to fill in."""

    folder: str = field(metadata={"help": "folder that holds the signal files; sub-folders are searched"})
    out: str | None = field(
        default=None, metadata={"help": "table to write (.csv); default: manifest.csv in the folder"}
    )


def data_check(config: DataCheckConfig, progress: bool = True) -> dict:
    """Check a manifest and every file that it names, and print what was found; nothing is written.

    Returns
    -------
    dict
        ``n_recordings``, ``n_subjects``, ``labels`` (counts of stretches by emotion), ``modalities``
        and ``notes``.

    Raises
    ------
    FileNotFoundError
        If there is no table.
    ValueError
        With all problems, each with file, row, column, value, what is allowed and what to do.
    """
    options = ManifestOptions.of(as_mapping(config.reader_options))
    manifest = read_manifest(config.root, options)
    recordings = manifest.recordings
    if progress:
        from tqdm import tqdm

        recordings = tqdm(recordings, desc="data check", unit="recording", leave=False)
    check = check_files(recordings, manifest.path, options, config.read_signals)
    if not manifest.problems:
        # a row that is left out for a fault of its own leaves its recording incomplete
        check.problems += modality_problems(manifest.recordings, manifest.path)
    problems = [*manifest.problems, *check.problems]
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ValueError("\n- ".join((f"{manifest.path}: {count}", *one_line_each(problems))))
    summary = _summary(manifest, check, options)
    print("\n".join(_report(manifest, summary, config)))
    return summary


def _summary(manifest: Manifest, check: FileCheck, options: ManifestOptions) -> dict:
    stretches = [stretch for recording in manifest.recordings for stretch in recording.stretches]
    labels: Counter = Counter(
        stretch.labels["emotion"] for stretch in stretches if "emotion" in stretch.labels
    )
    modalities = {
        name: {
            "files": len(seen),
            "channels": len(seen[0].channel_names),
            "sampling_rate": options.resample.get(name, seen[0].sampling_rate),
            "unit": seen[0].unit,
            "minutes": sum(each.duration for each in seen) / 60,
        }
        for name, seen in check.seen.items()
    }
    return {
        "n_recordings": len(manifest.recordings),
        "n_subjects": len({recording.subject for recording in manifest.recordings}),
        "n_stretches": len(stretches),
        "labels": dict(sorted(labels.items())),
        "label_columns": [c for c in LABEL_COLUMNS if any(c in stretch.labels for stretch in stretches)],
        "modalities": modalities,
        "notes": [*check.notes, *_notes(manifest, options)],
    }


def _notes(manifest: Manifest, options: ManifestOptions) -> Iterator[str]:
    """What is allowed and hinders later stages."""
    people: dict[str, set[str]] = {}
    n_short = 0
    for recording in manifest.recordings:
        for stretch in recording.stretches:
            people.setdefault(stretch.labels.get("emotion", ""), set()).add(recording.subject)
            length = options.window if stretch.end is None else stretch.end - stretch.start
            n_short += not options.event and length < options.window
    n_bare = sum(not recording.stretches for recording in manifest.recordings)
    if n_bare:
        yield f"{n_bare} recordings have no label and give no segment."
    if n_short:
        yield (
            f"{n_short} labelled stretches are shorter than a window of {options.window:g} s and give no "
            "segment: shorten it by the reader's option window."
        )
    for label, subjects in sorted(people.items()):
        if label and len(subjects) < 3:
            yield (
                f"the label {label!r} is of {len(subjects)} subject{'s' * (len(subjects) > 1)} only: "
                "training, validation and test need one each."
            )
    if manifest.not_read:
        yield f"columns that are not read: {', '.join(manifest.not_read)}."


def _report(manifest: Manifest, summary: dict, config: DataCheckConfig) -> Iterator[str]:
    yield (
        f"{manifest.path}: no problems; {summary['n_recordings']} recordings of {summary['n_subjects']} "
        f"subjects, {summary['n_stretches']} labelled stretches ({', '.join(summary['label_columns'])})"
    )
    yield f"  {'modality':<14}{'files':>7}{'channels':>10}{'Hz':>10}{'unit':>7}{'minutes':>10}"
    for name, about in summary["modalities"].items():
        yield (
            f"  {name:<14}{about['files']:>7}{about['channels']:>10}{about['sampling_rate']:>10g}"
            f"{about['unit']:>7}{about['minutes']:>10.1f}"
        )
    if summary["labels"]:
        yield "  emotion: " + ", ".join(f"{label} {count}" for label, count in summary["labels"].items())
    yield from (f"note: {note}" for note in summary["notes"])
    options = as_mapping(config.reader_options)
    given = f" --reader_options '{json.dumps(options)}'" if options else ""
    yield f"next: biollm prepare --dataset manifest --root {shlex.quote(config.root)}{given} --out runs/NAME"


def data_init(config: DataInitConfig) -> Path:
    """Write a first manifest, and print what is to be filled in.

    Returns
    -------
    Path
        Of the table.

    Raises
    ------
    FileNotFoundError
        If the folder is none, or holds no signal file of a known format.
    FileExistsError
        If the table is there already.
    ValueError
        If `out` is no ``.csv`` file.
    """
    folder = Path(config.folder)
    out = Path(config.out) if config.out else folder / "manifest.csv"
    _check_places(folder, out)
    table, left_out = draft(folder)
    if table.empty:
        raise FileNotFoundError("\n- ".join((f"{folder}: holds no signal file that can be read.", *left_out)))
    table["path"] = [_relative(folder / path, out.parent) for path in table["path"]]
    partial = out.with_name(out.name + ".partial")
    table.to_csv(partial, index=False)
    os.replace(partial, out)
    print("\n".join(_next_steps(out, table, left_out)))
    return out


def _check_places(folder: Path, out: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: is no folder; allowed is a folder that holds signal files.")
    if out.suffix != ".csv" or not out.parent.is_dir():
        raise ValueError(f"out is {out}; allowed is a .csv file in a folder that exists.")
    if out.exists():
        raise FileExistsError(
            f"{out}: is there already and stays as it is. Move it away, or choose another out."
        )


def _relative(path: Path, folder: Path) -> str:
    # Links are not followed: what lies beside one's file lies beside the link to it.
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _next_steps(out: Path, table, left_out: list[str]) -> Iterator[str]:
    yield f"{out}: {len(table)} rows"
    yield from (f"left out: {reason}" for reason in left_out)
    for column in ("subject", "modality", "sampling_rate", "unit"):
        empty = int((table[column] == "").sum())
        if empty:
            yield f"fill in {column!r}: {empty} of {len(table)} rows do not tell it by their name or header"
    yield (
        "fill in one label column or more: emotion (a word), valence, arousal (numbers), transition (0 or "
        "1); for a stretch of a file give start and end in s, and a row a stretch"
    )
    yield "give trial or session where files of several modalities belong together; delete rows of no use"
    root = out if out.name != "manifest.csv" else out.parent
    yield f"then: biollm data check --root {shlex.quote(str(root))}"
