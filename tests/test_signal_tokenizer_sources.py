"""Sources joined, token copies thinned, and rows that know what the head makes of a code."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from data_builders.segments import SignalSpec
from data_builders.store import SegmentStore
from encoders.bins import QuantileBins
from encoders.inputs import signal_inputs
from encoders.quantities import described
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.token_sources import Levels

TOKEN = re.compile(r"<\|/?[a-z0-9_]+\|>")
ENCODER = {"dim": 8, "quantizer_options": {"codebook_size": 8, "codebook_dim": 4}, "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def inputs(store):
    segments = SegmentStore(store).segments()
    return signal_inputs(segments[segments.table["on_grid"].to_numpy(bool)], 2.0)


@pytest.fixture(scope="module")
def fitted(inputs):
    config = SignalTokenizerConfig(encoder=ENCODER, n_bins=4, n_binned=5, token_dropout=0.3)
    held = (inputs.table["subject"] == "P7").to_numpy()
    return SignalTokenizer(config, ("calm", "tense")).fit(inputs[~held], inputs[held], progress=False)


def test_joined_sources_stand_one_behind_the_other(fitted, inputs):
    both = fitted.encode(inputs, "codes+bins")
    assert both == [a + b for a, b in zip(fitted.encode(inputs), fitted.encode(inputs, "bins"), strict=True)]


@pytest.mark.parametrize("sources", [["codes", "bins"], ["codes+bins"], ["codes", "codes+bins"]])
def test_a_vocabulary_has_each_token_once_with_its_vector(fitted, sources):
    tokens, vectors = fitted.vocabulary(sources)
    assert tokens == fitted.tokens("codes") + fitted.tokens("bins")
    assert vectors.shape == (len(tokens), 64)


def test_brackets_that_two_sources_share_come_once(fitted, monkeypatch):
    """As of given features, Kaggle's, whose stream and whose bins are both called so."""
    tokens = {"codes": ["<|features|>", "<|a|>"], "bins": ["<|features|>", "<|b|>"]}
    monkeypatch.setattr(fitted, "tokens", tokens.__getitem__)
    monkeypatch.setattr(fitted, "token_vectors", lambda part: np.full((2, 64), len(part)))
    found, vectors = fitted.vocabulary(["codes+bins"])
    assert found == ["<|features|>", "<|a|>", "<|b|>"]
    assert vectors[:, 0].tolist() == [5, 5, 4]


@pytest.mark.parametrize("mode", ["words", "digits"])
def test_words_and_digits_need_no_vocabulary(fitted, mode):
    words = [f" w{k}" for k in range(99)]
    tokens, vectors = fitted.in_mode(mode, ["codes", "bins"], words).vocabulary(["codes", "bins"])
    assert tokens == []
    assert len(vectors) == 0


def test_digits_of_levels_are_in_the_units_of_the_answers(fitted, inputs):
    """EMG that is recorded in millivolts is described in microvolts."""
    levels = Levels(["emg_rms"], QuantileBins(4))
    features = pd.DataFrame({"emg_rms": [0.08, 0.1, 0.2, 0.3]})
    for unit, factor in (("mV", 1000.0), ("µV", 1.0)):
        specs = {"emg": SignalSpec(100.0, ("emg",), unit)}
        made = replace(inputs[:4], features=features, specs=specs)
        (found,) = levels.numbers(made, np.arange(4), 0, 0)
        np.testing.assert_allclose(found[:, 0], factor * features["emg_rms"])


def test_resistance_has_no_levels_of_conductance(inputs):
    """It falls where conductance rises."""
    held = (inputs.table["subject"] == "P7").to_numpy()
    for unit, levels in (("µS", True), ("Ω", False)):
        specs = inputs.specs | {"gsr": replace(inputs.specs["gsr"], unit=unit)}
        made, config = replace(inputs, specs=specs), SignalTokenizerConfig(encoder=None)
        tokenizer = SignalTokenizer(config, ("calm", "tense")).fit(made[~held], made[held], progress=False)
        assert ("gsr_level" in tokenizer.levels_.keys) is levels


def test_words_say_what_the_tokens_say(fitted, inputs):
    words = [f" w{k}" for k in range(99)]
    spelled = fitted.in_mode("words", ["codes", "bins"], words)
    symbols = [t for source in ("codes", "bins") for g in fitted._source(source).groups().values() for t in g]
    back = dict(zip(words, symbols, strict=False))
    for source in ("codes", "bins"):
        for text, plain in zip(spelled.encode(inputs, source), fitted.encode(inputs, source), strict=True):
            read = [back[word] for word in re.findall(r" \w+", text)]
            assert read == [token for token in TOKEN.findall(plain) if token in symbols]
    assert fitted.signal_mode == "tokens"


def test_brackets_that_two_sources_share_leave_no_token_without_a_word(fitted, inputs, monkeypatch):
    """As of given features: the bins took the place of the codes, whose tokens the LLM does not know."""
    codes, bins = (fitted._source(name) for name in ("codes", "bins"))
    shared = {name: list(group) for name, group in codes.groups().items()}
    shared["features"] = shared.pop(next(iter(shared)))
    monkeypatch.setattr(type(codes), "groups", lambda self: shared)
    assert "features" in bins.groups()
    spelling = fitted.in_mode("words", ["codes+bins"], [f" w{k}" for k in range(99)]).spelling
    assert {token for group in (*shared.values(), *bins.groups().values()) for token in group} <= set(
        spelling
    )


