"""Valence and arousal as emotion words, and the change of affect from one rating to the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["QUADRANTS", "TRANSITION_RULES", "distance_moved", "quadrant", "quadrant_changed", "transitions"]

QUADRANTS = ("happy", "angry", "sad", "calm")
"""High valence and arousal; low valence, high arousal; both low; high valence, low arousal."""

TransitionRule = Callable[[np.ndarray, float, float], np.ndarray]
"""(affect of shape (n, 2), midpoint, threshold) -> n - 1 booleans"""


def quadrant(valence: float, arousal: float, midpoint: float = 0.0) -> str:
    """The emotion word of a quadrant of the circumplex model.

    Parameters
    ----------
    valence, arousal : float
        On one scale.
    midpoint : float
        Middle of that scale: 0 of -1..1, 3 of 1..5, 5 of 1..9. A value exactly on it counts as high.

    Returns
    -------
    str
        One of `QUADRANTS`.

    Raises
    ------
    ValueError
        If a value is NaN.

    References
    ----------
    Russell (1980), A circumplex model of affect, J. Personality and Social Psychology 39(6), 1161-1178.
    The words are those of his figure that lie in the middle of a quadrant, as single common words.
    """
    if np.isnan(valence) or np.isnan(arousal):
        raise ValueError(f"valence is {valence} and arousal {arousal}; allowed are numbers. Leave it out.")
    words = {(True, True): "happy", (False, True): "angry", (False, False): "sad", (True, False): "calm"}
    return words[bool(valence >= midpoint), bool(arousal >= midpoint)]


def quadrant_changed(affect: np.ndarray, midpoint: float, threshold: float) -> np.ndarray:
    """Whether a rating lies in another quadrant than the one before it; `threshold` is not looked at."""
    high = affect >= midpoint
    return (high[1:] != high[:-1]).any(axis=1)


def distance_moved(affect: np.ndarray, midpoint: float, threshold: float) -> np.ndarray:
    """Whether a rating lies at least `threshold` (Euclidean) from the one before it."""
    return np.linalg.norm(np.diff(affect, axis=0), axis=1) >= threshold


TRANSITION_RULES: dict[str, TransitionRule] = {"quadrant": quadrant_changed, "distance": distance_moved}


def transitions(
    affect: np.ndarray, rule: str | TransitionRule = "quadrant", midpoint: float = 0.0, threshold: float = 0.1
) -> list[int | None]:
    """For each rating, whether affect has changed since the one before it.

    Parameters
    ----------
    affect : ndarray, shape (n, 2)
        Valence and arousal in order of time; NaN where there is no rating.
    rule : str or callable
        One of `TRANSITION_RULES`, or a function of the same arguments.
    midpoint : float
        Middle of the scale.
    threshold : float
        Least distance on the scale that counts as a change, for the rule "distance".

    Returns
    -------
    list of int or None
        1 or 0; None for the first rating, and where it or the one before it is NaN.

    Raises
    ------
    ValueError
        If the rule is unknown.
    """
    if not callable(rule) and rule not in TRANSITION_RULES:
        raise ValueError(
            f"transition_rule is {rule!r}; allowed are {sorted(TRANSITION_RULES)} or a callable."
        )
    function = rule if callable(rule) else TRANSITION_RULES[rule]
    affect = np.asarray(affect, dtype=float).reshape(-1, 2)
    rated = ~np.isnan(affect).any(axis=1)
    changed = function(affect, midpoint, threshold)
    known = rated[1:] & rated[:-1]
    later = [int(change) if both else None for change, both in zip(changed, known, strict=True)]
    return [None, *later] if len(affect) else []
