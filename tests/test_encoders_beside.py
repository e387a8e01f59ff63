"""Encoders beside another: each fitted by itself, answers averaged, codes of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_builders.store import SegmentStore
from encoders.evidence import evidence
from encoders.inputs import signal_inputs
from encoders.model_ensemble import stream_places
from encoders.signal_encoder import EncoderConfig, SignalEncoder
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.targets import target_sizes

CLASSES = ("calm", "tense")
SIGNALS = {"dim": 8, "quantizer_options": {"codebook_size": 8, "codebook_dim": 4}, "training": {"epochs": 2}}
FEATURES = {"reads": "features", "network": "mlp", "training": {"epochs": 3, "scaling": 0.0}}
AGAIN: dict = {}


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
    for name in together.encoder.network_.quantizers:
        assert sum(token.startswith(f"<|{name}_vq_") for token in tokens) == 8
    stream = alone[0].stream_specs_[0].name
    for encoder, name in ((alone[0], stream), (alone[2], f"{stream}_2"), (alone[1], "measured")):
        own = encoder.network_.code_evidence(name.removesuffix("_2"))
        torch.testing.assert_close(together.encoder.network_.code_evidence(name), own)


def test_copies_are_augmented_as_each_training_does(together, parts):
    held = parts[1]
    rows = np.arange(len(held))
    plain, copied = together.encoder._copies(held, rows, 1, 0)
    stream = next(iter(plain))
    assert set(copied) == {*plain, *(f"{name}_2" for name in plain if name != "measured")}
    assert not np.allclose(copied[stream], copied[f"{stream}_2"])  # drawn twice
    ratio = (copied["measured"] - plain["measured"])[plain["measured"] != 0]
    assert len(together.encoder.codes(held, rows, copies=2)) == 3
    assert np.abs(ratio).max() > 0  # jitter and dropped channels, without scaling


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


def test_evidence_is_of_all_encoders(together, parts, opened):
    held = parts[1]
    rows = np.arange(len(held))
    found = evidence(together.encoder, held, rows, opened.specs)
    np.testing.assert_allclose(found.probabilities, together.encoder.predict_proba(held, rows), atol=1e-6)
    assert np.abs(found.weights).max() > 0


def test_means_of_ratings_and_transitions(parts):
    config = EncoderConfig(targets=["valence", "transition"], quantizer=None, beside=[{}])
    encoder = SignalEncoder(config, CLASSES)
    encoder.stream_specs_ = parts[0].stream_specs
    model = encoder.build(encoder.stream_specs_).eval()
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
        ([{"netwrk": "cnn"}], "allowed are mappings of"),
        ([{"targets": ["valence"]}], "allowed are mappings of"),
        (["cnn"], "allowed are mappings of"),
        ([{"reads": "pixels"}], "reads is 'pixels'"),
        ([{"quantizer": None}], "with and without a quantizer"),
    ],
)
def test_what_cannot_stand_beside_is_refused(beside, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(beside=beside)
