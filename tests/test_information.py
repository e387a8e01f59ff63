"""Bits of the label in the answers: known cases, and the bias of small counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from biollm.evaluation.information import label_information

CLASSES = ("a", "b", "c", "d")


def answers(truth, prediction, seed=0) -> pd.DataFrame:
    n = len(truth)
    return pd.DataFrame(
        {
            "segment": [f"s{k}" for k in range(n)],
            "subject": [f"P{k % 5}" for k in range(n)],
            "seed": seed,
            "truth": truth,
            "prediction": prediction,
        }
    )


def test_right_answers_carry_all_bits_and_one_answer_none():
    truth = np.tile(CLASSES, 500)
    # The correction for small counts is 9 / (2 n ln 2) here, n = 2000.
    assert label_information(answers(truth, truth), CLASSES) == pytest.approx(2.0, abs=0.01)
    assert label_information(answers(truth, ["a"] * 2000), CLASSES) == pytest.approx(0.0, abs=0.01)


def test_a_symmetric_channel_has_its_capacity():
    """Right with probability .7, else one of the others: 2 - H(.7, .1, .1, .1) bits."""
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=40000)
    wrong = (truth + rng.integers(1, 4, size=40000)) % 4
    said = np.where(rng.random(40000) < 0.7, truth, wrong)
    names = np.array(CLASSES)
    expected = 2 + 0.7 * np.log2(0.7) + 0.3 * np.log2(0.1)
    # A standard error is about .005.
    assert label_information(answers(names[truth], names[said]), CLASSES) == pytest.approx(expected, abs=0.02)


def test_guesses_carry_nothing_on_average_over_small_sets():
    rng = np.random.default_rng(1)
    names = np.array(CLASSES)
    bits = [label_information(answers(*names[rng.integers(4, size=(2, 100))]), CLASSES) for _ in range(200)]
    # Without the correction it would be 9 / (2 n ln 2) = .065 bits; what is left is the cut at zero.
    assert np.mean(bits) < 0.02


def test_missing_answers_are_a_class_of_their_own_and_seeds_are_averaged():
    truth = np.tile(CLASSES, 500)
    silent = [None if label == "a" else "b" for label in truth]
    # Whether it is "a": H(1/4) bits.
    quarter = -0.25 * np.log2(0.25) - 0.75 * np.log2(0.75)
    assert label_information(answers(truth, silent), CLASSES) == pytest.approx(quarter, abs=0.01)
    both = pd.concat([answers(truth, truth), answers(truth, ["a"] * 2000, seed=1)])
    assert label_information(both, CLASSES) == pytest.approx(1.0, abs=0.01)
