"""Recordings of one's own: a table of files, people and labels, over files of many formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from data_builders.manifests import (
    Manifest,
    ManifestOptions,
    PlannedRecording,
    Source,
    Stream,
    end_tolerance,
    load,
    look_into,
    one_line_each,
    read_manifest,
    start_problem,
    with_companions,
)
from data_builders.readers.reader import Reader, existing_folder
from data_builders.recording import BASELINE_SECONDS, LABELS, Block, Recording

__all__ = ["ManifestReader"]


class ManifestReader(Reader):
    """A folder with ``manifest.csv`` (or ``.tsv``, ``.parquet``, ``.jsonl``): a row a file or stretch.

    Signals are converted to the units of `MODALITY_UNITS`. Files of one recording start together.

    Parameters
    ----------
    root : str or Path
        The folder, or the table itself.
    **options
        See `ManifestOptions`.

    Raises
    ------
    FileNotFoundError
        If there is no table.
    ValueError
        With everything that is wrong in the table or the options; ``biollm data check`` looks into
        the files as well.
    """

    name: ClassVar[str] = "manifest"
    title = "Recordings of one's own, by a table"
    licence = "as its owner says"
    citation = "as its owner says"
    labels: Mapping[str, str] = dict.fromkeys(LABELS, "as in the table, where it has the column")
    baseline = (
        "the option baseline; by default the first 120 s of a recording, and what lies before its labelled "
        "stretch where it has one only"
    )
    left_out = ("recordings without a label: nothing can be learned from them",)

    def __init__(self, root: str | Path | None, **options: Any) -> None:
        content = "a table manifest.csv, .tsv, .parquet or .jsonl"
        if root is None or not Path(root).is_file():
            root = existing_folder(root, self.name, content)
        self.options = ManifestOptions.of(options)
        self.manifest: Manifest = read_manifest(root, self.options)
        if self.manifest.problems:
            count = len(self.manifest.problems)
            lines = one_line_each(self.manifest.problems)
            raise ValueError("\n- ".join((f"{self.manifest.path}: {count} problems", *lines)))
        self.window, self.step = self.options.window, self.options.training_step
        self.event = self.options.event
        self.classes = self.options.classes or self.manifest.emotions
        self._planned = {recording.label: recording for recording in self.manifest.recordings}

    def files(self) -> list[Path]:
        """The table and every file that it names: what a cache of the recordings depends on."""
        named = {
            file
            for recording in self.manifest.recordings
            for source in recording.sources
            for file in with_companions(source.path)
        }
        return [self.manifest.path, *sorted(named, key=str)]

    def paths(self) -> list[str]:
        """``TABLE#SUBJECT:SESSION:TRIAL`` a recording with labels, as far as it has session and trial."""
        labelled = [label for label, recording in self._planned.items() if recording.stretches]
        return [f"{self.manifest.path}#{label}" for label in labelled]

    def recordings(self, path: str | Path) -> Iterator[Recording]:
        """The recording of one entry of `paths`, or those of one signal file that the table names.

        Raises
        ------
        ValueError
            If the table has no such entry, or a file of it cannot be read; the message has the row.
        """
        return (self._read(recording) for recording in self._found(str(path)))

    def read(self, path: str | Path) -> Recording:
        """One recording: of an entry or a file, or named as ``FILE#NAME`` where a file holds several.

        Raises
        ------
        ValueError
            If there are several, or none of that name; the message lists those that there are.
        """
        entry, _, name = str(path).rpartition("#")
        known = not entry or self._label(str(path)) in self._planned
        found = self._found(str(path) if known else entry)
        chosen = [recording for recording in found if known or recording.name == name]
        if len(chosen) != 1:
            names = [recording.name for recording in found]
            raise ValueError(
                f"{path}: stands for {len(chosen)} recordings; allowed is FILE#NAME with one of {names}."
            )
        return self._read(chosen[0])

    def _label(self, path: str) -> str:
        """``SUBJECT:SESSION:TRIAL`` of an entry; empty for another path."""
        start = f"{self.manifest.path}#"
        return path.removeprefix(start) if path.startswith(start) else ""

    def _found(self, path: str) -> list[PlannedRecording]:
        if self._label(path) in self._planned:
            return [self._planned[self._label(path)]]
        recordings = self._planned.values()
        found = [r for r in recordings if any(s.path.resolve() == Path(path).resolve() for s in r.sources)]
        if not found:
            raise ValueError(
                f"{path}: is not in {self.manifest.path}; allowed are the files that it names and entries "
                f"such as {self.paths()[:3]}. Add a row for it."
            )
        return found

    def _read(self, planned: PlannedRecording) -> Recording:
        signals, told = {}, []
        for source in planned.sources:
            stream = self._stream(source)
            told.append((source, stream.file.start, stream.sampling_rate))
            signals[source.modality] = load(
                stream, source.modality, self.options.resample.get(source.modality)
            )
        if problem := start_problem(told):
            raise ValueError(f"{self.manifest.path}, row {planned.sources[0].row}: {problem}")
        duration = min(signal.duration for signal in signals.values())
        blocks = []
        for start, end, labels, trial, stimulus, row in planned.stretches:
            stop = duration if end is None else end
            if max(start, stop) > duration + end_tolerance(s.sampling_rate for s in signals.values()):
                raise ValueError(
                    f"{self.manifest.path}, row {row}: is {start:g} to {stop:g} s; allowed is up to the "
                    f"recording's {duration:g} s. Correct 'start' or 'end'."
                )
            length = 0.0 if self.event else min(stop, duration) - start
            blocks.append(Block(start, length, labels, trial, stimulus))
        ids = (self.options.dataset, planned.subject, planned.session)
        baseline = self._baseline(planned)
        return Recording(signals, *ids, tuple(blocks), planned.name, planned.group, baseline)

    def _stream(self, source: Source) -> Stream:
        stream, problems = look_into(source, self.options)
        if stream is None:
            raise ValueError(f"{self.manifest.path}, row {source.row}: " + "\n- ".join(problems))
        return stream

    def _baseline(self, planned: PlannedRecording) -> tuple[float, float]:
        """A single stretch has what lies before it as its baseline, and never itself."""
        if self.options.baseline:
            return self.options.baseline
        if len(planned.stretches) == 1:
            return (0.0, planned.stretches[0].start)
        return (0.0, BASELINE_SECONDS)
