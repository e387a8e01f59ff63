"""``biollm data quality``: a table of what each recording of a data set is worth, a summary, a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from data_builders.figure_text import save_plain
from data_builders.options import as_mapping
from data_builders.preparing import input_stats, make_reader
from data_builders.provenance import code_behind
from data_builders.quality_figure import quality_figure
from data_builders.signal_quality import COLUMNS, FLAT_SECONDS, recording_quality, signal_quality
from data_builders.stage import run_stage

__all__ = ["QualityConfig", "data_quality", "recording_quality", "signal_quality", "summarise"]

TABLE = "quality.csv"
SUMMARY = "summary.csv"
SKIPPED = "skipped.csv"
FIGURE = "quality.png"
DPI = 130
CHANNEL = ["modality", "channel"]
SHOWN = ["recordings", "hours", "snr", "sparsity", "effective_rate"]
FINDINGS = ["too_short", "missing", "flat", "clipped", "held"]


@dataclass
class QualityConfig:
    """Recordings on disk -> what they are worth."""

    dataset: str = field(default="simulated", metadata={"help": "reader; 'biollm data list' shows all"})
    root: str | None = field(
        default=None, metadata={"help": "folder (or URL) that holds the data set's files"}
    )
    out: str = field(default="runs/quality", metadata={"help": "folder to write tables and figure to"})
    reader_options: dict | str | None = field(
        default=None, metadata={"help": "options of the reader, as JSON"}
    )
    on_error: str = field(
        default="fail", metadata={"help": "fail at a file that cannot be read, or skip it and list it"}
    )
    shortest: float | None = field(
        default=None, metadata={"help": "seconds from which a recording is long enough; default: a window"}
    )
    flat_seconds: float = field(
        default=FLAT_SECONDS, metadata={"help": "seconds without change that make a stretch flat"}
    )

    def __post_init__(self) -> None:
        self.reader_options = as_mapping(self.reader_options)
        problems = [
            f"{name} is {value}; allowed are seconds above 0"
            for name, value in (("shortest", self.shortest), ("flat_seconds", self.flat_seconds))
            if value is not None and not value > 0
        ]
        if self.on_error not in ("fail", "skip"):
            problems.append(f"on_error is {self.on_error!r}; allowed are 'fail' and 'skip'")
        if problems:
            raise ValueError(f"QualityConfig: {'; '.join(problems)}.")


def data_quality(config: QualityConfig, progress: bool = True) -> Path:
    """Write ``quality.csv``, ``summary.csv``, ``skipped.csv`` and ``quality.png``, and print the summary.

    The recordings are taken as their reader gives them: filters would hide what is looked for. Memory
    holds one recording and the table, a row a channel of a recording.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If a file cannot be read (unless ``on_error`` is "skip"), or the data set holds no recording.
    """
    reader = make_reader(config.dataset, config.root, config.reader_options)
    inputs = {
        "config": asdict(config) | {"out": None},
        "recordings": [str(path) for path in reader.paths()],
        "files": input_stats(reader, config.root),
        "columns": COLUMNS,
        "code": code_behind(__file__),
    }

    def work(partial: Path) -> None:
        skipped: list[dict[str, str]] = []
        table = _table(reader, config, skipped, progress)
        summary = summarise(table)
        table.to_csv(partial / TABLE, index=False)
        summary.to_csv(partial / SUMMARY, index=False)
        pd.DataFrame(skipped, columns=["file", "error"]).to_csv(partial / SKIPPED, index=False)
        figure = quality_figure(table, reader.title or reader.name)
        save_plain(figure, partial / FIGURE, dpi=DPI, facecolor="white")

    folder = run_stage("data quality", config.out, inputs, work)
    print(_as_text(pd.read_csv(folder / SUMMARY), reader.name))
    for row in pd.read_csv(folder / SKIPPED).itertuples():
        print(f"left out: {row.file}: {row.error}")
    print(f"{folder}: {TABLE}, {SUMMARY}, {SKIPPED}, {FIGURE}")
    return folder


def _table(reader: Any, config: QualityConfig, skipped: list[dict[str, str]], progress: bool) -> pd.DataFrame:
    tables = list(_tables(reader, config, skipped, progress))
    if not tables:
        raise ValueError(f"{config.root}: reader {reader.name!r} found no recording; check the root.")
    return pd.concat(tables, ignore_index=True)


def _tables(
    reader: Any, config: QualityConfig, skipped: list[dict[str, str]], progress: bool
) -> Iterator[pd.DataFrame]:
    from tqdm import tqdm

    shortest = config.shortest or (sum(reader.event) if reader.event else reader.window)
    for path in tqdm(reader.paths(), desc=f"quality {reader.name}", unit="file", disable=not progress):
        try:
            for recording in reader.recordings(path):
                yield recording_quality(recording, shortest, config.flat_seconds)
        except (ValueError, OSError) as error:
            if config.on_error == "fail":
                raise
            skipped.append({"file": str(path), "error": str(error)})


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """A data set in a row a channel, from the rows of `recording_quality` of its recordings.

    Returns
    -------
    DataFrame
        ``recordings``, ``hours``; the median over recordings of ``snr`` (dB), ``sparsity`` and
        ``effective_rate`` (Hz), with the quartiles of the first two; and the number of recordings that
        are ``too_short``, or have ``missing``, ``flat``, ``clipped`` or ``held`` samples.
    """
    found = table.assign(
        missing=table["nan_share"] > 0, flat=table["n_flat"] > 0, clipped=table["clipped_share"] > 0
    )
    groups = found.groupby(CHANNEL, sort=False)
    parts = {"recordings": groups.size(), "hours": groups["duration"].sum() / 3600}
    for name in ("snr", "sparsity"):
        parts[name] = groups[name].median()
        parts[f"{name}_25"], parts[f"{name}_75"] = groups[name].quantile(0.25), groups[name].quantile(0.75)
    parts["effective_rate"] = groups["effective_rate"].median()
    parts |= {name: groups[name].sum().astype(int) for name in FINDINGS}
    return pd.DataFrame(parts).reset_index()


def _as_text(summary: pd.DataFrame, name: str) -> str:
    table = summary[CHANNEL + SHOWN + FINDINGS].to_string(index=False, float_format="{:.2f}".format)
    about = (
        "medians of snr (dB), sparsity (0 to 1) and effective_rate (Hz), then recordings with each finding"
    )
    return f"{name}: {about}\n{table}"
