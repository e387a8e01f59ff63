"""The trainer: its run folder, resumption, settings, and that the test part is scored and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from killed_training import run_killed
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score, f1_score, mean_absolute_error, roc_auc_score

from biollm.building import BuildConfig, build
from biollm.cli import read_recipe
from data_builders.preparing import PrepareConfig, prepare
from data_builders.splits import Split, make_splits, subject_holdout
from data_builders.stage import read_stamp
from data_builders.store import SegmentStore
from encoders import trainer as trainer_module
from encoders.architecture_figure import model_boxes
from encoders.features import FEATURES, gsr_features
from encoders.inputs import SignalInputs, signal_inputs
from encoders.networks import CNN, ENCODERS
from encoders.run_figures import embedding_figure, kept_epoch, new_figure
from encoders.run_folder import draw_results
from encoders.run_results import render_report, score_answers
from encoders.signal_encoder import labelled_rows
from encoders.signal_tokenizer import SignalTokenizer
from encoders.trainer import TrainEncoderConfig, Trainer, train_encoder
from encoders.trainer_config import full_settings, tokenizer_config

TINY = {"encoder": {"dim": 16, "quantizer_options": {"codebook_size": 8, "codebook_dim": 4}}}
TRAINING = {"epochs": 3, "batch_size": 32, "monitor": "loss"}
FIGURES = {"architecture", "confusion_matrix", "embedding", "learning_curves", "roc"}


def settings(store, out, **changes) -> dict:
    return {"store": str(store), "out": str(out), **TINY, "training": TRAINING, **changes}


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "checkpoints" / "best.safetensors")


def same(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(
        np.array_equal(np.ravel(ours[name]), np.ravel(theirs[name])) for name in ours
    )


class Own(CNN):
    """A network that is not this project's own."""


class Edited(CNN):
    """The same after an edit."""


def doubled(data, sampling_rate, channel_names):
    return {name: 2 * values for name, values in gsr_features(data, sampling_rate, channel_names).items()}


def test_a_network_or_feature_of_one_s_own_that_was_edited_is_another_run(store, tmp_path, monkeypatch):
    config = TrainEncoderConfig(**settings(store, tmp_path / "run", training={"epochs": 1}))
    keys = []
    for table, name, made in (
        (ENCODERS, "own", Own),
        (ENCODERS, "own", Edited),
        (FEATURES, "gsr", doubled),
        (FEATURES, "gsr", doubled),
    ):
        monkeypatch.setitem(table, name, made)
        keys.append(read_stamp(train_encoder(config, progress=False), "train-encoder")["key"])
    assert len(set(keys)) == len(set(keys[:3])) == 3


@pytest.fixture(scope="module")
def run(store, tmp_path_factory) -> Path:
    """A run folder, made as the command makes it."""
    out = tmp_path_factory.mktemp("runs") / "run"
    config = TrainEncoderConfig(**settings(store, out, report_to=["tensorboard"]))
    return train_encoder(config, progress=False)


def test_the_run_folder_holds_all_that_the_run_made(run):
    names = {path.name for path in run.iterdir()}
    assert names == {
        "checkpoints", "classification_report.txt", "config.yaml", "figures", "history.json", "logs",
        "results.json", "signal_tokenizer", "split.json", "stage.json",
    }  # fmt: skip
    assert {path.stem for path in (run / "figures").iterdir()} == FIGURES
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["best.safetensors"]
    assert [row["epoch"] for row in json.loads((run / "history.json").read_text())] == [1, 2, 3]


def test_subjects_are_not_normalised_in_parts(store, tmp_path):
    """A part of a subject's windows would have other statistics than the next one's."""
    config = settings(store, tmp_path / "run", protocol="trial2")
    with pytest.raises(ValueError, match=r"'trial.*' has the same subjects in training and test"):
        train_encoder(TrainEncoderConfig(**config), progress=False)
    config["tokenizer"] = {"normalisation": "none"}
    assert (train_encoder(TrainEncoderConfig(**config), progress=False) / "stage.json").is_file()


