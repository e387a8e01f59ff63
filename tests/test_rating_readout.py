"""Ratings that an LLM reads: points of a scale, the expected rating, and the whole evaluation on them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from segment_facts import usable

from biollm.artefact import ArtefactError
from biollm.building_config import BuildConfig
from biollm.chat import ChatConfig, chat
from biollm.context import Context
from biollm.experiment import EvaluateConfig, evaluate
from biollm.llm_readouts import _calibrate
from biollm.rating_readout import RatingQuestion, fit_sharpness, rating_questions
from biollm.rating_scales import RatingScale, fit_scale, fit_scales, on_scales, scales_card
from biollm.segment_facts import segment_table, segments_card
from data_builders.preparing import PrepareConfig, prepare
from data_builders.splits import Split, subject_holdout
from data_builders.store import SegmentStore
from data_builders.tokenized import TokenizedSegments
from encoders.feature_ranking import by_information
from encoders.inputs import signal_inputs
from encoders.signal_tokenizer import SignalTokenizerConfig
from prompts import load_task

TARGETS = ["valence", "arousal"]
SHAPE = {"shape": "amigos", "n_subjects": 6, "n_trials": 6, "modalities": ["gsr"]}
SETTINGS = {
    "targets": TARGETS,
    "sources": ["codes", "bins"],
    "tokenizer": {
        "encoder": {"dim": 16, "quantizer_options": {"codebook_size": 8}, "training": {"epochs": 2}},
    },
    "build": {"n_conversations": 80, "copies": 1, "rating_points": {"valence": 4, "arousal": 4}},
    "training": {"max_steps": 4, "per_device_train_batch_size": 8},
    "readouts": ["generated", "one phrasing"],
}
ROWS = {
    "majority", "ridge", "SVM-RBF", "extra trees", "CNN", "TCN", "BiLSTM", "encoder of the tokens",
    "encoder + extra trees", "LLM on floats", "LLM on codes", "LLM on bins", "LLM on codes and bins",
    "LLM, shuffled labels", "LLM, noise for signal",
    "LLM on codes, one phrasing", "LLM on bins, one phrasing", "LLM on codes, generated",
}  # fmt: skip


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """Skin conductance of six simulated subjects, with ratings."""
    out = tmp_path_factory.mktemp("rated") / "store"
    config = PrepareConfig("simulated", out=str(out), preprocessing="none", reader_options=SHAPE)
    return prepare(config, progress=False)


@pytest.fixture(scope="module")
def evaluation(rated, make_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    subject_holdout(SegmentStore(rated).table).save(folder / "split.json")
    config = EvaluateConfig(
        str(rated), str(folder / "out"), split=str(folder / "split.json"), model_name_or_path=make_base(),
        **SETTINGS,
    )  # fmt: skip
    return evaluate(config, progress=False)


def test_every_row_rates_the_same_segments_inside_the_scale(evaluation, rated):
    frames = pd.concat(pd.read_parquet(path) for path in (evaluation / "jobs").glob("*.parquet"))
    split = Split.load(evaluation / "split-0.json")
    table = SegmentStore(rated).table
    trained = table[split.mask(table, "train")]
    wanted = sorted(table.loc[split.mask(table, "test") & table["on_grid"], "segment"])
    for method, rows in frames.groupby("method"):
        assert sorted(rows["segment"]) == wanted, method
        if rows["family"].iloc[0] == "llm" or method.startswith("LLM"):
            for target in TARGETS:  # a mean of means of training ratings
                assert rows[target].between(trained[target].min(), trained[target].max()).all(), method


def test_the_report_ranks_by_concordance_and_compares_the_llm(evaluation):
    report = json.loads((evaluation / "report.json").read_text())
    assert report["data"]["primary"] == "ccc"
    rows = {row["method"]: row for row in report["results"]}
    assert set(rows) == ROWS
    metrics = [f"{target}_{metric}" for target in TARGETS for metric in ("mae", "rmse", "ccc")]
    assert all(np.isfinite(row[metric]) for row in rows.values() for metric in metrics)
    against = {pair["against"] for pair in rows["LLM on codes and bins"]["paired"]}
    assert {"encoder of the tokens", "encoder + extra trees"} <= against
    assert any(pair["best_baseline"] for pair in rows["LLM on codes and bins"]["paired"])


def test_the_llm_is_taught_points_of_each_rating_equally_often(evaluation):
    folder = next((evaluation / "work").glob("llm-*")) / "conversations"
    written = [json.loads(line) for file in (folder / "train").iterdir() for line in file.open()]
    truths = [json.loads(row["truth"]) for row in written]
    counts = {
        target: pd.Series([t[target] for t in truths if target in t]).value_counts() for target in TARGETS
    }
    for target, count in counts.items():
        assert set(count.index) == {1, 2, 3, 4}, target
        assert count.max() - count.min() <= 1, target
    for row, truth in zip(written, truths, strict=True):
        ((target, point),) = truth.items()
        system, asked, answer = (turn["value"] for turn in row["conversations"])
        assert system.endswith("from 1 to 4.")
        assert target in asked
        assert answer == f"I rate {target} at {int(point)}."


def test_the_encoder_of_the_tokens_and_the_bins_are_taught_the_ratings(evaluation):
    folder = next((evaluation / "work").glob("llm-*")) / "conversations" / "signal_tokenizer"
    config = json.loads((folder / "signal_tokenizer.json").read_text())["config"]
    assert config["encoder"]["targets"] == config["ranked_by"] == TARGETS


def test_an_artefact_that_was_taught_ratings_is_evaluated_on_them(rated, make_base, tmp_path):
    from biollm.building import build
    from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune
    from encoders.trainer import TrainEncoderConfig, train_encoder

    encoder = {**SETTINGS["tokenizer"]["encoder"], "targets": TARGETS}
    signals, written, tuned = (tmp_path / name for name in ("signals", "written", "tuned"))
    train_encoder(
        TrainEncoderConfig(str(rated), str(signals), tokenizer={"encoder": encoder}), progress=False
    )
    base = make_base()
    config = BuildConfig(
        str(rated), str(signals), str(written), n_conversations=40, copies=0, answer_forms=1,
        tasks="affect=1", rating_points="valence=3,arousal=3", model_name_or_path=base,
    )  # fmt: skip
    build(config, progress=False)
    finetune(FinetuneConfig(str(written), str(tuned), base), FinetuneTraining(max_steps=2), progress=False)
    card = (tuned / "README.md").read_text()
    assert "Taught: affect (valence and arousal)." in card
    assert "biollm chat" not in card
    config = EvaluateConfig(
        str(rated), str(tmp_path / "out"), split=str(signals / "split.json"), artefact=[str(tuned)],
        groups=["llm"], targets=TARGETS, readouts=[],
    )  # fmt: skip
    recording = tmp_path / "S1.npz"
    recording.touch()
    for ask in (
        lambda: chat(ChatConfig([str(tuned)], str(recording))),
        lambda: evaluate(replace(config, targets=["emotion"]), progress=False),
    ):
        with pytest.raises(ArtefactError, match=r"taught \['affect'\]; .* asks for 'emotion'.*--tasks"):
            ask()
    report = json.loads((evaluate(config, progress=False) / "report.json").read_text())
    rows = {row["method"] for row in report["results"]}
    assert rows == {"encoder of the tokens", "LLM on codes+bins"}


def test_features_are_ranked_by_what_is_taught():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((300, 4))
    table = pd.DataFrame({"emotion": np.where(values[:, 0] > 0, "calm", "tense"), "valence": values[:, 1],
                          "arousal": np.where(rng.random(300) < 0.1, np.nan, values[:, 2])})  # fmt: skip
    classes = ("calm", "tense")
    assert by_information(values, table, ["emotion"], classes)[0] == 0
    assert by_information(values, table, ["valence"], classes)[0] == 1
    assert set(by_information(values, table, TARGETS, classes)[:2]) == {1, 2}


def test_labels_that_features_cannot_be_ranked_by_are_refused():
    with pytest.raises(ValueError, match=r"ranked_by holds \['joy'\]; allowed are \['emotion', 'valence'"):
        SignalTokenizerConfig(ranked_by=["joy", "valence"])
    table = pd.DataFrame({"valence": np.arange(9.0), "arousal": [1.0, 2.0, 3.0] + [np.nan] * 6})
    with pytest.raises(ValueError, match=r"'arousal', which 3 training segments have.*ranked_by"):
        by_information(np.eye(9), table, TARGETS, ())


def test_points_hold_equally_many_ratings_and_stand_for_their_mean():
    ratings = np.random.default_rng(0).permutation(np.arange(90.0))
    scale = fit_scale(ratings, 9)
    assert scale.centres == [4.5 + 10 * k for k in range(9)]
    task = load_task("affect").on_scale("valence", scale.edges)
    points = [task.truth([replace(usable(random.Random(0)), valence=value)])["valence"] for value in ratings]
    assert points == (ratings // 10 + 1).tolist()


def test_equal_ratings_share_a_point():
    scale = fit_scale(np.array([1.0] * 6 + [2.0] * 3 + [5.0] * 3), 9)
    assert scale.centres == [1.0, 2.0, 5.0]


def segments(store, changed: str, shift: float) -> TokenizedSegments:
    """Tokenized segments of a store whose split is by subject, with the ratings of one part moved."""
    inputs = signal_inputs(store.segments(), 2.0)
    parts = inputs.table["segment"].map(subject_holdout(store.table).parts).to_numpy(object)
    table = inputs.table.copy()
    table.loc[parts == changed, TARGETS] += shift
    silent = SimpleNamespace(encode_copies=lambda _, rows, *__: [[""] * len(rows)], classes=(), encoder_=None)
    made = segment_table(replace(inputs, table=table), np.arange(len(inputs)), silent, ["codes"], parts=parts)
    return TokenizedSegments(made, segments_card(silent, ["codes"]))


def test_scales_are_fitted_on_the_train_part_alone(rated):
    store, points = SegmentStore(rated), {"valence": 5, "arousal": 5}
    known = fit_scales(segments(store, "train", 0.0), points)
    assert fit_scales(segments(store, "test", 3.0), points) == known
    assert fit_scales(segments(store, "validation", 3.0), points) == known
    moved = fit_scales(segments(store, "train", 3.0), points)
    np.testing.assert_allclose(moved["valence"].centres, np.array(known["valence"].centres) + 3.0)


def test_two_points_of_ratings_that_are_mostly_equal_are_refused(rated):
    made = segments(SegmentStore(rated), "none", 0.0)
    ratings = np.linspace(3, 4, len(made))
    ratings[: len(made) // 2 + len(made) // 4] = 3.0
    column = made.column
    made.column = lambda name: ratings if name == "valence" else column(name)
    with pytest.raises(ValueError, match=r"of 2 points of valence one is left.* are 3\. Give more"):
        fit_scales(made, {"valence": 2})


class Words:
    """A tokenizer that renders a conversation as its words."""

    def apply_chat_template(self, conversations, tokenize):
        return ["|".join(turn["content"] for turn in turns) for turns in conversations]


def question(scale: RatingScale) -> RatingQuestion:
    tasks = {"affect": load_task("affect").with_answer_forms(1)}
    card = SimpleNamespace(ratings=scales_card(tasks, {"valence": scale}))
    return rating_questions(SimpleNamespace(card=card, tokenizer=Words()), ["valence"])[0]


def test_a_rating_is_the_mean_of_the_points_by_their_likelihood():
    asked = question(RatingScale([2.0, 4.0], [1.0, 3.0, 6.0]))
    assert asked.answers == [f"I rate valence at {point}." for point in (1, 2, 3)]
    probabilities = np.array([[1, 0, 0], [0.5, 0.25, 0.25], [0, 0, 1]])
    np.testing.assert_allclose(asked.read(probabilities), [1.0, 0.5 + 0.75 + 1.5, 6.0])
    system = "You read biosignals. Rate valence and arousal from 1 to 3."
    assert asked.prompts(["<|a|>"]) == [f"{system}|Rate valence.\n<|a|>|"]


def test_the_sharpness_of_true_answers_is_found():
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.full(5, 2.0), 4000)
    for power in (0.0, 0.5, 2.0):
        true = said**power / (said**power).sum(axis=1, keepdims=True)
        points = (rng.random((4000, 1)) > true.cumsum(axis=1)).sum(axis=1)
        # the standard error over draws of 4,000 is .03 to .04
        assert fit_sharpness(said, points) == pytest.approx(power, abs=0.12)


@pytest.mark.parametrize(("part", "learned"), [("test", {"train", "validation"}), ("validation", {"train"})])
def test_the_sharpness_is_fitted_on_what_the_llm_has_learned_from_and_its_ratings(
    rated, monkeypatch, part, learned
):
    store, asked, given = SegmentStore(rated), [], []
    split, inputs = subject_holdout(store.table), signal_inputs(store.segments(), 2.0)
    config = SimpleNamespace(part=part, n_phrasings=1)
    context = Context(inputs, split, store, config, 0, Path(), False, ("valence",))
    names = SimpleNamespace(encode_copies=lambda held, rows, _: [held.table["segment"].iloc[rows].tolist()])
    artefact = SimpleNamespace(model=None, tokenizer=None, signal_tokenizer=names)
    question = SimpleNamespace(
        target="valence",
        answers=["1", "2"],
        prompts=lambda texts, _: asked.extend(texts) or texts,
        calibrate=lambda _, ratings: given.extend(ratings),
    )
    monkeypatch.setattr("biollm.readout.label_probabilities", lambda *_: np.ones((len(asked), 2)))
    monkeypatch.setattr("biollm.llm_readouts.N_CALIBRATING", 10)
    _calibrate(context, inputs, artefact, [question], "codes")
    assert 5 <= len(asked) <= 10
    table = store.table.set_index("segment").loc[asked]
    assert {split.parts[segment] for segment in asked} == learned
    assert table["on_grid"].all()
    assert given == table["valence"].tolist()


def test_calibrated_ratings_stay_on_the_scale_and_know_nothing_where_nothing_is_known():
    asked, rng = question(RatingScale([2.0, 4.0], [1.0, 3.0, 6.0])), np.random.default_rng(0)
    said, ratings = rng.dirichlet(np.ones(3), 3000), rng.uniform(0, 6, 3000)
    asked.calibrate(said, ratings)
    np.testing.assert_allclose(asked.read(said), 10 / 3, atol=0.4)
    asked.calibrate(said, np.array([1.0, 3.0, 6.0])[said.argmax(axis=1)])
    assert 1.0 <= asked.read(said).min() < 1.1 < 5.9 < asked.read(said).max() <= 6.0


def test_written_ratings_are_read_and_unreadable_ones_are_the_mean():
    asked = question(RatingScale([2.0, 4.0], [1.0, 3.0, 5.0]))
    said = ["I rate valence at 3.", "valence 1", "valence is 7", "Valence is 2.", "Hm.", "arousal is 1"]
    np.testing.assert_allclose(asked.named(said), [5.0, 1.0, 3.0, 3.0, 3.0, 3.0])


def test_a_rating_that_was_not_taught_is_refused():
    artefact = SimpleNamespace(card=SimpleNamespace(ratings={}))
    with pytest.raises(ValueError, match=r"not \['arousal'\].*rating_points"):
        rating_questions(artefact, ["arousal"])


def test_the_task_on_a_scale_asks_for_what_was_rated_and_reads_its_answers_back():
    rng, task = random.Random(0), load_task("affect").on_scale("arousal", [3.0, 5.0, 7.0])
    for value, point in ((1.0, 1), (3.0, 2), (6.9, 3), (9.0, 4)):
        facts = [replace(usable(rng), arousal=value)]
        ((asked, answer),) = task.turns(facts, rng)
        assert not task.lacks(facts)
        assert "arousal" in asked
        assert "valence" not in asked
        assert task.parse(answer, facts) == task.truth(facts) == {"arousal": point}
        assert task.point(answer) == point
    assert task.lacks([replace(usable(rng), arousal=None)]) == "arousal was not rated"
    assert [task.point(text) for text in ("arousal is 5", "arousal is 2.5", "valence is 2", "")] == [None] * 4


def test_one_task_a_rating_stands_in_for_both():
    tasks = {"emotion": load_task("emotion"), "affect": load_task("affect")}
    scale = RatingScale([0.0], [-1.0, 1.0])
    made, weights = on_scales(tasks, {"emotion": 1.0, "affect": 0.5}, {"valence": scale, "arousal": scale})
    assert list(made) == list(weights) == ["emotion", "valence", "arousal"]
    assert weights == {"emotion": 1.0, "valence": 0.25, "arousal": 0.25}
    assert on_scales(tasks, weights, {}) == (tasks, weights)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"targets": ["emotion", "valence"]}, "allowed are"),
        ({"targets": []}, "allowed are"),
        ({"targets": ["valence", "valence"]}, "allowed are"),
        ({"build": {"tasks": "describe=1"}}, "build: .*without the task 'affect'"),
        ({"build": {"rating_points": "valence=9,arousal=1"}}, "build: .*whole numbers from 2"),
        ({"build": {"rating_points": {"valence": 9}}}, "rating_points lacks"),
        ({"tokenizer": {"ranked_by": ["emotion"]}}, "ranked_by"),
        (
            {"tokenizer": {"encoder": {"targets": ["valence"]}}},
            r"encoder.targets is \['valence'\].*leave it out",
        ),
    ],
)
def test_wrong_choices_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        EvaluateConfig(**{"targets": TARGETS, **change})


def test_an_artefact_of_two_ratings_is_scored_on_one():
    """Its encoder keeps what it was taught; only a new one is taught the targets."""
    both = {"tokenizer": {"encoder": {"targets": ["valence", "arousal"]}}, "artefact": ["runs/some"]}
    assert EvaluateConfig(targets=["valence"], **both).targets == ["valence"]


def test_ratings_that_a_store_lacks_are_refused(store, tmp_path):
    config = EvaluateConfig(str(store), str(tmp_path / "out"), targets=["valence"])
    with pytest.raises(ValueError, match=r"no different labels for \['valence'\].*\['emotion'\]"):
        evaluate(config, progress=False)


@pytest.mark.parametrize(
    ("points", "tasks", "said"),
    [
        ("valence=1", "affect=1", "whole numbers from 2"),
        ({"arousal": 2.5}, "affect=1", "whole numbers from 2"),
        ("joy=9", "affect=1", "unknown"),
        ("valence=9", "emotion=1", "without the task 'affect'"),
        ("valence=9", "affect=1,refuse=1", "with the task 'refuse'.*leave one of them out"),
    ],
)
def test_wrong_scales_are_refused(points, tasks, said):
    with pytest.raises(ValueError, match=said):
        BuildConfig(tasks=tasks, rating_points=points)
