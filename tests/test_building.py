"""The stage build: what is in its folder, that it goes on where it was stopped, that others read it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import biollm.building as building
from biollm.base_model import add_tokens, load_base_model, load_text_tokenizer
from biollm.building import BuildConfig, build, read_card, write_conversations
from biollm.data_card import conversation_lengths, dataset_info, token_rates
from biollm.finetuning import FinetuneConfig, _training_rows
from data_builders.sharegpt import Roles, ShareGPTError, read_sharegpt, to_messages
from data_builders.splits import Split
from data_builders.stage import read_stamp
from data_builders.store import SegmentStore
from data_builders.tokenized import TokenizedSegments
from data_builders.trainer_rules import TRAINER_RULES
from encoders.input_cache import store_inputs
from encoders.signal_tokenizer import SignalTokenizer
from prompts import language_folder, load_task

MIXED = "emotion=1, transition=0.5, compare=0.5, describe=0.5, dialogue=0.5, quality=0.25, refuse=0.25"
CALM = [1.0, 0.0]
BUILT = Roles("user", "assistant")
SETTINGS = {"tasks": MIXED, "sources": ["codes", "bins+levels"], "n_conversations": 120, "copies": 2}


@pytest.fixture(scope="module")
def mixed(store, conversations, make_base, tmp_path_factory) -> BuildConfig:
    """Settings for most tasks at once; `conversations` has made the signal tokenizer."""
    out = tmp_path_factory.mktemp("mixed") / "built"
    return BuildConfig(
        str(store), str(conversations.parent / "signal_tokenizer"), str(out), **SETTINGS, shard_size=50,
        model_name_or_path=make_base(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(mixed) -> Path:
    return build(mixed, progress=False)


def test_the_folder_holds_shards_segments_tokenizer_and_cards(built):
    files = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert {"train/00000.jsonl", "train/00001.jsonl", "train/00002.jsonl"} == {
        file for file in files if file.startswith("train/")
    }
    assert {"README.md", "card.json", "dataset_info.json", "token_lengths.png", "stage.json"} <= files
    assert {"segments/segments.json", "segments/00000.arrow"} <= files
    signals = SignalTokenizer.from_pretrained(built / "signal_tokenizer")
    signals.require(["codes", "bins", "levels"])
    listed = (built / "signal_tokens.txt").read_text().split()
    assert listed == signals.vocabulary(read_card(built)["sources"])[0]
    assert f"{len(listed)} tokens that no LLM knows" in (built / "README.md").read_text()


def test_no_test_subject_is_in_it(built, mixed):
    split = Split.load(Path(mixed.signal_tokenizer) / "split.json")
    rows = read_sharegpt(built / "train", BUILT)
    for row in rows:
        plain = row["segment"].removesuffix("~noise").removesuffix("~flat")
        assert split.parts[plain] == row["part"]
    assert {row["part"] for row in rows} == {"train", "validation"}


def test_the_card_counts_what_the_shards_hold(built):
    rows, counts = read_sharegpt(built / "train", BUILT), read_card(built)["counts"]
    for name in ("task", "source", "part", "subject"):
        assert counts[name] == dict(Counter(row[name] for row in rows))
    assert counts["label"] == dict(Counter(row["label"] or "none" for row in rows))
    total = 3.5
    assert abs(counts["task"]["emotion"] - 120 / total) <= 1
    assert abs(counts["task"]["refuse"] - 30 / total) <= 1


def test_values_are_said_of_texts_that_hold_them(built):
    for row in read_sharegpt(built / "train", BUILT):
        assert row["source"] == "bins+levels" or row["task"] not in ("describe", "dialogue", "compare")


def test_tasks_that_say_values_without_any_are_warned_about(mixed, tmp_path):
    config = replace(
        mixed, tasks="describe=1", sources=["codes"], out=str(tmp_path / "blind"), n_conversations=10
    )
    with pytest.warns(UserWarning, match=r"\['describe'\] say values.*\['codes'\].*Add the source levels"):
        build(config, progress=False)


def test_pairs_hold_two_signals_and_dialogues_more_than_one_answer(built):
    for row in read_sharegpt(built / "train", BUILT):
        if row["task"] in ("transition", "compare"):
            assert row["other_segment"] != row["segment"]
            assert row["other_segment"].split("/")[:2] == row["segment"].split("/")[:2]
        else:
            assert row["other_segment"] == ""
        if row["task"] == "dialogue":
            assert len(row["conversations"]) > 3


def test_a_stopped_run_goes_on_to_the_same_bytes(built, mixed, tmp_path, monkeypatch):
    """Killed when the first shard is there, with the tokenized segments before it."""
    config = replace(mixed, out=str(tmp_path / "built"))
    original = building.write_shards

    def stopped(shards, *where):
        next(original(shards[1:2], *where))
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "write_shards", stopped)
    with pytest.raises(KeyboardInterrupt):
        build(config, progress=False)
    kept = tmp_path / "built.partial" / "train" / "00001.jsonl"
    block = tmp_path / "built.partial" / "segments" / "00000.arrow"
    before = kept.stat().st_mtime_ns, block.stat().st_mtime_ns
    monkeypatch.undo()
    again = build(replace(config, jobs=2), progress=False)
    after = [again / path.relative_to(tmp_path / "built.partial") for path in (kept, block)]
    assert tuple(path.stat().st_mtime_ns for path in after) == before
    for file in sorted((built / "train").iterdir()):
        assert (again / "train" / file.name).read_bytes() == file.read_bytes()


def test_how_it_is_run_is_no_other_build(built, mixed):
    before = (built / "card.json").stat().st_mtime_ns
    build(replace(mixed, jobs=2), progress=False)
    assert (built / "card.json").stat().st_mtime_ns == before


def test_fine_tuning_trains_every_answer_once(built, mixed):
    tokenizer, card = load_text_tokenizer(mixed.model_name_or_path), read_card(built)
    dataset = _training_rows(FinetuneConfig(str(built)), card, tokenizer, 4096)
    answers = Counter()
    for row in read_sharegpt(built / "train", BUILT):
        messages = to_messages(row, BUILT)
        for k, message in enumerate(messages):
            if message["role"] == "assistant":
                answers[json.dumps(messages[: k + 1])] += 1
    assert Counter(json.dumps(row["prompt"] + row["completion"]) for row in dataset) == answers
    assert all(len(row["completion"]) == 1 for row in dataset)
    with pytest.raises(ShareGPTError, match="over max_length 40"):
        _training_rows(FinetuneConfig(str(built)), card, tokenizer, 40)


@pytest.fixture
def trl_made(built, mixed, tmp_path):
    """A function: the training rows that TRL's own trainer makes of the built files, as they are loaded."""

    def make(change=lambda dataset: dataset, **options):
        from datasets import load_dataset
        from trl import SFTConfig, SFTTrainer

        files = sorted(map(str, (built / "train").iterdir()))
        loaded = load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
        model = load_base_model(mixed.model_name_or_path, load_in_4bit=False)
        tokenizer = load_text_tokenizer(mixed.model_name_or_path)
        args = SFTConfig(output_dir=str(tmp_path), max_length=None, bf16=False, **options)
        return SFTTrainer(
            model=model, args=args, train_dataset=change(loaded), processing_class=tokenizer
        ).train_dataset, tokenizer

    return make