def test_results_are_those_of_the_saved_tokenizer_on_the_test_subjects(run, store):
    opened = SegmentStore(store)
    split = Split.load(run / "split.json")
    assert split.hash == subject_holdout(opened.table).hash
    rows = np.flatnonzero(split.mask(opened.table, "test"))
    inputs = signal_inputs(opened.segments(rows))
    tokenizer = SignalTokenizer.from_pretrained(run / "signal_tokenizer")
    encoder = tokenizer.encoder
    scored = labelled_rows(inputs, encoder.classes, on_grid=True)
    guess = encoder.predict_proba(inputs, scored).argmax(axis=1)
    truth = inputs.table["emotion"].iloc[scored].map(encoder.classes.index)
    results = json.loads((run / "results.json").read_text())
    found = results["targets"]["emotion"]
    assert found["n"] == results["n_segments"] == len(scored)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, guess))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    assert results["split"]["hash"] == split.hash
    assert results["n_subjects"] == inputs.table["subject"].nunique() == 2
    assert results["parameters"] == sum(p.numel() for p in encoder.network_.parameters())
    assert set(results["codes"]) == {stream.name for stream in inputs.stream_specs}
    bins = results["bins"]
    assert set(bins) <= set(tokenizer.bins_.feature_names)
    # Quantile bins of another subject's values: all are used by many, and eight leave little of the variance.
    assert np.mean([found["usage"] for found in bins.values()]) > 0.5
    assert np.median([found["reconstruction_error"] for found in bins.values()]) < 0.3


def test_the_best_weights_are_those_of_the_tokenizer(run):
    kept = load_file(run / "signal_tokenizer" / "signal_tokenizer.safetensors")
    prefix = "network."
    assert same({n.removeprefix(prefix): v for n, v in kept.items() if n.startswith(prefix)}, weights(run))


def test_metrics_reach_the_tracker_from_the_command(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = (run / "logs").glob("events.*")
    log = EventAccumulator(str(events)).Reload()
    history = json.loads((run / "history.json").read_text())
    logged = [event.value for event in log.Scalars("balanced_accuracy")]
    assert logged == pytest.approx([row["balanced_accuracy"] for row in history])


def test_its_config_is_a_recipe_for_the_same_run(run, monkeypatch):
    monkeypatch.setattr(Trainer, "_train", lambda *_: pytest.fail("the same run was trained again"))
    config = read_recipe(str(run / "config.yaml"), "train-encoder")
    again = Trainer(config, progress=False).fit()
    assert again.folder_ == run
    results = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps(results | {"seed": 99}))
    assert again.test()["seed"] == 99  # scored once, then read
    (run / "results.json").write_text(json.dumps(results, indent=1))


def test_the_test_part_changes_no_weight(store, run, tmp_path, monkeypatch):
    """Signals and features of the test subjects are NaN: whatever read them would be NaN too, or fail."""
    table = SegmentStore(store).table
    test = Split.load(run / "split.json").mask(table, "test")
    original = trainer_module.store_inputs

    def without_test(*arguments, **options) -> SignalInputs:
        inputs = original(*arguments, **options)
        streams = {name: np.where(test[:, None, None], np.nan, x) for name, x in inputs.streams.items()}
        features = inputs.features.mask(pd.Series(test))
        return replace(inputs, streams=streams, features=features)

    monkeypatch.setattr(trainer_module, "store_inputs", without_test)
    blind = Trainer(TrainEncoderConfig(**settings(store, tmp_path / "blind")), progress=False).fit()
    assert same(weights(blind.folder_), weights(run))
    files = [folder / "signal_tokenizer" / "signal_tokenizer.json" for folder in (blind.folder_, run)]
    ours, theirs = (json.loads(file.read_text())["edges"] for file in files)
    assert ours == theirs


