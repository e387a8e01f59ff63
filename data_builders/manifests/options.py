"""What the table cannot say row by row: channels, defaults a modality, labels, windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from data_builders.manifests.array_files import LAYOUTS
from data_builders.manifests.units import unit_problem

__all__ = ["ManifestOptions"]

Channels = Mapping[str, list[str] | Mapping[str, str]]
REFUSED = "options of the reader 'manifest':\n- "
BY_MODALITY = ("channels", "units", "sampling_rates", "resample")
KINDS: dict[Any, tuple[str, ...]] = {
    str: ("manifest", "dataset", "modality", "layout"),
    dict: BY_MODALITY,
    (list, tuple): ("classes", "baseline", "event"),
    (int, float): ("window", "step"),
}
"""Type -> options of that type, as JSON and YAML give them."""


@dataclass(frozen=True)
class ManifestOptions:
    """Options of the manifest reader.

    Parameters
    ----------
    manifest : str
        Name of the table in the folder; empty where there is one ``manifest.*``.
    dataset : str
        Name of the data set in every segment.
    modality : str
        Of rows without one.
    channels : mapping of str to list or mapping
        By modality: names of the channels to pick, in the order wanted, or name in the file -> new
        name. Where a file has no names, a list names all its channels.
    units, sampling_rates : mapping of str to str or float
        By modality: of files whose unit or rate neither the file nor the table tells.
    resample : mapping of str to float
        By modality: rate in Hz that every recording is brought to, for files of different rates.
    layout : {"channels_first", "samples_first"}
        Of arrays.
    classes : list of str
        All emotion labels in the order of every table; by default those found, sorted.
    baseline : pair of float, optional
        Start and stop in s of each recording's baseline; by default the first 120 s of a session, and
        for trials on time axes of their own what lies before the first labelled stretch.
    window, step : float
        In seconds.
    event : pair of float, optional
        Seconds before and after `start`, where rows are events.

    Raises
    ------
    ValueError
        With every option that is not allowed.
    """

    manifest: str = ""
    dataset: str = "manifest"
    modality: str = ""
    channels: Channels = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    sampling_rates: Mapping[str, float] = field(default_factory=dict)
    resample: Mapping[str, float] = field(default_factory=dict)
    layout: str = LAYOUTS[0]
    classes: tuple[str, ...] = ()
    baseline: tuple[float, float] | None = None
    window: float = 10.0
    step: float | None = None
    event: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(REFUSED + "\n- ".join(problems))

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ManifestOptions:
        """From names and values, as a recipe gives them.

        Raises
        ------
        ValueError
            With every name that is unknown and every value of a wrong type.
        """
        known = [f.name for f in fields(cls)]
        problems = [
            f"{name!r} is unknown; allowed are {known}." for name in sorted(set(options) - set(known))
        ]
        for kind, names in KINDS.items():
            for name in sorted(set(names) & {name for name, value in options.items() if value is not None}):
                if not isinstance(options[name], kind):
                    allowed = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
                    problems.append(f"{name} is {options[name]!r}; allowed is a value of the type {allowed}.")
        if problems:
            raise ValueError(REFUSED + "\n- ".join(problems))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return cls(**values)

    @property
    def training_step(self) -> float:
        """`step`; by default half a window, and none around events."""
        if self.step is not None:
            return self.step
        return 0.0 if self.event else self.window / 2

    def unmatched(self, modalities: Collection[str]) -> list[str]:
        """What is said of modalities that no row has: a slip of the pen would go unseen."""
        return [
            f"{name}: names {unknown}, which no row has; allowed are {sorted(modalities)}."
            for name in BY_MODALITY
            if (unknown := sorted(set(getattr(self, name)) - set(modalities)))
        ]

    def _problems(self) -> Iterator[str]:
        if self.layout not in LAYOUTS:
            yield f"layout is {self.layout!r}; allowed are {list(LAYOUTS)}."
        if not self.window > 0:
            yield f"window is {self.window!r}; allowed are seconds above 0."
        if self.step is not None and not self.step >= 0:
            yield f"step is {self.step!r}; allowed are seconds from 0."
        if self.event is not None and not (len(self.event) == 2 and sum(self.event) > 0):
            yield f"event is {self.event!r}; allowed are seconds before and after, as [2, 6]."
        if self.baseline is not None and not (
            len(self.baseline) == 2 and 0 <= self.baseline[0] < self.baseline[1]
        ):
            yield f"baseline is {self.baseline!r}; allowed are a start and a later stop in s, as [0, 5]."
        for name, unit in self.units.items():
            if problem := unit_problem(unit, name):
                yield f"units: {problem}."
        for option in ("sampling_rates", "resample"):
            for name, rate in getattr(self, option).items():
                if not (isinstance(rate, int | float) and rate > 0):
                    yield f"{option}: {name} is {rate!r}; allowed are Hz above 0."
        for name, channels in self.channels.items():
            renamed = list(channels.values() if isinstance(channels, Mapping) else channels)
            if isinstance(channels, str) or not renamed or len(set(renamed)) < len(renamed):
                yield f"channels: {name} is {channels!r}; allowed is a list of different names, or a mapping."
