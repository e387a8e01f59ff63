"""The evaluation: all rows on the same segments, controls, resuming."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from biollm.artefact import ArtefactError
from biollm.baselines import predict_baseline
from biollm.classical_methods import run_baseline
from biollm.context import Context, check_labelled
from biollm.controls import noise_for_signal, shuffle_labels
from biollm.experiment import EvaluateConfig, _jobs, evaluate, run_group, signal_inputs_of
from biollm.finished_artefacts import check_alike, check_splits
from biollm.llm_methods import _tuned
from biollm.methods import GROUPS
from data_builders.leaks import LeakError
from data_builders.splits import Split, make_splits, subject_holdout
from data_builders.stage import read_stamp
from data_builders.store import SegmentStore
from encoders.inputs import signal_inputs
from encoders.trainer import TrainEncoderConfig, train_encoder
from prompts import language_folder

SETTINGS = {
    "protocol": "gkf2",
    "sources": ["codes", "bins"],
    "tokenizer": {
        "encoder": {"dim": 16, "quantizer_options": {"codebook_size": 8}, "training": {"epochs": 3}}
    },
    "build": {"n_conversations": 160},
    "training": {"max_steps": 10},
}
NETWORKS = {"CNN", "TCN", "BiLSTM"}
EVERY_ROW = {
    "majority", "SVM-RBF", "extra trees", "CNN", "TCN", "BiLSTM", "encoder of the tokens",
    "encoder + extra trees",
    "LLM on floats", "LLM on codes", "LLM on codes, generated", "LLM on bins", "LLM on codes and bins",
    "LLM, shuffled labels", "LLM, noise for signal",
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluation(store, make_base, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation") / "out"
    config = EvaluateConfig(str(store), str(out), model_name_or_path=make_base(), **SETTINGS)
    return evaluate(config, progress=False)


def test_every_row_is_there_with_its_figures(evaluation):
    report = json.loads((evaluation / "report.json").read_text())
    assert {row["method"] for row in report["results"]} == EVERY_ROW
    assert all(0 <= row["balanced_accuracy"] <= 1 for row in report["results"])
    assert (evaluation / "report.html").is_file()


def test_every_row_answers_the_same_segments_once(evaluation, store):
    table = SegmentStore(store).table
    wanted = sorted(table.loc[table["on_grid"] & ~table["reference"], "segment"])
    frames = pd.concat(pd.read_parquet(path) for path in (evaluation / "jobs").glob("*.parquet"))
    for _, rows in frames.groupby("method"):
        assert sorted(rows["segment"]) == wanted


def test_what_reads_the_signal_reads_it_and_majority_does_not(evaluation):
    report = json.loads((evaluation / "report.json").read_text())
    found = {row["method"]: row["balanced_accuracy"] for row in report["results"]}
    assert found["extra trees"] > 0.9
    assert found["encoder of the tokens"] > 0.9
    assert found["majority"] == 0.5


def test_without_an_encoder_of_the_tokens_all_else_runs(store, make_base, tmp_path):
    settings = SETTINGS | {"tokenizer": {"encoder": None}, "sources": ["bins"], "groups": ["llm", "encoders"]}
    config = EvaluateConfig(str(store), str(tmp_path / "out"), model_name_or_path=make_base(), **settings)
    report = json.loads((evaluate(config, progress=False) / "report.json").read_text())
    assert {row["method"] for row in report["results"]} == {
        "LLM on bins",
        "LLM on bins, generated",
        *NETWORKS,
    }


def test_finished_jobs_are_not_run_again(store, make_base, tmp_path, monkeypatch):
    out = tmp_path / "out"
    config = EvaluateConfig(
        str(store), str(out), model_name_or_path=make_base(), groups=["classical"], **SETTINGS
    )
    ran = []
    methods = GROUPS["classical"].methods

    def failing(context):
        ran.append(context.split.fold)
        if len(ran) == 2:
            raise KeyboardInterrupt
        yield from methods(context)

    monkeypatch.setitem(GROUPS, "classical", type(GROUPS["classical"])(failing, cost=1))
    with pytest.raises(KeyboardInterrupt):
        evaluate(config, progress=False)
    assert not out.exists()
    evaluate(config, progress=False)
    assert ran == [0, 1, 1]


def test_an_artefact_is_evaluated_on_its_own_split_only(store, artefact_folder, conversations, tmp_path):
    split = conversations.parent / "signal_tokenizer" / "split.json"
    config = EvaluateConfig(
        str(store), str(tmp_path / "out"), split=str(split), artefact=[str(artefact_folder)], groups=["llm"]
    )
    report = json.loads((evaluate(config, progress=False) / "report.json").read_text())
    assert "LLM on codes+bins" in {row["method"] for row in report["results"]}
    other = tmp_path / "other.json"
    made = Split.load(split)
    table = SegmentStore(store).table
    different = next(s for s in (subject_holdout(table, seed=k) for k in range(9)) if s.hash != made.hash)
    different.save(other)
    config.split, config.out = str(other), str(tmp_path / "refused")
    with pytest.raises(ValueError, match=made.hash):
        evaluate(config, progress=False)


def test_an_artefact_whose_base_has_moved_is_evaluated_on_it(
    store, artefact_copy, conversations, make_base, tmp_path
):
    place = artefact_copy("made_elsewhere", {"model_name_or_path": "/gone/base"})
    options = {"split": str(conversations.parent / "signal_tokenizer" / "split.json"), "readouts": []}
    config = EvaluateConfig(str(store), str(tmp_path / "out"), artefact=[place], groups=["llm"], **options)
    with pytest.raises(FileNotFoundError, match=r"/gone/base: .* --model_name_or_path says where it is now"):
        evaluate(config, progress=False)
    with pytest.raises(ArtefactError, match=r"base model is \w+; the artefact was made with \w+"):
        evaluate(replace(config, groups=["classical"], model_name_or_path=make_base(seed=1)), progress=False)
    report = evaluate(replace(config, model_name_or_path=make_base()), progress=False) / "report.json"
    assert "LLM on codes+bins" in {row["method"] for row in json.loads(report.read_text())["results"]}


def test_a_new_artefact_in_the_old_place_is_evaluated_anew(store, artefact_folder, conversations, tmp_path):
    split = conversations.parent / "signal_tokenizer" / "split.json"
    place = shutil.copytree(artefact_folder, tmp_path / "artefact")
    options = {
        "split": str(split),
        "artefact": [str(place)],
        "groups": ["classical"],
        "out": str(tmp_path / "out"),
    }
    before = read_stamp(evaluate(EvaluateConfig(str(store), **options), progress=False), "evaluate")["key"]
    stamp = json.loads((place / "stage.json").read_text())
    (place / "stage.json").write_text(json.dumps(stamp | {"key": "another"}))
    after = read_stamp(evaluate(EvaluateConfig(str(store), **options), progress=False), "evaluate")["key"]
    assert before != after


def test_artefacts_of_one_split_are_seeds_with_a_mean(
    store, artefact_folder, artefact_copy, conversations, tmp_path
):
    """And the rows beside them have as many, so that a mean is held against a mean."""
    both = [str(artefact_folder), artefact_copy("second")]
    settings = {
        "split": str(conversations.parent / "signal_tokenizer" / "split.json"),
        "groups": ["llm", "classical"],
        "readouts": [],
    }
    for artefacts, seeds, seen in ((both, [5], [0, 5]), (both[:1], [3], [3])):
        out = tmp_path / f"out-{len(seen)}"
        config = EvaluateConfig(str(store), str(out), artefact=artefacts, seeds=seeds, **settings)
        report = json.loads((evaluate(config, progress=False) / "report.json").read_text())
        rows = {row["method"]: row["note"] for row in report["results"]}
        assert report["split"]["seeds"] == seen
        assert {"LLM on codes+bins", "encoder + extra trees"} <= set(rows)
        for name in ("LLM on codes+bins, ensemble", "encoder + extra trees, ensemble"):
            assert ("mean of 2 seeds" in rows.get(name, "")) == (len(seen) > 1)
    frames = [pd.read_parquet(path) for path in sorted((tmp_path / "out-2" / "jobs").glob("llm-*.parquet"))]
    assert [frame["seed"].unique().tolist() for frame in frames] == [[0], [5]]
    pd.testing.assert_frame_equal(*(frame[["segment", "method", "p_calm"]] for frame in frames))  # of a copy


def test_artefacts_are_seeds_of_the_fold_that_each_was_made_on(store, artefact_copy, tmp_path, monkeypatch):
    """Each is read once, whatever the seeds and `once` say."""
    splits = make_splits(SegmentStore(store).table, "gkf4")[:2]
    made = [
        artefact_copy(f"{seed}-{split.fold}", {"split_hash": split.hash})
        for seed in range(2)
        for split in splits
    ]
    assert check_splits(made, splits) == 2
    config = EvaluateConfig(str(store), seeds=[3, 4, 5], artefact=made, groups=["classical", "llm"])
    config.once = ["classical", "llm"]
    names = {job.name for job in _jobs(config, splits, tmp_path, False, 2)}
    assert names == {f"llm-fold{fold}-seed{seed}" for fold in (0, 1) for seed in (3, 4)} | {
        "classical-fold0-seed3", "classical-fold1-seed3",
    }  # fmt: skip
    read = []

    class Read(Exception):
        pass

    def load(folder, base):
        read.append(folder)
        raise Read

    monkeypatch.setattr("biollm.artefact.load_artefact", load)
    for split in splits:
        split.save(tmp_path / f"split-{split.fold}.json")
        for seed in (3, 4):
            with pytest.raises(Read):
                run_group("llm", split.fold, seed, config, tmp_path, progress=False)
    assert read == [made[0], made[2], made[1], made[3]]


def test_artefacts_without_a_split_and_splits_without_artefacts_are_named(store, artefact_copy):
    splits = make_splits(SegmentStore(store).table, "gkf4")[:2]
    first, second = (artefact_copy(f"of-{split.fold}", {"split_hash": split.hash}) for split in splits)
    with pytest.raises(ValueError, match=r"{0: 1, 1: 0}"):
        check_splits([first], splits)
    with pytest.raises(ValueError, match=r"none of the 1 splits here: .*of-1 \("):
        check_splits([first, second], splits[:1])
    with pytest.raises(ValueError, match="more than once"):
        check_splits([first, f"{first}/"], splits)
    assert check_splits([], [splits[0], replace(splits[0], fold=7)]) == 0


def test_networks_beside_the_llm_have_no_options_of_its_encoder(store, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr("biollm.methods.run_encoder", lambda context, name, settings: taken.append(settings))
    make_splits(SegmentStore(store).table, "gkf4")[0].save(tmp_path / "split-0.json")
    encoder = {"network": "gru_xnet", "network_options": {"stft": "deap"}, "dim": 16}
    config = EvaluateConfig(str(store), tokenizer={"encoder": encoder})
    with pytest.raises(AttributeError):  # of None, in place of the networks' answers
        run_group("encoders", 0, 0, config, tmp_path, progress=False)
    assert taken[0]["network"] == "cnn"
    assert taken[0]["network_options"] == {}
    assert taken[0]["dim"] == 16


SIGNALS = "signal_tokenizer/signal_tokenizer.json"


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        ("artefact.json", {"sources": ["bins"]}, r"sources is \['bins'\], that of "),
        ("artefact.json", {"base_fingerprint": "other"}, "base_fingerprint is 'other'"),
        ("artefact.json", {"store": {"hash": "other"}}, "store is 'other'"),
        (
            SIGNALS,
            {"config": {"encoder": {"training": {"epochs": 99}}}},
            "signal tokenizer.encoder.training.epochs is 99",
        ),
        ("stage.json", {"inputs": {"config": {"lora_r": 2}}}, "finetune.lora_r is 2"),
        ("stage.json", {"inputs": {"training": {"max_steps": 9}}}, "training.max_steps is 9"),
    ],
)
def test_artefacts_of_one_table_are_alike(
    store, artefact_folder, artefact_copy, tmp_path, file, change, named
):
    other = artefact_copy("other", change, file)
    artefacts = [str(artefact_folder), artefact_copy("alike"), other]
    config = EvaluateConfig(str(store), str(tmp_path / "out"), artefact=artefacts)
    with pytest.raises(ValueError, match=f"by themselves:\n- {other}: {named}"):
        evaluate(config, progress=False)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("artefact.json", {"store": {"key": "prepared by other code, to the same"}}),
        (SIGNALS, {"config": {"encoder": {"training": {"seed": 7}}}}),
        ("stage.json", {"inputs": {"training": {"seed": 7}}}),
        ("stage.json", {"inputs": {"training": {"per_device_train_batch_size": 4}}}),
    ],
)
def test_seeds_and_machines_are_no_difference(artefact_folder, artefact_copy, file, change):
    check_alike([str(artefact_folder), artefact_copy("other", change, file)])


def test_an_artefact_of_another_store_is_refused(store, artefact_copy, tmp_path):
    other = artefact_copy("other", {"store": {"hash": "other"}})
    config = EvaluateConfig(str(store), str(tmp_path / "out"), artefact=[other])
    with pytest.raises(ValueError, match="was made from other, other data or otherwise prepared"):
        evaluate(config, progress=False)


def test_folds_without_labels_are_refused_before_anything_is_computed(store, monkeypatch):
    held = SegmentStore(store)
    splits = make_splits(held.table, "loso")
    first, *others = splits
    bare = held.table["subject"].isin(held.table["subject"][first.mask(held.table, "test")])
    held.table = held.table.assign(emotion=held.table["emotion"].mask(bare))
    with pytest.raises(ValueError, match=r"fold 0 has none of \['emotion'\] in its test part\. Leave a"):
        check_labelled(held, splits, ["emotion"], "test")
    check_labelled(held, others, ["emotion"], "test")


def test_a_finished_artefact_normalises_by_itself_whoever_is_known(store, tmp_path, monkeypatch):
    made = make_splits(SegmentStore(store).table, "shuffled3")[0]
    made.save(tmp_path / "split-0.json")
    seen = {}

    class Seen(Exception):
        pass

    def features(context):
        seen[bool(context.config.artefact)] = context.inputs.features
        raise Seen

    monkeypatch.setitem(GROUPS, "llm", type(GROUPS["llm"])(features, cost=1))
    for artefact in ([], ["an artefact"]):
        config = EvaluateConfig(str(store), normalisation="subject", artefact=artefact)
        with pytest.raises(Seen):
            run_group("llm", 0, 0, config, tmp_path, progress=False)
    plain = signal_inputs_of(EvaluateConfig(str(store)), SegmentStore(store)).features
    np.testing.assert_array_equal(seen[True], plain)
    assert not np.allclose(seen[False], plain, equal_nan=True)


@pytest.mark.parametrize(
    "change",
    [
        {"sources": ["codes+levels"]},
        {"build": {"tasks": "emotion=1,describe=1"}},
        {"build": {"tasks": "emotion=1,refuse=.2"}},
    ],
)
def test_nothing_is_said_to_be_measured_of_known_subjects(store, tmp_path, change):
    config = EvaluateConfig(str(store), str(tmp_path / "out"), "shuffled3", groups=["classical"], **change)
    with pytest.raises(
        ValueError, match=r"(levels|describe|refuse)'\] say measured values, or .* in 'leaky: shuff"
    ):
        evaluate(config, progress=False)


def test_other_libraries_make_another_evaluation(store, tmp_path, monkeypatch):
    config = EvaluateConfig(str(store), str(tmp_path / "out"), "gkf2", groups=["classical"])
    keys = [read_stamp(evaluate(config, progress=False), "evaluate")["key"]]
    monkeypatch.setattr("biollm.experiment.library_versions", lambda names: ["0"])
    keys.append(read_stamp(evaluate(config, progress=False), "evaluate")["key"])
    assert keys[0] != keys[1]


@pytest.mark.parametrize("stage", ["build", "alignment"])
def test_an_evaluation_in_other_wordings_is_another_one(store, tmp_path, stage):
    language = shutil.copytree(language_folder("en"), tmp_path / "mine")
    config = EvaluateConfig(
        str(store), str(tmp_path / "out"), protocol="gkf2", groups=["classical"],
        **{stage: {"language": str(language)}},
    )  # fmt: skip
    keys = []
    for wording in ("", "# another\n", ""):
        with (language / "emotion.yaml").open("a") as file:
            file.write(wording)
        keys.append(read_stamp(evaluate(config, progress=False), "evaluate")["key"])
    assert keys[0] != keys[1] == keys[2]


def test_beside_an_artefact_all_rows_have_its_settings(store, artefact_folder, conversations, tmp_path):
    split = conversations.parent / "signal_tokenizer" / "split.json"
    config = EvaluateConfig(
        str(store), str(tmp_path / "out"), split=str(split), artefact=[str(artefact_folder)],
        groups=["classical"], normalisation="none",
    )  # fmt: skip
    report = json.loads((evaluate(config, progress=False) / "report.json").read_text())
    assert report["data"]["normalisation"] == "subject"
    assert (
        report["split"]["base_model"]
        == json.loads((artefact_folder / "artefact.json").read_text())["model_name_or_path"]
    )


def test_shuffled_labels_keep_counts_and_touch_only_the_given_rows(store):
    inputs = signal_inputs(SegmentStore(store).segments(), 2.0)
    rows = np.flatnonzero((inputs.table["subject"] != "P0").to_numpy())
    labels = shuffle_labels(inputs, rows, ("calm", "tense"), seed=0).table["emotion"]
    before = inputs.table["emotion"]
    assert labels.value_counts().to_dict() == before.value_counts().to_dict()
    assert labels[inputs.table["subject"] == "P0"].equals(before[inputs.table["subject"] == "P0"])
    known = before.notna()
    assert 0.3 < (labels[known] != before[known]).mean() < 0.6


def test_noise_keeps_nothing_of_the_signal(store):
    inputs = signal_inputs(SegmentStore(store).segments(), 2.0)
    noise = noise_for_signal(inputs, seed=0)
    for name, data in inputs.streams.items():
        assert noise.streams[name].shape == data.shape
        assert abs(np.corrcoef(noise.streams[name].ravel(), data.ravel())[0, 1]) < 0.05
    assert list(noise.features.columns) == list(inputs.features.columns)
    assert not noise.features.isna().any(axis=None)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "loso-all"},
        {"groups": ["classical", "oracle"]},
        {"part": "train"},
        {"tokenizer": {"n_bin": 4}},
        {"build": {"seed": 3}},
        {"alignment": {"tasks": {"emotions": 1}}},
        {"sources": ["codes", "floats"]},
        {"artefact": ["somewhere"], "part": "validation"},
        {"artefact": "somewhere"},
        {"artefact": None},
    ],
)
def test_wrong_choices_are_refused_before_anything_is_read(tmp_path, store, change):
    with pytest.raises(ValueError, match=r"allowed are|may not hold|must be 'test'"):
        evaluate(EvaluateConfig(str(store), str(tmp_path / "out"), **change), progress=False)


@pytest.mark.parametrize(
    ("stage", "config"), [(train_encoder, TrainEncoderConfig), (evaluate, EvaluateConfig)]
)
def test_a_leaking_split_fails_the_run(store, tmp_path, stage, config):
    table = SegmentStore(store).table
    honest = subject_holdout(table)
    parts = dict(honest.parts)
    stolen = next(segment for segment, part in parts.items() if part == "test")
    parts[stolen] = "train"
    Split(parts, "leaky").save(tmp_path / "leaky.json")
    options = {"store": str(store), "out": str(tmp_path / "out"), "split": str(tmp_path / "leaky.json")}
    with pytest.raises(LeakError, match="share 1 subjects"):
        stage(config(**options), progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seeds": [0, 0]}, "each once"),
        ({"jobs": 0}, "1 or more"),
        ({"n_phrasings": 0}, "n_phrasings is 0, allowed is 1 or more"),
        ({"normalisation": "subjekt"}, r"normalisation \['subjekt'\] unknown"),
        ({"tokenizer": {"encoder": {"dimm": 3}}}, r"tokenizer\.encoder \['dimm'\] unknown"),
        ({"training": {"max_stepz": 5}}, r"training \['max_stepz'\] unknown"),
    ],
)
def test_what_would_end_a_job_is_refused_before(change, told):
    with pytest.raises(ValueError, match=told):
        EvaluateConfig("nowhere", **change)


@pytest.mark.parametrize(("part", "fitted"), [("test", {"train", "validation"}), ("validation", {"train"})])
def test_nothing_is_fitted_on_the_part_that_is_scored(store, tmp_path, monkeypatch, part, fitted):
    """Neither a baseline nor an LLM."""
    opened, seen = SegmentStore(store), []
    split = subject_holdout(opened.table)
    config = EvaluateConfig(str(store), part=part)
    context = Context(signal_inputs(opened.segments()), split, opened, config, 0, tmp_path, False)

    def predict(model, *given, **options):
        seen.extend(set(inputs.table["segment"].map(split.parts)) for inputs in given[:2])
        return predict_baseline(model, *given, **options)

    def write(place, inputs, tokenizer, split, *rest):
        seen.append(set(split.parts.values()) - {"test"})  # whose rows no conversation has

    monkeypatch.setattr("biollm.classical_methods.predict_baseline", predict)
    monkeypatch.setattr("biollm.building.write_conversations", write)
    monkeypatch.setattr("biollm.finetuning.finetune", lambda *_: None)
    run_baseline(context, "majority")
    _tuned(context, None, None, ["bins"], tmp_path, {}, {}, None)
    assert seen == [fitted, {part}, fitted]
    assert set(context.inputs.table["segment"].iloc[context.scored].map(split.parts)) == {part}
