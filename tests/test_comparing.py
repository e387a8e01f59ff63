"""The comparison: every row on the same segments, resumable, nothing computed twice, controls at chance."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock, Timeout

from biollm import classical_methods, compared_methods, comparing, report_rows
from biollm.baselines import BASELINES, predict_baseline
from biollm.compared_methods import METHODS, chosen_methods, encoder
from biollm.comparing import CompareConfig, compare
from biollm.context import check_labelled
from biollm.controls import shuffle_labels
from biollm.encoder_methods import PRESETS, ROWS, encoder_settings
from biollm.jobs import JobError
from data_builders.leaks import LeakError
from data_builders.preparing import PrepareConfig, prepare
from data_builders.splits import Split, make_splits, subject_holdout
from data_builders.store import SegmentStore
from encoders.inputs import signal_inputs
from encoders.networks import ENCODERS
from encoders.streams import StreamSpec

TINY = {"dim": 16, "training": {"epochs": 3}}
FAST = ["majority", "LDA", "k-NN"]


def fixed(*data, **options):
    return predict_baseline(*data, **{**options, "search": False})


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Fixed values for the hyper-parameters, whose search has tests of its own, and controls of k-NN."""
    patch.setattr(classical_methods, "predict_baseline", fixed)
    for how in compared_methods.CONTROLS:
        patch.setitem(METHODS, f"extra trees, {how}", compared_methods.control("k-NN", how))


@pytest.fixture(autouse=True, scope="module")
def quick_baselines():
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        yield


