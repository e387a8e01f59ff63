"""Classical baselines: answers in the classes' order, choices inside the training part, covariances."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV

from biollm.baselines import BASELINES, predict_baseline, why_not_applicable, window_covariances
from biollm.baselines import predicting as module
from biollm.baselines.covariances import read_covariances, recentre
from encoders.inputs import SignalInputs
from encoders.streams import StreamSpec

CLASSES = ("tense", "calm", "happy")
RATES = {"eeg": 64.0, "emg": 100.0}


def make_inputs(
    n_subjects: int = 6, seed: int = 0, modalities: tuple[str, ...] = ("eeg", "emg")
) -> SignalInputs:
    """Three emotions that features tell, and two that channels' covariance tells; 15 windows a subject.

    Valence is 5 + 2 * (emotion is happy) - 2 * (emotion is tense), and transition is 1 where it is tense.
    """
    rng = np.random.default_rng(seed)
    emotion = np.tile(np.arange(3), 5 * n_subjects)
    table = pd.DataFrame({"emotion": np.array(CLASSES, dtype=object)[emotion]})
    table["subject"] = [f"S{k}" for k in np.repeat(np.arange(n_subjects), 15)]
    table["group"] = table["recording"] = table["subject"]
    table = table.assign(session="", reference=False, on_grid=True)
    table["segment"] = [f"{name}/{k}" for k, name in enumerate(table["subject"])]
    table["valence"] = 5.0 + 2.0 * (emotion == 2) - 2.0 * (emotion == 0)
    table["transition"] = (emotion == 0).astype(float)
    told = np.column_stack([emotion == k for k in range(3)]) + rng.normal(0, 0.3, (len(table), 3))
    features = pd.DataFrame(told, columns=["gsr_a", "gsr_b", "gsr_c"])
    features["gsr_noise"] = rng.normal(size=len(table))
    features.loc[::7, "gsr_noise"] = np.nan
    features["gsr_empty"] = np.nan
    specs = [_spec(name) for name in modalities]
    streams = {name: _stream(rng, emotion, spec) for name, spec in zip(modalities, specs, strict=True)}
    return SignalInputs(streams, features, table, specs, {})


def _spec(name: str, n_channels: int = 3) -> StreamSpec:
    channels = tuple(f"{name}{k}" for k in range(n_channels))
    channels += tuple(f"{channel}_log_rectified" for channel in channels)
    return StreamSpec(name, (name,), RATES[name], channels, round(4 * RATES[name]), 16)


def _stream(rng: np.random.Generator, emotion: np.ndarray, spec: StreamSpec) -> np.ndarray:
    """Channel k is louder in emotion k; its copy is of another size altogether."""
    raw = rng.normal(size=(len(emotion), 3, spec.n_samples))
    raw[np.arange(len(emotion)), emotion] *= 3.0
    return np.concatenate([raw, 1000 * np.abs(raw)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def parts() -> tuple[SignalInputs, SignalInputs]:
    inputs = make_inputs()
    held = inputs.table["subject"].isin(["S4", "S5"]).to_numpy()
    return inputs[~held], inputs[held]


def ask(name: str, parts: tuple[SignalInputs, SignalInputs], target: str = "emotion", **settings):
    fitted, held = parts
    rows = np.arange(len(fitted)), np.arange(len(held))
    return predict_baseline(name, fitted, held, *rows, target, CLASSES, **settings)


CLASSIFIERS = [name for name, baseline in BASELINES.items() if baseline.classifier]
REGRESSORS = [name for name, baseline in BASELINES.items() if baseline.regressor]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_that_are_easily_told_are_told(name, parts):
    """In the order of the classes, which is not the alphabet's; guessing gives a third."""
    made = ask(name, parts, search=False)
    truth = parts[1].table["emotion"].to_numpy()
    assert made.values.shape == (len(truth), 3)
    np.testing.assert_allclose(made.values.sum(axis=1), 1, atol=1e-6)
    found = (np.array(CLASSES)[made.values.argmax(axis=1)] == truth).mean()
    assert found == pytest.approx(1 / 3) if name == "majority" else found > 0.85


@pytest.mark.parametrize("name", REGRESSORS)
def test_ratings_come_in_their_own_unit(name, parts):
    """Ratings of 3, 5 and 7, in equal shares; how far the fixed values shrink them to 5 is no matter here."""
    made = ask(name, parts, "valence", search=False)
    assert made.values.shape == (len(parts[1]),)
    assert made.values.mean() == pytest.approx(5, abs=0.3)
    if name == "majority":
        np.testing.assert_allclose(made.values, 5)
    else:
        assert np.corrcoef(made.values, parts[1].table["valence"])[0, 1] > 0.85


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_transition_is_a_probability_of_one(name, parts):
    made = ask(name, parts, "transition", search=False)
    truth = parts[1].table["transition"].to_numpy()
    assert made.values.shape == truth.shape
    if name == "majority":
        np.testing.assert_allclose(made.values, 1 / 3)
    else:
        assert roc_auc_score(truth, made.values) > 0.9


