"""What the table of features says of one of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """A feature, or several that differ in one number: a row of docs/features.md.

    Parameters
    ----------
    name : str
        As the column has it between the modality and the channel; several with spaces between.
    unit : str
    formula : str
        x is the signal of one channel, f the sampling rate, N the number of samples.
    source : str
    minimum : float
        Shortest window in s; below it the feature is NaN.
    lowest_rate : float
        In Hz; below it the feature is NaN.
    undefined : str
        Why it may be NaN in a window of any length without a gap; empty where it cannot.
    set : ``"standard"`` or ``"full"``
    """

    name: str
    unit: str
    formula: str
    source: str = ""
    minimum: float = 0.0
    lowest_rate: float = 0.0
    undefined: str = ""
    set: str = "standard"

    @property
    def names(self) -> list[str]:
        return self.name.split()
