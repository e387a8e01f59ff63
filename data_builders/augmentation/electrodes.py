"""Electrodes in other places: the hemispheres of an EEG swapped, the ring of an EMG armband turned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["has_homologues", "homologues", "is_ring", "rotate_ring", "swap_hemispheres"]

ROWS = "N|AFP|FP|AFF|AF|FFT|FFC|F|FTT|FT|FCC|FC|TTP|T|CCP|C|TPP|TP|CPP|CP|PPO|P|POO|PO|OI|O|IN|I|CB|A|M"
"""Rows of the extended 10-20 system, with cerebellum, earlobes and mastoids."""
POSITION = re.compile(rf"({ROWS})(\d+|Z)H?", re.IGNORECASE)
FEWEST_IN_RING = 4


def homologues(channel_names: Sequence[str]) -> list[int]:
    """For each EEG channel the position of the one in the same place of the other hemisphere.

    Parameters
    ----------
    channel_names : sequence of str
        Of the 10-20 system: odd numbers left, the next even number right, ``z`` on the midline, which
        is its own homologue.

    Raises
    ------
    ValueError
        With every channel that is no such place, or whose homologue is missing.
    """
    position = {name.upper(): k for k, name in enumerate(channel_names)}
    strange, alone = _without_homologue(channel_names)
    if strange or alone:
        raise ValueError(
            f"hemispheres cannot be swapped: {strange} are no places of the 10-20 system, and {alone} have "
            "no homologue among the channels; allowed are pairs such as F3 and F4, and the midline, as Cz. "
            "Rename or pick channels, or leave swap_hemispheres out."
        )
    return [position[str(_mirrored(name))] for name in channel_names]


def has_homologues(channel_names: Sequence[str]) -> bool:
    """Whether all channels have a homologue, and not all lie on the midline."""
    return not any(_without_homologue(channel_names)) and any(
        _mirrored(name) != name.upper() for name in channel_names
    )


def _without_homologue(channel_names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Channels that are no places of the 10-20 system, and those whose homologue is no channel."""
    known = {name.upper() for name in channel_names}
    mirrored = {name: _mirrored(name) for name in channel_names}
    strange = [name for name, other in mirrored.items() if other is None]
    return strange, [name for name, other in mirrored.items() if other and other not in known]


def _mirrored(name: str) -> str | None:
    """Name of the same place in the other hemisphere, in capitals; None if it is no place."""
    name = name.upper()
    if not POSITION.fullmatch(name):
        return None
    number = re.search(r"\d+", name)
    if number is None:
        return name
    value = int(number[0])
    return name.replace(number[0], str(value + 1 if value % 2 else value - 1))


def swap_hemispheres(
    x: torch.Tensor, generator: torch.Generator, channel_names: Sequence[str], strength: float = 0.5
) -> torch.Tensor:
    """Swap left and right of the EEG of some segments.

    Leave it out where the label shows as a difference of the hemispheres, as for valence by frontal
    alpha asymmetry: it would teach that there is none.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    channel_names : sequence of str
    strength : float
        Chance of a segment.

    Returns
    -------
    Tensor, of the same shape

    Raises
    ------
    ValueError
        If the montage has no homologues, see `homologues`.

    References
    ----------
    Deiss, Biswal, Jin, Sun, Westover, Sun (2018), HAMLET: Interpretable Human And Machine co-LEarning
    Technique, arXiv:1803.09702.
    """
    chosen = x.new_empty(len(x), 1, 1).uniform_(generator=generator) < strength
    return x[:, homologues(channel_names)].where(chosen, x)


def is_ring(channel_names: Sequence[str]) -> bool:
    """Whether channels are numbered in order, as the electrodes round an arm are: ``emg1`` to ``emg8``."""
    found = [re.fullmatch(r"(\D*)(\d+)", name) for name in channel_names]
    names = {match[1] for match in found if match}
    numbers = [int(match[2]) for match in found if match]
    in_order = all(after == before + 1 for before, after in pairwise(numbers))
    return len(numbers) == len(channel_names) >= FEWEST_IN_RING and len(names) == 1 and in_order


def rotate_ring(
    x: torch.Tensor, generator: torch.Generator, channel_names: Sequence[str], strength: int = 1
) -> torch.Tensor:
    """Turn an armband: each electrode gets the signal of one some places further round the ring.

    Parameters
    ----------
    x : Tensor, shape (batch, n_channels, n_samples)
    generator : torch.Generator
    channel_names : sequence of str
        Numbered in their order round the arm.
    strength : int
        Largest number of places, either way.

    Returns
    -------
    Tensor, of the same shape

    Raises
    ------
    ValueError
        If the channels are not numbered in order, as single muscles are not.

    References
    ----------
    Sivakumar et al. (2024), emg2qwerty: A Large Dataset with Baselines for Touch Typing using Surface
    Electromyography, NeurIPS (there: rotation of the wristbands).
    """
    import torch

    if not is_ring(channel_names):
        raise ValueError(
            f"the channels {list(channel_names)} cannot be turned as a ring; allowed are {FEWEST_IN_RING} or "
            "more, numbered in their order round the arm, such as emg1 to emg8. Rename the channels of an "
            "armband, or leave rotate_ring out."
        )
    n_channels = x.shape[1]
    places = torch.randint(-strength, strength + 1, (len(x), 1), generator=generator, device=x.device)
    order = (torch.arange(n_channels, device=x.device) + places) % n_channels
    return x.gather(1, order[:, :, None].expand_as(x))