def test_numbers_of_two_sources_stand_apart(fitted, inputs):
    written = fitted.in_mode("digits")
    each = [written.encode(inputs, source) for source in ("codes", "bins")]
    for text, *parts in zip(written.encode(inputs, "codes+bins"), *each, strict=True):
        assert text.split() == [number for part in parts for number in part.split()]


def test_too_few_words_are_refused(fitted):
    with pytest.raises(ValueError, match=r"have \d+ signal tokens, and the LLM's vocabulary has 5 words"):
        fitted.in_mode("words", ["bins"], [" a"] * 5)
    with pytest.raises(ValueError, match=r"'letters'; allowed are \['tokens', 'words', 'digits'\]"):
        fitted.in_mode("letters")


def test_digits_of_codes_are_what_the_heads_read(fitted, inputs):
    text = fitted.in_mode("digits").encode(inputs, "codes")
    values = np.array([[float(word) for word in one.split()] for one in text])
    with torch.no_grad():
        logits = fitted.encoder.network_.heads(torch.tensor(values, dtype=torch.float32))["emotion"]
    expected = fitted.encoder.predict_proba(inputs, np.arange(len(inputs)))
    # Two decimals are left of each number.
    np.testing.assert_allclose(logits.softmax(1).numpy(), expected, atol=0.01)


def test_levels_say_what_was_measured_and_not_what_was_normalised(fitted, inputs):
    """A level's bin holds the value; all copies are alike; the same value gets one token whoever it is of."""
    assert "gsr_level" in fitted.levels_.keys
    column = fitted.levels_.keys.index("gsr_level")
    edges = np.r_[-np.inf, fitted.levels_.quantiles.edges_[column], np.inf]
    rows = np.arange(len(inputs))
    plain, again = fitted.encode_copies(inputs, rows, "levels", copies=1)
    assert plain == again
    for text, value in zip(plain, inputs.features["gsr_level"], strict=True):
        k = int(re.search(r"<\|gsr_level_abs_(\d\d)\|>", text).group(1))
        assert edges[k] <= value < edges[k + 1]
    digits = fitted.in_mode("digits").encode(inputs, "levels")
    said = [float(text.split()[column]) for text in digits]
    # Four digits of each number are left.
    np.testing.assert_allclose(said, inputs.features["gsr_level"], rtol=5e-4)


@pytest.mark.parametrize("source", ["codes", "bins"])
def test_copies_are_thinned_by_the_dropout_and_plain_texts_are_not(fitted, inputs, source):
    rows = np.arange(len(inputs))
    plain, *copies = fitted.encode_copies(inputs, rows, source, copies=4, seed=0)
    full = len(TOKEN.findall(plain[0]))
    assert {len(TOKEN.findall(text)) for text in plain} == {full}
    kept = np.mean([len(TOKEN.findall(text)) - 2 for copy in copies for text in copy]) / (full - 2)
    # 192 segments x 4 copies x at least 5 tokens: the share left scatters by under .01.
    assert kept == pytest.approx(0.7, abs=0.03)


def test_bins_are_of_the_most_informative_features(fitted):
    names = {token[2:-5] for token in fitted.tokens("bins")[2:]}
    assert names == set(fitted.bins_.feature_names)
    assert len(fitted.bins_.columns) == 5


def test_evidence_of_codes_is_what_the_head_adds_up(fitted):
    """With mean pooling the logits would be the codes' mean evidence; one frame's are its own."""
    network = fitted.encoder.network_
    stream = network.streams[0].name
    evidence = network.code_evidence(stream)
    values = network.quantizers[stream].decode(torch.arange(8))
    with torch.no_grad():
        # Attention over one frame is 1, so the pooled vector is the frame's.
        logits = network.eval().heads(network.poolings[stream](values[:, None, :]))["emotion"]
    logits = logits - network.heads.outputs["emotion"].bias
    torch.testing.assert_close(evidence, logits - logits.mean(dim=1, keepdim=True))


def test_rows_of_codes_with_like_evidence_are_alike(fitted):
    stream = fitted.encoder.network_.streams[0].name
    evidence = fitted.encoder.network_.code_evidence(stream).numpy()
    vectors = fitted.token_vectors("codes")[2:]
    pairs = np.triu_indices(8, 1)
    far = [np.linalg.norm(part[:, None] - part[None], axis=2)[pairs] for part in (evidence, vectors)]
    assert np.corrcoef(*far)[0, 1] > 0.3


def test_levels_of_quantities_that_are_no_longer_described_are_refused(fitted, tmp_path, monkeypatch):
    fitted.save_pretrained(tmp_path)
    fewer = [row for row in described(fitted.levels_.keys) if row.key != "gsr_level"]
    monkeypatch.setattr("encoders.token_sources.described", lambda _: fewer)
    with pytest.raises(ValueError, match=r"levels of \['gsr_level'\], which are no longer described"):
        SignalTokenizer.from_pretrained(tmp_path)


def test_levels_where_nothing_is_described_are_refused(fitted, inputs):
    bare = copy(fitted)
    bare.levels_ = Levels([], QuantileBins(4)).fit(inputs, np.arange(len(inputs)))
    with pytest.raises(ValueError, match="no levels to write"):
        bare.encode(inputs, "levels")
    with pytest.raises(ValueError, match="no levels to write"):
        bare.require(["codes", "bins+levels"])
