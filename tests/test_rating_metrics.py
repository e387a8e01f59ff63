from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from biollm.evaluation import (
    PredictionError,
    average_precision,
    bootstrap_ci,
    check_predictions,
    concordance,
    count_moments,
    mean_absolute_error,
    paired_difference,
    root_mean_squared_error,
    transition_f1,
)
from biollm.evaluation.bootstrap import bootstrap_values
from biollm.evaluation.ratings import count_transitions
from biollm.evaluation.tallies import metric_names, tally

METRICS = ("ccc", "mae", "rmse", "valence_ccc", "arousal_ccc", "arousal_mae", "valence_rmse", "transition_f1")


def make_ratings(seed=0, n_subjects=9, n_windows=14, n_seeds=2, noise=1.0):
    """Ratings from 1 to 9, answered with noise; some are missing, and one subject rates no arousal."""
    rng = np.random.default_rng(99)
    subject = np.repeat([f"s{n:02d}" for n in range(n_subjects)], n_windows)
    table = pd.DataFrame({"segment": [f"w{n}" for n in range(len(subject))], "subject": subject})
    table["fold"] = np.arange(n_subjects).repeat(n_windows) % 3
    for name in ("valence", "arousal"):
        ratings = rng.integers(1, 10, len(table)) + rng.normal(0, 0.5, n_subjects).repeat(n_windows)
        table[f"{name}_truth"] = np.where(rng.random(len(table)) < 0.1, np.nan, ratings)
    table.loc[table["subject"] == "s01", "arousal_truth"] = np.nan
    table["transition_truth"] = (rng.random(len(table)) < 0.3).astype(float)
    rng = np.random.default_rng(seed)
    runs = []
    for number in range(n_seeds):
        answers = {name: table[f"{name}_truth"].fillna(5) * 0.7 + 1 for name in ("valence", "arousal")}
        answers = {name: values + rng.normal(0, noise, len(table)) for name, values in answers.items()}
        chance = np.clip(0.3 * table["transition_truth"] + 0.7 * rng.random(len(table)), 0, 1)
        runs.append(table.assign(seed=number, transition=chance, **answers))
    return pd.concat(runs, ignore_index=True)


def moments_of(truth, answer):
    """Moments of two vectors, shape (8,)."""
    table = pd.DataFrame({"valence_truth": truth, "valence": answer, "seed": 0, "subject": "s"}, dtype=object)
    return count_moments(table.astype({"valence_truth": float, "valence": float}), ["valence"])[0, 0, 0]


def lin_concordance(truth, answer):
    """Pearson's correlation times the bias correction factor, as in Lin's second form."""
    r = np.corrcoef(truth, answer)[0, 1]
    v, u = np.std(truth) / np.std(answer), (np.mean(truth) - np.mean(answer)) ** 2
    return r * 2 / (v + 1 / v + u / (np.std(truth) * np.std(answer)))


def naive(run, metric):
    """A metric of one seed's answers from its definition; the mean over ratings where none is named."""
    if metric == "transition_f1":
        said = run["transition"] >= 0.5
        return reference.f1_score(run["transition_truth"] == 1, said)
    *rating, name = metric.split("_")
    values = []
    for column in rating or ("valence", "arousal"):
        known = run.dropna(subset=[f"{column}_truth"])
        truth, answer = known[f"{column}_truth"], known[column]
        scores = {"ccc": lin_concordance, "mae": reference.mean_absolute_error}
        scores["rmse"] = reference.root_mean_squared_error
        values.append(scores[name](truth, answer))
    return np.mean(values)


def test_concordance_of_a_shift_and_a_scale_has_a_closed_form():
    truth = np.array([1.0, 2, 3, 4, 5])  # of variance 2
    assert concordance(moments_of(truth, truth)) == 1
    assert concordance(moments_of(truth, truth + 1)) == pytest.approx(2 * 2 / (2 + 2 + 1))
    assert concordance(moments_of(truth, 3 + 0.5 * (truth - 3))) == pytest.approx(2 * 1 / (2 + 0.5))
    assert concordance(moments_of(truth, 6 - truth)) == pytest.approx(-1)


def test_errors_of_ratings_are_in_their_unit():
    moments = moments_of([1.0, 2, 3], [2.0, 2, 6])
    assert mean_absolute_error(moments) == pytest.approx(4 / 3)
    assert root_mean_squared_error(moments) == pytest.approx(np.sqrt(10 / 3))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_metrics_equal_their_definitions_also_far_from_zero(offset):
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 500) + offset
    answer = 0.5 * truth + 0.5 * offset + rng.normal(0.3, 1, 500)
    moments = moments_of(truth, answer)
    # Squares of 1e4 next to a variance of 1 leave 8 of float64's 16 digits to the reference.
    assert concordance(moments) == pytest.approx(lin_concordance(truth, answer), rel=1e-7)
    assert mean_absolute_error(moments) == pytest.approx(reference.mean_absolute_error(truth, answer))
    expected = reference.root_mean_squared_error(truth, answer)
    assert root_mean_squared_error(moments) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.1, 5.3, 1e6 / 3])
def test_concordance_of_constants_is_zero_and_not_unknown(value):
    truth = np.random.default_rng(0).normal(value, 1, 40)
    constant = np.full(40, value)
    # Sums of 40 products leave a covariance of a few float64 roundings.
    assert concordance(moments_of(truth, constant)) == pytest.approx(0, abs=1e-9)
    assert concordance(moments_of(constant, truth)) == pytest.approx(0, abs=1e-9)
    assert concordance(moments_of(constant, constant)) == 0
    assert concordance(moments_of(constant[:1], constant[:1] + 1)) == 0
    assert np.isnan(concordance(np.zeros(8)))