def test_trl_trains_the_files_unchanged_with_their_system_prompts(built, trl_made):
    made, tokenizer = trl_made()
    rows = read_sharegpt(built / "train", BUILT)
    assert len(made) == len(rows)
    for ids, row in zip(made["input_ids"], rows, strict=True):
        text = tokenizer.decode(ids)
        assert row["conversations"][0]["value"] in text
        assert text == tokenizer.apply_chat_template(to_messages(row, BUILT), tokenize=False)


def test_trl_trains_the_answers_alone_by_the_settings_that_are_printed(built, trl_made):
    from trl.data_utils import maybe_convert_to_chatml

    convert, option = TRAINER_RULES["trl"](BUILT).settings().splitlines()
    assert convert == 'dataset = dataset.map(maybe_convert_to_chatml, remove_columns="conversations")'
    assert option.startswith("SFTConfig(assistant_only_loss=True)")
    made, tokenizer = trl_made(
        lambda dataset: dataset.map(maybe_convert_to_chatml, remove_columns="conversations"),
        assistant_only_loss=True,
    )
    for labels, row in zip(made["labels"], read_sharegpt(built / "train", BUILT), strict=True):
        answers = [turn["value"] + "<|im_end|>" for turn in row["conversations"][2::2]]
        assert tokenizer.decode([token for token in labels if token != -100]) == "".join(answers)


