"""The simulated set in the shapes of other data sets: their channels, rates and lengths; its oracle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import welch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_builders.preparing import PrepareConfig, prepare
from data_builders.readers import (
    AMIGOS,
    DEAP,
    GAMEEMO,
    SEEDIV,
    KaggleEEG,
    Reader,
    Simulated,
    SimulatedFeatures,
)
from data_builders.readers.simulated import SHAPES
from data_builders.simulation import EFFECTS, draw_feature_table, electrode_positions, label_posterior
from data_builders.simulation.waveforms import CHUNK, course
from data_builders.store import SegmentStore

COPIED: dict[str, type[Reader]] = {"amigos": AMIGOS, "deap": DEAP, "gameemo": GAMEEMO, "seed_iv": SEEDIV}
SUBJECTS = {"amigos": 37, "deap": 32, "gameemo": 28, "seed_iv": 15}


@pytest.mark.parametrize("shape", COPIED)
def test_eeg_is_as_the_reader_of_the_data_set_says(shape: str) -> None:
    simulated, copied = Simulated(shape=shape), COPIED[shape]
    assert simulated.modalities["eeg"] == copied.modalities["eeg"]
    assert (simulated.window, simulated.step) == (copied.window, copied.step)
    assert len(simulated.paths()) == SUBJECTS[shape]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_short_session_has_the_shape_and_becomes_windows(shape: str, tmp_path) -> None:
    options = {"shape": shape, "n_subjects": 1, "n_trials": 2}
    reader = Simulated(**options)
    recording = reader.read("S01")
    for name, spec in reader.modalities.items():
        signal = recording.signals[name]
        assert (signal.sampling_rate, signal.channel_names) == (spec.sampling_rate, spec.channel_names)
        assert np.isfinite(signal.data).all()
    config = PrepareConfig("simulated", out=str(tmp_path), preprocessing="none", reader_options=options)
    store = SegmentStore(prepare(config, progress=False))
    n_windows = int(reader.options.block_seconds / reader.window + 1e-6)
    assert store.table["on_grid"].sum() == 2 * n_windows
    assert not store.table["reference"].any()  # no rest is as long as a window


def test_lengths_in_samples_are_the_data_sets_own() -> None:
    for shape, modality, n_samples in (("emg", "emg", 45_000), ("gameemo", "eeg", 38_252)):
        reader = Simulated(shape=shape, n_subjects=1, n_trials=2)
        assert reader.read("S01").signals[modality].data.shape[1] == 2 * n_samples
    assert set(Simulated(shape="emg").classes) == set(EFFECTS)
    assert len(Simulated(shape="emg").modalities["emg"].channel_names) == 8
    assert {name: len(spec.channel_names) for name, spec in Simulated(shape="amigos").modalities.items()} == {
        "eeg": 14,
        "ecg": 1,
        "gsr": 1,
    }


def test_options_change_a_shape_and_leave_the_rest() -> None:
    changed = Simulated(shape="amigos", n_trials=3, sampling_rates={"gsr": 8}).options
    shape = SHAPES["amigos"]
    assert (changed.n_trials, changed.n_subjects) == (3, shape.n_subjects)
    assert changed.sampling_rates == {**shape.sampling_rates, "gsr": 8}
    with pytest.raises(ValueError, match=r"'dreams'.*'amigos'.*'emg'"):
        Simulated(shape="dreams")
    with pytest.raises(ValueError, match=r"montage is.*'X9'.*muscles are.*'biceps'.*burst_rate is 0"):
        Simulated(montage=("F3", "X9"), muscles=("biceps",), burst_rate=0)


@pytest.mark.parametrize(
    "names", [DEAP.modalities["eeg"].channel_names, SEEDIV.modalities["eeg"].channel_names]
)
def test_electrodes_sit_apart_and_mirror_each_other(names: tuple[str, ...]) -> None:
    places = dict(zip((name.upper() for name in names), electrode_positions(names), strict=True))
    distance = np.linalg.norm(np.array(list(places.values()))[:, None] - list(places.values()), axis=-1)
    assert distance[~np.eye(len(names), dtype=bool)].min() > 0.1
    for left, right in (("F3", "F4"), ("FC5", "FC6"), ("PO3", "PO4"), ("O1", "O2"), ("CP1", "CP2")):
        np.testing.assert_allclose(places[left] * (-1, 1), places[right])
        assert places[left][0] < 0
    assert [places[name][0] for name in ("FZ", "CZ", "PZ", "OZ")] == [0] * 4
    fronts = [places[name][1] for name in ("FP1", "AF3", "F3", "FC1", "C3", "CP1", "P3", "PO3", "O1")]
    assert fronts == sorted(fronts, reverse=True)
    with pytest.raises(ValueError, match=r"\['nose'\]"):
        electrode_positions(["F3", "nose"])


def test_topography_on_another_montage() -> None:
    """Alpha at the back, theta at the front, and the asymmetry between the frontal electrodes alone."""
    simulated = Simulated(shape="seed_iv", n_subjects=1, n_trials=8, seed=2)
    recording, session = simulated.read("S01"), simulated.session("S01")
    names = list(recording.signals["eeg"].channel_names)
    frequency, power = welch(recording.signals["eeg"].data.reshape(62, 8, -1), 200, nperseg=400)
    band = {
        name: np.log(power[..., (frequency >= low) & (frequency < high)].sum(-1))
        for name, low, high in (("theta", 4, 8), ("alpha", 8, 13))
    }
    back, front = names.index("OZ"), names.index("FPZ")
    # eight minutes: a band's power is known to 3 %; the differences set by the topography are over 60 %
    assert (band["alpha"][back] - band["alpha"][front]).mean() > 0.5
    assert (band["theta"][front] - band["theta"][back]).mean() > 0.3
    sides = {
        row: band["alpha"][names.index(f"{row}4")] - band["alpha"][names.index(f"{row}3")]
        for row in ("F", "P")
    }
    true = session.values["frontal_asymmetry"]
    assert np.corrcoef(sides["F"], true)[0, 1] > 0.8
    assert np.std(sides["P"]) < 0.5 * np.std(true)


def test_fewer_muscles_tell_less_and_the_oracle_stays_calibrated() -> None:
    hits = {}
    for n in (8, 2):
        muscles = Simulated(shape="emg").options.muscles[:n]
        reader = Simulated(shape="emg", n_subjects=60, muscles=muscles)
        assert reader.modalities["emg"].channel_names == muscles
        right, claimed = [], []
        for subject in reader.paths():
            session = reader.session(subject)
            posterior = label_posterior(session, reader.options)
            labels = [reader.classes.index(row["emotion"]) for row in session.labels]
            right += list(posterior.argmax(1) == labels)
            claimed += list(posterior.max(1))
        # 2880 blocks: a standard error of at most .0095
        assert np.mean(right) == pytest.approx(np.mean(claimed), abs=0.03)
        hits[n] = np.mean(right)
    assert hits[2] < hits[8] - 0.2


def test_emotions_outlast_blocks_as_often_as_they_are_told_to() -> None:
    for persistence in (0.0, 0.6):
        reader = Simulated(n_subjects=30, n_trials=64, persistence=persistence, label_noise=0.0)
        sessions = [reader.session(subject) for subject in reader.paths()]
        rate = np.mean([row["transition"] for session in sessions for row in session.labels[1:]])
        # the emotions are drawn four times 16 without replacement: a change is another one in 48 of 63 cases;
        # 1890 pairs: a standard error of .011
        assert rate == pytest.approx((1 - persistence) * 48 / 63, abs=0.04)
        posterior = np.concatenate([label_posterior(session, reader.options) for session in sessions])
        true = [reader.classes.index(emotion) for session in sessions for emotion in session.emotions]
        hits = (posterior.argmax(1) == true).mean()
        # blocks depend on each other only through their emotions, so that the oracle stays calibrated
        assert hits == pytest.approx(posterior.max(1).mean(), abs=0.02)


def test_bursts_come_at_their_rate_in_short_samples() -> None:
    options = {"n_subjects": 1, "n_trials": 40, "sampling_rates": {"emg": 1000}}
    often, rare = (Simulated(shape="emg", burst_rate=rate, **options) for rate in (60.0, 6.0))
    ratio = often.session("S01").values["burst_rate"] / rare.session("S01").values["burst_rate"]
    np.testing.assert_allclose(ratio, 10.0)
    power = [reader.read("S01").signals["emg"].data.std() for reader in (often, rare)]
    assert power[0] > 1.5 * power[1]


def test_a_curve_is_the_same_in_pieces() -> None:
    """Against the sum over all steps at once, which takes stretches x samples of memory."""
    rng = np.random.default_rng(0)
    values, edges = rng.standard_normal(9), np.arange(10) * 50.0
    time = np.arange(3 * CHUNK + 5) / 128.0
    elapsed = np.maximum(time - edges[1:-1, None], 0)
    steps = np.diff(values)[:, None] * np.where(time >= edges[1:-1, None], np.exp(-elapsed / 2.0), 0)
    whole = values[np.minimum(np.searchsorted(edges, time, side="right") - 1, 8)] - steps.sum(0)
    np.testing.assert_allclose(course(values, edges, time, lag=2.0), whole, atol=1e-12)


@pytest.fixture(scope="module")
def feature_table() -> pd.DataFrame:
    return draw_feature_table(seed=1)


def test_neighbouring_rows_of_the_feature_table_are_near_copies(feature_table: pd.DataFrame) -> None:
    """A shuffled split finds a row's neighbours; blocks of rows do not."""
    values, labels = feature_table.drop(columns="label").to_numpy(), feature_table["label"]
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    scores = {
        shuffle: balanced_accuracy_score(labels, cross_val_predict(nearest, values, labels, cv=folds))
        for shuffle, folds in ((True, KFold(5, shuffle=True, random_state=0)), (False, KFold(5)))
    }
    assert scores[True] > 0.97
    # clips of a label are alike, but a clip that was never seen is harder; chance is .33
    assert 0.4 < scores[False] < 0.85


def test_the_table_is_read_as_the_data_sets_own_file_is(feature_table: pd.DataFrame, tmp_path) -> None:
    counts = feature_table["label"].value_counts().to_dict()
    assert counts == {"NEUTRAL": 716, "NEGATIVE": 708, "POSITIVE": 708}
    draw_feature_table(seed=1, part=30).to_csv(tmp_path / "emotions.csv", index=False)
    file = KaggleEEG(tmp_path).read(tmp_path / "emotions.csv")
    drawn = SimulatedFeatures(seed=1, part=30).read("table")
    assert (drawn.blocks, drawn.subject, drawn.baseline) == (file.blocks, file.subject, file.baseline)
    assert drawn.signals["features"].channel_names == file.signals["features"].channel_names
    # both are the same numbers in float32, one by way of text
    np.testing.assert_allclose(drawn.signals["features"].data, file.signals["features"].data, rtol=1e-6)
    with pytest.raises(ValueError, match=r"part is 99.*1 to 30"):
        SimulatedFeatures(part=99)
