"""Tokenized segments of a store: what is written, on whose data, the same however it is made."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biollm.segment_facts import segment_table, segments_card
from biollm.spoiling import SPOILED, _spoiled, spoil
from biollm.tokenizing import store_quantities, tokenize
from data_builders.recording import LABELS
from data_builders.splits import Split
from data_builders.store import SegmentStore
from data_builders.tokenized import TokenizedSegments, block_file
from encoders.input_cache import store_inputs
from encoders.inputs import SignalInputs
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

CLASSES = ("calm", "tense")
SOURCES = ["codes", "bins+levels"]
NEEDS = frozenset({"quantities", "faults", "clues", "spoiled"})
PARTS = {f"P{k}": "train" for k in range(5)} | {"P5": "validation", "P6": "test", "P7": "test"}


@pytest.fixture(scope="module")
def opened(store) -> SegmentStore:
    return SegmentStore(store)


@pytest.fixture(scope="module")
def split(opened) -> Split:
    names = zip(opened.table["segment"], opened.table["subject"], strict=True)
    return Split({segment: PARTS[subject] for segment, subject in names}, "by hand")


@pytest.fixture(scope="module")
def inputs(opened) -> SignalInputs:
    return store_inputs(opened)


def of(inputs: SignalInputs, split: Split, part: str) -> SignalInputs:
    return inputs[split.mask(inputs.table, part)]


def fit(inputs: SignalInputs, split: Split, normalisation: str = "subject") -> SignalTokenizer:
    encoder = {
        "dim": 8,
        "quantizer_options": {"codebook_size": 8, "codebook_dim": 4},
        "training": {"epochs": 2},
    }
    config = SignalTokenizerConfig(encoder=encoder, normalisation=normalisation)
    train, validation = of(inputs, split, "train"), of(inputs, split, "validation")
    return SignalTokenizer(config, CLASSES, 0).fit(train, validation, progress=False)


@pytest.fixture(scope="module")
def tokenizer(inputs, split) -> SignalTokenizer:
    return fit(inputs, split)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """A block a subject."""
    monkeypatch.setattr("biollm.tokenizing.BLOCK_BYTES", 1)


@pytest.fixture(scope="module")
def folder(opened, split, tokenizer, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tokenized")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("biollm.tokenizing.BLOCK_BYTES", 1)
        tokenize(out, opened, split, tokenizer, SOURCES, copies=2, needs=NEEDS)
    return out


def blocks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.arrow")}


def usable(segments: TokenizedSegments) -> pd.DataFrame:
    table = segments.table.to_pandas()
    return table[~table["segment"].str.contains("~")].set_index("segment")


def test_all_windows_of_the_fitted_parts_are_written_once(folder, opened, split):
    segments = TokenizedSegments(folder)
    found = usable(segments)
    fitted = opened.table[opened.table["subject"].map(PARTS) != "test"].set_index("segment")
    assert found.index.is_unique
    assert set(found.index) == set(fitted.index)
    assert (found["part"] == found["subject"].map(PARTS)).all()
    for name in ("emotion", "subject", "trial", "start"):
        pd.testing.assert_series_equal(
            found[name], fitted.loc[found.index, name], check_dtype=False, check_names=False
        )
    assert len(blocks(folder)) == 6
    assert set(found["emotion"].dropna()) == set(CLASSES)
    assert found["emotion"].isna().any()  # reference windows and those between blocks


def test_without_quantities_only_labelled_windows_are_written(opened, split, tokenizer, tmp_path):
    tokenize(tmp_path, opened, split, tokenizer, ["codes"], needs={"emotion"})
    segments = TokenizedSegments(tmp_path)
    found = segments.table.to_pandas()
    labelled = opened.table[opened.table["emotion"].notna() & (opened.table["subject"].map(PARTS) != "test")]
    assert sorted(found["segment"]) == sorted(labelled["segment"])
    assert found[["values", "faults", "clues"]].isna().all(axis=None)
    assert (found["unusable"] == "").all()
    assert segments.card.quantities == []


def test_texts_are_those_of_the_tokenizer_on_all_windows_of_the_subject(folder, inputs, split, tokenizer):
    found = usable(TokenizedSegments(folder))
    for part in ("train", "validation"):
        whole = of(inputs, split, part)
        for source in SOURCES:
            wanted = dict(zip(whole.table["segment"], tokenizer.encode(whole, source), strict=True))
            texts = found.loc[found["part"] == part, f"text_{source}"]
            assert {name: text[0] for name, text in texts.items()} == {
                name: wanted[name] for name in texts.index
            }
            assert (texts.map(len) == 3).all()
    changed = [text[0] != text[1] for text in found["text_codes"]]
    assert np.mean(changed) > 0.5


def test_readings_and_values_are_the_encoders_and_the_features(folder, inputs, split, tokenizer):
    segments = TokenizedSegments(folder)
    found = usable(segments)
    train = of(inputs, split, "train")
    probabilities = tokenizer.encoder.predict_proba(train, np.arange(len(train)))
    rows = found.loc[train.table["segment"]]
    assert rows["reading"].tolist() == [CLASSES[k] for k in probabilities.argmax(1)]
    np.testing.assert_allclose(rows["confidence"], probabilities.max(1), rtol=1e-4)
    keys = [quantity["key"] for quantity in segments.card.quantities]
    assert keys[:2] == ["heart_rate_mean", "gsr_level"]
    heart = train.features["heart_rate_mean"].to_numpy()
    np.testing.assert_allclose(np.stack(rows["values"])[:, 0], heart)
    heart = segments.facts(0, "codes").quantity("heart_rate_mean")
    assert heart.written.endswith(" beats per minute")
    clues = json.loads(rows["clues"].iloc[0])
    # The skin conductance is white noise, which is no evidence.
    assert {channel for channel, what, _ in json.loads(rows["faults"].iloc[0]) if what == "noise"} == {
        "skin conductance"
    }
    assert [name for name, _, _ in clues] == ["heart rate"]


def test_ranges_come_from_training_subjects_only(opened, inputs, split, tokenizer):
    train = split.mask(opened.table, "train")
    moved = replace(inputs, features=inputs.features.where(pd.Series(train), 1e6))
    found = store_quantities(inputs, opened, train, tokenizer)
    assert store_quantities(moved, opened, train, tokenizer) == found
    assert [quantity.key for quantity in found] == tokenizer.levels_.keys
    (level,) = (quantity for quantity in found if quantity.key == "gsr_level")
    low, high = np.percentile(inputs.features["gsr_level"][train], (10, 90))
    assert (level.low, level.high) == (round(low, level.digits), round(high, level.digits))


def test_nothing_is_measured_on_a_lost_signal(opened, inputs, split, tokenizer):
    quantities = store_quantities(inputs, opened, split.mask(opened.table, "train"), tokenizer)
    segments = opened.segments()
    heart = segments.signals["heart_rate"].copy()
    heart[:2] = np.nan
    spoilt = replace(segments, signals=segments.signals | {"heart_rate": heart})
    made = segment_table(
        inputs, np.arange(3), tokenizer, ["codes"], needs={"quantities"}, quantities=quantities,
        segments=spoilt,
    ).to_pandas()  # fmt: skip
    values = np.stack(made["values"])
    of_heart = np.array([quantity.key.startswith("heart_rate") for quantity in quantities])
    assert np.isnan(values[:2, of_heart]).all()
    assert np.isfinite(values[2, of_heart]).all()
    np.testing.assert_allclose(values[2, 0], inputs.features["heart_rate_mean"][2])


def test_without_an_encoder_of_emotions_there_are_no_clues(opened, inputs, tokenizer):
    """A dialogue has them where they are known, and does without elsewhere."""
    plain = copy(tokenizer)
    plain.encoder_ = None
    made = segment_table(
        inputs, np.arange(3), plain, ["bins"], needs={"clues"}, segments=opened.segments()
    ).to_pandas()
    assert made[["reading", "confidence", "clues"]].isna().all(axis=None)


def test_a_flat_copy_stays_at_the_first_known_sample():
    table = pd.DataFrame({"subject": ["a", "a"]})
    data = np.array([[[np.nan, 2.0, 3.0], [4.0, 5.0, 6.0]]] * 2)
    flat = _spoiled(data, table, np.array([1]), ["flat"], np.random.default_rng(0))
    np.testing.assert_array_equal(flat, [[[2.0] * 3, [4.0] * 3]])


def test_spoiled_copies_tell_nothing_but_that(folder):
    segments = TokenizedSegments(folder)
    table = segments.table.to_pandas()
    spoiled = table[table["segment"].str.contains("~")]
    plain = table[~table["segment"].str.contains("~")]
    # A tenth of each subject's windows, rounded up.
    wanted = plain.groupby("subject").size().map(lambda n: -(-n // 10))
    assert spoiled.groupby("subject").size().to_dict() == wanted.to_dict()
    kinds = spoiled["segment"].str.split("~").str[1]
    assert set(kinds) == set(SPOILED)
    assert (spoiled["unusable"] == kinds.map(SPOILED)).all()
    assert spoiled[[*LABELS, "reading", "confidence", "clues"]].isna().all(axis=None)
    assert np.isnan(np.stack(spoiled["values"])).all()
    for kind, faults in zip(kinds, spoiled["faults"], strict=True):
        assert json.loads(faults) == [["skin conductance", kind, 1.0], ["heart rate", kind, 1.0]]
    originals = plain.set_index("segment")["text_bins+levels"]
    for _, row in spoiled.iterrows():
        assert row["text_bins+levels"][0] != originals[row["segment"].split("~")[0]][0]


@pytest.mark.parametrize("normalisation", ["subject", "baseline", "none"])
def test_nobody_is_normalised_by_spoiled_copies(opened, inputs, split, normalisation):
    train = of(inputs, split, "train")
    segments = opened.segments(split.mask(opened.table, "train"))
    tokenizer = fit(inputs, split, normalisation)
    joined, kinds = spoil(train, segments, [0, 3, 8, 9], normalisation, 2.0, "standard", seed=0)
    assert kinds == ["noise", "flat", "noise", "flat"]
    assert len(joined) == len(train) + 4
    rows = np.arange(len(train))
    for source in ("codes", "bins"):
        assert tokenizer.encode_copies(joined, rows, source) == tokenizer.encode_copies(train, rows, source)


def test_noise_has_the_size_of_the_subjects_signal(opened, inputs, split):
    train = of(inputs, split, "train")
    segments = opened.segments(split.mask(opened.table, "train"))
    rows = np.flatnonzero(train.table["subject"] == "P2")[:20]
    joined, kinds = spoil(train, segments, rows, "subject", 2.0, "standard", seed=0)
    stream = joined.streams["peripheral"]
    own = stream[: len(train)][(train.table["subject"] == "P2").to_numpy()]
    noise = stream[len(train) :][np.array(kinds) == "noise"]
    flat = stream[len(train) :][np.array(kinds) == "flat"]
    # Ten windows of 80 samples: the standard error of their deviation is 3 %.
    np.testing.assert_allclose(noise[:, 0].std(), own[:, 0].std(), rtol=0.1)
    np.testing.assert_allclose(noise[:, 0].mean(), own[:, 0].mean(), atol=0.1 * own[:, 0].std())
    assert np.ptp(flat, axis=-1).max() == 0


def test_a_stopped_run_goes_on_and_writes_the_same(folder, opened, split, tokenizer, tmp_path, monkeypatch):
    whole = blocks(folder)
    made: list[int] = []
    from biollm import tokenizing

    def stop_after_two(task):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task[1])
        return tokenizing.write_block_of_subjects(task)

    with monkeypatch.context() as patch:
        patch.setattr(
            "biollm.tokenizing.ENGINES", {"local": lambda work, tasks, *_: map(stop_after_two, tasks)}
        )
        with pytest.raises(KeyboardInterrupt):
            tokenize(tmp_path, opened, split, tokenizer, SOURCES, copies=2, needs=NEEDS)
    assert len(blocks(tmp_path)) == 2
    (tmp_path / "00004.arrow.123.partial").write_bytes(b"half of a block")
    kept = block_file(tmp_path, 0).stat().st_mtime_ns
    tokenize(tmp_path, opened, split, tokenizer, SOURCES, copies=2, needs=NEEDS)
    assert block_file(tmp_path, 0).stat().st_mtime_ns == kept
    assert blocks(tmp_path) == whole
    assert not list(tmp_path.glob("*.partial"))


def test_two_processes_write_the_same(folder, opened, split, tokenizer, tmp_path):
    tokenize(tmp_path, opened, split, tokenizer, SOURCES, copies=2, needs=NEEDS, jobs=2)
    assert blocks(tmp_path) == blocks(folder)


def test_a_table_in_memory_needs_no_segments_for_labels_alone(inputs, split, tokenizer):
    train = of(inputs, split, "train")
    rows = np.flatnonzero(train.table["emotion"].notna())[:7]
    table = segment_table(train, rows, tokenizer, ["codes"], needs={"emotion"})
    segments = TokenizedSegments(table, segments_card(tokenizer, ["codes"]))
    assert [segments.facts(k).emotion for k in range(7)] == train.table["emotion"].iloc[rows].tolist()
    assert segments.column("part").tolist() == ["train"] * 7
    with pytest.raises(ValueError, match="clues"):
        segment_table(train, rows, tokenizer, ["codes"], needs={"clues"})


def test_the_scale_is_of_whole_numbers_around_the_training_ratings(tokenizer):
    table = pd.DataFrame({"valence": [1.5, np.nan, 8.2], "arousal": [np.nan, 2.0, 7.0]})
    assert segments_card(tokenizer, ["codes"], table=table).scale == (1.0, 9.0)
    assert segments_card(tokenizer, ["codes"], table=table * np.nan).scale is None
