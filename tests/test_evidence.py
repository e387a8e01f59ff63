"""Evidence by occlusion: the channel that carries the label weighs most, one that never changes nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_builders.segments import Segments, SignalSpec
from encoders.encoder_config import EncoderConfig
from encoders.evidence import Evidence, evidence, hideable
from encoders.inputs import SignalInputs, signal_inputs, with_feature_stream
from encoders.signal_encoder import SignalEncoder

CLASSES = ("calm", "tense")
SPECS = {
    "emg": SignalSpec(40.0, ("zygomaticus", "corrugator"), "µV"),
    "gsr": SignalSpec(4.0, ("EDA",), "µS"),
    "acceleration": SignalSpec(4.0, ("ax", "ay", "az"), "g"),
}
READS = {
    "signals": {},
    "features": {"reads": "features", "network": "mlp"},
    "both": {"reads": "both", "network": {"measured": "mlp", "default": "cnn"}},
}


@pytest.fixture(scope="module")
def inputs() -> SignalInputs:
    """Noise everywhere but a corrugator that is four times as strong when tense; z never moves."""
    rng = np.random.default_rng(0)
    n, seconds = 240, 8
    tense = rng.random(n) < 0.5
    signals = {
        name: rng.normal(size=(n, len(spec.channel_names), round(seconds * spec.sampling_rate)))
        for name, spec in SPECS.items()
    }
    signals["emg"][:, 1] *= np.where(tense, 4.0, 1.0)[:, None]
    signals["acceleration"][:, 2] = 1.0
    table = pd.DataFrame(
        {
            "segment": [str(k) for k in range(n)],
            "dataset": "made",
            "recording": "r",
            "session": "",
            "subject": np.repeat([f"P{k}" for k in range(6)], n // 6),
            "start": 0.0,
            "duration": float(seconds),
            "on_grid": True,
            "reference": False,
            "emotion": np.where(tense, "tense", "calm"),
            **dict.fromkeys(("valence", "arousal", "transition"), np.nan),
        }
    )
    signals = {name: data.astype(np.float32) for name, data in signals.items()}
    return signal_inputs(Segments(signals, table, SPECS), 2.0)


def fitted(inputs: SignalInputs, reads: str) -> SignalEncoder:
    subject = inputs.table["subject"]
    train, validation = (
        inputs[subject.isin(names).to_numpy()] for names in (["P0", "P1", "P2", "P3"], ["P4"])
    )
    config = EncoderConfig(dim=16, quantizer=None, training={"epochs": 20}, **READS[reads])
    return SignalEncoder(config, CLASSES, 0).fit(train, validation, progress=False)


@pytest.mark.parametrize("reads", READS)
def test_the_channel_with_the_label_weighs_most(inputs, reads):
    encoder = fitted(inputs, reads)
    test = inputs[(inputs.table["subject"] == "P5").to_numpy()]
    rows = np.arange(len(test))
    found = evidence(encoder, test, rows, SPECS)
    truth = (test.table["emotion"] == "tense").to_numpy()
    assert (found.probabilities.argmax(1) == truth).mean() > 0.9
    assert found.weights.shape == (len(rows), len(found.names))
    mean = dict(zip(found.names, found.weights.mean(0), strict=True))
    assert max(mean, key=lambda name: mean[name]) == "corrugator EMG"
    # What is left reads as one class, so that the probability falls in the segments of the other.
    assert mean["corrugator EMG"] > 0.1
    others = [weight for name, weight in mean.items() if "corrugator EMG" not in name]
    assert mean["corrugator EMG"] > 5 * max(others)
    of_features = {name for name, feature in zip(found.names, found.features, strict=True) if feature}
    assert bool(of_features) == (reads != "signals")
    if of_features:
        strongest = max(of_features, key=lambda name: mean[name])
        assert "corrugator EMG" in strongest
        assert 0 < mean[strongest] <= mean["corrugator EMG"] + 1e-6
    np.testing.assert_array_equal(found.weights[:, found.names.index("z acceleration")], 0)


def test_weights_are_the_fall_of_the_probability_that_is_read(inputs):
    encoder = fitted(inputs, "signals")
    rows = np.array([3, 50, 7])
    found = evidence(encoder, inputs, rows, SPECS)
    hidden = inputs.streams["emg"].copy()
    x = encoder.normalised(inputs, rows)
    x["emg"][:, [1, 3]] = 0  # the corrugator, and its log-rectified copy behind both raw channels
    from encoders.training import outputs

    left = outputs(encoder.network_, x)["emotion"]
    plain = encoder.predict_proba(inputs, rows)
    read = np.arange(3), plain.argmax(1)
    column = found.names.index("corrugator EMG")
    np.testing.assert_allclose(found.weights[:, column], plain[read] - left[read], atol=1e-6)
    np.testing.assert_array_equal(inputs.streams["emg"], hidden)
    clues = found.clues(0)
    weights = [weight for _, weight, _ in clues]
    assert weights == sorted(weights, reverse=True)
    assert ("corrugator EMG", pytest.approx(found.weights[0, column]), False) in clues


def made_evidence(**weights: float) -> Evidence:
    """Evidence of an acceleration, two of its axes, the EMG's channels and a feature."""
    modalities = {"acceleration": "acceleration", "x acceleration": "acceleration"}
    modalities |= {"z acceleration": "acceleration", "zygomaticus EMG": "emg", "corrugator EMG": "emg"}
    modalities |= {"strength of movement": "acceleration"}
    given = {name: weights.get(name.replace(" ", "_"), 0.0) for name in modalities}
    features = [name == "strength of movement" for name in given]
    values = np.array([list(given.values())])
    return Evidence(list(given), features, list(modalities.values()), values, np.array([[1.0]]))