@pytest.mark.parametrize("name", ["SVM-RBF", "tangent space"])
def test_what_is_chosen_is_the_best_over_new_subjects_of_the_training_part(name, parts, monkeypatch):
    """The search sees the training part alone, tests each of its windows once, and parts no subject."""
    seen = []
    fit = GridSearchCV.fit

    def watched(self, x, y):
        seen.append(self)
        return fit(self, x, y)

    monkeypatch.setattr(GridSearchCV, "fit", watched)
    made = ask(name, parts)
    (search,) = seen
    groups = parts[0].table["group"].to_numpy()
    assert len(search.cv) == 3
    for train, test in search.cv:
        assert not set(groups[train]) & set(groups[test])
    assert sorted(np.concatenate([test for _, test in search.cv])) == list(range(len(groups)))
    best = search.cv_results_["params"][search.cv_results_["mean_test_score"].argmax()]
    assert made.chosen == {key.removeprefix("model__"): value for key, value in best.items()}
    assert all(f"{key}=" in made.note for key in made.chosen)


def test_fewer_subjects_than_folds_make_fewer_folds_and_one_subject_none(parts, monkeypatch):
    folds = []
    search = module._search
    monkeypatch.setattr(module, "_search", lambda *given: folds.append(len(given[3])) or search(*given))
    fitted, held = parts
    two = fitted[fitted.table["subject"].isin(["S0", "S1"]).to_numpy()]
    one = fitted[(fitted.table["subject"] == "S0").to_numpy()]
    assert ask("LDA", (two, held)).chosen
    assert folds == [2]
    made = ask("LDA", (one, held))
    assert (made.chosen, made.note) == ({}, "one subject: fixed values")
    np.testing.assert_array_equal(made.values, ask("LDA", (one, held), search=False).values)


@pytest.mark.parametrize("name", ["logistic regression", "LDA", "SVM-RBF"])
def test_an_inner_fold_with_one_class_is_left_out(name, parts):
    """Only one subject has transitions: the fold that holds it out would learn from windows without any."""
    fitted, held = parts
    rare = fitted.table["transition"].where(fitted.table["subject"] == "S0", 0.0)
    lacking = dataclasses.replace(fitted, table=fitted.table.assign(transition=rare))
    made = ask(name, (lacking, held), "transition")
    assert made.chosen
    assert np.isfinite(made.values).all()
    alone = lacking.table["subject"].isin(["S0", "S1"]).to_numpy()
    constant = dataclasses.replace(
        fitted, table=fitted.table.assign(transition=(fitted.table["subject"] == "S0").astype(float))
    )
    made = ask(name, (constant[alone], held), "transition")
    assert (made.chosen, made.note) == ({}, "one class in each inner fold: fixed values")


