from __future__ import annotations

import json
import os
from collections.abc import Sequence

import numpy as np
import pytest

from data_builders.sharegpt import (
    Roles,
    ShareGPTError,
    check_token_lengths,
    iter_sharegpt,
    read_sharegpt,
    render_token_lengths,
    to_messages,
    to_prompt_completions,
    token_length_report,
    token_lengths,
    write_sharegpt,
)

SUFFIXES = (".jsonl", ".jsonl.zst", ".parquet")


SYSTEM = {"from": "system", "value": "Classes: relax, stress."}


def make_row(
    number: int, human: str = "human", gpt: str = "gpt", n_exchanges: int = 1, first: Sequence = (), **extra
) -> dict:
    turns = [dict(turn) for turn in first]
    for exchange in range(n_exchanges):
        turns += [
            {"from": human, "value": f"<|gsr_scr_rate_0{exchange}|> which state, µS?\u2028Line two"},
            {"from": gpt, "value": "stress"},
        ]
    ids = {"dataset": "simulated", "subject": f"s{number % 3}", "segment": f"s{number % 3}/{number}"}
    return {"conversations": turns, "id": f"row-{number}", **ids, **extra}


def write_lines(path, *rows) -> None:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("names", [{}, {"human": "user", "gpt": "assistant"}])
def test_what_is_written_is_read_back(tmp_path, suffix, names):
    path = tmp_path / "new_folder" / f"train{suffix}"
    rows = [make_row(n, **names, n_exchanges=1 + n % 3, first=[SYSTEM] * (n % 5 > 0)) for n in range(2500)]
    rows[7]["system"] = rows[7]["conversations"].pop(0)["value"]
    rows[8]["valence"] = 0.25
    rows[9]["on_grid"] = True
    assert write_sharegpt(iter(rows), path, Roles(**names)) == 2500
    assert read_sharegpt(path, Roles(**names)) == rows
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_files_load_with_datasets(tmp_path, suffix):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / f"train{suffix}"
    rows = [make_row(n, fold=n) for n in range(5)]
    write_sharegpt(rows, path)
    kind = {".jsonl": "json", ".parquet": "parquet"}[suffix]
    loaded = datasets.load_dataset(kind, data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded.to_list() == rows


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numpy_scalars_become_plain_and_none_is_left_out(tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    rows = [make_row(0, fold=np.int64(2), start=np.float32(0.5), emotion=None), make_row(1, fold=3, start=1)]
    write_sharegpt(rows, path)
    first, second = read_sharegpt(path)
    assert (first["fold"], first["start"], second["start"]) == (2, 0.5, 1.0)
    assert type(first["fold"]) is int
    assert "emotion" not in first


def broken(change) -> dict:
    row = make_row(1)
    change(row)
    return row


def set_turn(index, key, value):
    return lambda row: row["conversations"][index].__setitem__(key, value)


BROKEN = {
    "no conversations": (lambda row: row.pop("conversations"), "key 'conversations': missing"),
    "no id": (lambda row: row.pop("id"), "key 'id': missing"),
    "id is a number": (lambda row: row.update(id=4), "key 'id': got 4"),
    "empty conversations": (lambda row: row.update(conversations=[]), "key 'conversations': got []"),
    "question without answer": (lambda row: row["conversations"].pop(), "got 1 turns"),
    "answer first": (lambda row: row["conversations"].reverse(), r"'conversations[0].from': got 'gpt'"),
    "two questions": (
        set_turn(1, "from", "human"),
        "'conversations[1].from': got 'human'; allowed here is 'gpt'",
    ),
    "unknown role": (
        set_turn(0, "from", "user"),
        "'conversations[0].from': got 'user'; allowed here is 'human'",
    ),
    "empty answer": (set_turn(1, "value", " "), "'conversations[1].value': got ' '"),
    "answer is null": (set_turn(1, "value", None), "'conversations[1].value': got None"),
    "surplus turn key": (set_turn(1, "weight", 1), "key 'conversations[1]': got"),
    "turn is text": (lambda row: row["conversations"].__setitem__(0, "hello"), "[0]': got 'hello'"),
    "half a surrogate": (set_turn(1, "value", "\ud83d"), "surrogate"),
    "nested extra": (lambda row: row.update(meta={"a": 1}), "key 'meta': got {'a': 1} (dict)"),
    "not finite": (lambda row: row.update(valence=float("nan")), "key 'valence': got nan"),
    "empty system": (lambda row: row.update(system=""), "key 'system': got ''"),
    "empty turn of the system": (
        lambda row: row["conversations"].insert(0, SYSTEM | {"value": ""}),
        "key 'conversations[0].value': got ''",
    ),
    "two system prompts": (
        lambda row: row.update(conversations=[SYSTEM, *row["conversations"]], system="Be brief."),
        "key 'system': got 'Be brief.' beside a first turn from 'system'. Drop one",
    ),
    "system and no more": (
        lambda row: row.update(conversations=[SYSTEM]),
        "got 0 turns behind that of the system",
    ),
    "system without an answer": (
        lambda row: row.update(conversations=[SYSTEM, row["conversations"][0]]),
        "got 1 turns behind that of the system",
    ),
    "answer behind the system": (
        lambda row: row.update(conversations=[SYSTEM, *row["conversations"][1:], *row["conversations"][1:]]),
        "'conversations[1].from': got 'gpt'; allowed here is 'human'",
    ),
    "same id": (lambda row: row.update(id="row-0"), "key 'id': got 'row-0', which"),
    "changing type": (lambda row: row.update(subject=7), "key 'subject': got 7 (integer); the rows before"),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_refused_on_write(tmp_path, name, suffix):
    change, message = BROKEN[name]
    path = tmp_path / f"train{suffix}"
    with pytest.raises(ShareGPTError) as error:
        write_sharegpt([make_row(0), broken(change), make_row(2)], path)
    assert f"{path}: row 2: " in str(error.value)
    assert message in str(error.value)
    assert str(error.value).count("\n") <= 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", sorted(set(BROKEN) - {"not finite"}))
def test_a_broken_row_is_refused_on_read(tmp_path, name):
    change, message = BROKEN[name]
    path = tmp_path / "train.jsonl"
    write_lines(path, make_row(0), broken(change), make_row(2))
    with pytest.raises(ShareGPTError) as error:
        read_sharegpt(path)
    assert f"{path}: line 2: " in str(error.value)
    assert message in str(error.value)


def test_a_broken_parquet_row_is_refused_on_read(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "train.parquet"
    rows = [make_row(0), broken(set_turn(1, "value", None)), broken(lambda row: row.update(id=None))]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    with pytest.raises(ShareGPTError) as error:
        read_sharegpt(path)
    assert f"{path}: row 2: key 'conversations[1].value': got None" in str(error.value)
    assert f"{path}: row 3: key 'id': missing" in str(error.value)


def test_invalid_json_is_named_by_its_line_among_all_problems(tmp_path):
    path = tmp_path / "train.jsonl"
    nan = json.dumps(make_row(4, valence=float("nan"))) + "\n"
    write_lines(path, make_row(0), "\n", '{"id": \n', make_row(0), "[1]\n", nan)
    with pytest.raises(ShareGPTError) as error:
        read_sharegpt(path)
    lines = str(error.value).splitlines()
    assert [line.removeprefix(f"{path}: line ")[0] for line in lines] == ["3", "4", "5", "6"]
    assert "not valid JSON" in lines[0]
    assert "line 1 has too" in lines[1]
    assert "NaN is no JSON number" in lines[3]


def test_rows_before_the_first_problem_are_yielded_and_none_after(tmp_path):
    path = tmp_path / "train.jsonl"
    write_lines(path, make_row(0), make_row(1), "{\n", make_row(2))
    rows = iter_sharegpt(path)
    assert [next(rows)["id"], next(rows)["id"]] == ["row-0", "row-1"]
    with pytest.raises(ShareGPTError):
        next(rows)


def test_many_problems_are_shown_up_to_twenty_and_counted(tmp_path):
    rows = [make_row(n) | {"conversations": []} for n in range(50)]
    with pytest.raises(ShareGPTError) as error:
        write_sharegpt(rows, tmp_path / "train.jsonl")
    lines = str(error.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 30 more problems (50 in all)"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_write_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    write_sharegpt([make_row(0)], path)

    def interrupted():
        yield make_row(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sharegpt(interrupted(), path)
    with pytest.raises(ShareGPTError, match="no rows"):
        write_sharegpt([], path)
    assert [row["id"] for row in read_sharegpt(path)] == ["row-0"]
    assert os.listdir(tmp_path) == [path.name]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ShareGPTError, match=r"suffix '.csv'; allowed are .jsonl, .jsonl.zst, .parquet"):
        write_sharegpt([make_row(0)], tmp_path / "train.csv")
    (tmp_path / "train.parquet").write_text("{}")
    with pytest.raises(ShareGPTError, match="not a Parquet file"):
        read_sharegpt(tmp_path / "train.parquet")
    (tmp_path / "train.jsonl.zst").write_text("{}")
    with pytest.raises(ShareGPTError, match="line 1: the zstd stream is broken"):
        read_sharegpt(tmp_path / "train.jsonl.zst")
    with pytest.raises(ValueError, match="two different"):
        Roles(human="gpt")


def test_messages_carry_every_turn_under_the_names_of_chat_templates():
    roles = Roles(human="frage", gpt="antwort")
    row = make_row(0, human="frage", gpt="antwort", n_exchanges=2, first=[SYSTEM])
    messages = to_messages(row, roles)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert [m["content"] for m in messages] == [turn["value"] for turn in row["conversations"]]
    assert [m["role"] for m in to_messages(make_row(0))] == ["user", "assistant"]
    with pytest.raises(ShareGPTError, match="'frage'"):
        to_messages(row)


def test_a_system_prompt_under_its_key_is_read_as_if_it_were_the_first_turn():
    row = make_row(0, n_exchanges=2)
    turn = row | {"conversations": [SYSTEM, *row["conversations"]]}
    assert to_messages(row | {"system": SYSTEM["value"]}) == to_messages(turn)


def test_the_system_may_speak_first_only_and_is_no_side():
    row = make_row(0, n_exchanges=2)
    row["conversations"].insert(2, SYSTEM)
    with pytest.raises(ShareGPTError, match=r"\[2\].from': got 'system'.* is the first turn, from 'system'"):
        to_messages(row)
    with pytest.raises(ValueError, match="'system' is the name of the turn"):
        Roles(human="system")


def test_every_answer_is_completed_once_with_all_before_it_as_its_prompt():
    row = make_row(0, n_exchanges=3, first=[SYSTEM])
    messages = to_messages(row)
    parts = to_prompt_completions(row)
    assert [part["prompt"] + part["completion"] for part in parts] == [messages[:3], messages[:5], messages]
    assert [part["completion"] for part in parts] == [[messages[k]] for k in (2, 4, 6)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_of_shards_is_read_in_order(tmp_path, suffix):
    rows = [make_row(n) for n in range(25)]
    for shard in (2, 0, 1):
        write_sharegpt(rows[10 * shard : 10 * shard + 10], tmp_path / f"0000{shard}{suffix}")
    assert read_sharegpt(tmp_path) == rows


def test_ids_are_unique_over_all_shards(tmp_path):
    """Each file is right by itself, and the repeated id is in the same line of both."""
    for shard in range(2):
        write_sharegpt([make_row(shard), make_row(5)], tmp_path / f"{shard}.jsonl")
    with pytest.raises(
        ShareGPTError, match=r"1\.jsonl: line 2: key 'id': got 'row-5', which line 2 of 0\.jsonl has too"
    ):
        read_sharegpt(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ShareGPTError, match=r"got files of the formats \[\]"):
        read_sharegpt(tmp_path)
    write_sharegpt([make_row(0)], tmp_path / "0.jsonl")
    write_sharegpt([make_row(1)], tmp_path / "1.jsonl.zst")
    with pytest.raises(ShareGPTError, match=r"formats \['jsonl', 'jsonl.zst'\]"):
        read_sharegpt(tmp_path)
    (tmp_path / "1.jsonl.zst").rename(tmp_path / "notes.txt")
    with pytest.raises(ShareGPTError, match=r"notes\.txt: got the suffix '\.txt'"):
        read_sharegpt(tmp_path)


def test_a_list_in_one_file_of_json_is_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([make_row(0), make_row(1)]))
    assert read_sharegpt(tmp_path / "a.json") == [make_row(0), make_row(1)]
    (tmp_path / "b.json").write_text(json.dumps(make_row(0)))
    with pytest.raises(ShareGPTError, match=r"b\.json: row 1: .*allowed is a list of rows"):
        read_sharegpt(tmp_path / "b.json")


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps(make_row(0)) + "\n", "utf-8")
    assert read_sharegpt(tmp_path / "a.jsonl") == [make_row(0)]


def test_rows_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "deep.jsonl").write_text(json.dumps(make_row(0)) + "\n" + "[" * 200_000 + "\n")
    with pytest.raises(ShareGPTError, match=r"deep\.jsonl: line 2: .*not valid JSON"):
        read_sharegpt(tmp_path / "deep.jsonl")
    write_sharegpt([make_row(n) for n in range(3000)], tmp_path / "broken.parquet")
    data = bytearray((tmp_path / "broken.parquet").read_bytes())
    data[200:400] = bytes(200)
    (tmp_path / "broken.parquet").write_bytes(data)
    with pytest.raises(ShareGPTError, match=r"broken\.parquet: row \d+: the file is broken behind row"):
        read_sharegpt(tmp_path / "broken.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_rows_give_the_same_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        write_sharegpt([make_row(n) for n in range(3000)], tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.fixture(scope="module")
def tokenizer():
    """A word-level tokenizer with one token a word and two marks a turn."""
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    model = tokenizers.models.WordLevel({"[UNK]": 0, "<s>": 1, "</s>": 2}, unk_token="[UNK]")
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}<s> {{ m['content'] }} </s> {% endfor %}"
    return tokenizer


def conversation(number: int, n_words: int) -> dict:
    turns = [{"from": "human", "value": " ".join(["word"] * n_words)}, {"from": "gpt", "value": "stress"}]
    return {"conversations": turns, "id": f"row-{number}"}


def test_token_lengths_count_words_and_marks(tokenizer):
    lengths = token_lengths([conversation(n, n_words=n + 1) for n in range(1500)], tokenizer)
    # One token a word, one for the answer and two marks for each of the two turns.
    np.testing.assert_array_equal(lengths, np.arange(1500) + 1 + 1 + 4)
    report = token_length_report(lengths, max_length=1024)
    assert report["n_over"] == sum(n + 6 > 1024 for n in range(1500))
    assert (report["min"], report["max"], report["median"]) == (6, 1505, np.median(lengths))
    assert report["p95"] == pytest.approx(np.percentile(np.arange(6, 1506), 95))


def test_rows_that_training_would_cut_are_reported_before(tokenizer):
    rows = [conversation(n, n_words=n + 1) for n in range(30)]
    lengths = token_lengths(rows, tokenizer)
    assert check_token_lengths(rows, lengths, max_length=35)["n_over"] == 0
    assert check_token_lengths(rows, lengths, max_length=None)["n_over"] == 0
    with pytest.raises(ShareGPTError) as error:
        check_token_lengths(rows, lengths, max_length=34)
    assert "row 'row-29': 35 tokens" in str(error.value)
    assert "Set max_length to 35" in str(error.value)
    assert "row-28" not in str(error.value)
    assert "1 of 30 rows are over max_length 34" in render_token_lengths(token_length_report(lengths, 34))
    assert "all rows fit" in render_token_lengths(token_length_report(lengths, 35))


def test_a_tokenizer_without_chat_template_is_refused():
    class Plain:
        chat_template = None
        name_or_path = "gpt2"

    with pytest.raises(ShareGPTError, match="'gpt2' has no chat template"):
        token_lengths([make_row(0)], Plain())
