"""What is known of one segment, from labels and measurements only: the ground of every answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["FAULTS", "LEVELS", "Clue", "Facts", "Fault", "Level", "Quantity"]

Level = Literal["low", "normal", "high"]
LEVELS: tuple[Level, ...] = ("low", "normal", "high")
FAULTS = ("flat", "clipped", "missing", "noise")


@dataclass(frozen=True)
class Quantity:
    """A measured quantity of one segment.

    Attributes
    ----------
    key : str
        Feature column, such as "heart_rate_mean".
    name : str
        In words, such as "heart rate".
    value : float
        In ``unit``; an undefined quantity is left out of the facts, so never NaN.
    unit : str
        As it is written behind the number: "beats per minute".
    low, high : float or None
        Reference range in ``unit``; None where it has no such end, both None where there is none.
    digits : int
        Decimals that are written.
    """

    key: str
    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    digits: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(
                f"quantity {self.key!r}: value is {self.value}; leave undefined quantities out of the facts"
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(
                f"quantity {self.key!r}: the range is {self.low} to {self.high}; low must be below high"
            )

    def write(self, number: float) -> str:
        """A number of this quantity with its decimals, without the unit; never "-0"."""
        return f"{round(number, self.digits) + 0.0:.{self.digits}f}"

    @property
    def written(self) -> str:
        """The value as an answer writes it: "72 beats per minute"."""
        return f"{self.write(self.value)} {self.unit}".rstrip()

    @property
    def level(self) -> Level | None:
        """Where the written value lies in the reference range; None without a range."""
        return self.level_of(self.value)

    def level_of(self, number: float) -> Level | None:
        """Where a number, rounded as it is written, lies in the reference range, its ends included."""
        if self.low is None and self.high is None:
            return None
        rounded = round(number, self.digits)
        if self.low is not None and rounded < self.low:
            return "low"
        return "high" if self.high is not None and rounded > self.high else "normal"


@dataclass(frozen=True)
class Fault:
    """Something wrong with a channel.

    Attributes
    ----------
    channel : str
        In words, such as "skin conductance" or "EMG corrugator".
    what : str
        One of `FAULTS`.
    share : float
        Of the segment, 0 to 1.
    """

    channel: str
    what: str
    share: float

    def __post_init__(self) -> None:
        if self.what not in FAULTS:
            raise ValueError(
                f"fault of channel {self.channel!r}: got {self.what!r}, allowed are {list(FAULTS)}"
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"fault of channel {self.channel!r}: share must lie in 0 to 1, got {self.share}")


@dataclass(frozen=True)
class Clue:
    """Evidence by occlusion.

    Attributes
    ----------
    name : str
        Channel or feature in words.
    weight : float
        By how much the probability of the reading falls when it is hidden; below 0 where it rises.
    feature : bool
        Whether it is one feature, not all of a channel.
    """

    name: str
    weight: float
    feature: bool = False


@dataclass(frozen=True)
class Facts:
    """All that is known of one segment.

    Attributes
    ----------
    signal : str
        The signal text (tokens); "" where it does not matter.
    classes : tuple of str
        The emotion classes of the store.
    emotion : str or None
        Its label.
    valence, arousal : float or None
        Ratings, on ``scale``.
    transition : bool or None
        Whether the emotion changed against the segment before it.
    scale : tuple of float or None
        Ends of the rating scale, such as (1, 9).
    quantities : tuple of Quantity
        The measured ones that are defined.
    described : tuple of str
        Names of the quantities that are measured in the store, be they defined in this segment or not.
    faults : tuple of Fault or None
        () where it was measured and nothing is wrong; None where it was not measured.
    clues : tuple of Clue
        Evidence for ``reading``.
    reading : str or None
        The encoder's most probable class.
    confidence : float or None
        Its probability.
    unusable : str
        Why nothing should be read from the segment ("the signal is noise"); "" where it is usable.
    uncertain : bool
        Whether the reading is one of the least certain ones, so that no state should be named.
    """

    signal: str = ""
    classes: tuple[str, ...] = ()
    emotion: str | None = None
    valence: float | None = None
    arousal: float | None = None
    transition: bool | None = None
    scale: tuple[float, float] | None = None
    quantities: tuple[Quantity, ...] = ()
    described: tuple[str, ...] = ()
    faults: tuple[Fault, ...] | None = None
    clues: tuple[Clue, ...] = ()
    reading: str | None = None
    confidence: float | None = None
    unusable: str = ""
    uncertain: bool = False

    def quantity(self, key: str) -> Quantity | None:
        """The quantity with that key, None where it was not measured."""
        return next((quantity for quantity in self.quantities if quantity.key == key), None)