def test_a_killed_training_goes_on_to_the_same_weights(store, run, tmp_path):
    """Killed in its second epoch: the first is not trained again."""
    out = tmp_path / "killed"
    n_steps = -(-int(Split.load(run / "split.json").mask(SegmentStore(store).table, "train").sum()) // 32)
    assert run_killed(n_steps + 1, settings(store, out)) == -9
    assert (tmp_path / "killed.partial" / "checkpoints" / "last.pt").is_file()
    assert not out.exists()
    Trainer(TrainEncoderConfig(**settings(store, out)), progress=False).fit()
    assert same(weights(out), weights(run))
    assert json.loads((out / "history.json").read_text()) == json.loads((run / "history.json").read_text())


@pytest.fixture(scope="module")
def rated(tmp_path_factory) -> Path:
    """Emotions, ratings and transitions of six simulated subjects, told by their skin conductance."""
    folder = tmp_path_factory.mktemp("rated")
    options = {"n_subjects": 6, "n_trials": 6, "rest_seconds": 20, "modalities": ["gsr"], "effect": 4.0}
    config = PrepareConfig(dataset="simulated", root=None, out=str(folder / "store"), reader_options=options)
    return prepare(config, progress=False)


def test_four_targets_without_a_quantizer(rated, tmp_path):
    config = TrainEncoderConfig(
        str(rated), str(tmp_path / "run"), protocol="gkf3", fold=2, network="cnn",
        targets=["emotion", "valence", "arousal", "transition"],
        encoder={"dim": 8, "quantizer": None}, training={"epochs": 1},
    )  # fmt: skip
    trainer = Trainer(config, progress=False).fit()
    results = trainer.test()
    split = Split.load(trainer.folder_ / "split.json")
    assert split.hash == make_splits(SegmentStore(rated).table, "gkf3")[2].hash
    assert results["split"]["fold"] == 2
    assert set(results["targets"]) == {"emotion", "valence", "arousal", "transition"}
    assert all(scores["n"] > 0 for scores in results["targets"].values())
    assert "codes" not in results
    assert {path.stem for path in (trainer.folder_ / "figures").iterdir()} == FIGURES | {"ratings"}
    bins = BuildConfig(
        str(rated), str(trainer.folder_), str(tmp_path / "built"), ["bins"], n_conversations=20
    )
    assert (build(bins, progress=False) / "train" / "00000.jsonl").is_file()
    with pytest.raises(ValueError, match=r"no quantizer and so no codes"):
        build(replace(bins, sources=["codes"], out=str(tmp_path / "no")), progress=False)


def test_codes_of_a_test_part_without_emotions_say_nothing_of_labels(rated, tmp_path, monkeypatch):
    config = TrainEncoderConfig(
        str(rated), str(tmp_path / "run"), network="cnn", targets=["emotion", "valence"],
        encoder=TINY["encoder"], training={"epochs": 1},
    )  # fmt: skip
    trainer = Trainer(config, progress=False).fit()
    original = trainer_module.store_inputs

    def without_emotions(*arguments, **options) -> SignalInputs:
        inputs = original(*arguments, **options)
        return replace(inputs, table=inputs.table.assign(emotion=None))

    monkeypatch.setattr(trainer_module, "store_inputs", without_emotions)
    results = trainer.test()
    assert results["targets"]["emotion"] == {"n": 0}
    assert results["targets"]["valence"]["n"] > 0
    for found in (results["codes"], results["bins"]):
        assert {frozenset(one) for one in found.values()} == {
            frozenset({"usage", "perplexity", "reconstruction_error"})
        }


def test_what_a_kill_left_of_checkpoints_goes(run, store):
    """Killed while a checkpoint was written, or between the move of the folder and the deletion."""
    for name in ("last.pt", "last.pt.123.partial"):
        (run / "checkpoints" / name).write_bytes(b"")
    Trainer(TrainEncoderConfig(**settings(store, run, report_to=["tensorboard"])), progress=False).fit()
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["best.safetensors"]


def test_a_single_split_of_another_fold_is_refused(run, store, tmp_path):
    config = TrainEncoderConfig(**settings(store, tmp_path / "out", split=str(run / "split.json"), fold=4))
    with pytest.raises(ValueError, match=r"fold is 4; .*split\.json has the folds \[0\]"):
        Trainer(config, progress=False).fit()


def test_targets_and_options_that_do_not_fit_the_store_are_named_at_once(store, tmp_path, monkeypatch):
    config = TrainEncoderConfig(**settings(store, tmp_path / "out", targets=["valence", "transition"]))
    with pytest.raises(ValueError, match=r"(?s)train part has the label 'valence'.*validation.*'transition'"):
        train_encoder(config, progress=False)
    wrong = {"encoder": {"network_options": {"depths": 3}}}
    with pytest.raises(ValueError, match=r"encoder: .*'depths'"):
        train_encoder(TrainEncoderConfig(**settings(store, tmp_path / "out", **wrong)), progress=False)
    wrong = {"encoder": {"network": CNN}}
    with pytest.raises(ValueError, match=r"encoder: network is <class .*CNN'>; allowed .* of ENCODERS"):
        train_encoder(TrainEncoderConfig(**settings(store, tmp_path / "out", **wrong)), progress=False)
    monkeypatch.setitem(FEATURES, "gsr", lambda data, *about: {"mine": data[:, 0, 0]})
    with pytest.raises(ValueError, match="features: 'gsr_mine' has no row in CATALOGUE"):
        train_encoder(TrainEncoderConfig(**settings(store, tmp_path / "out")), progress=False)
    with pytest.raises(ValueError, match=r"fold is 9; gkf3 has the folds \[0, 1, 2\]"):
        train_encoder(
            TrainEncoderConfig(**settings(store, tmp_path / "out", protocol="gkf3", fold=9)), progress=False
        )
    assert not list(tmp_path.iterdir())


def test_all_problems_of_a_config_are_named_at_once():
    with pytest.raises(ValueError, match="TrainEncoderConfig") as error:
        TrainEncoderConfig(
            network="cmn", preset="slow", fold=-1, targets=["mood"], report_to=["tensorbord"],
            tokenizer={"bins": 3}, encoder={"dims": 8}, training='{"epoch": 3}',
        )  # fmt: skip
    for word in ("cmn", "slow", "fold is -1", "mood", "tensorbord", "'bins'", "'dims'", "'epoch'"):
        assert word in str(error.value)
    with pytest.raises(ValueError, match=r"normalisation: got 'z'(?s:.*)epochs is 'ten'; batch_size is -1"):
        TrainEncoderConfig(normalisation="z", training={"epochs": "ten", "batch_size": -1})
    with pytest.raises(ValueError, match=r"encoder: null, but \['network'\] are set"):
        TrainEncoderConfig(network="cnn", tokenizer={"encoder": None})


def test_what_is_named_more_closely_wins():
    config = TrainEncoderConfig(
        tokenizer={"encoder": {"dim": 8, "network": "tcn", "training": {"epochs": 9, "batch_size": 3}}},
        encoder={"dim": 9, "training": {"epochs": 8}}, training={"epochs": 7}, network="cnn",
    )  # fmt: skip
    made = tokenizer_config(config)
    assert made.encoder is not None
    assert (made.encoder["dim"], made.encoder["network"]) == (9, "cnn")
    assert made.encoder["training"] == {"epochs": 7, "batch_size": 3}


@pytest.mark.parametrize(("preset", "epochs", "patience"), [("quick", 2, 3), ("full", 6, 3)])
def test_presets_choose_the_length_of_the_training(preset, epochs, patience):
    training = full_settings(TrainEncoderConfig(network="cnn", preset=preset))["training"]
    assert (training["epochs"], training["patience"]) == (epochs, patience)
    given = full_settings(TrainEncoderConfig(preset=preset, training={"epochs": 5, "patience": 4}))[
        "training"
    ]
    assert (given["epochs"], given["patience"]) == (5, 4)


def test_a_system_brings_its_own_settings_with_its_network():
    found = full_settings(TrainEncoderConfig(network="multimodal_lstm_maximum", training={"shift": 0.2}))
    assert found["encoder"]["network"] == "lstm_branch"
    assert found["encoder"]["fusion"]
    assert (found["training"]["optimizer"], found["training"]["shift"]) == ("adam", 0.2)


def test_full_settings_are_their_own_full_settings():
    config = TrainEncoderConfig(
        network="bigru", preset="quick", tokenizer={"frame_seconds": {"default": 1.0}}
    )
    full = full_settings(config)
    assert full_settings(TrainEncoderConfig(**full)) == full


def test_a_tokenizer_without_an_encoder_is_made_but_not_tested(store, tmp_path):
    config = TrainEncoderConfig(str(store), str(tmp_path / "bins"), tokenizer={"encoder": None})
    folder = train_encoder(config, progress=False)
    assert not (folder / "results.json").exists()
    assert SignalTokenizer.from_pretrained(folder / "signal_tokenizer").tokens("bins")
    with pytest.raises(ValueError, match="no encoder"):
        Trainer(config, progress=False).fit().test()
    with pytest.raises(ValueError, match="call fit"):
        Trainer(config).test()


def answers_and_labels() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    words = np.array(["calm", "tense", None], dtype=object)[rng.integers(0, 3, 60)]
    rating = rng.normal(size=60)
    table = pd.DataFrame({"emotion": words, "valence": np.where(rng.random(60) < 0.2, np.nan, rating)})
    table["transition"] = np.where(rng.random(60) < 0.2, np.nan, rng.integers(0, 2, 60))
    p = rng.dirichlet([1, 1, 1], 60)
    return table, {"emotion": p, "valence": rating + 0.5, "transition": rng.random(60)}


def test_scores_meet_scikit_learn_on_the_known_labels():
    classes = ("calm", "tense", "unseen")
    table, answers = answers_and_labels()
    scores = score_answers(table, answers, classes)
    known = table["emotion"].notna().to_numpy()
    truth, p = table["emotion"][known].map(classes.index), answers["emotion"][known]
    assert scores["emotion"]["n"] == known.sum()
    present = f1_score(truth, p.argmax(1), labels=[0, 1], average="macro")
    assert scores["emotion"]["macro_f1"] == pytest.approx(present)
    assert scores["emotion"]["per_class"]["calm"]["auc"] == pytest.approx(roc_auc_score(truth == 0, p[:, 0]))
    assert scores["emotion"]["per_class"]["unseen"]["recall"] is None
    assert np.sum(scores["emotion"]["confusion"]) == known.sum()
    assert scores["valence"] == pytest.approx({"n": table["valence"].notna().sum(), "mae": 0.5, "rmse": 0.5,
                                               "ccc": scores["valence"]["ccc"]})  # fmt: skip
    rated = table["valence"].dropna()
    variance = float(rated.var(ddof=0))
    assert scores["valence"]["ccc"] == pytest.approx(2 * variance / (2 * variance + 0.25))
    assert scores["valence"]["mae"] == pytest.approx(mean_absolute_error(rated, rated + 0.5))
    changed = table["transition"].notna().to_numpy()
    guess = answers["transition"][changed] > 0.5
    assert scores["transition"]["f1"] == pytest.approx(f1_score(table["transition"][changed], guess))
    report = render_report(table, answers, classes, scores)
    assert "valence: mae 0.5000, rmse 0.5000" in report
    assert "unseen" in report


def test_the_diagram_names_every_parameter(run):
    """The counts in the boxes add up to the model's."""
    model = SignalTokenizer.from_pretrained(run / "signal_tokenizer").encoder.network_
    streams, shared, heads = model_boxes(model)
    texts = [text for boxes in (*streams, shared, heads) for _, text, _ in boxes]
    lines = [line for text in texts for line in text.split("\n") if line.endswith(" parameters")]
    counted = sum(int(line.removesuffix(" parameters").replace(",", "")) for line in lines)
    assert counted == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("width", [4.2, 10.4])
def test_titles_stay_inside_their_figures(width):
    """Capitals take more room than the letters that a fixed number a line is made for."""
    figure = new_figure(width, 3.0, 9 * "WMMW MWWM ")
    assert figure.texts[0].get_window_extent().x1 < figure.bbox.width


def test_names_in_figures_of_a_run_are_no_formulas(tmp_path):
    table = pd.DataFrame({"emotion": ["$\\a$", "$\\b$"] * 5, "subject": "$\\s$"})
    answers, classes = {"emotion": np.tile([[0.6, 0.4], [0.7, 0.3]], (5, 1))}, ("$\\a$", "$\\b$")
    scores = score_answers(table, answers, classes)
    embedding = np.random.default_rng(0).normal(size=(10, 3))
    draw_results(tmp_path, "$\\title$", table, answers, scores, embedding, classes)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "confusion_matrix",
        "roc",
        "embedding",
    }


@pytest.mark.filterwarnings("error")
def test_embeddings_that_are_all_alike_are_said_to_be():
    table = pd.DataFrame({"emotion": ["calm", "tense"] * 5, "subject": "s1"})
    figure = embedding_figure(np.full((10, 4), 0.3), table, "emotion", "a run")
    assert [text.get_text() for text in figure.texts] == ["a run", "all 10 embeddings are alike"]


def test_the_kept_epoch_is_the_first_of_the_best():
    best = [0.5, 0.7, 0.7, 0.7]
    assert kept_epoch([{"epoch": k + 1, "best": value} for k, value in enumerate(best)]) == 2


def test_a_training_that_is_no_mapping_is_told(store, tmp_path):
    config = {"store": str(store), "out": str(tmp_path / "run"), "encoder": {"training": [1]}}
    with pytest.raises(ValueError, match=r"encoder\.training: got \[1\]; allowed are keys with values"):
        train_encoder(TrainEncoderConfig(**config), progress=False)
