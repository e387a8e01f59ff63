"""The signal tokenizer: what it may look at, what it writes, and that a folder holds all of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from data_builders.segments import Segments, SignalSpec
from data_builders.stage import folder_hash
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.inputs import SignalInputs, signal_inputs, streams_of
from encoders.signal_encoder import SignalEncoder, labelled_rows
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.vocabulary import ordinal_vectors, rotated

CLASSES = ("calm", "tense")
TRAIN, VALIDATION, TEST = ("P0", "P1", "P2"), ("P3",), ("P4", "P5")
KINDS = {
    "vq": {"quantizer": "vq", "quantizer_options": {"codebook_size": 8, "codebook_dim": 4}},
    "rvq": {"quantizer": "rvq", "quantizer_options": {"levels": 2, "codebook_size": 8, "codebook_dim": 4}},
    "kmeans": {"quantizer": "kmeans", "quantizer_options": {"codebook_size": 8}},
    "both": {
        "network": {"measured": "mlp", "default": "cnn"},
        "reads": "both",
        "quantizer": "rvq",
        "quantizer_options": {"levels": 2, "codebook_size": 4, "codebook_dim": 4},
    },
    "fsq": {"quantizer": "fsq", "quantizer_options": {"levels": [3, 3]}},
    "scalar": {"quantizer": "scalar", "quantizer_options": {"levels": [3, 4, 3]}},
}
FIRST = np.arange(5)
TOKEN = re.compile(r"<\|/?[a-z0-9_]+\|>")


@pytest.fixture(scope="module")
def segments(store) -> Segments:
    """Six subjects of the two states, with EMG beside the slow signals: two streams."""
    read = SegmentStore(store).segments()
    table = read.table
    kept = table["subject"].isin([*TRAIN, *VALIDATION, *TEST]) & (table["on_grid"] | table["reference"])
    read = read[kept.to_numpy()]
    rng = np.random.default_rng(0)
    gain = np.where(read.table["emotion"] == "tense", 3.0, 1.0)[:, None, None]
    emg = (gain * rng.normal(size=(len(read), 1, 400))).astype(np.float32)
    spec = SignalSpec(40.0, ("corrugator",), "µV")
    return Segments(read.signals | {"emg": emg}, read.table, read.specs | {"emg": spec})


@pytest.fixture(scope="module")
def inputs(segments) -> SignalInputs:
    return signal_inputs(segments, 2.0)


def of(inputs: SignalInputs, subjects: tuple[str, ...]) -> SignalInputs:
    return inputs[inputs.table["subject"].isin(subjects).to_numpy()]


def fit(inputs: SignalInputs, kind: str | None = "vq", seed: int = 0, **options) -> SignalTokenizer:
    encoder = {**KINDS[kind], "dim": 8, "training": {"epochs": 1}} if kind else None
    config = SignalTokenizerConfig(encoder=encoder, n_bins=4, **options)
    tokenizer = SignalTokenizer(config, CLASSES, seed)
    return tokenizer.fit(of(inputs, TRAIN), of(inputs, VALIDATION), progress=False)


@pytest.fixture(scope="module")
def fitted(inputs) -> dict[str, SignalTokenizer]:
    return {kind: fit(inputs, kind) for kind in KINDS}


@pytest.fixture(scope="module", params=[*(f"{kind}-codes" for kind in KINDS), "vq-bins", "vq-levels"])
def case(request, fitted) -> tuple[SignalTokenizer, str]:
    """A tokenizer and a source of text."""
    kind, source = request.param.split("-")
    return fitted[kind], source


def features_with(inputs: SignalInputs, **columns) -> SignalInputs:
    return replace(inputs, features=inputs.features.assign(**columns))


def test_a_folder_holds_all_that_was_learned(case, inputs, tmp_path):
    tokenizer, source = case
    tokenizer.save_pretrained(tmp_path / "a")
    loaded = SignalTokenizer.from_pretrained(tmp_path / "a")
    texts = tokenizer.encode(inputs, source)
    assert len(set(texts)) > 10
    assert loaded.encode(inputs, source) == texts
    assert loaded.tokens(source) == tokenizer.tokens(source)
    np.testing.assert_array_equal(loaded.token_vectors(source), tokenizer.token_vectors(source))
    rows = labelled_rows(inputs, CLASSES)[:9]
    copies = [t.encode_copies(inputs, rows, source, copies=2, seed=5) for t in (tokenizer, loaded)]
    assert copies[0] == copies[1]
    loaded.save_pretrained(tmp_path / "b")
    assert folder_hash(tmp_path / "b") == folder_hash(tmp_path / "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "signal_tokenizer.json",
        "signal_tokenizer.safetensors",
    ]


def test_a_folder_with_settings_that_are_gone_is_refused(fitted, tmp_path):
    fitted["vq"].save_pretrained(tmp_path)
    file = tmp_path / "signal_tokenizer.json"
    about = json.loads(file.read_text())
    about["config"] |= {"n_words": 3, "encoder": about["config"]["encoder"] | {"stem": 2}}
    file.write_text(json.dumps(about))
    said = rf"{re.escape(str(file))}.*\['n_words', 'encoder.stem'\].*again with 'biollm train-encoder'"
    with pytest.raises(ValueError, match=said):
        SignalTokenizer.from_pretrained(tmp_path)


def test_segments_and_their_inputs_give_the_same_text(case, segments, inputs):
    tokenizer, source = case
    assert tokenizer.encode(segments, source) == tokenizer.encode(inputs, source)


def test_every_token_of_a_text_is_a_new_word_of_its_source(case, inputs):
    tokenizer, source = case
    known = set(tokenizer.tokens(source))
    for text in tokenizer.encode(inputs, source):
        found = TOKEN.findall(text)
        assert set(found) <= known
        assert "".join(found) == text


def test_all_tokens_are_unique_and_readable(fitted):
    for kind, tokenizer in fitted.items():
        tokens = [token for source in tokenizer.sources for token in tokenizer.tokens(source)]
        assert len(set(tokens)) == len(tokens)
        assert all(TOKEN.fullmatch(token) for token in tokens)
        size, kind = (
            {"vq": 8, "rvq": 16, "kmeans": 8, "fsq": 9, "scalar": 10, "both": 8}[kind],
            KINDS[kind]["quantizer"],
        )
        for stream in ("emg", "peripheral"):
            assert {f"<|{stream}|>", f"<|/{stream}|>", f"<|{stream}_{kind}_{size - 1:04d}|>"} <= set(tokens)
        assert f"<|emg_{kind}_{size:04d}|>" not in tokens
        assert {"<|features|>", "<|/features|>", "<|gsr_level_03|>"} <= set(tokens)


def test_codes_stand_in_their_streams_brackets_one_a_frame(fitted, inputs):
    stream = r"<\|{0}\|>(<\|{0}_vq_\d{{4}}\|>){{5}}<\|/{0}\|>"
    pattern = re.compile(stream.format("emg") + stream.format("peripheral"))
    assert all(pattern.fullmatch(text) for text in fitted["vq"].encode(inputs))


def test_a_residual_codebook_writes_a_code_a_level(fitted, inputs):
    """Two tokens a frame, first of the codes 0 to 7, then of 8 to 15."""
    pair = r"(<\|emg_rvq_000[0-7]\|><\|emg_rvq_00(08|09|1[0-5])\|>)"
    pattern = re.compile(r"<\|emg\|>" + pair + r"{5}<\|/emg\|>")
    assert all(pattern.match(text) for text in fitted["rvq"].encode(inputs))


def test_vectors_are_one_a_token_and_all_different(fitted):
    for tokenizer in fitted.values():
        vectors = [tokenizer.token_vectors(source) for source in tokenizer.sources]
        for source, found in zip(tokenizer.sources, vectors, strict=True):
            assert found.shape == (len(tokenizer.tokens(source)), 64)
        rows = np.concatenate(vectors)
        distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        assert distance[~np.eye(len(rows), dtype=bool)].min() > 0.1


def test_neighbouring_bins_are_closer_than_distant_ones_and_other_features():
    first, second = np.split(ordinal_vectors([6, 6], 64, np.random.default_rng(0)), 2)
    from_first = np.linalg.norm(first - first[0], axis=1)
    assert (np.diff(from_first) > 0).all()
    assert np.linalg.norm(second - first[0], axis=1).min() > from_first[1]
    assert ordinal_vectors([], 64, np.random.default_rng(0)).shape == (0, 64)


def test_turned_vectors_keep_their_neighbours_at_unit_spread():
    rng = np.random.default_rng(0)
    codebook = 1e-3 * rng.normal(size=(50, 16)) + 7
    turned = rotated(codebook, 4096, rng)
    assert turned.shape == (50, 4096)
    old, new = (
        np.linalg.norm(x[:, None] - x[None], axis=2)[np.triu_indices(50, 1)] for x in (codebook, turned)
    )
    # A random projection to d dimensions keeps distances to within about 1 / sqrt(d / 2).
    np.testing.assert_allclose(new / new.mean(), old / old.mean(), rtol=0.1)
    assert turned.std() == pytest.approx(1, rel=0.1)


def test_an_undefined_feature_leaves_no_token_and_moves_no_other(fitted, inputs):
    tokenizer, column = fitted["vq"], "gsr_level"
    before = tokenizer.encode(inputs, "bins")[7]
    assert f"<|{column}_" in before
    values = inputs.features[column].to_numpy().copy()
    values[7] = np.nan
    after = tokenizer.encode(features_with(inputs, **{column: values}), "bins")[7]
    assert after == re.sub(rf"<\|{column}_\d\d\|>", "", before)


def test_a_text_does_not_depend_on_labels_place_or_ids(case, inputs):
    """Normalisation needs the subject and the reference mark; nothing else of the table is read."""
    tokenizer, source = case
    table, rng = inputs.table, np.random.default_rng(0)
    other = table.assign(
        segment=[f"x{k}" for k in rng.permutation(len(table))],
        session="s",
        trial="t",
        start=rng.permutation(table["start"]) + 1000,
        emotion=rng.permutation(table["emotion"].to_numpy()),
        valence=1.0,
        on_grid=~table["on_grid"].to_numpy(),
    )
    assert tokenizer.encode(replace(inputs, table=other), source) == tokenizer.encode(inputs, source)


def test_no_feature_or_stream_knows_the_place_in_the_recording(segments):
    moved = Segments(
        segments.signals, segments.table.assign(start=segments.table["start"] + 500), segments.specs
    )
    one, other = signal_inputs(segments[FIRST]), signal_inputs(moved[FIRST])
    pd.testing.assert_frame_equal(one.features, other.features)
    for name, stream in one.streams.items():
        np.testing.assert_array_equal(stream, other.streams[name])
    # Nor does the order of the segments reach them.
    order = FIRST[::-1]
    backwards = signal_inputs(segments[order])
    pd.testing.assert_frame_equal(backwards.features, one.features.iloc[order].reset_index(drop=True))


def test_a_test_subject_does_not_depend_on_the_others(case, inputs):
    tokenizer, source = case
    together = np.array(tokenizer.encode(inputs, source))
    mine = (inputs.table["subject"] == TEST[0]).to_numpy()
    assert tokenizer.encode(inputs[mine], source) == together[mine].tolist()


def test_a_causal_text_does_not_depend_on_what_comes_later(inputs):
    tokenizer = fit(inputs, normalisation="baseline")
    test = of(inputs, TEST)
    early = (test.table["start"] + test.table["duration"] <= 160).to_numpy()
    rng = np.random.default_rng(0)
    streams = {name: data.copy() for name, data in test.streams.items()}
    for data in streams.values():
        data[~early] = 9 * rng.normal(size=data[~early].shape)
    features = test.features.copy()
    features.loc[~early] = 9 * rng.normal(size=features[~early].shape)
    changed = replace(test, streams=streams, features=features)
    for source in tokenizer.sources:
        one, other = (np.array(tokenizer.encode(x, source)) for x in (test, changed))
        assert (one[early] == other[early]).all()
        assert (one[~early] != other[~early]).any()


def saved(tokenizer: SignalTokenizer, folder) -> str:
    tokenizer.save_pretrained(folder)
    return folder_hash(folder)


@pytest.mark.parametrize("normalisation", ["subject", "baseline", "none"])
def test_nothing_is_fitted_on_validation_or_test(segments, inputs, tmp_path, normalisation):
    """With one epoch the validation part has nothing to choose, so that it must not show at all."""

    def hash_with(changed: tuple[str, ...], name: str) -> str:
        rows = segments.table["subject"].isin(changed).to_numpy()
        signals = {
            n: np.where(rows[:, None, None], data[::-1] * 3 + 1, data) for n, data in segments.signals.items()
        }
        table = segments.table.assign(
            emotion=segments.table["emotion"].where(~rows, segments.table["emotion"][::-1].values)
        )
        other = signal_inputs(Segments(signals, table, segments.specs), 2.0)
        return saved(fit(other, normalisation=normalisation), tmp_path / name)

    first = saved(fit(inputs, normalisation=normalisation), tmp_path / "first")
    assert hash_with((*VALIDATION, *TEST), "held") == first
    assert hash_with(TRAIN[:1], "train") != first


def test_a_seed_gives_one_tokenizer_and_another_seed_another(inputs, fitted, tmp_path):
    first = saved(fitted["vq"], tmp_path / "first")
    assert saved(fit(inputs), tmp_path / "again") == first
    assert saved(fit(inputs, seed=1), tmp_path / "other") != first


def test_the_seed_decides_the_first_weights_and_leaves_the_global_state(inputs):
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one, again, other = (
        SignalEncoder(EncoderConfig(dim=8), CLASSES, seed)
        .build(inputs.stream_specs)
        .heads.outputs["emotion"]
        .weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_an_encoder_there_are_bins_but_no_codes(inputs, tmp_path):
    tokenizer = fit(inputs, kind=None)
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, SignalTokenizer.from_pretrained(tmp_path)):
        assert one.encode(inputs[FIRST], "bins") == tokenizer.encode(inputs[FIRST], "bins")
        assert one.token_vectors("bins").shape == (len(one.tokens("bins")), 64)
        for refused in (one.tokens, one.token_vectors, lambda source, one=one: one.encode(inputs, source)):
            with pytest.raises(ValueError, match="has no encoder and so no codes"):
                refused("codes")


def test_an_unknown_source_is_refused_everywhere(fitted, inputs):
    one = fitted["vq"]
    for refused in (one.tokens, one.token_vectors, lambda source: one.encode(inputs, source)):
        with pytest.raises(ValueError, match=r"'words'; allowed are \['codes', 'bins', 'levels'\]"):
            refused("words")


def test_augmented_copies_follow_the_plain_texts(case, inputs):
    tokenizer, source = case
    rows = labelled_rows(inputs, CLASSES)[::3]
    plain, *copies = tokenizer.encode_copies(inputs, rows, source, copies=2, seed=3)
    assert plain == np.array(tokenizer.encode(inputs, source))[rows].tolist()
    assert len(copies) == 2
    # What was measured is the same in each copy.
    assert (plain == copies[0] == copies[1]) if source == "levels" else (plain != copies[0] != copies[1])
    assert tokenizer.encode_copies(inputs, rows, source, copies=2, seed=3) == [plain, *copies]
    again = tokenizer.encode_copies(inputs, rows, source, copies=1, seed=4)[1]
    assert (again == copies[0]) == (source == "levels")
    known = set(tokenizer.tokens(source))
    assert all(set(TOKEN.findall(text)) <= known for texts in copies for text in texts)


def test_digits_of_bins_are_the_normalised_values_of_the_most_telling_features(inputs):
    rng = np.random.default_rng(0)
    tense = (inputs.table["emotion"] == "tense").to_numpy()
    noise = {name: rng.normal(size=len(inputs)) for name in inputs.features}
    told = features_with(inputs, **noise | {"gsr_level": tense + 0.01 * rng.normal(size=len(inputs))})
    tokenizer = fit(told, kind=None, n_binned=3).in_mode("digits")
    names = tokenizer.bins_.feature_names
    assert len(names) == 3
    assert "gsr_level" in names
    numbers = [[float(word) for word in text.split()] for text in tokenizer.encode(told, "bins")]
    np.testing.assert_allclose(
        numbers, tokenizer.features_.transform(told)[:, tokenizer.bins_.columns], atol=0.00501
    )


def test_bins_hold_equally_many_training_values(inputs, fitted):
    train = of(inputs, TRAIN)
    texts = pd.Series(fitted["vq"].encode(train, "bins"))[labelled_rows(train, CLASSES)]
    shares = texts.str.extract(r"<\|gsr_level_(\d\d)\|>")[0].value_counts(normalize=True)
    np.testing.assert_allclose(shares.reindex([f"{k:02d}" for k in range(4)]), 0.25, atol=0.02)


def test_other_features_than_in_training_are_refused(fitted, inputs):
    fewer = replace(inputs, features=inputs.features.drop(columns="gsr_level"))
    with pytest.raises(ValueError, match=r"differ from those of the training data: \['gsr_level'\]"):
        fitted["vq"].encode(fewer, "bins")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no signal_tokenizer.json; 'biollm train-encoder'"):
        SignalTokenizer.from_pretrained(tmp_path)


def test_inputs_are_chosen_by_positions_or_a_mask(inputs):
    rows = np.array([5, 2, 9])
    mask = np.isin(np.arange(len(inputs)), rows)
    for name, data in inputs.streams.items():
        np.testing.assert_array_equal(inputs[rows].streams[name], data[rows])
        np.testing.assert_array_equal(inputs[mask].streams[name], data[[2, 5, 9]])
    assert inputs[rows].table["segment"].tolist() == inputs.table["segment"].iloc[rows].tolist()
    assert inputs[rows].features.index.tolist() == [0, 1, 2]


def test_frames_may_differ_by_stream_and_unknown_streams_are_refused(segments):
    frames = {s.name: s.n_frames for s in streams_of(segments.specs, 10.0, {"emg": 0.5, "default": 5.0})}
    assert frames == {"emg": 20, "peripheral": 2}
    with pytest.raises(ValueError, match=r"\['ecg'\]; the streams are \['emg', 'peripheral'\]"):
        streams_of(segments.specs, 10.0, {"ecg": 1.0})


def test_labelled_rows_are_of_the_classes_and_for_scoring_side_by_side(inputs):
    overlapping = inputs.table.index % 5 == 0
    inputs = replace(inputs, table=inputs.table.assign(on_grid=inputs.table["on_grid"] & ~overlapping))
    rows = labelled_rows(inputs, CLASSES)
    scored = labelled_rows(inputs, CLASSES, on_grid=True)
    assert not inputs.table["reference"].iloc[rows].any()
    assert inputs.table["emotion"].iloc[rows].isin(CLASSES).all()
    assert len(rows) == 6 * 6 * 4
    assert set(scored) == set(rows[rows % 5 != 0])
    assert (inputs.table["emotion"].iloc[labelled_rows(inputs, ("calm",))] == "calm").all()


@pytest.mark.parametrize("quantizer", [None, "vq"])
def test_an_encoder_tells_the_states_of_new_subjects_apart(inputs, quantizer):
    options = KINDS["vq"]["quantizer_options"] if quantizer else {}
    config = EncoderConfig(quantizer=quantizer, quantizer_options=options, dim=16, training={"epochs": 4})
    encoder = SignalEncoder(config, CLASSES, seed=0)
    encoder.fit(of(inputs, TRAIN), of(inputs, VALIDATION), progress=False)
    test = of(inputs, TEST)
    rows = labelled_rows(test, CLASSES, on_grid=True)
    probabilities = encoder.predict_proba(test, rows)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    guess = np.asarray(CLASSES)[probabilities.argmax(1)]
    # The states differ threefold in EMG amplitude and by 15 beats a minute.
    assert (guess == test.table["emotion"].iloc[rows]).mean() > 0.85


def test_levels_are_as_many_and_as_fine_as_they_are_told_to_be(inputs):
    full, few = fit(inputs, kind=None), fit(inputs, kind=None, n_described=1, n_levels=4)
    assert len(full.levels_.keys) > 1
    assert few.levels_.keys == full.levels_.keys[:1]
    (key,) = few.levels_.keys
    written = {token for text in few.encode(of(inputs, TRAIN), "levels") for token in TOKEN.findall(text)}
    assert written == set(few.tokens("levels"))
    assert {f"<|{key}_abs_{k:02d}|>" for k in range(4)} == {t for t in written if "_abs_" in t}
