"""Quadrant words and transitions of valence and arousal."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.affect import QUADRANTS, TRANSITION_RULES, quadrant, transitions


@pytest.mark.parametrize("midpoint", [0.0, 3.0, 5.0])
def test_a_quadrant_is_its_word_and_the_midpoint_counts_as_high(midpoint: float) -> None:
    low, high = midpoint - 0.5, midpoint + 0.5
    words = [quadrant(v, a, midpoint) for v, a in ((high, high), (low, high), (low, low), (high, low))]
    assert tuple(words) == QUADRANTS == ("happy", "angry", "sad", "calm")
    assert quadrant(midpoint, midpoint, midpoint) == "happy"
    assert quadrant(midpoint, low, midpoint) == "calm"
    assert quadrant(low, midpoint, midpoint) == "angry"


def test_a_missing_rating_has_no_quadrant() -> None:
    with pytest.raises(ValueError, match="valence is nan"):
        quadrant(np.nan, 1.0)


def test_transitions_compare_each_rating_with_the_one_before() -> None:
    affect = np.array([[0.2, 0.2], [0.3, 0.2], [-0.3, 0.2], [-0.3, 0.0], [-0.3, -0.1]])
    # by quadrant: within one, valence crosses 0, within one (0 counts as high), arousal crosses 0
    assert transitions(affect, "quadrant") == [None, 0, 1, 0, 1]
    assert transitions(affect, "distance", threshold=0.15) == [None, 0, 1, 1, 0]
    assert transitions(affect + 5, "quadrant", midpoint=5.0) == [None, 0, 1, 0, 1]


def test_a_missing_rating_hides_two_transitions() -> None:
    affect = np.array([[1, 1], [np.nan, 1], [1, 1], [-1, 1]])
    for rule in TRANSITION_RULES:
        assert transitions(affect, rule) == [None, None, None, 1]


def test_few_ratings_have_no_transition() -> None:
    assert transitions(np.zeros((0, 2))) == []
    assert transitions(np.zeros((1, 2))) == [None]


def test_a_callable_is_a_rule_and_an_unknown_name_is_refused() -> None:
    affect = np.array([[0.0, 0.1], [0.0, 0.9], [0.9, 0.9]])
    assert transitions(affect, lambda affect, *_: np.diff(affect[:, 1]) > 0.5) == [None, 1, 0]
    with pytest.raises(ValueError, match=r"'jump'; allowed are \['distance', 'quadrant'\] or a callable"):
        transitions(affect, "jump")
