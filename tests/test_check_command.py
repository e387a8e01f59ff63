"""``biollm check``: the preview is what the trainer trains, and everything wrong is found and counted."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.checking_conversations import CheckConfig, check_conversations
from biollm.cli import run
from biollm.preview import Shown, terminal_preview, write_html_preview
from biollm.training_sequences import TrainingSequence, training_sequences
from data_builders.sharegpt import Roles, ShareGPTError, to_prompt_completions, write_sharegpt

ROLES = Roles()
WORDS = ["calm", "tense", "heart", "rate", "skin", "conductance", "high", "low", "steady", "72.4", "µS", "😀"]


def make_row(number: int, n_exchanges: int = 1, n_words: int = 6, **extra) -> dict:
    turns = [{"from": "system", "value": "You read biosignals."}]
    for k in range(n_exchanges):
        words = [WORDS[(number + k * 3 + i) % len(WORDS)] for i in range(n_words)]
        turns += [
            {"from": "human", "value": f"<|a_{number % 3}|> {' '.join(words)}?\nWhich state?"},
            {"from": "gpt", "value": f"The recording shows {words[0]}.\n{' '.join(words[:3])}"},
        ]
    return {"conversations": turns, "id": f"r{number}", **extra}


def write(path, *rows) -> str:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


GENERATION_PROMPT_OF_ITS_OWN = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\nLet me think.\n{% endif %}"
)
STRIPPING = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] | trim }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.mark.parametrize("base", ["nano", "made"])
@pytest.mark.parametrize("template", [None, GENERATION_PROMPT_OF_ITS_OWN, STRIPPING])
@pytest.mark.parametrize("max_length", [None, 90])
def test_what_is_trained_is_what_the_trainer_trains(make_base, tmp_path, base, template, max_length):
    """Against the token ids and labels that TRL makes, for rows with one answer and with several."""
    from datasets import Dataset
    from trl import SFTTrainer

    from biollm.finetuning import FinetuneTraining

    name = make_base() if base == "made" else base
    model, tokenizer = load_base_model(name, load_in_4bit=False), load_text_tokenizer(name)
    tokenizer.chat_template = template or tokenizer.chat_template
    tokenizer.add_tokens([f"<|a_{k}|>" for k in range(3)])
    rows = [make_row(k, n_exchanges=1 + k % 3, n_words=4 + 5 * k) for k in range(9)]
    pairs = [pair for row in rows for pair in to_prompt_completions(row, ROLES)]
    training = FinetuneTraining(output_dir=str(tmp_path), max_length=max_length, save_strategy="no")
    made = SFTTrainer(
        model=model, args=training, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer
    ).train_dataset

    ours = [s for of_row in training_sequences(rows, tokenizer, ROLES, max_length) for s in of_row]
    assert len(ours) == len(pairs)
    if max_length:  # the lengths are such that answers are left whole, cut and lost
        assert {(s.is_cut, s.n_trained > 0) for s in ours} == {(False, True), (True, True), (True, False)}
    kept = [s for s in ours if s.n_trained]
    assert [s.ids[: s.n_kept] for s in kept] == made["input_ids"]
    labels = [[i if s.state(k) == "trained" else -100 for k, i in enumerate(s.ids[: s.n_kept])] for s in kept]
    assert labels == made["labels"]


@pytest.fixture(scope="module")
def tokenizer():
    return load_text_tokenizer("nano")


@pytest.mark.parametrize("template", [None, STRIPPING])
def test_a_turn_of_the_system_is_trained_on_as_the_template_writes_a_system_prompt(template):
    """Token by token, with all behind the last question's end as the answer; so is the key of other files."""
    tokenizer = load_text_tokenizer("nano")
    tokenizer.chat_template = template or tokenizer.chat_template
    row = make_row(3, n_exchanges=2)
    system, *turns = row["conversations"]
    key = row | {"conversations": turns, "system": system["value"]}
    names = {"system": "system", "human": "user", "gpt": "assistant"}
    chat = [{"role": names[turn["from"]], "content": turn["value"]} for turn in row["conversations"]]
    for number, sequence in enumerate(sequences_of(tokenizer, row)):
        said, end = chat[: 2 * number + 2], {"tokenize": True, "return_dict": False}
        whole = tokenizer.apply_chat_template([*said, chat[2 * number + 2]], **end)
        prompt = tokenizer.apply_chat_template(said, add_generation_prompt=True, **end)
        assert (sequence.ids, sequence.start) == (whole, len(prompt))
        assert system["value"] in sequence.text
    assert sequences_of(tokenizer, key) == sequences_of(tokenizer, row)


