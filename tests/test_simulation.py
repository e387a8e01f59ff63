"""The simulated set: reproducible, true to its parameters, neither too easy nor too hard, ceiling known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.signal import find_peaks, welch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from data_builders.readers import Simulated
from data_builders.recording import Recording, save_recording
from data_builders.simulation import EFFECTS, MONTAGE, MUSCLES, Session, label_posterior
from data_builders.simulation.waveforms import beat_times

WINDOW = 10.0


def spectrum(data: np.ndarray, rate: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    return welch(data, rate, nperseg=int(seconds * rate))


def features(recording: Recording, start: float) -> dict[str, float]:
    """A quick classical feature set of one window."""
    cut = {
        name: s.data[:, round(start * s.sampling_rate) :][:, : round(WINDOW * s.sampling_rate)].astype(float)
        for name, s in recording.signals.items()
    }
    rate = {name: s.sampling_rate for name, s in recording.signals.items()}
    ecg = cut["ecg"][0]
    rr = np.diff(find_peaks(ecg, height=0.55 * ecg.max(), distance=0.4 * rate["ecg"])[0]) / rate["ecg"]
    slope = np.diff(np.convolve(cut["gsr"][0], np.ones(4) / 4, "valid")) * rate["gsr"]
    emg = np.log(cut["emg"].std(1))
    frequency, power = spectrum(cut["emg"], rate["emg"], 0.5)
    share = np.cumsum(power.sum(0)) / power.sum()
    row = {
        "heart_rate": 60 / rr.mean(),
        "rmssd": np.log(np.sqrt(np.mean(np.diff(rr) ** 2)) + 1e-3),
        "scr": float(len(find_peaks(slope, height=0.03)[0])),
        "level": float(np.log(cut["gsr"].mean())),
        "slope": float(slope.std()),
        "median_frequency": float(frequency[np.searchsorted(share, 0.5)]),
    }
    row |= {f"emg{i}": value for i, value in enumerate(emg)}
    row |= {f"emg_share{i}": value for i, value in enumerate(emg - emg.mean())}
    frequency, power = spectrum(cut["eeg"], rate["eeg"], 2.0)
    for name, low, high in (("theta", 4, 8), ("alpha", 8, 13), ("beta", 13, 30)):
        band = np.log(power[:, (frequency >= low) & (frequency < high)]).mean(1)
        row[name] = band.mean()
        if name == "alpha":
            row["asymmetry"] = band[[10, 11, 12, 13]].mean() - band[[0, 1, 2, 3]].mean()
    return row


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return Simulated(n_subjects=16)


@pytest.fixture(scope="module")
def table(simulated: Simulated) -> pd.DataFrame:
    """Two windows a block, features z-scored by subject."""
    rows = []
    for recording in simulated:
        for number, block in enumerate(recording.blocks):
            for start in (block.start, block.start + WINDOW):
                ids = {"subject": recording.subject, "trial": block.trial, "emotion": block.labels["emotion"]}
                rows.append(ids | {"number": number} | features(recording, start))
    frame = pd.DataFrame(rows)
    measured = frame.columns[4:]
    groups = frame.groupby("subject")[list(measured)]
    frame[measured] = (frame[measured] - groups.transform("mean")) / (groups.transform("std") + 1e-9)
    return frame


def baseline(table: pd.DataFrame, target: np.ndarray) -> float:
    """Balanced accuracy of extra trees on unseen subjects."""
    trees = ExtraTreesClassifier(150, min_samples_leaf=2, random_state=0)
    folds = GroupKFold(4)
    predicted = cross_val_predict(trees, table[table.columns[4:]], target, groups=table["subject"], cv=folds)
    return float(balanced_accuracy_score(target, predicted))


def test_difficulty_lies_between_chance_and_the_oracle(simulated: Simulated, table: pd.DataFrame) -> None:
    posterior = simulated.oracle(table)
    guessed = np.array(simulated.classes)[posterior.argmax(1)]
    oracle = balanced_accuracy_score(table["emotion"], guessed)
    trees = baseline(table, table["emotion"].to_numpy())
    assert 0.60 < trees < 0.85
    # 192 blocks: a standard error of .02 around .93
    assert 0.87 < oracle < 0.98
    assert oracle > trees + 0.06


def test_nothing_tells_the_position_in_the_session(table: pd.DataFrame) -> None:
    half = (table["number"] >= 6).to_numpy().astype(int)
    # 192 blocks: a standard error of .036 around .5
    assert abs(baseline(table, half) - 0.5) < 0.11


def test_oracle_is_calibrated_and_bounded() -> None:
    simulated = Simulated(n_subjects=300, modalities=("gsr",), emotions=tuple(EFFECTS), label_noise=0.1)
    hits, claimed = [], []
    for subject in simulated.paths():
        session = simulated.session(subject)
        posterior = label_posterior(session, simulated.options)
        np.testing.assert_allclose(posterior.sum(1), 1.0)
        labels = np.array([simulated.classes.index(row["emotion"]) for row in session.labels])
        hits += list(posterior.argmax(1) == labels)
        claimed += list(posterior.max(1))
    # a Bayes-optimal posterior claims the accuracy it has; 3600 blocks: a standard error of .008
    assert np.mean(hits) == pytest.approx(np.mean(claimed), abs=0.025)
    assert np.max(claimed) <= 0.9 + 1e-9


def test_without_effect_the_oracle_knows_nothing() -> None:
    simulated = Simulated(effect=0.0, n_subjects=2)
    rows = pd.DataFrame({"subject": ["S01", "S02"], "trial": ["S01-03", "S02-11"]})
    np.testing.assert_allclose(simulated.oracle(rows), 0.25)


def test_oracle_refuses_rows_that_are_no_blocks() -> None:
    rows = pd.DataFrame({"subject": ["S01"], "trial": ["rest"]})
    with pytest.raises(ValueError, match=r"\['rest'\].*S01-00"):
        Simulated(n_subjects=1).oracle(rows)


def test_a_subject_is_the_same_alone_in_a_set_and_from_a_file(tmp_path) -> None:
    few = {"n_trials": 2, "block_seconds": 5, "rest_seconds": 5}
    alone = Simulated(n_subjects=2, modalities=("gsr",), **few).read("S02")
    whole = list(Simulated(n_subjects=3, **few))[1]
    saved = Simulated().read(save_recording(alone, tmp_path / "S02.npz"))
    other = Simulated(n_subjects=2, modalities=("gsr",), seed=1, **few).read("S02")
    np.testing.assert_array_equal(alone.signals["gsr"].data, whole.signals["gsr"].data)
    np.testing.assert_array_equal(alone.signals["gsr"].data, saved.signals["gsr"].data)
    assert alone.blocks == whole.blocks == saved.blocks
    assert all(np.isfinite(signal.data).all() for signal in whole.signals.values())
    assert not np.array_equal(alone.signals["gsr"].data, other.signals["gsr"].data)


def test_any_rate_and_all_emotions() -> None:
    rates = {"emg": 1000, "eeg": 250, "ecg": 333.3, "gsr": 4}
    options = {"n_trials": 24, "block_seconds": 3, "rest_seconds": 0, "label_noise": 0.0}
    reader = Simulated(n_subjects=1, sampling_rates=rates, emotions=tuple(EFFECTS), **options)
    recording = reader.read("S01")
    assert {name: signal.sampling_rate for name, signal in recording.signals.items()} == rates
    assert all(abs(s.duration - 72) < 1 / s.sampling_rate + 1e-9 for s in recording.signals.values())
    assert recording.duration >= 72
    assert all(np.isfinite(signal.data).all() for signal in recording.signals.values())
    assert recording.signals["emg"].channel_names == MUSCLES
    assert recording.signals["eeg"].channel_names == MONTAGE
    assert set(Counter(block.labels["emotion"] for block in recording.blocks).values()) == {2}


def test_labels_of_a_session() -> None:
    clean, noisy = (Simulated(n_subjects=100, label_noise=noise) for noise in (0.0, 0.2))
    wrong = 0
    for subject in clean.paths():
        session = noisy.session(subject)
        assert clean.session(subject).emotions == session.emotions
        assert tuple(row["emotion"] for row in clean.session(subject).labels) == session.emotions
        given = [row["emotion"] for row in session.labels]
        wrong += sum(a != b for a, b in zip(given, session.emotions, strict=True))
        assert "transition" not in session.labels[0]
        changes = [int(a != b) for a, b in zip(given[1:], given[:-1], strict=True)]
        assert [row["transition"] for row in session.labels[1:]] == changes
        assert all(-1 <= row[key] <= 1 for row in session.labels for key in ("valence", "arousal"))
    # 1200 labels: a standard error of .0115
    assert wrong / 1200 == pytest.approx(0.2, abs=0.04)


@pytest.fixture(scope="module")
def long_blocks() -> tuple[Recording, Session]:
    """One session of four blocks of two minutes: long enough to measure its parameters."""
    simulated = Simulated(n_subjects=1, n_trials=4, block_seconds=120, rest_seconds=0, seed=3)
    return simulated.read("S01"), simulated.session("S01")


def block_data(recording: Recording, modality: str, number: int, skip: float = 10.0) -> np.ndarray:
    signal, block = recording.signals[modality], recording.blocks[number]
    start, stop = block.start + skip, block.start + block.duration
    return signal.data[:, round(start * signal.sampling_rate) : round(stop * signal.sampling_rate)]


def test_heart_rate_is_found_by_neurokit(long_blocks: tuple[Recording, Session]) -> None:
    import neurokit2 as nk

    recording, session = long_blocks
    for number in range(4):
        ecg = nk.ecg_clean(block_data(recording, "ecg", number)[0], sampling_rate=128)
        peaks = nk.ecg_peaks(ecg, sampling_rate=128)[1]["ECG_R_Peaks"]
        assert 60 * 128 / np.diff(peaks).mean() == pytest.approx(
            session.values["heart_rate"][number], abs=1.5
        )


def test_rmssd_of_the_beats_is_the_parameter() -> None:
    edges = np.array([0.0, 1200.0])
    for rmssd in (15.0, 60.0):
        values = {"heart_rate": np.array([70.0]), "rmssd": np.array([rmssd])}
        rr = 1000 * np.diff(beat_times(values, edges, np.random.default_rng(0)))
        assert np.sqrt(np.mean(np.diff(rr) ** 2)) == pytest.approx(rmssd, rel=0.1)


def test_emg_median_frequency_is_the_parameter(long_blocks: tuple[Recording, Session]) -> None:
    recording, session = long_blocks
    for number in range(4):
        frequency, power = spectrum(block_data(recording, "emg", number), 500, 1.0)
        share = np.cumsum(power.sum(0)) / power.sum()
        median = frequency[np.searchsorted(share, 0.5)]
        assert median == pytest.approx(session.values["median_frequency"][number], abs=3)
        assert power[:, (frequency < 18) | (frequency > 227)].sum() < 0.01 * power.sum()


def test_muscles_follow_their_activity() -> None:
    simulated = Simulated(
        n_subjects=1, n_trials=40, block_seconds=20, rest_seconds=0, modalities=("emg",), seed=5
    )
    recording, session = simulated.read("S01"), simulated.session("S01")
    for channel, muscle in enumerate(MUSCLES):
        level = [np.log(block_data(recording, "emg", i, 0)[channel].std()) for i in range(40)]
        # bursts come at random and vary in size, which costs about half of the variance
        assert np.corrcoef(level, np.log(session.values[muscle]))[0, 1] > 0.35


def test_band_powers_and_asymmetry_move_with_their_parameters() -> None:
    simulated = Simulated(n_subjects=1, n_trials=40, rest_seconds=0, modalities=("eeg",), seed=6)
    recording, session = simulated.read("S01"), simulated.session("S01")
    measured: dict[str, list[float]] = {"theta": [], "alpha": [], "beta": [], "frontal_asymmetry": []}
    for number in range(40):
        frequency, power = spectrum(block_data(recording, "eeg", number, 2), 128, 2.0)
        for name, low, high in (("theta", 4, 8), ("alpha", 8, 13), ("beta", 13, 30)):
            band = np.log(power[:, (frequency >= low) & (frequency < high)].sum(1))
            measured[name].append(band.mean())
            if name == "alpha":
                asymmetry = band[MONTAGE.index("F4")] - band[MONTAGE.index("F3")]
                measured["frontal_asymmetry"].append(asymmetry)
    for name, values in measured.items():
        true = session.values[name] if name == "frontal_asymmetry" else np.log(session.values[name])
        # 18 s of noise: the band power's own sampling error is 5 to 15 %
        assert np.corrcoef(values, true)[0, 1] > (0.6 if name == "frontal_asymmetry" else 0.75)


def test_skin_conductance_responds_at_its_rate_and_level() -> None:
    simulated = Simulated(
        n_subjects=1, n_trials=4, block_seconds=300, rest_seconds=0, modalities=("gsr",), seed=7
    )
    recording, session = simulated.read("S01"), simulated.session("S01")
    for number in range(4):
        data = block_data(recording, "gsr", number)[0].astype(float)
        level = session.values["tonic_level"][number]
        assert np.quantile(data, 0.05) == pytest.approx(level, rel=0.12)
        slope = np.diff(np.convolve(data, np.ones(4) / 4, "valid")) * 8
        rises = len(find_peaks(slope, height=0.04, distance=6)[0]) / (290 / 60)
        # overlapping responses and those under .05 µS are missed
        assert 0.55 < rises / session.values["scr_rate"][number] < 1.4


def test_options_out_of_range_are_all_named() -> None:
    with pytest.raises(
        ValueError, match=r"n_subjects is 0.*'joy'.*label_noise is 2.*rate of eeg is 8 Hz"
    ) as error:
        Simulated(
            n_subjects=0,
            modalities=("eeg", "ppg"),
            emotions=("joy", "fear"),
            label_noise=2,
            sampling_rates={"eeg": 8},
        )
    assert "'ppg'" in str(error.value)
    with pytest.raises(ValueError, match="nothing is read"):
        Simulated("folder")
    with pytest.raises(ValueError, match=r"'S99'.*'S01' to 'S02'"):
        Simulated(n_subjects=2).read("S99")
