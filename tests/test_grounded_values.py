"""Said values against measured ones, on answers with known errors."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from biollm.evaluation.grounded_values import claim_metrics, tolerance, value_metrics
from biollm.grounded_claims import Asked, answer_table, claim_table, stated_ranges
from prompts import Facts, Quantity, load_task

NAN = float("nan")
RATE = Quantity("heart_rate_mean", "heart rate", 75.0, "beats per minute", 60.0, 100.0, 0)
LEVEL = Quantity("gsr_level", "skin conductance level", 1.0, "microsiemens", None, 4.0, 2)
AMPLITUDE = Quantity("emg_rms", "EMG amplitude", 12.0, "microvolts", None, None, 1)
ALL = (RATE, LEVEL, AMPLITUDE)


def values(measured, said, subjects=None):
    subjects = subjects or ["S1"] * len(said)
    return pd.DataFrame({"measured": measured, "said": said, "subject": subjects}).astype(
        {"measured": float, "said": float}
    )


def test_known_errors_give_their_mean_and_share():
    found = value_metrics(values([60, 80, 100, 70], [60, 84, 120, NAN]), digits=0)
    assert found["n"] == 4
    assert found["named"] == 0.75
    assert found["mae"] == pytest.approx((0 + 4 + 20) / 3)
    assert found["within"] == 0.5  # 60 and 84 are right; 120 is wrong, and so is no number
    assert found["correlation"] == pytest.approx(np.corrcoef([60, 80, 100], [60, 84, 120])[0, 1])


def test_undefined_values_are_no_part_of_the_error():
    found = value_metrics(values([60, NAN], [60, 999]), digits=0)
    assert (found["n"], found["mae"], found["within"]) == (1, 0.0, 1.0)


def test_near_zero_one_written_step_is_right():
    np.testing.assert_allclose(tolerance(np.array([0.0, 0.03, -5.0]), 2), [0.01, 0.01, 0.5], atol=1e-8)
    assert value_metrics(values([0.03, 0.03], [0.04, 0.05]), digits=2)["within"] == 0.5


def test_a_constant_has_no_correlation_and_no_answer_no_error():
    assert value_metrics(values([60, 80], [70, 70]), 0)["correlation"] is None
    nothing = value_metrics(values([60, 80], [NAN, NAN]), 0)
    assert (nothing["named"], nothing["mae"], nothing["within"]) == (0.0, None, 0.0)


def test_the_interval_spans_the_subjects_errors():
    claims = values([60] * 40, [62] * 20 + [66] * 20, ["A"] * 20 + ["B"] * 20)
    # Two subjects, of which each resample draws two: their means are 2, 4 and 6.
    assert value_metrics(claims, 0)["mae_ci95"] == [2.0, 6.0]
    assert value_metrics(claims.assign(subject="A"), 0)["mae_ci95"] is None


@pytest.fixture(scope="module")
def describe():
    return load_task("describe")


@pytest.fixture(scope="module")
def refuse():
    return load_task("refuse")


def asked(**changes):
    fields = {
        "condition": "signal",
        "question": "asked",
        "segment": "d/S1/0",
        "subject": "S1",
        "text": "?",
        "expected": ("heart_rate_mean",),
        "measured": {"heart_rate_mean": 72.4},
        "tokens": {"heart_rate_mean": (71.0, 72.0, 74.0)},
    }
    return Asked(**{**fields, **changes})


def claim(describe, answer, **changes):
    return claim_table([asked(**changes)], [answer], describe, ALL)


def test_every_answer_form_is_read_back_with_its_range(describe):
    for number in range(len(describe.texts["answers"])):
        task = describe.with_answer_forms(number + 1)
        task.texts["answers"][:] = task.texts["answers"][-1:]
        answer = task.reply_of(ALL, random.Random(0))
        assert stated_ranges(answer, describe, ALL) == {
            "heart_rate_mean": (60.0, 100.0),
            "gsr_level": (None, 4.0),
        }, answer


def test_a_right_answer_fits_in_all(describe):
    answer = "Heart rate 72 beats per minute (normal, 60 to 100)."
    (row,) = claim(describe, answer).to_dict("records")
    assert (row["said"], row["measured"], row["level"], row["measured_level"]) == (72, 72, "normal", "normal")
    assert (row["contradiction"], row["range_right"]) == (False, True)
    found = claim_metrics(claim(describe, answer))
    assert found == {
        "contradictions": 0.0,
        "level_right": 1.0,
        "range_right": 1.0,
        "outside_token": 0.0,
        "invented": 0,
    }


@pytest.mark.parametrize(
    ("answer", "contradiction", "range_right"),
    [
        ("Heart rate 72 beats per minute (high, 60 to 100).", True, True),
        ("Heart rate 72 beats per minute (high, 50 to 70).", False, False),  # true to its own range
        ("Heart rate 72 beats per minute (normal, 80 to 100).", True, False),
        ("The heart rate is 72 beats per minute, which is high.", True, None),  # against the reference range
        ("The heart rate is 72 beats per minute.", None, None),
        ("Heart rate 72 beats per minute (normal, 100 to 60).", True, False),  # no range at all
    ],
)
def test_contradictions_are_by_the_range_that_is_stated(describe, answer, contradiction, range_right):
    (row,) = claim(describe, answer).to_dict("records")
    assert (row["contradiction"], row["range_right"]) == (contradiction, range_right)


def test_a_number_is_inside_its_token_up_to_rounding(describe):
    def outside(number):
        answer = f"The heart rate is {number} beats per minute."
        return claim_metrics(claim(describe, answer))["outside_token"]

    assert [outside(number) for number in (70, 71, 74, 75)] == [1.0, 0.0, 0.0, 1.0]
    assert claim_metrics(claim(describe, "The heart rate is 75.", tokens={}))["outside_token"] is None


def test_what_was_not_measured_is_invented(describe):
    answer = "Heart rate 72 beats per minute (normal, 60 to 100); EMG amplitude 3.0 microvolts."
    table = claim(describe, answer)
    assert table["quantity"].tolist() == ["heart_rate_mean", "emg_rms"]
    assert claim_metrics(table)["invented"] == 1
    assert table["expected"].tolist() == [True, False]


def test_what_is_not_said_is_a_row_without_number(describe):
    table = claim(describe, "I cannot read this segment: the signal is noise.")
    assert table["said"].isna().tolist() == [True]
    assert value_metrics(table, 0)["named"] == 0.0


def test_answers_refuse_give_a_number_or_neither(describe, refuse):
    answers = [
        refuse.reply([Facts(unusable="the signal is noise")], random.Random(0)),
        "Heart rate 72 beats per minute (normal, 60 to 100).",
        "The heart rate is normal.",
        "skin the of per",
    ]
    table = answer_table([asked()] * 4, answers, describe, refuse, ALL)
    assert table["refused"].tolist() == [True, False, False, False]
    assert table["numbers"].tolist() == [False, True, False, False]
    assert table["unreadable"].tolist() == [False, False, True, True]