def sequences_of(tokenizer, *rows, max_length: int | None = None) -> list[TrainingSequence]:
    return [s for of_row in training_sequences(rows, tokenizer, ROLES, max_length) for s in of_row]


def test_pieces_are_the_whole_text_and_the_trained_ones_the_answers(tokenizer):
    row = make_row(2, n_exchanges=2, n_words=12)
    for k, sequence in enumerate(sequences_of(tokenizer, row)):
        pieces = list(sequence.pieces())
        assert "".join(piece.text for piece in pieces) == sequence.text
        assert [piece.token for piece in pieces] == sequence.ids
        answer = row["conversations"][2 * k + 2]["value"]
        assert "".join(p.text for p in pieces if p.state == "trained").startswith(answer + "<|im_end|>")


class Tokens(HTMLParser):
    """Text of a page by the class of its spans, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: dict[str, str] = {}
        self.open: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(dict(attrs).get("class", ""))

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data


HOSTILE = '<script>alert(1)</script><|a|> "quoted" & \x1b[31m </pre><img src=x onerror=alert(1)>'


def test_the_page_shows_hostile_text_as_text_and_loads_nothing(tokenizer, tmp_path):
    row = make_row(0)
    row["conversations"][2]["value"] = f"Answer. {HOSTILE}"
    shown = [Shown(HOSTILE, sequence) for sequence in sequences_of(tokenizer, row)]
    path = write_html_preview(tmp_path / "new" / "page.html", HOSTILE, HOSTILE, shown)
    page = path.read_text("utf-8")
    read = Tokens(re.sub(r"<(meta|!doctype)[^>]*>", "", page))
    assert not read.tags & {"script", "img", "link", "iframe", "object"}
    assert not {a for a in read.attributes if a.startswith("on") or a in ("src", "href")}
    assert "\x1b" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert f"Answer. {HOSTILE}".replace("\x1b", r"\x1b") in read.text["trained"]
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_in_a_terminal_the_text_cannot_write_escape_codes(tokenizer):
    row = make_row(0)
    row["conversations"][2]["value"] = HOSTILE
    shown = [Shown("here", sequence) for sequence in sequences_of(tokenizer, row)]
    plain, coloured = terminal_preview(shown, False), terminal_preview(shown, True)
    assert "\x1b" not in plain
    assert f"⟦{HOSTILE}<|im_end|>".replace("\x1b", r"\x1b") in plain
    assert set(re.findall("\x1b\\[[0-9;]*m", coloured)) == {"\x1b[0m", "\x1b[90m", "\x1b[1;32m"}


def test_what_max_length_takes_is_shown_as_cut(tokenizer):
    [sequence] = sequences_of(tokenizer, make_row(0))
    [cut] = sequences_of(tokenizer, make_row(0), max_length=len(sequence.ids) - 3)
    last = "".join(piece.text for piece in list(sequence.pieces())[-3:])
    assert terminal_preview([Shown("here", cut)], False).endswith(f"⟪cut: {last}⟫")


def check(path, **options) -> dict:
    return check_conversations(CheckConfig(str(path), **options), progress=False)


def problems(path, **options) -> str:
    with pytest.raises(ShareGPTError) as caught:
        check(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst", ".parquet"])
def test_a_good_file_is_counted(tmp_path, capsys, suffix):
    rows = [
        make_row(k, label=("calm", "tense", "")[k % 3], task=("emotion", "quality")[k % 2]) for k in range(9)
    ]
    folder = tmp_path / "train"
    for number in range(3):
        write_sharegpt(rows[3 * number : 3 * number + 3], folder / f"{number:05d}{suffix}")
    counts = check(folder)
    assert (counts["n_rows"], counts["n_sequences"]) == (9, 9)
    assert counts["tasks"] == {"emotion": 5, "quality": 4}
    assert counts["labels"] == {"calm": 3, "tense": 3}
    assert 0 < counts["n_trained"] < counts["n_tokens"]
    out = capsys.readouterr().out
    assert "9 rows in 3 files" in out
    assert "no problems" in out
    assert "\x1b" not in out


def test_tokens_are_those_of_the_trainer_and_lengths_are_by_task(tmp_path, tokenizer, capsys):
    rows = [make_row(k, n_words=3 + k, task="short" if k < 5 else "long") for k in range(9)]
    counts = check(write(tmp_path / "a.jsonl", *rows))
    sequences = sequences_of(tokenizer, *rows)
    assert counts["n_tokens"] == sum(len(s.ids) for s in sequences)
    assert counts["n_trained"] == sum(len(s.ids) - s.start for s in sequences)
    longest = max(len(s.ids) for s in sequences[:5])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("short  ")]
    assert line.split()[1:2] + line.split()[-2:] == ["5", str(longest), "0"]


def test_all_problems_are_counted_and_the_first_of_each_kind_shown(tmp_path, capsys):
    rows: list = [make_row(k) for k in range(60)]
    for row in rows[:30]:
        row["conversations"][1]["from"] = "user"
    rows[40]["conversations"][2]["value"] = " "
    rows[41] = "{not json}\n"
    rows[42]["id"] = "r43"
    path = write(tmp_path / "a.jsonl", *rows)
    with pytest.raises(SystemExit) as stop:
        run("check", [path, "--limit", "2"])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "33 problems in 60 rows" in err
    assert "role: 30" in err
    assert "and 28 more of this kind" in err
    assert f"{path}: line 1: key 'conversations[1].from': got 'user'" in err
    assert f"{path}: line 41: key 'conversations[2].value': got ' '" in err
    assert f"{path}: line 42: " in err
    assert f"{path}: line 44: key 'id': got 'r43', which line 43 has too" in err


def test_ids_are_unique_over_shards_and_the_other_shard_is_named(tmp_path):
    write(tmp_path / "0.jsonl", make_row(0))
    write(tmp_path / "1.jsonl", make_row(0, n_words=5))
    assert re.search(r"1\.jsonl: line 1: key 'id': got 'r0', which line 1 of .*0\.jsonl", problems(tmp_path))


def test_rows_that_lose_answers_are_told_with_the_place(tmp_path, tokenizer):
    rows = [make_row(0), make_row(1, n_exchanges=2), make_row(2, n_words=40)]
    first, second, third, fourth = sequences_of(tokenizer, *rows)
    limit = third.start + 4
    assert max(len(first.ids), len(second.ids)) <= limit < fourth.start
    said = problems(write(tmp_path / "a.jsonl", *rows), max_length=limit)
    assert "2 problems in 3 rows" in said
    assert f"line 2: answer 2 of 2 is tokens {third.start + 1} to {len(third.ids)}" in said
    kept = third.text[third.offsets[third.start][0] : third.offsets[limit - 1][1]]
    assert re.search(rf"cuts it behind '.*{re.escape(kept)}'", said)
    assert f"line 3: answer 1 of 1 is tokens {fourth.start + 1} to {len(fourth.ids)}" in said
    assert f"leaves none of it. Set max_length to {len(fourth.ids)} or more" in said


def test_the_longest_length_that_is_asked_for_does(tmp_path, tokenizer):
    path = write(tmp_path / "a.jsonl", make_row(0))
    n = len(sequences_of(tokenizer, make_row(0))[0].ids)
    assert "cut answer: 1" in problems(path, max_length=n - 1)
    assert check(path, max_length=n)["n_rows"] == 1


def test_repeats_and_unknown_signal_tokens_are_notes(tmp_path, capsys):
    rows = [make_row(0), make_row(1), make_row(0) | {"id": "again"}]
    counts = check(write(tmp_path / "a.jsonl", *rows))
    assert counts["notes"] == {"split signal token": 2, "repeated conversation": 1}
    out = capsys.readouterr().out
    assert re.search(r"line 3: the same text as .*line 1", out)
    assert re.search(r"'<\|a_0\|>', 2 times, is read as \d+ tokens", out)


def test_a_mark_of_the_base_in_a_turn_is_a_problem(tmp_path):
    row = make_row(0)
    row["conversations"][1]["value"] += "<|im_end|>"
    assert "'<|im_end|>', 1 times in turns" in problems(write(tmp_path / "a.jsonl", row))


def test_a_prompt_that_changes_when_an_answer_follows_is_a_note(tmp_path):
    path = write(tmp_path / "a.jsonl", make_row(0))
    base = base_with(GENERATION_PROMPT_OF_ITS_OWN, tmp_path / "base")
    assert check(path, model_name_or_path=base)["notes"]["other prompt"] == 1
    assert "other prompt" not in check(path)["notes"]


def base_with(template: str, folder) -> str:
    tokenizer = load_text_tokenizer("nano")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_template_that_drops_a_role_is_told_beside_the_problems_of_rows(tmp_path):
    template = "{% for m in messages if m['role'] != 'assistant' %}{{ m['content'] }}{% endfor %}"
    row = make_row(0)
    row["conversations"][1]["from"] = "user"
    said = problems(
        write(tmp_path / "a.jsonl", row), model_name_or_path=base_with(template, tmp_path / "base")
    )
    assert "drops the turns of ['assistant']" in said
    assert "role: 1" in said


def test_a_template_that_forgets_or_refuses_long_talks_is_told_by_row(tmp_path):
    forgets = "{% for m in messages[-3:] %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    refuses = (
        "{% if messages | length > 3 %}{{ raise_exception('too long a talk') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    )
    path = write(tmp_path / "a.jsonl", make_row(0), make_row(1, n_exchanges=2), make_row(2))
    said = problems(path, model_name_or_path=base_with(forgets, tmp_path / "forgets"))
    assert "dropped turn: 2" in said
    assert set(re.findall(r"line (\d): the chat template leaves out what '(\w+)' says", said)) == {
        ("2", "system"),
        ("2", "user"),
    }
    said = problems(path, model_name_or_path=base_with(refuses, tmp_path / "refuses"))
    assert re.search(r"1 problem in 3 rows\nchat template: 1\n .*line 2: .*too long a talk", said)


def test_the_rules_of_another_trainer_take_the_place_of_ours(tmp_path, capsys):
    chat = {"human_role": "user", "gpt_role": "assistant"}
    rows = [make_row(k) for k in range(3)]
    for row in rows:
        system, *turns = row["conversations"]
        for turn in turns:
            turn["from"] = {"human": "user", "gpt": "assistant"}[turn["from"]]
        row |= {"conversations": turns, "system": system["value"]}
    rows[2]["conversations"].pop(0)
    path = write(tmp_path / "a.jsonl", *rows)
    assert "role: 1" in problems(path, trainer="llamafactory", **chat)
    counts = check(path, trainer="trl", **chat)
    assert counts["notes"]["system is not read"] == 3
    # The row that starts with the answer is one for TRL, but none to fine-tune on here.
    assert counts["n_rows"] == 2
    said = capsys.readouterr().out
    assert "1 of them 'biollm finetune' cannot train on" in said
    assert "assistant_only_loss" in said


def test_one_row_alone_is_too_little_for_unsloth_to_tell_roles(tmp_path):
    path = write(tmp_path / "a.jsonl", make_row(0))
    assert "few texts: 1" in problems(path, trainer="unsloth")


def test_the_preview_has_every_task_and_the_page_the_whole_report(tmp_path, capsys):
    rows = [make_row(k, task="emotion") for k in range(5)] + [make_row(9, n_exchanges=2, task="dialogue")]
    page = tmp_path / "page.html"
    check(write(tmp_path / "a.jsonl", *rows), n_preview=2, html=str(page))
    out = capsys.readouterr().out
    shown = re.findall(r"line (\d+): \d+ of \d+ tokens are trained", out)
    assert shown == ["1", "6", "6"]  # the dialogue has two answers
    assert page.read_text("utf-8").count("<section>") == 3
    assert "6 rows in 1 file" in page.read_text("utf-8")


def test_built_conversations_are_read_with_their_roles_and_signal_tokens(
    conversations, make_base, monkeypatch
):
    counts = check(conversations, model_name_or_path=make_base())
    assert counts["n_rows"] == 400
    assert "split signal token" not in counts["notes"]
    [first, *_] = (conversations / "train").iterdir()
    assert check(first, model_name_or_path=make_base())["notes"] == counts["notes"]
    monkeypatch.chdir(first.parent)  # where the build is above the folder that one is in
    assert check(first.name, model_name_or_path=make_base())["notes"] == counts["notes"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trainer": "axolotle"}, "allowed are"),
        ({"limit": 0}, "limit is 0"),
        ({"max_length": 0}, "max_length"),
    ],
)
def test_wrong_options_are_told(options, said):
    with pytest.raises(ValueError, match=said):
        CheckConfig("a.jsonl", **options)


def test_no_rows_and_no_file_are_told(tmp_path):
    assert "no rows: 1" in problems(write(tmp_path / "a.jsonl"))
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "b.jsonl")


def test_colour_can_be_had_where_the_output_is_no_terminal(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl", make_row(0))
    for colour in (False, True):
        check(path, colour=colour)
        assert ("\x1b[" in capsys.readouterr().out) is colour