def test_without_a_search_the_values_are_those_of_the_tables(parts):
    """C = 0.3 and leaves of 10, as docs/results.md was measured; against scikit-learn alone."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from data_builders.normalisation import Normaliser

    normaliser = Normaliser("subject").fit(parts[0].features.to_numpy(np.float32), parts[0].table)
    x, x_held = (normaliser.transform(i.features.to_numpy(np.float32), i.table) for i in parts)
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    y = parts[0].table["emotion"].to_numpy(str)
    svm = make_pipeline(impute, StandardScaler(), SVC(C=0.3, class_weight="balanced")).fit(x, y)
    votes = ask("SVM-RBF", parts, search=False).values
    np.testing.assert_array_equal(np.array(CLASSES)[votes.argmax(axis=1)], svm.predict(x_held))
    assert set(np.unique(votes)) == {0.0, 1.0}
    trees = ExtraTreesClassifier(
        500, min_samples_leaf=10, max_features="sqrt", class_weight="balanced", random_state=3
    )
    trees = make_pipeline(impute, trees).fit(x, y)
    order = [list(trees.classes_).index(name) for name in CLASSES]
    found = ask("extra trees", parts, search=False, seed=3).values
    np.testing.assert_array_equal(found, trees.predict_proba(x_held)[:, order])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_held_labels_change_no_answer(name, parts):
    fitted, held = parts
    changed = dataclasses.replace(held, table=held.table.assign(emotion="calm", valence=9.0))
    np.testing.assert_array_equal(
        ask(name, parts, search=False).values, ask(name, (fitted, changed), search=False).values
    )


def test_a_class_that_the_training_part_lacks_gets_no_probability(parts):
    fitted, held = parts
    made = ask("logistic regression", (fitted[(fitted.table["emotion"] != "calm").to_numpy()], held))
    assert not made.values[:, 1].any()
    np.testing.assert_allclose(made.values.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_training_part_of_one_class_gives_that_class(name, parts):
    """As of transitions that no training subject has; most classifiers refuse to be fitted on them."""
    fitted = dataclasses.replace(parts[0], table=parts[0].table.assign(emotion="calm", transition=0.0))
    made = ask(name, (fitted, parts[1]))
    np.testing.assert_array_equal(made.values, np.tile([0, 1, 0], (len(parts[1]), 1)))
    assert made.note == "one class in the training part: always that one"
    assert made.votes == (name == "SVM-RBF")  # as in the folds that it learns from more
    np.testing.assert_array_equal(ask(name, (fitted, parts[1]), "transition").values, 0)


def test_what_is_not_applicable_says_why(parts):
    specs = parts[0].stream_specs
    slow = [StreamSpec("gsr", ("gsr",), 8.0, ("gsr",), 80, 16)]
    assert why_not_applicable("MDM", specs) is None
    assert why_not_applicable("MDM", specs, "valence") == "has no answer for 'valence'"
    assert why_not_applicable("ridge", slow) == "has no answer for 'emotion'"
    needs = "needs a stream 'eeg' or 'emg' with 2 channels or more"
    assert why_not_applicable("tangent space", slow) == needs
    # One channel and its log-rectified copy are one channel.
    assert why_not_applicable("MDM", [_spec("emg", n_channels=1)]) == needs
    with pytest.raises(ValueError, match=r"the baseline 'ridge' has no answer for 'emotion'; leave it out"):
        ask("ridge", parts)


def test_covariances_are_those_of_the_measured_channels_of_both_modalities(parts):
    """Against scikit-learn's OAS of one window; the two modalities meet in no entry."""
    from sklearn.covariance import OAS

    inputs = parts[0]
    found = window_covariances(inputs)
    assert found.shape == (len(inputs), 6, 6)
    assert not found[:, :3, 3:].any()
    for name, block in {"eeg": found[4, :3, :3], "emg": found[4, 3:, 3:]}.items():
        window = inputs.streams[name][4, :3].T
        np.testing.assert_allclose(block, OAS().fit(window).covariance_, rtol=1e-4, atol=1e-5)


def test_distances_of_both_modalities_add_up(parts):
    from pyriemann.utils.distance import distance_riemann

    a, b = window_covariances(parts[0])[[0, 1]]
    apart = [distance_riemann(a[half, half], b[half, half]) for half in (slice(3), slice(3, 6))]
    assert distance_riemann(a, b) ** 2 == pytest.approx(apart[0] ** 2 + apart[1] ** 2)


def test_recentring_takes_away_each_subjects_own_mixing(parts):
    """Riemannian distances do not change under a common linear map, and so do recentred spectra."""
    covariances, table = window_covariances(parts[0])[:, :3, :3], parts[0].table
    mixed = covariances.copy()
    rng = np.random.default_rng(0)
    for rows in table.groupby("subject").indices.values():
        mixing = rng.normal(size=(3, 3))
        mixed[rows] = mixing @ covariances[rows] @ mixing.T
    plain, found = (recentre(c, table, "subject") for c in (covariances, mixed))
    # The mean is found to 1e-8 by iteration; mixing spreads the eigenvalues over some orders of magnitude.
    np.testing.assert_allclose(np.linalg.eigvalsh(found), np.linalg.eigvalsh(plain), rtol=1e-4)
    assert recentre(mixed, table, "none") is mixed


def test_flat_windows_get_the_mean_of_the_training_part(parts):
    fitted, held = parts
    flat = dataclasses.replace(held, streams={name: data.copy() for name, data in held.streams.items()})
    flat.streams["eeg"][2] = 0
    found = read_covariances(fitted, flat, "none")[1]
    np.testing.assert_allclose(found[2], window_covariances(fitted).mean(axis=0))
    np.testing.assert_allclose(found[3], window_covariances(held)[3])


@pytest.mark.parametrize("normalisation", ["subject", "recording", "none"])
def test_riemannian_baselines_follow_the_normalisation(normalisation, parts):
    """An electrode of the held subjects that has another gain misleads MDM without recentring only."""
    fitted, held = parts
    louder = {name: data.copy() for name, data in held.streams.items()}
    louder["eeg"][:, 0] *= 8
    one, two = (
        ask("MDM", (fitted, dataclasses.replace(held, streams=streams)), normalisation=normalisation).values
        for streams in (held.streams, louder)
    )
    if normalisation == "none":
        assert np.abs(one - two).max() > 0.1
    else:
        # Shrinkage towards the identity is not blind to gains, but weak.
        np.testing.assert_allclose(one, two, atol=0.05)
