from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from biollm.evaluation import (
    PredictionError,
    accuracy,
    balanced_accuracy,
    bootstrap_ci,
    check_predictions,
    count_confusions,
    expected_calibration_error,
    macro_f1,
    macro_precision,
    paired_difference,
    per_class,
)

CLASSES = ("relax", "physical", "cognitive", "emotional")


def make_predictions(seed=0, n_subjects=12, n_windows=25, skill=0.6, n_seeds=1, unparsable=0.05, spread=0.2):
    """Answers that are right with a probability that differs between subjects."""
    rng = np.random.default_rng(seed)
    subject = np.repeat([f"s{n:02d}" for n in range(n_subjects)], n_windows)
    table = pd.DataFrame({"segment": [f"w{n}" for n in range(len(subject))], "subject": subject, "fold": 0})
    table["truth"] = np.random.default_rng(99).choice(CLASSES, len(subject), p=[0.5, 0.2, 0.2, 0.1])
    chance = np.clip(skill + np.random.default_rng(98).normal(0, spread, n_subjects), 0, 1).repeat(n_windows)
    tables = []
    for number in range(n_seeds):
        right = rng.random(len(subject)) < chance
        answer = np.where(right, table["truth"], rng.choice(CLASSES, len(subject))).astype(object)
        answer[rng.random(len(subject)) < unparsable] = None
        tables.append(table.assign(seed=number, prediction=answer))
    return pd.concat(tables, ignore_index=True)


def total_confusion(predictions):
    return count_confusions(predictions, CLASSES).confusions.sum(axis=(0, 1))


@pytest.mark.parametrize("drop", [None, "emotional"])
def test_metrics_equal_those_of_scikit_learn(drop):
    predictions = make_predictions()
    predictions = predictions[predictions["truth"] != drop]
    present = [name for name in CLASSES if name != drop]
    truth, answer = predictions["truth"], predictions["prediction"].fillna("unparsable")
    confusion = total_confusion(predictions)
    expected = reference.confusion_matrix(truth, answer, labels=[*CLASSES, "unparsable"])[:-1]
    np.testing.assert_array_equal(confusion, expected)
    assert confusion[:, -1].sum() > 0
    assert accuracy(confusion) == pytest.approx(reference.accuracy_score(truth, answer))
    recall = reference.recall_score(truth, answer, labels=present, average="macro")
    assert balanced_accuracy(confusion) == pytest.approx(recall)
    f1 = reference.f1_score(truth, answer, labels=present, average="macro")
    assert macro_f1(confusion) == pytest.approx(f1)
    precision = reference.precision_score(truth, answer, labels=present, average="macro", zero_division=0)
    assert macro_precision(confusion) == pytest.approx(precision)
    scores = reference.precision_recall_fscore_support(truth, answer, labels=present)
    ours = pd.DataFrame(per_class(confusion, CLASSES)).T.loc[present]
    np.testing.assert_allclose(ours[["precision", "recall", "f1", "support"]].to_numpy().T, scores)


def test_balanced_accuracy_equals_that_of_scikit_learn_when_all_answers_parse():
    predictions = make_predictions(unparsable=0)
    expected = reference.balanced_accuracy_score(predictions["truth"], predictions["prediction"])
    assert balanced_accuracy(total_confusion(predictions)) == pytest.approx(expected)


def test_a_class_that_is_never_answered_has_no_precision():
    predictions = make_predictions(unparsable=0).assign(prediction="relax")
    share = (predictions["truth"] == "relax").mean()
    assert macro_precision(total_confusion(predictions)) == pytest.approx(share / len(CLASSES))


def test_an_unparsable_answer_counts_as_an_error():
    predictions = make_predictions(unparsable=0).assign(prediction=lambda table: table["truth"])
    predictions.loc[predictions["truth"] == "relax", "prediction"] = None
    assert balanced_accuracy(total_confusion(predictions)) == 0.75
    assert np.isnan(per_class(total_confusion(predictions), CLASSES)["relax"]["precision"])


def with_probabilities(predictions, confidence):
    rest = (1 - confidence) / (len(CLASSES) - 1)
    columns = {f"p_{c}": np.where(predictions["prediction"] == c, confidence, rest) for c in CLASSES}
    return predictions.assign(**columns)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    predictions = make_predictions(unparsable=0)
    right = predictions["prediction"] == predictions["truth"]
    table = with_probabilities(predictions, 0.9)
    expected = abs(0.9 - right.mean())
    assert expected_calibration_error(table, CLASSES) == pytest.approx(expected)
    assert expected_calibration_error(predictions, CLASSES) is None