@pytest.fixture(scope="module")
def compared(store, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("comparison") / "out"
    methods = ["classical", "CNN", "BiGRU"]
    return compare(CompareConfig(str(store), str(out), methods, "holdout", encoder=TINY), progress=False)


@pytest.fixture
def run(store, tmp_path, monkeypatch):
    """A function that compares into one folder and returns the names of the jobs that it ran.

    The answers are kept in place of the report that is made of them, and takes longer than they do.
    """
    ran: list[str] = []
    run_method = comparing.run_method

    def watched(name, split, seed, *rest):
        ran.append(f"{name} {split.fold} {seed}")
        return run_method(name, split, seed, *rest)

    def keep(predictions, store, splits, folder, *about):
        predictions.drop(columns="seconds").to_parquet(folder / "answers.parquet")

    monkeypatch.setattr(comparing, "run_method", watched)
    monkeypatch.setattr(comparing, "write_report", keep)

    def compare_watched(methods=FAST, **options) -> list[str]:
        ran.clear()
        compare(CompareConfig(str(store), str(tmp_path / "out"), methods, "gkf2", **options), progress=False)
        return sorted(name for name in ran if "," not in name)  # without the controls

    return compare_watched


def rows_of(out: Path) -> dict[str, dict]:
    return {row["method"]: row for row in json.loads((out / "report.json").read_text())["results"]}


def predictions_of(out: Path) -> pd.DataFrame:
    frames = [pd.read_parquet(path) for path in sorted(Path(f"{out}.jobs").glob("*.parquet"))]
    return pd.concat(frames, ignore_index=True)


def test_every_row_that_can_read_the_store_is_there_with_its_controls(compared):
    rows, data = rows_of(compared), json.loads((compared / "report.json").read_text())["data"]
    absent = {line.split(":")[0] for line in data["not_applicable"]}
    # Two slow signals and words for labels: nothing for covariances, and nothing for a regression.
    assert absent == {"MDM", "tangent space", "tangent space, ridge", "ridge"}
    made = {row["method"] for row in rows.values() if row["family"] != "control"}
    assert made == set(chosen_methods(["classical", "CNN", "BiGRU"])) - absent - set(
        chosen_methods(["controls"])
    )
    assert sum(row["family"] == "control" for row in rows.values()) == 4
    assert (compared / "report.html").is_file()


def test_every_row_answers_the_same_segments_once(compared, store):
    table = SegmentStore(store).table
    split = Split.load(compared / "split-0.json")
    wanted = sorted(table.loc[split.mask(table, "test") & table["on_grid"] & ~table["reference"], "segment"])
    for _, rows in predictions_of(compared).groupby("method"):
        assert sorted(rows["segment"]) == wanted


def test_another_process_gives_the_same_as_this_one(compared, store, tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "chosen_methods", list)  # without controls
    config = CompareConfig(str(store), str(tmp_path / "out"), ["CNN"], "holdout", encoder=TINY, jobs=2)
    compare(config, progress=False)
    whole = predictions_of(compared)
    here = whole[whole["method"] == "CNN"].reset_index(drop=True)
    there = predictions_of(tmp_path / "out")
    # Sums over one thread and over several may be rounded differently.
    pd.testing.assert_frame_equal(
        there.drop(columns=["seconds", "history"]),
        here[there.columns].drop(columns=["seconds", "history"]),
        rtol=1e-3,
        check_dtype=False,
    )


def test_what_reads_the_signal_reads_it_and_what_gets_noise_does_not(compared):
    found = {name: row["balanced_accuracy"] for name, row in rows_of(compared).items()}
    for name in ("LDA", "SVM-RBF", "extra trees", "gradient boosting", "CNN", "BiGRU"):
        assert found[name] > 0.9
    noise = [value for name, value in found.items() if name.endswith("noise for signal")]
    assert len(noise) == 2
    # 48 windows: three standard errors of answers that are independent of each other.
    assert np.allclose(noise, 0.5, atol=3 * 0.5 / 48**0.5)


def test_finished_jobs_are_not_run_again(run, tmp_path):
    assert len(run()) == 3 * 2
    out = tmp_path / "out"
    before = pd.read_parquet(out / "answers.parquet")
    assert run() == []
    gone = next(Path(f"{out}.jobs").glob("lda-fold1-*.parquet"))
    gone.unlink()
    shutil.rmtree(out)
    assert run() == ["LDA 1 0"]
    pd.testing.assert_frame_equal(pd.read_parquet(out / "answers.parquet"), before)


def test_no_other_process_works_in_the_same_folder_meanwhile(run, tmp_path, monkeypatch):
    """Two would go on with each other's checkpoints, and delete them."""
    run_jobs, held = comparing.run_jobs, []

    def watched(*given):
        lock = FileLock(tmp_path / "out.lock")
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
        held.append(lock)
        run_jobs(*given)

    monkeypatch.setattr(comparing, "run_jobs", watched)
    run(["majority"])
    (lock,) = held
    lock.acquire(timeout=0)
    lock.release()


def test_a_row_of_one_s_own_that_was_edited_is_computed_again(run, monkeypatch):
    first = run(["k-NN"])
    monkeypatch.setitem(METHODS, "k-NN", replace(METHODS["k-NN"], settings=lambda config: "edited"))
    assert run(["k-NN"]) == first
    changed = replace(BASELINES["k-NN"], classifier=lambda seed: None)
    monkeypatch.setitem(compared_methods.BASELINES, "k-NN", changed)
    assert compared_methods.baseline("k-NN").settings(None) != METHODS["k-NN"].settings(None)
    plain = METHODS["CNN"].settings(CompareConfig())
    monkeypatch.setitem(ENCODERS, "long", Long)
    assert METHODS["CNN"].settings(CompareConfig()) != plain


def test_a_row_of_one_s_own_is_known_by_all_that_it_calls(monkeypatch):
    """Of models that lie in this project the hash of the code is one, and their answers are not."""
    knn, lda, svm = (BASELINES[name] for name in ("k-NN", "LDA", "SVM-RBF"))

    def made(name: str, minimum: int):
        return None

    mine = [
        knn,
        lda,
        replace(lda, grid=svm.grid),
        replace(lda, reads="covariances"),
        replace(lda, twin="ridge"),
        replace(lda, classifier=partial(made, "a")),
        replace(lda, classifier=partial(made, "b")),
    ]
    keys = set()
    for model in mine:
        monkeypatch.setitem(compared_methods.BASELINES, "mine", model)
        monkeypatch.setitem(METHODS, "mine", compared_methods.baseline("mine"))
        keys.add(compared_methods.method_key("mine", CompareConfig()))
    assert len(keys) == len(mine)


@pytest.mark.parametrize("out", ["out/", "./out//"])
def test_a_slash_behind_the_folder_moves_no_jobs_into_it(store, tmp_path, monkeypatch, out):
    """As the completion of a shell leaves it: the finished jobs went with the folder."""
    monkeypatch.chdir(tmp_path)
    for protocol in ("holdout", "gkf2"):
        compare(CompareConfig(str(store), out, ["majority"], protocol), progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.jobs"}
    assert len(list((tmp_path / "out.jobs").glob("majority-*.parquet"))) == 3


def test_an_output_on_another_machine_is_refused_before_anything_is_computed(store):
    with pytest.raises(
        ValueError, match=r"out is 'memory://bucket/out', a URL; give a folder on this machine"
    ):
        compare(CompareConfig(str(store), "memory://bucket/out", ["majority"], "holdout"), progress=False)


def test_targets_that_a_fold_cannot_learn_or_no_fold_scores_are_refused(rated):
    """As in a store of two data sets, of which one has emotions and the other ratings."""
    held = SegmentStore(str(rated))
    splits, table = make_splits(held.table, "loso"), held.table
    first, others = (
        table["subject"][splits[0].mask(table, part)].unique() for part in ("test", "validation")
    )
    targets = ["emotion", "valence"]
    held.table = table.assign(valence=table["valence"].where(table["subject"].isin(first)))
    with pytest.raises(
        ValueError, match=r"windows with labels, fold 0 has none of 'valence' in its train part"
    ):
        check_labelled(held, splits, targets, "test")
    held.table = table.assign(valence=table["valence"].mask(table["subject"].isin(others)))
    check_labelled(held, splits[:1], targets, "test", networks=False)
    with pytest.raises(
        ValueError, match=r"fold 0 has none of 'valence' in its validation part\. Leave a target"
    ):
        check_labelled(held, splits[:1], targets, "test")
    held.table = table.assign(valence=table["valence"].mask(table["subject"].isin(first)))
    with pytest.raises(ValueError, match=r"labels, no fold has any of 'valence' in its test part\."):
        check_labelled(held, splits[:1], targets, "test")


def test_votes_have_no_calibration(compared):
    """Of one-hot votes it would be the error rate."""
    rows = rows_of(compared)
    assert rows["SVM-RBF"]["ece"] is None
    assert rows["LDA"]["ece"] is not None
    assert rows["SVM-RBF"]["balanced_accuracy"] > 0


class Long(torch.nn.Module):
    """A network whose kernel is longer than any window."""

    def __init__(self, n_channels: int, frame_stride: int, dim: int):
        super().__init__()
        self.layer = torch.nn.Conv1d(n_channels, dim, 10**5)

    def forward(self, x):
        return self.layer(x)


class Telling(torch.nn.Module):
    """A network that refuses, and says what it would have read."""

    def __init__(self, n_channels: int, frame_stride: int, dim: int):
        raise ValueError(f"{n_channels} channels")


@pytest.mark.parametrize(
    ("network", "reads", "reason"),
    [
        (Long, "signals", "Kernel size can't be greater"),
        (Telling, "signals", "2 channels"),
        (Telling, "features", "{n_features} channels"),
    ],
)
def test_a_network_is_probed_on_what_it_reads(network, reads, reason, store, monkeypatch):
    store = SegmentStore(store)
    n_features = signal_inputs(store.segments(np.arange(1))).features.shape[1]
    streams = [StreamSpec("ecg", ("ecg",), 64.0, ("a", "b"), 640, 128)]
    monkeypatch.setitem(ENCODERS, "probed", network)
    monkeypatch.setitem(PRESETS, "probed", {"network": "probed", "reads": reads})
    monkeypatch.setitem(ROWS, "probed", "probed")
    said, _ = encoder("probed").probe(CompareConfig(targets=["emotion"]), store, streams)
    assert reason.format(n_features=n_features) in said


def test_only_what_a_change_touches_is_computed(run, monkeypatch):
    run()
    assert run([*FAST, "logistic regression"]) == ["logistic regression 0 0", "logistic regression 1 0"]
    assert run(encoder={"dim": 8}) == []
    assert len(run(normalisation="none")) == 6
    assert run() == []
    monkeypatch.setitem(compared_methods.CODE, "classical", ("biollm/baselines", "biollm/jobs.py"))
    assert len(run()) == 6


def test_other_code_of_the_report_makes_it_anew_of_the_answers_that_are_there(run, tmp_path, monkeypatch):
    run(["majority"])
    answers = tmp_path / "out" / "answers.parquet"
    before = answers.stat().st_mtime_ns
    assert run(["majority"]) == []
    assert answers.stat().st_mtime_ns == before
    monkeypatch.setattr(comparing, "REPORT", ("biollm/report_rows.py",))
    assert run(["majority"]) == []
    assert answers.stat().st_mtime_ns > before


def test_what_draws_no_random_numbers_is_run_with_one_seed(run):
    assert run(["LDA", "random forest"], seeds=[3, 4]) == [
        "LDA 0 3", "LDA 1 3",
        *(f"random forest {fold} {seed}" for fold in (0, 1) for seed in (3, 4)),
    ]  # fmt: skip


def test_a_job_that_fails_is_named_and_stops_no_other(run, tmp_path, monkeypatch):
    fit = METHODS["LDA"].run

    def failing(context):
        if context.split.fold == 1:
            raise np.linalg.LinAlgError("no convergence")
        return fit(context)

    method = compared_methods.replace(METHODS["LDA"], run=failing)
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "LDA", method)
        with pytest.raises(JobError, match=r"1 of 10 jobs failed:\n- LDA, fold 1, seed 0: .*no convergence"):
            run()
    assert not (tmp_path / "out").exists()
    assert run() == ["LDA 1 0"]


def test_unknown_names_are_refused_with_the_known_ones(tmp_path, store):
    with pytest.raises(ValueError, match=r"unknown are \['forest'\]; allowed are .*'random forest'.*'CNN'"):
        compare(CompareConfig(str(store), str(tmp_path / "out"), ["LDA", "forest"]), progress=False)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": ["mood"]},
        {"normalisation": "trial"},
        {"features": "all"},
        {"preset": "fast"},
        {"part": "train"},
        {"encoder": {"network": "cnn"}},
    ],
)
def test_wrong_choices_are_refused_before_anything_is_read(change):
    with pytest.raises(ValueError, match="unknown, allowed are"):
        CompareConfig("nowhere", "out", **change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seeds": [0, 0]}, r"seeds are \[0, 0\], allowed are one or more, each once"),
        ({"jobs": 0}, "jobs is 0, allowed is 1 or more"),
        (
            {"encoder": {"training": {"epoch": 3}}},
            r"encoder\.training: got the key 'epoch'; allowed are .*'epochs'",
        ),
        (
            {"encoder": {"network_options": {"GRU": {}, "GRU-X": {}}}},
            r"of \['GRU-X'\], allowed are rows .*'GRU-XNet'",
        ),
        ({"encoder": {"training": [1]}}, r"encoder\.training: got \[1\]; allowed are keys"),
        ({"encoder": {"training": {"epochs": 0}}}, "epochs is 0"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_read(change, told):
    with pytest.raises(ValueError, match=told):
        CompareConfig("nowhere", "out", **change)


@pytest.mark.parametrize(
    "encoder", [{"pooling": "max"}, {"objective": "contrast"}, {"dim": "x"}, {"fusion": 64}]
)
def test_what_no_network_takes_is_an_error_and_not_a_reason_to_leave_all_out(encoder, store, tmp_path):
    with pytest.raises(ValueError, match="CompareConfig: encoder: "):
        compare(
            CompareConfig(str(store), str(tmp_path / "out"), ["LDA", "CNN"], encoder=encoder), progress=False
        )


def test_options_that_a_row_refuses_are_an_error_and_not_a_reason_to_leave_it_out(store, tmp_path):
    wrong = {"network_options": {"TCN": {"steppes": 4}}}
    with pytest.raises(
        ValueError, match=r"encoder\.network_options of TCN: network_options has \['steppes'\]"
    ):
        compare(
            CompareConfig(str(store), str(tmp_path / "out"), ["LDA", "TCN"], encoder=wrong), progress=False
        )


def test_options_of_a_network_are_given_by_its_row():
    wanted = {"network_options": {"GRU-XNet": {"n_fft": 256}}, "dropout": 0.1}
    config = CompareConfig("nowhere", "out", encoder=wanted)
    made = {row: encoder_settings(row, config.encoder_settings, "full") for row in ("GRU-XNet", "TCN")}
    assert {row: settings["network_options"] for row, settings in made.items()} == {
        "GRU-XNet": {"n_fft": 256},
        "TCN": {},
    }
    assert made["TCN"]["dropout"] == 0.1


def test_options_by_stream_leave_what_the_row_has_of_them():
    wanted = {"network_options": {"Multimodal LSTM, lightweight": {"eeg": {"steps": 16}}}}
    config = CompareConfig("nowhere", "out", encoder=wanted)
    made, plain = (
        encoder_settings("Multimodal LSTM, lightweight", settings, "full")["network_options"]
        for settings in (config.encoder_settings, {})
    )
    assert made["eeg"] == {**plain["eeg"], "steps": 16}
    assert {**made, "eeg": plain["eeg"]} == plain


def test_targets_without_labels_are_refused_with_those_that_have_some(tmp_path, store):
    with pytest.raises(ValueError, match=r"no different labels for \['arousal'\].*are \['emotion'\]"):
        compare(CompareConfig(str(store), str(tmp_path / "out"), targets=["arousal"]), progress=False)


def test_why_nothing_is_applicable_is_said(tmp_path, store):
    with pytest.raises(ValueError, match="MDM: needs a stream 'eeg' or 'emg'") as caught:
        compare(CompareConfig(str(store), str(tmp_path / "out"), ["MDM", "FeatureGRU"]), progress=False)
    assert "FeatureGRU: reads precomputed features" in str(caught.value)


def test_a_leaking_split_fails_the_run(store, tmp_path):
    parts = dict(subject_holdout(SegmentStore(store).table).parts)
    parts[next(segment for segment, part in parts.items() if part == "test")] = "train"
    Split(parts, "leaky").save(tmp_path / "leaky.json")
    config = CompareConfig(str(store), str(tmp_path / "out"), FAST, split=str(tmp_path / "leaky.json"))
    with pytest.raises(LeakError, match="share 1 subjects"):
        compare(config, progress=False)


def compare_until_killed(store: str, out: str, n_jobs: int) -> None:
    """Kill this process as the given number of jobs has been written."""
    make_quick(pytest.MonkeyPatch())
    replace, written = os.replace, []

    def watched(source, target):
        replace(source, target)
        written.extend([target] if str(target).endswith(".parquet") else [])
        if len(written) == n_jobs:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = watched
    compare(CompareConfig(store, out, FAST, "gkf2"), progress=False)


def test_a_killed_run_goes_on_to_the_same_answers(run, store, tmp_path):
    run()
    whole = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    other = str(tmp_path / "killed")
    process = get_context("spawn").Process(target=compare_until_killed, args=(str(store), other, 4))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in Path(f"{other}.jobs").glob("*.parquet")}
    assert len(kept) == 4
    compare(CompareConfig(str(store), other, FAST, "gkf2"), progress=False)
    after = {path.name: path.stat().st_mtime_ns for path in Path(f"{other}.jobs").glob("*.parquet")}
    assert kept.items() <= after.items()
    assert len(after) == 10
    pd.testing.assert_frame_equal(pd.read_parquet(f"{other}/answers.parquet"), whole)


@pytest.fixture(scope="module")
def rated(tmp_path_factory) -> Path:
    """Emotions, ratings and transitions of eight simulated subjects, told by their skin conductance."""
    folder = tmp_path_factory.mktemp("rated")
    options = {"n_subjects": 8, "n_trials": 8, "rest_seconds": 20, "modalities": ["gsr"], "effect": 4.0}
    config = PrepareConfig(dataset="simulated", root=None, out=str(folder / "store"), reader_options=options)
    return prepare(config, progress=False)


def compare_rated(store: Path, out: Path, methods: list[str], **options) -> dict:
    config = CompareConfig(str(store), str(out), methods, "holdout", encoder=TINY, **options)
    return json.loads((compare(config, progress=False) / "report.json").read_text())


def test_emotions_ratings_and_transitions_stand_in_one_table(rated, tmp_path):
    report = compare_rated(
        rated, tmp_path / "out", ["majority", "logistic regression", "ridge", "LDA", "CNN"]
    )
    rows = {row["method"]: row for row in report["results"]}
    assert report["data"]["targets"] == ["emotion", "valence", "arousal", "transition"]
    assert report["data"]["not_applicable"] == ["ridge: answers for ratings in the row 'logistic regression'"]
    answered = {"balanced_accuracy", "valence_ccc", "arousal_mae", "transition_f1"}
    for name in ("majority", "logistic regression", "CNN", "CNN, shuffled labels"):
        assert answered <= set(rows[name])
    assert "valence_ccc" not in rows["LDA"]
    assert rows["logistic regression"]["arousal_ccc"] > 0.2 > rows["majority"]["arousal_ccc"]
    assert "ridge" in rows["logistic regression"]["note"]
    # The oracle knows the emotions, and must not be given the ratings of whichever row comes first.
    assert "valence_ccc" not in rows["ceiling (oracle)"]
    assert rows["CNN"]["history"]
    assert rows["CNN"]["parameters"] > 1000


def test_notes_that_differ_are_counted_over_folds_and_seeds():
    notes = pd.Series(["C=1"] * 4 + ["C=0.1"] * 2)  # three folds, two seeds
    assert report_rows._note(notes) == "C=1 (4 of 6 fits); C=0.1 (2 of 6 fits)"


def test_an_emotion_beyond_the_classes_is_scored_by_its_ratings_alone(rated, tmp_path, monkeypatch):
    """As where a manifest's option `classes` names some of its emotions."""
    monkeypatch.setattr(SegmentStore, "classes", property(lambda store: ("anger", "anxiety", "fear")))
    monkeypatch.setattr(report_rows, "ceiling_rows", lambda *given: ())  # the oracle knows all four
    report = compare_rated(rated, tmp_path / "out", ["majority"], targets=["emotion", "valence"])
    answers = predictions_of(tmp_path / "out").drop_duplicates("segment")
    row = next(row for row in report["results"] if row["method"] == "majority")
    assert row["n_segments"] == len(answers)
    assert sum(map(sum, row["confusion"])) == (answers["truth"] != "happiness").sum() < len(answers)


def test_ratings_alone_rank_by_their_agreement(rated, tmp_path):
    methods = ["majority", "ridge", "LDA", "logistic regression", "CNN"]
    report = compare_rated(rated, tmp_path / "out", methods, targets=["arousal"])
    assert report["data"]["primary"] == "ccc"
    assert report["data"]["classes"] == []
    assert {line.split(":")[0] for line in report["data"]["not_applicable"]} == {"LDA", "logistic regression"}
    table = SegmentStore(rated).table
    predictions = predictions_of(tmp_path / "out")
    ridge = predictions[predictions["method"] == "ridge"].set_index("segment")
    truth = table.set_index("segment")["arousal"][ridge.index]
    np.testing.assert_allclose(ridge["arousal_truth"], truth)
    # In the labels' own unit: the mean of answers is near that of the ratings, not near 0.
    assert abs(ridge["arousal"].mean() - table["arousal"].mean()) < table["arousal"].std()


def test_shuffled_ratings_keep_their_values_in_other_rows(store):
    inputs = signal_inputs(SegmentStore(store).segments(), 2.0)
    inputs.table["valence"] = np.where(np.arange(len(inputs)) % 3 == 0, np.nan, np.arange(len(inputs)) / 7)
    rows = np.flatnonzero((inputs.table["subject"] != "P0").to_numpy())
    before, after = (
        inputs.table["valence"],
        shuffle_labels(inputs, rows, ("calm", "tense"), 0).table["valence"],
    )
    assert before.isna().equals(after.isna())
    assert sorted(before.dropna()) == sorted(after.dropna())
    held = (inputs.table["subject"] == "P0").to_numpy()
    assert before[held].equals(after[held])
    assert abs(np.corrcoef(before[~held].dropna(), after[~held].dropna())[0, 1]) < 0.3
