"""From a source to a `Signal`: channels picked and named, rate and unit settled, values converted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from data_builders.manifests.formats import open_signals
from data_builders.manifests.grouping import Source
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.signal_file import Channel, SignalFile
from data_builders.manifests.units import canonical_unit, convert, unit_problem
from data_builders.recording import Signal

__all__ = ["Stream", "end_tolerance", "load", "look_into", "start_problem"]

NO_SIGNALS = (
    "annotation", "class", "emotion", "event", "events", "index", "label", "labels", "marker", "markers",
    "session", "state", "status", "stim", "stimulus", "subject", "target", "transition", "trial", "trigger",
    "triggers", "unnamed: 0",
)  # fmt: skip
"""Names of columns, in small letters, that tell of signals and are none."""
RATE_TOLERANCE = 0.01
"""By how much the table's rate may differ from the file's, relative: clocks drift, 250 and 256 Hz do not."""


@dataclass(frozen=True)
class Stream:
    """What a source will be once it is read."""

    file: SignalFile
    positions: tuple[int, ...]
    channel_names: tuple[str, ...]
    sampling_rate: float
    unit: str
    n_samples: int

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.n_samples / self.sampling_rate


def end_tolerance(rates: Iterable[float]) -> float:
    """Seconds by which a stretch may end behind its recording: half a sample, as lengths get rounded."""
    return 0.5 / min(rates)


def look_into(source: Source, options: ManifestOptions) -> tuple[Stream | None, list[str]]:
    """Open a source and settle its channels, rate and unit; what hinders that is told, all of it."""
    try:
        file = open_signals(source.path, source.key, source.index, options.layout)
    except (ValueError, OSError) as error:
        return None, [str(error)]
    positions, names, problems = _pick(file, source.modality, options.channels.get(source.modality))
    picked = [file.channels[position] for position in positions]
    if problems or not picked:
        return None, [f"{source.path}: {problem}" for problem in problems]
    rate, rate_problem = _rate(picked, source, options, timed=file.start is not None)
    unit, unit_trouble = _unit(picked, source, options)
    problems = [problem for problem in (rate_problem, unit_trouble) if problem]
    if problems:
        return None, [f"{source.path}: {problem}" for problem in problems]
    return Stream(file, tuple(positions), tuple(names), rate, unit, picked[0].n_samples), []


def start_problem(told: Iterable[tuple[Source, float | None, float]]) -> str:
    """Files of one recording that do not start together by their columns of times; "" where they do.

    Parameters
    ----------
    told : iterable of (Source, float or None, float)
        With the start in s, None where the file has no times, and the rate in Hz.
    """
    known = sorted(
        ((start, rate, source) for source, start, rate in told if start is not None), key=itemgetter(0)
    )
    # A sample may stand for the time before it or behind it.
    if not known or known[-1][0] - known[0][0] <= 1.5 / min(known[0][1], known[-1][1]):
        return ""
    (first, _, one), (last, _, other) = known[0], known[-1]
    return (
        f"{other.path}: starts at {last:.12g} s by its column of times, and {one.path} of the same recording "
        f"(row {one.row}) at {first:.12g} s; allowed is one start, since 'start' and 'end' are seconds from "
        "it. Cut the files to the time that all of them have; if they do start together, remove the columns "
        "of times and give sampling_rate."
    )


def load(stream: Stream, modality: str, resample_to: float | None = None) -> Signal:
    """Read a stream: float32, in the unit of its modality, at `resample_to` Hz where that is given."""
    data, unit = convert(stream.file.read(stream.positions), stream.unit, modality)
    signal = Signal(data, stream.sampling_rate, stream.channel_names, unit)
    if resample_to is None:
        return signal
    from data_builders.preprocessing import resample

    return resample(signal, resample_to)


def _pick(
    file: SignalFile, modality: str, wanted: Sequence[str] | Mapping[str, str] | None
) -> tuple[list[int], list[str], list[str]]:
    """Positions and names of the channels, and problems.

    Without a wish they are all, or where the format has kinds, those of the modality.
    """
    held = [channel.name for channel in file.channels]
    nameless = not any(held)
    if wanted is None:
        if file.needs_names:
            problem = (
                f"has no line of channel names; allowed are {len(held)} names above the values. Add the "
                f"line, or list them in the reader option {json.dumps({'channels': {modality: ['...']}})}."
            )
            return [], [], [problem]
        positions = [k for k, channel in enumerate(file.channels) if channel.kind in ("", modality)]
        if (bare := [k + 1 for k in positions if not held[k]]) and not nameless:
            option = json.dumps({"channels": {modality: [name for name in held if name]}})
            problem = (
                f"has names for some of its columns {held}, and none for number {bare}; allowed are names "
                "for all or for none. An index is no signal: write the file without it, or pick the "
                f"channels by --reader_options '{option}'."
            )
            return [], [], [problem]
        names = [held[k] or f"{modality}{k + 1}" for k in positions]
        return positions, names, _name_problems(file, modality, names)
    if not nameless:
        problems = [
            f"channel {name!r} of the option channels is {held.count(name)} times among its channels {held}; "
            "allowed is once. Correct the name."
            for name in wanted
            if held.count(name) != 1
        ]
        names = list(wanted.values() if isinstance(wanted, Mapping) else wanted)
        return [held.index(name) for name in wanted if name in held], names, problems
    if isinstance(wanted, Mapping) or len(wanted) != len(held):
        problem = (
            f"has {len(held)} channels without names, and the option channels has {len(wanted)} for "
            f"{modality}; allowed is a list of {len(held)} names. Correct the option or the file."
        )
        return [], [], [problem]
    return list(range(len(held))), list(wanted), []


def _name_problems(file: SignalFile, modality: str, names: list[str]) -> list[str]:
    if not names:
        held = [f"{channel.name} ({channel.kind})" for channel in file.channels]
        return [f"has no channel of the kind {modality}; it holds {held}. Pick some by the option channels."]
    if labels := [name for name in names if name.casefold() in NO_SIGNALS]:
        option = json.dumps({"channels": {modality: [name for name in names if name not in labels]}})
        return [
            f"has {labels} among its columns {names}; allowed are signals alone, since a model would read "
            f"its labels there. Pick the channels by --reader_options '{option}'."
        ]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        return [f"has several channels named {twice}; allowed is one each. Rename them in the file."]
    return []


def _rate(picked: list[Channel], source: Source, options: ManifestOptions, timed: bool) -> tuple[float, str]:
    """The rate in Hz and what hinders it; times that the file has for all samples go before the table."""
    told = sorted({channel.sampling_rate for channel in picked if channel.sampling_rate})
    if len(told) > 1:
        names = {rate: [c.name for c in picked if c.sampling_rate == rate] for rate in told}
        return 0.0, (
            f"its channels have mixed rates in Hz: {names}; allowed is one rate a modality. Pick channels of "
            "one rate by the option channels."
        )
    stated = source.sampling_rate
    if told and stated and abs(stated - told[0]) > RATE_TOLERANCE * told[0]:
        return 0.0, (
            f"tells {told[0]:g} Hz, and its row's column 'sampling_rate' is {stated:g}; allowed is the same "
            "rate. Correct the cell or leave it empty."
        )
    if timed and told:
        return float(told[0]), ""
    rate = stated or (told[0] if told else None) or options.sampling_rates.get(source.modality)
    if rate is None:
        return 0.0, (
            "tells no sampling rate; allowed is a number of Hz in the column 'sampling_rate', a column of "
            "times in s, or the option sampling_rates. Give one."
        )
    return float(rate), ""


def _unit(picked: list[Channel], source: Source, options: ManifestOptions) -> tuple[str, str]:
    told = sorted({canonical_unit(channel.unit) for channel in picked})
    if len(told) > 1:
        names = {unit or "none": [c.name for c in picked if canonical_unit(c.unit) == unit] for unit in told}
        return "", (
            f"its channels have different units: {names}; allowed is one a modality. Pick channels of one "
            "unit by the option channels."
        )
    stated = canonical_unit(source.unit)
    if told[0] and stated and stated != told[0]:
        return "", (
            f"tells the unit {told[0]!r}, and its row's column 'unit' is {stated!r}; allowed is the same "
            "unit. Correct the cell or leave it empty."
        )
    unit = stated or told[0] or options.units.get(source.modality, "")
    if not unit:
        return "", (
            "tells no unit; allowed is one in the column 'unit' or in the option units, such as uV, mV, uS, "
            "kOhm, or a.u. for values of no physical unit. Give one."
        )
    problem = unit_problem(unit, source.modality)
    return unit, f"{problem}." if problem else ""