def test_calibration_error_equals_a_plain_loop_over_bins():
    predictions = make_predictions(unparsable=0, n_windows=60)
    table = with_probabilities(predictions, np.random.default_rng(3).uniform(0.3, 1.0, len(predictions)))
    confidence = table[[f"p_{name}" for name in CLASSES]].max(axis=1)
    # Too cautious in the last bin and too sure below it, so that merging any two bins would show.
    sure = confidence > 14 / 15
    table.loc[sure, "truth"] = table.loc[sure, "prediction"]
    right = table["prediction"] == table["truth"]
    expected = 0.0
    for low, high in zip(np.arange(15) / 15, np.arange(1, 16) / 15, strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(table, CLASSES) == pytest.approx(expected)
    assert expected_calibration_error(table, CLASSES, n_bins=1) < expected


def test_problems_of_a_prediction_set_are_reported_together():
    predictions = with_probabilities(make_predictions(), 0.9)
    predictions.loc[0, "truth"] = "joy"
    predictions.loc[1, "prediction"] = "anger"
    predictions.loc[3, "segment"] = predictions.loc[2, "segment"]
    predictions.loc[4, "p_relax"] += 1.5
    with pytest.raises(PredictionError) as error:
        check_predictions(predictions, CLASSES, "extra trees")
    lines = str(error.value).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("extra trees: ") for line in lines)
    for word in ("'joy'", "'anger'", "'w2'", "outside 0 to 1", "do not sum to 1"):
        assert word in str(error.value)
    with pytest.raises(PredictionError, match=r"\['fold', 'seed'\] are missing"):
        check_predictions(predictions.drop(columns=["fold", "seed"]), CLASSES)


def naive_interval(predictions, n_boot):
    """Whole subjects drawn with replacement, scored window by window, seeds averaged."""
    rng = np.random.default_rng(12345)
    runs = []
    for _, run in predictions.groupby("seed"):
        truth, right = run["truth"].to_numpy(), (run["prediction"] == run["truth"]).to_numpy()
        runs.append([(truth[rows], right[rows]) for rows in run.groupby("subject").indices.values()])
    values = []
    for _ in range(n_boot):
        drawn = rng.integers(len(runs[0]), size=len(runs[0]))
        scores = []
        for run in runs:
            truth = np.concatenate([run[i][0] for i in drawn])
            right = np.concatenate([run[i][1] for i in drawn])
            scores.append(np.mean([right[truth == name].mean() for name in CLASSES if name in truth]))
        values.append(np.mean(scores))
    return np.percentile(values, [2.5, 97.5])


def test_interval_equals_that_of_a_plain_bootstrap_over_subjects():
    predictions = make_predictions(n_seeds=2, n_subjects=10)
    low, high = bootstrap_ci(predictions, n_boot=4000)
    # With 2000 resamples a 2.5 % percentile has a standard error of about 0.06 of the interval's width.
    np.testing.assert_allclose([low, high], naive_interval(predictions, 2000), atol=0.2 * (high - low) / 2)


def test_interval_covers_differences_between_subjects_not_between_windows():
    varied = make_predictions(n_subjects=12, n_windows=60, spread=0.25)
    alike = varied.assign(subject=np.tile([f"s{n}" for n in range(12)], 60))
    width = [np.diff(bootstrap_ci(table, "accuracy"))[0] for table in (varied, alike)]
    # Windows drawn one by one would give both tables the same width.
    assert width[0] > 1.8 * width[1]


def test_repeating_a_seed_does_not_narrow_the_interval():
    once = make_predictions()
    thrice = pd.concat([once.assign(seed=seed) for seed in range(3)])
    assert bootstrap_ci(thrice) == pytest.approx(bootstrap_ci(once))


def test_interval_of_one_subject_is_unknown():
    assert np.isnan(bootstrap_ci(make_predictions(n_subjects=1))).all()


def test_paired_difference_is_tighter_than_that_of_independent_methods():
    a, b = (
        make_predictions(seed=1, skill=0.65, n_windows=80, spread=0.3),
        make_predictions(seed=2, skill=0.6, n_windows=80, spread=0.3),
    )
    difference = paired_difference(a, b)
    value = balanced_accuracy(total_confusion(a)) - balanced_accuracy(total_confusion(b))
    assert difference.value == pytest.approx(value)
    assert difference.low < difference.value < difference.high
    widths = [np.diff(bootstrap_ci(table))[0] for table in (a, b)]
    # Both methods find the same subjects hard, which cancels only if the subjects are resampled together.
    assert difference.high - difference.low < 0.7 * np.hypot(*widths)
    assert paired_difference(b, a) == pytest.approx((-difference.value, -difference.high, -difference.low))
    assert paired_difference(a, a) == (0, 0, 0)


def test_paired_difference_needs_the_same_segments():
    table = make_predictions()
    with pytest.raises(PredictionError, match="differ in 1 segments, such as"):
        paired_difference(table, table.iloc[1:])
    names = sorted(set(table["subject"]))
    other = table["subject"].map(dict(zip(names, names[::-1], strict=True)))
    with pytest.raises(PredictionError, match="needs the same segments of the same subjects"):
        paired_difference(table, table.assign(subject=other))


def test_a_metric_may_be_a_function_of_confusion_counts():
    table = make_predictions()
    assert bootstrap_ci(table, accuracy) == bootstrap_ci(table, "accuracy")
    with pytest.raises(ValueError, match=r"'auc'; allowed are \['accuracy', 'balanced_accuracy', 'macro_f1'"):
        bootstrap_ci(table, "auc")
