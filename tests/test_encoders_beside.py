"""Encoders beside another: each fitted by itself, answers averaged, codes of all."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from biollm import methods
from biollm.experiment import EvaluateConfig
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.evidence import evidence, hideable
from encoders.inputs import signal_inputs
from encoders.model_ensemble import stream_places
from encoders.signal_encoder import SignalEncoder
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.targets import target_sizes
from encoders.trainer import TrainEncoderConfig, train_encoder
from encoders.trainer_config import tokenizer_config
from encoders.training import outputs
from encoders.training_config import TrainingConfig

CLASSES = ("calm", "tense")
SIGNALS = {"dim": 8, "quantizer_options": {"codebook_size": 8, "codebook_dim": 4}, "training": {"epochs": 2}}
PLAIN = {"scaling": 0.0, "jitter": 0.0, "shift": 0.0, "channel_dropout": 0.0}
FEATURES = {"reads": "features", "network": "mlp", "training": {"epochs": 3, **PLAIN}}
AGAIN = {"quantizer": "kmeans", "quantizer_options": {"codebook_size": 6}}


@pytest.fixture(scope="module")
def opened(store):
    return SegmentStore(store)


@pytest.fixture(scope="module")
def parts(opened):
    segments = opened.segments()
    inputs = signal_inputs(segments[segments.table["on_grid"].to_numpy(bool)], 2.0)
    held = (inputs.table["subject"] == "P7").to_numpy()
    return inputs[~held], inputs[held]


@pytest.fixture(scope="module")
def together(parts):
    config = SignalTokenizerConfig(encoder={**SIGNALS, "beside": [FEATURES, AGAIN]}, n_bins=4, n_binned=5)
    return SignalTokenizer(config, CLASSES, seed=3).fit(*parts, progress=False)


@pytest.fixture(scope="module")
def alone(parts):
    settings = [(SIGNALS, 3), ({**SIGNALS, **FEATURES}, 103), ({**SIGNALS, **AGAIN}, 203)]
    return [
        SignalEncoder(EncoderConfig(**own), CLASSES, seed).fit(*parts, progress=False)
        for own, seed in settings
    ]


def test_streams_that_several_models_read_are_numbered():
    read = [["emg", "gsr"], ["measured"], ["gsr", "measured"], ["gsr"]]
    assert stream_places(read) == [
        {"emg": "emg", "gsr": "gsr"},
        {"measured": "measured"},
        {"gsr_2": "gsr", "measured_2": "measured"},
        {"gsr_3": "gsr"},
    ]


def test_answers_are_the_mean_of_encoders_fitted_by_themselves(together, alone, parts):
    held = parts[1]
    rows = np.arange(len(held))
    each = [encoder.predict_proba(held, rows) for encoder in alone]
    assert not np.allclose(each[0], each[2], atol=1e-3)
    np.testing.assert_allclose(together.encoder.predict_proba(held, rows), np.mean(each, axis=0), atol=1e-6)
    joined = np.concatenate([encoder.embeddings(held, rows)[0] for encoder in alone], axis=1)
    np.testing.assert_allclose(together.encoder.embeddings(held, rows)[0], joined, atol=1e-6)


def test_each_writes_the_codes_that_it_writes_alone(together, alone, parts):
    held = parts[1]
    rows = np.arange(len(held))
    (found,) = together.encoder.codes(held, rows)
    own = [encoder.codes(held, rows)[0] for encoder in alone]
    streams = list(own[0])
    assert list(found) == [*streams, "measured", *(f"{name}_2" for name in streams)]
    for name, codes in {**own[0], **own[1], **{f"{s}_2": c for s, c in own[2].items()}}.items():
        np.testing.assert_array_equal(found[name], codes)
    text = together.encode(held)[0]
    assert [text.index(f"<|{name}|>") for name in found] == sorted(text.index(f"<|{n}|>") for n in found)


def test_tokens_and_their_vectors_are_those_of_the_encoder_that_writes_them(together, alone):
    tokens, vectors = together.tokens("codes"), together.token_vectors("codes")
    assert len(tokens) == len(set(tokens)) == len(vectors)
    stream = alone[0].stream_specs_[0].name
    for name, size in ((f"{stream}_vq", 8), ("measured_vq", 8), (f"{stream}_2_kmeans", 6)):
        assert sum(token.startswith(f"<|{name}_") for token in tokens) == size
    for encoder, name in ((alone[0], stream), (alone[2], f"{stream}_2"), (alone[1], "measured")):
        own = encoder.network_.code_evidence(name.removesuffix("_2"))
        torch.testing.assert_close(together.encoder.network_.code_evidence(name), own)


def test_copies_are_augmented_as_each_training_does(together, parts):
    held = parts[1]
    rows = np.arange(len(held))
    plain, copied = together.encoder._copies(held, rows, 1, 0)
    signals = [name for name in plain if name != "measured"]
    assert set(copied) == {*plain, *(f"{name}_2" for name in signals)}
    np.testing.assert_array_equal(copied["measured"], plain["measured"])  # whose training changes nothing
    for name in signals:
        assert not np.allclose(copied[name], plain[name])
        assert not np.allclose(copied[name], copied[f"{name}_2"])  # drawn twice
    first, again = (together.encoder.codes(held, rows, copies=1, seed=seed)[1] for seed in (0, 1))
    np.testing.assert_array_equal(first["measured"], again["measured"])
    assert any((first[name] != again[name]).any() for name in signals)


def test_histories_are_told_apart(together, alone):
    numbers = [row["encoder"] for row in together.encoder.history_]
    lengths = [len(encoder.history_) for encoder in alone]
    assert numbers == [k + 1 for k, length in enumerate(lengths) for _ in range(length)]
    own = [row for encoder in alone for row in encoder.history_]
    assert [{k: v for k, v in row.items() if k != "encoder"} for row in together.encoder.history_] == own


def test_a_saved_tokenizer_says_the_same(together, parts, tmp_path):
    together.save_pretrained(tmp_path / "tokenizer")
    again = SignalTokenizer.from_pretrained(tmp_path / "tokenizer")
    held = parts[1]
    assert again.encode(held, "codes+bins") == together.encode(held, "codes+bins")
    rows = np.arange(len(held))
    np.testing.assert_array_equal(
        again.encoder.predict_proba(held, rows), together.encoder.predict_proba(held, rows)
    )
    assert set(again.encoder.codebook_report(held, rows)) == set(again.encoder.network_.quantizers)


def test_evidence_is_what_hiding_takes_from_all_encoders(together, alone, parts, opened):
    held = parts[1]
    rows = np.arange(len(held))
    found = evidence(together.encoder, held, rows, opened.specs)
    groups = hideable(together.encoder.stream_specs_, opened.specs)
    name = next(n for n, hidden in groups.items() if len(hidden) == 2)  # a channel, and the features of it
    left = []
    for encoder in alone:
        x = encoder.normalised(held, rows)
        for stream, channels in groups[name].items():
            if stream in x:
                x[stream][:, channels] = 0
        left.append(outputs(encoder.network_, x)["emotion"])
    plain = np.mean([encoder.predict_proba(held, rows) for encoder in alone], axis=0)
    read = rows, plain.argmax(axis=1)
    fall = plain[read] - np.mean(left, axis=0)[read]
    assert np.abs(fall).max() > 1e-3
    np.testing.assert_allclose(found.weights[:, found.names.index(name)], fall, atol=1e-6)


def test_a_stopped_training_goes_on_in_each_encoder(parts, together, tmp_path):
    config = EncoderConfig(**SIGNALS, beside=[FEATURES, AGAIN])
    SignalEncoder(config, CLASSES, 3).fit(*parts, progress=False, folder=tmp_path)
    kept = tmp_path / "checkpoints" / "last.pt"
    written = kept.stat().st_mtime_ns
    (tmp_path / "beside-2" / "checkpoints" / "last.pt").unlink()
    again = SignalEncoder(config, CLASSES, 3).fit(*parts, progress=False, folder=tmp_path)
    assert kept.stat().st_mtime_ns == written
    rows = np.arange(len(parts[1]))
    np.testing.assert_array_equal(
        again.predict_proba(parts[1], rows), together.encoder.predict_proba(parts[1], rows)
    )


def test_settings_of_the_machine_are_the_first_encoders():
    config = EncoderConfig(training={"use_cpu": True, "epochs": 9}, beside=[{"training": {"epochs": 2}}, {}])
    assert [one.training for one in config.each()] == [
        {"use_cpu": True, "epochs": 9}, {"use_cpu": True, "epochs": 2}, {"use_cpu": True, "epochs": 9},
    ]  # fmt: skip


def test_another_network_has_its_own_options():
    config = EncoderConfig(network_options={"kernel": 5}, beside=[{"network": "mlp"}, {"dim": 8}])
    assert [one.network_options for one in config.each()] == [{"kernel": 5}, {}, {"kernel": 5}]


def test_means_of_ratings_and_transitions(parts):
    config = EncoderConfig(targets=["valence", "transition"], quantizer=None, beside=[{}])
    encoder = SignalEncoder(config, CLASSES)
    model = encoder.build(parts[0].stream_specs).eval()
    assert model.targets == target_sizes(["valence", "transition"], CLASSES)
    x = {name: torch.as_tensor(data[:4]).float().nan_to_num() for name, data in parts[0].streams.items()}
    with torch.no_grad():
        one, other = (single(x).outputs for single in model.models)
        found = model(x).outputs
    torch.testing.assert_close(found["valence"], (one["valence"] + other["valence"]) / 2)
    mean = (one["transition"].sigmoid() + other["transition"].sigmoid()) / 2
    torch.testing.assert_close(found["transition"].sigmoid(), mean)


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ([{"netwrk": "cnn"}], r"beside\[0\] has \['netwrk'\]; allowed are"),
        ([{}, {"targets": ["valence"]}], r"beside\[1\] has \['targets'\]; allowed are"),
        (["cnn"], r"beside\[0\] is 'cnn'; allowed is a mapping"),
        ({"reads": "features"}, "beside is {'reads': 'features'}; allowed is a list of mappings"),
        (None, "beside is None; allowed is a list of mappings"),
        ([{"reads": "pixels"}], r"beside\[0\]: reads is 'pixels'"),
        ([{"quantizer": None}], r"beside\[0\]: some encoders have a quantizer and some none"),
        ([{"training": None}], r"beside\[0\]: training is None; allowed is a mapping"),
        ([{"training": {"use_cpu": True}}], r"beside\[0\]: training has \['use_cpu'\]"),
    ],
)
def test_what_cannot_stand_beside_is_refused(beside, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(beside=beside)


def test_a_run_has_the_figures_of_each_and_no_checkpoint_of_a_training(store, tmp_path):
    settings = {"beside": [{"training": {"epochs": 3}}], "dim": 8}
    config = TrainEncoderConfig(
        store=str(store), out=str(tmp_path / "run"), encoder=settings, training={"epochs": 2}, preset="quick"
    )
    run = train_encoder(config, progress=False)
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    figures = {f"figures/{name}_{k}.png" for name in ("learning_curves", "architecture") for k in (1, 2)}
    assert figures <= files
    assert not any("last.pt" in name for name in files)
    assert not (run / "beside-1").exists()
    results = json.loads((run / "results.json").read_text())
    assert results["epochs"] == 3
    history = json.loads((run / "history.json").read_text())
    assert [(row["encoder"], row["epoch"]) for row in history] == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert len(results["codes"]) == 2 * len({name.removesuffix("_2") for name in results["codes"]})
    recipe = yaml.safe_load((run / "config.yaml").read_text())["train-encoder"]
    assert recipe["encoder"]["beside"][0]["training"]["epochs"] == 3
    assert {"batch_size", "learning_rate"} <= set(recipe["encoder"]["beside"][0]["training"])
    again = TrainEncoderConfig(**{**recipe, "out": str(tmp_path / "again")})
    assert json.loads((train_encoder(again, progress=False) / "history.json").read_text()) == history


def test_a_preset_shortens_the_training_of_each():
    config = TrainEncoderConfig(encoder={"beside": [{"training": {"jitter": 0.0}}, {}]}, preset="quick")
    encoder = tokenizer_config(config).encoder
    first, own, inherited = (one.training["epochs"] for one in EncoderConfig(**encoder).each())
    assert first == own == inherited < TrainingConfig().epochs


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ([{"netwrk": "cnn"}], r"beside\[0\] has \['netwrk'\]"),
        ([{"training": {"epocs": 3}}], r"beside\[0\]\.training: got the key 'epocs'"),
    ],
)
def test_commands_refuse_it_before_they_open_anything(beside, message):
    with pytest.raises(ValueError, match=message):
        TrainEncoderConfig(encoder={"beside": beside})
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(tokenizer={"encoder": {"beside": beside}})


def test_rows_of_one_network_have_none_beside(monkeypatch):
    seen = []
    monkeypatch.setattr(methods, "run_encoder", lambda context, name, settings: seen.append(settings))
    tokenizer = {"encoder": {"beside": [{"quantizer": "scalar"}], "quantizer": "rvq"}}
    list(methods.encoders(SimpleNamespace(config=SimpleNamespace(tokenizer_settings=tokenizer))))
    assert [len(EncoderConfig(**settings).each()) for settings in seen] == [1, 1, 1]