def test_the_data_card_is_one_that_the_hub_reads(built, mixed):
    text = (built / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["license"] == "other"
    assert about["license_name"] == "as-its-owner-says"
    assert about["configs"][0]["data_files"] == [{"split": "train", "path": "train/*.jsonl"}]
    assert read_card(built)["split_hash"] in body
    assert SegmentStore(mixed.store).key in body
    assert "| emotion | " in body


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_datasets_loads_it_by_its_card(built, mixed, tmp_path, file_format):
    datasets = pytest.importorskip("datasets")
    folder = built
    if file_format != "jsonl":
        folder = build(replace(mixed, out=str(tmp_path / "built"), file_format=file_format), progress=False)
    for name in ("segments", "signal_tokenizer"):  # what the card does not name is not read
        assert (folder / name).is_dir()
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == read_sharegpt(folder / "train", BUILT)


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.zst", "parquet"])
def test_llama_factory_is_told_of_what_its_loader_knows(built, mixed, tmp_path, file_format):
    """Its loader reads all files of a folder and takes the last suffix for the type."""
    folder = tmp_path / "built"
    config = replace(mixed, out=str(folder), file_format=file_format, human_role="user", gpt_role="bot")
    build(config, progress=False)
    if file_format == "jsonl.zst":
        assert not (folder / "dataset_info.json").exists()
        assert "does not know `.zst`" in (folder / "README.md").read_text()
        return
    about = json.loads((folder / "dataset_info.json").read_text())["biollm"]
    known = {
        "json": "json",
        "jsonl": "json",
        "csv": "csv",
        "parquet": "parquet",
        "arrow": "arrow",
        "txt": "text",
    }
    files = list((folder / about["file_name"]).iterdir())
    assert {known[file.suffix[1:]] for file in files} == {known[file_format]}
    names, tags = about["columns"], about["tags"]
    assert about["formatting"] == "sharegpt"
    for row in read_sharegpt(files[0], config.roles):
        first, *roles = [turn[tags["role_tag"]] for turn in row[names["messages"]]]
        assert first == tags["system_tag"]
        assert roles == [tags["user_tag"], tags["assistant_tag"]] * (len(roles) // 2)
        assert all(turn[tags["content_tag"]] for turn in row[names["messages"]])


def test_answer_forms_and_system_prompts_can_be_fewer(mixed, tmp_path):
    emotion = replace(mixed, tasks={"emotion": 1}, n_conversations=200)
    heads, texts = [], load_task("emotion").texts
    for forms in (None, 1):
        folder = build(replace(emotion, answer_forms=forms, out=str(tmp_path / str(forms))), progress=False)
        rows = read_sharegpt(folder / "train", BUILT)
        heads.append(len({row["conversations"][0]["value"] for row in rows}))
        answers = {row["conversations"][2]["value"] for row in rows}
        # Two classes in each form.
        assert len(answers) == 2 * (forms or len(texts["answers"]))
    assert heads == [len(texts["system"]), 1]


def test_refusals_have_no_system_prompts_beside_those_that_are_answered(mixed, tmp_path):
    """A model that could tell a refusal from its system prompt would not look at the signal."""
    config = replace(mixed, tasks={"emotion": 1, "refuse": 0.5}, n_conversations=200, answer_forms=1)
    rows = list(
        read_sharegpt(build(replace(config, out=str(tmp_path / "few")), progress=False) / "train", BUILT)
    )
    heads = {task: {r["conversations"][0]["value"] for r in rows if r["task"] == task}
             for task in ("emotion", "refuse")}  # fmt: skip
    assert len(heads["emotion"]) == 1
    assert heads["refuse"] == heads["emotion"]


@pytest.mark.parametrize("mode", ["words", "digits"])
def test_modes_without_new_tokens_need_none(mixed, tmp_path, mode):
    folder = build(
        replace(
            mixed, signal_mode=mode, tasks={"emotion": 1}, sources=["bins"], n_conversations=20,
            model_name_or_path="nano", out=str(tmp_path / mode),
        ),
        progress=False,
    )  # fmt: skip
    tokenizer = SignalTokenizer.from_pretrained(folder / "signal_tokenizer")
    assert tokenizer.vocabulary(["bins"])[0] == []
    assert not any("<|" in row["conversations"][1]["value"] for row in read_sharegpt(folder / "train", BUILT))


def test_signals_are_spelled_alike_whatever_the_tasks_and_in_none_of_their_words(mixed):
    """An alignment stage would else teach other words than those that the stage behind it reads."""
    config = replace(mixed, signal_mode="words", sources=["bins"], model_name_or_path="nano",
                     label_words={"calm": "water"})  # fmt: skip
    tokenizer = SignalTokenizer.from_pretrained(Path(config.signal_tokenizer) / "signal_tokenizer")
    spellings = [
        building._in_mode(tokenizer, replace(config, tasks=tasks)).spelling
        for tasks in ({"emotion": 1}, {"describe": 1})
    ]
    assert spellings[0] == spellings[1]
    words = {text.strip() for token, text in spellings[0].items() if token[-4:-2].isdigit()}
    assert len(words) > 50
    texts = " ".join(file.read_text() for file in language_folder("en").glob("*.yaml")).lower()
    assert not words & {"water", "calm", "tense", *re.findall("[a-z]+", texts)}


def test_another_base_is_another_build(mixed, make_base, tmp_path):
    base = shutil.copytree(make_base(), tmp_path / "base")
    config = replace(
        mixed, tasks={"emotion": 1}, n_conversations=10, copies=0, model_name_or_path=str(base),
        out=str(tmp_path / "out"),
    )  # fmt: skip
    keys = []
    for _ in range(2):
        keys.append(read_stamp(build(config, progress=False), "build")["key"])
        template = base / "chat_template.jinja"
        template.write_text(template.read_text() + " ")
    assert keys[0] != keys[1]


def test_several_processes_count_with_the_same_tokenizer(built, mixed, tmp_path):
    """Signal tokens are added to it before it is sent to them."""
    card, tokens = read_card(built), (built / "signal_tokens.txt").read_text().split()
    tokenizer = load_text_tokenizer(mixed.model_name_or_path)
    files = sorted((built / card["file"]).iterdir())
    for k in range(4):  # enough for two processes
        shutil.copy(files[k % len(files)], tmp_path / f"{k}{files[0].suffix}")
    plain = conversation_lengths(tmp_path, card["roles"], tokenizer, (1, "local", None))
    add_tokens(tokenizer, tokens)
    one, two = (conversation_lengths(tmp_path, card["roles"], tokenizer, (n, "local", None)) for n in (1, 2))
    assert sorted(one) == sorted(two) != sorted(plain)


def test_token_rates_follow_the_windows(built):
    segments = TokenizedSegments(built / "segments")
    signals, tokenizer = (
        SignalTokenizer.from_pretrained(built / "signal_tokenizer"),
        load_text_tokenizer("nano"),
    )
    add_tokens(tokenizer, signals.vocabulary(["codes", "bins+levels"])[0])
    rates = token_rates(segments, tokenizer)
    assert set(rates) == {"codes", "bins+levels"}
    for rate in rates.values():
        # All windows of this store are 10 s long.
        assert rate["a second"] == pytest.approx(rate["a segment"] / 10)
        assert rate["a segment"] >= 1


def test_conversations_from_memory_are_those_of_the_stage(mixed, conversations, tmp_path):
    """Without augmented copies, whose noise is drawn by blocks of subjects, both ways give the same rows."""
    config = replace(
        mixed,
        tasks="emotion=1,compare=1,describe=1",
        copies=0,
        n_conversations=60,
        out=str(tmp_path / "stage"),
    )
    store = SegmentStore(config.store)
    folder = Path(config.signal_tokenizer)
    tokenizer = SignalTokenizer.from_pretrained(folder / "signal_tokenizer")
    signals = store_inputs(store, tokenizer.config.frame_seconds, features=tokenizer.config.features)
    split = Split.load(folder / "split.json")
    (tmp_path / "memory").mkdir()
    write_conversations(tmp_path / "memory", signals, tokenizer, split, store, config)
    build(config, progress=False)
    assert read_sharegpt(tmp_path / "memory" / "train", BUILT) == read_sharegpt(
        tmp_path / "stage" / "train", BUILT
    )


def test_classes_can_be_written_in_other_words(mixed, tmp_path):
    config = replace(mixed, tasks="emotion=1,dialogue=1", n_conversations=40, label_words={"calm": "ease"},
                     out=str(tmp_path / "built"))  # fmt: skip
    folder = build(config, progress=False)
    assert read_card(folder)["label_words"] == {"calm": "ease"}
    assert "ease, tense" in read_card(folder)["dialogue"]
    for row in read_sharegpt(folder / "train", BUILT):
        system, answer = (row["conversations"][k]["value"] for k in (0, 2))
        said = system + answer
        assert "ease, tense" in system
        assert "calm" not in said
        assert row["label"] in ("calm", "tense")
        if row["task"] == "emotion":
            assert ("ease" in answer) == (row["label"] == "calm")
    for words in ({"calm": "tense"}, {"joy": "ease"}):
        with pytest.raises(ValueError, match=r"allowed are words for the classes \['calm', 'tense'\]"):
            build(replace(config, label_words=words, out=str(tmp_path / "wrong")), progress=False)


def test_classes_can_be_asked_about_as_often_as_they_are(mixed, tmp_path):
    shares = []
    for balanced in (True, False):
        config = replace(mixed, tasks="emotion=1", n_conversations=800, balanced=balanced,
                         out=str(tmp_path / str(balanced)))  # fmt: skip
        rows = read_sharegpt(build(config, progress=False) / "train", BUILT)
        shares.append(np.mean([row["label"] == "calm" for row in rows]))
    table = SegmentStore(mixed.store).table
    split = Split.load(Path(mixed.signal_tokenizer) / "split.json")
    learned = table[
        table["segment"].map(split.parts).isin(["train", "validation"]) & table["emotion"].notna()
    ]
    assert shares[0] == 0.5
    assert shares[1] == pytest.approx((learned["emotion"] == "calm").mean(), abs=0.03)


def test_all_that_is_wrong_with_the_options_is_said_at_once():
    with pytest.raises(ValueError, match="BuildConfig") as error:
        BuildConfig(
            tasks="emotions=1,affect=0", engine="dask", signal_mode="floats", file_format="csv",
            n_conversations=1, conversations_per_segment=1,
        )  # fmt: skip
    for part in ("['emotions'] unknown", "'dialogue'", "'affect': 0.0", "dask", "floats", "csv", "not both"):
        assert part in str(error.value)
    with pytest.raises(ValueError, match=r"weight of 'emotion' is 'x'.*emotion=0\.5"):
        BuildConfig(tasks="emotion=x")
    with pytest.raises(ValueError, match=r"least_confidence is 1\.5, allowed is 0 to 1"):
        BuildConfig(least_confidence=1.5)
    with pytest.raises(ValueError, match="least_confidence is given without the task 'refuse'"):
        BuildConfig(least_confidence=0.5)
    with pytest.raises(ValueError, match="tasks is empty"):
        BuildConfig(tasks={})
    wrong = {
        "n_conversations": 0,
        "copies": -1,
        "jobs": 0,
        "max_length": 0,
        "shard_size": 0,
        "answer_forms": 0,
    }
    with pytest.raises(ValueError, match="allowed is 1 or more") as error:
        BuildConfig(**wrong, tasks="emotion=inf", human_role="system")
    for part in (
        *(f"{name} is {value}" for name, value in wrong.items()),
        "'emotion': inf",
        "human='system'",
    ):
        assert part in str(error.value)


def test_values_that_are_said_are_in_the_text_by_default():
    assert BuildConfig().sources == BuildConfig(tasks="emotion=1,outside=1").sources == ["codes+bins"]
    assert BuildConfig(tasks="emotion=1,describe=0.5").sources == ["codes+bins+levels"]
    assert BuildConfig(tasks="describe=1", sources=["codes"]).sources == ["codes"]


def test_refusals_are_asked_as_the_tasks_beside_them():
    asked = building._tasks(BuildConfig(tasks="emotion=1,describe=1,refuse=1"))["refuse"].others
    assert list(asked) == ["emotion", "describe"]
    alone = building._tasks(BuildConfig(tasks="refuse=1"))["refuse"].others
    assert list(alone) == list(load_task("refuse").others)


def test_weights_come_from_flags_and_recipes():
    wanted = {"emotion": 1.0, "affect": 0.5}
    for given in ("emotion=1,affect=0.5", '{"emotion": 1, "affect": 0.5}', {"emotion": 1, "affect": 0.5}):
        assert BuildConfig(tasks=given).tasks == wanted
    assert BuildConfig().tasks == {"emotion": 1.0}
    assert BuildConfig().n_conversations == 2400
    assert BuildConfig(conversations_per_segment=2).n_conversations is None


def test_an_unwritten_format_has_no_llama_factory_entry():
    assert dataset_info({"file_format": "jsonl.zst"}) is None


@pytest.mark.parametrize("points", [{}, {"valence": 9}])
def test_a_store_without_ratings_cannot_be_asked_about_affect(mixed, tmp_path, monkeypatch, points):
    config = replace(mixed, tasks="emotion=1,affect=1", rating_points=points, out=str(tmp_path / "built"))
    monkeypatch.setattr(building, "tokenize", lambda *_, **__: pytest.fail("all was tokenized before"))
    with pytest.raises(ValueError, match=r"have \{'valence': 0.* different ratings, too few for .*'affect'"):
        build(config, progress=False)
