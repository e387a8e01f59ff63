"""A manifest as a whole: the table, its rows, the recordings that they make, and all problems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_builders.manifests.grouping import PlannedRecording, plan
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.rows import parse_rows
from data_builders.manifests.table import REQUIRED, find_table, read_table

__all__ = ["Manifest", "read_manifest"]


@dataclass(frozen=True)
class Manifest:
    """What a table says, and what is wrong with it.

    Parameters
    ----------
    path : Path
        Of the table.
    recordings : tuple of PlannedRecording
        Of the rows without a fault.
    problems : tuple of str
    not_read : tuple of str
        Columns that mean nothing here.
    """

    path: Path
    recordings: tuple[PlannedRecording, ...]
    problems: tuple[str, ...]
    not_read: tuple[str, ...]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotion labels that occur, sorted."""
        found = {s.labels.get("emotion") for r in self.recordings for s in r.stretches} - {None}
        return tuple(sorted(str(label) for label in found))


def read_manifest(root: str | Path, options: ManifestOptions) -> Manifest:
    """Read and check a table; its signal files are looked for, and not opened.

    Raises
    ------
    FileNotFoundError
        If there is no table.
    ValueError
        If it is none.
    """
    table = read_table(find_table(Path(root), options.manifest))
    if any(name not in table.cells for name in REQUIRED):
        return Manifest(table.path, (), tuple(table.problems), tuple(table.not_read))
    rows, problems = parse_rows(table, options)
    recordings, unclear = plan(rows, table.path, options.event is not None)
    problems = [*table.problems, *problems, *unclear] or options.unmatched({row.modality for row in rows})
    return Manifest(table.path, tuple(recordings), tuple(problems), tuple(table.not_read))