def test_of_a_signal_and_its_channels_the_heavier_are_clues():
    feature = {"strength_of_movement": 0.1}
    whole = made_evidence(acceleration=0.3, x_acceleration=0.2, corrugator_EMG=0.25, **feature)
    names = [name for name, weight, _ in whole.clues(0) if weight]
    assert names == ["acceleration", "corrugator EMG", "strength of movement"]
    part = made_evidence(acceleration=0.2, x_acceleration=0.3, z_acceleration=0.1, **feature)
    names = [name for name, weight, _ in part.clues(0) if weight]
    assert names == ["x acceleration", "z acceleration", "strength of movement"]


def test_a_modality_that_is_lost_is_no_clue():
    found = made_evidence(acceleration=0.3, corrugator_EMG=0.2, strength_of_movement=0.1)
    left = [name for name, _, _ in found.clues(0, ["acceleration"])]
    assert left == ["corrugator EMG", "zygomaticus EMG"]
    left = [name for name, weight, _ in found.clues(0, {"corrugator EMG"}) if weight]
    assert left == ["acceleration", "strength of movement"]


def test_a_channel_is_hidden_with_its_copies_and_its_features(inputs):
    both = with_feature_stream(inputs)
    groups = hideable(both.stream_specs, SPECS)
    corrugator = groups["corrugator EMG"]
    assert corrugator["emg"] == [1, 3]
    columns = [both.stream_specs[-1].channel_names[k] for k in corrugator["measured"]]
    assert columns
    assert all(name.endswith("_corrugator") for name in columns)
    hidden = {(stream, k) for group in groups.values() for stream, at in group.items() for k in at}
    every = {(spec.name, k) for spec in both.stream_specs for k in range(spec.n_channels)}
    assert hidden == every


def test_a_modality_is_hidden_with_all_of_its_channels(inputs):
    """What belongs to no single axis, as the magnitude's features, names the whole signal."""
    both = with_feature_stream(inputs)
    whole = hideable(both.stream_specs, SPECS)["acceleration"]
    streams = {spec.name: spec for spec in both.stream_specs}
    for name, positions in whole.items():
        names = streams[name].channel_names
        assert positions == [k for k, n in enumerate(names) if n[:2] in {"ax", "ay", "az", "ac"}]
    assert len(whole) == 2


def test_many_eeg_channels_are_hidden_by_region():
    names = ("AF3", "F7", "F3", "F4", "T7", "O1", "O2", "X1")
    specs = {"eeg": SignalSpec(128.0, names, "µV")}
    table = pd.DataFrame({"segment": ["a"], "duration": 4.0})
    segments = Segments({"eeg": np.zeros((1, len(names), 512), np.float32)}, table, specs)
    groups = hideable(signal_inputs(segments).stream_specs, specs)
    assert groups["left frontal EEG"] == {"eeg": [0, 1, 2, 8, 9, 10]}
    assert list(groups) == [
        "left frontal EEG",
        "right frontal EEG",
        "temporal EEG",
        "occipital EEG",
        "X1 EEG",
    ]


def test_an_encoder_of_ratings_has_no_evidence_for_an_emotion(inputs):
    encoder = SignalEncoder(EncoderConfig(targets=["valence"]), (), 0)
    with pytest.raises(ValueError, match=r"valence.*'emotion'"):
        evidence(encoder, inputs, np.arange(2), SPECS)