def test_a_subject_who_gives_one_rating_has_no_concordance_beside_others_who_vary():
    varied = np.random.default_rng(0).normal(4, 1, 300)
    for value in (7.1, 2.3, 8.7):
        rating = np.r_[np.full(30, value), varied]
        table = pd.DataFrame({"valence_truth": rating, "valence": rating, "seed": 0})
        table["subject"] = ["constant"] * 30 + ["varied"] * 300
        # Relative to everyone's mean, equal ratings leave rounding errors in place of a spread of zero.
        values = concordance(count_moments(table, ["valence"])[0, :, 0])
        assert values[0] == 0
        assert values[1] == pytest.approx(1)


def test_a_pooled_metric_is_the_mean_of_its_seeds_and_ratings():
    table = make_ratings()
    tallies = tally(table, ())
    for metric in METRICS:
        sums, function = tallies.source(metric)
        expected = [naive(run, metric) for _, run in table.groupby("seed")]
        np.testing.assert_allclose(function(sums.sum(axis=1)), expected, rtol=1e-9, err_msg=metric)


@pytest.mark.parametrize("metric", METRICS)
def test_the_bootstrap_equals_a_loop_over_resampled_subjects(metric):
    table, n_boot = make_ratings(n_windows=20), 25
    weights = np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), n_boot)
    subjects = [rows for _, rows in table.groupby("subject")]
    expected = []
    for counts in weights:
        drawn = pd.concat([rows for rows, n in zip(subjects, counts, strict=True) for _ in range(n)])
        expected.append(np.mean([naive(run, metric) for _, run in drawn.groupby("seed")]))
    # The same sums in another order: float64 rounding of some hundred terms.
    np.testing.assert_allclose(bootstrap_values(tally(table, ()), metric, n_boot, 5), expected, rtol=1e-9)


def test_segments_without_a_rating_count_nowhere():
    table = make_ratings()
    rated = table["valence_truth"].notna()
    spoiled = table.assign(valence=table["valence"].where(rated, 1e6))
    assert bootstrap_ci(spoiled, "valence_rmse", 50, classes=()) == bootstrap_ci(
        table, "valence_rmse", 50, classes=()
    )


def test_a_rating_that_is_not_answered_is_not_scored():
    table = make_ratings().drop(columns=["arousal", "transition"])
    check_predictions(table, ())
    names = metric_names(tally(table, ()))
    assert names == ("ccc", "mae", "rmse", "valence_ccc", "valence_mae", "valence_rmse")
    assert bootstrap_ci(table, "ccc", 50) == bootstrap_ci(table, "valence_ccc", 50)


def test_a_paired_difference_of_ratings_needs_the_same_resamples():
    a, b = make_ratings(1, noise=0.5), make_ratings(2, noise=2.5)
    better = paired_difference(a, b, "ccc", 200)
    assert 0 < better.low < better.value < better.high
    assert paired_difference(a, a, "ccc", 50) == (0, 0, 0)


def test_f1_and_average_precision_of_transitions_equal_those_of_scikit_learn():
    table = make_ratings(n_seeds=1)
    confusions = count_transitions(table).confusions.sum(axis=(0, 1))
    assert transition_f1(confusions) == pytest.approx(naive(table, "transition_f1"))
    expected = reference.average_precision_score(table["transition_truth"], table["transition"])
    assert average_precision(table) == pytest.approx(expected)
    never = table.assign(transition_truth=0.0)
    assert np.isnan(transition_f1(count_transitions(never).confusions.sum(axis=(0, 1))))
    assert np.isnan(average_precision(never))


def test_always_saying_yes_has_the_f1_of_its_share():
    table = make_ratings(n_seeds=1).assign(transition=1.0)
    share = table["transition_truth"].mean()
    found = transition_f1(count_transitions(table).confusions.sum(axis=(0, 1)))
    assert found == pytest.approx(2 * share / (1 + share))


def test_problems_of_ratings_are_reported_together():
    table = make_ratings()
    table.loc[0, ["valence_truth", "valence"]] = 5.0, np.nan
    table.loc[1, "arousal_truth"] = np.inf
    table.loc[2, "transition_truth"] = 2.0
    table.loc[3, "transition"] = 1.5
    table.loc[4, ["valence_truth", "arousal_truth", "transition_truth"]] = np.nan
    with pytest.raises(PredictionError) as error:
        check_predictions(table, (), "GRU")
    lines = str(error.value).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("GRU: ") for line in lines)
    for words in (
        "1 rows have a 'valence_truth' but no 'valence'",
        "column 'arousal_truth': 1 rows hold other than finite numbers and NaN, first inf",
        "column 'transition_truth': 1 rows hold other than 0, 1 and NaN, first 2.0",
        "column 'transition': 1 rows hold other than probabilities from 0 to 1, first 1.5",
        "1 rows have no truth in ['valence_truth', 'arousal_truth', 'transition_truth'], first segment 'w4'",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        (["valence_truth"], "column 'valence' has no column 'valence_truth' beside it"),
        (["valence", "arousal", "transition"], "nothing can be scored; give 'truth' and 'prediction'"),
        (["fold", "subject"], r"the columns \['subject', 'fold'\] are missing"),
    ],
)
def test_missing_columns_are_named(drop, message):
    with pytest.raises(PredictionError, match=message):
        check_predictions(make_ratings().drop(columns=drop), ())


def test_texts_where_numbers_are_expected_are_refused():
    table = make_ratings().assign(valence="high")
    with pytest.raises(PredictionError, match=r"column 'valence' holds .*, not numbers"):
        check_predictions(table, ())
