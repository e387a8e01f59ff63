"""Asking a tuned model about a recording."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import numpy as np
import pytest

from biollm.artefact import load_artefact
from biollm.building import BuildConfig, build
from biollm.chat import ChatConfig, Reading, RecordingChat, chat
from biollm.cli import run
from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune
from biollm.readout import label_probabilities
from data_builders.preparing import read_for_chat
from encoders.inputs import signal_inputs


@pytest.fixture(scope="module")
def session(artefact_folder, two_states):
    artefact = load_artefact(artefact_folder)
    return RecordingChat([artefact], *read_for_chat(artefact.card.store, str(two_states / "P0.npz")))


def test_windows_cover_the_recording_with_its_truth(session):
    assert session.windows["start"].tolist() == [10.0 * k for k in range(24)]
    labels = dict(zip(session.windows["start"], session.windows["emotion"], strict=True))
    for block in session.recording.blocks:
        assert labels[block.start] == block.labels["emotion"]


def test_probabilities_are_of_each_window(session):
    assert session.probabilities.shape == (24, 2)
    np.testing.assert_allclose(session.probabilities.sum(axis=1), 1, atol=1e-6)


def test_features_are_those_of_the_signal_tokenizer(artefact_folder, two_states, monkeypatch):
    artefact, seen = load_artefact(artefact_folder), []
    artefact.signal_tokenizer.config.features = "full"

    def inputs(segments, frame_seconds, features):
        seen.append(features)
        return signal_inputs(segments, frame_seconds)

    monkeypatch.setattr("biollm.chat.signal_inputs", inputs)
    RecordingChat([artefact], *read_for_chat(artefact.card.store, str(two_states / "P0.npz")))
    assert seen == ["full"]


def test_window_at_a_moment(session):
    assert session.window_at(0) == 0
    assert session.window_at(57.0) == 5
    assert session.window_at(1e6) == 23


def test_the_answer_shows_time_words_probabilities_and_truth(session):
    text = session.answer("Which state is it?", 5)
    top = session.classes[int(session.probabilities[5].argmax())]
    assert text.startswith("[0:50-1:00] ")
    assert f"{top} {session.probabilities[5].max():.2f}" in text
    assert f"recorded as: {session.windows.loc[5, 'emotion']}" in text


def test_words_come_from_the_reading_that_is_surest_of_the_joint_one(session, monkeypatch):
    asked, artefact = [], session.readings[0].artefact
    monkeypatch.setattr("biollm.chat.generate", lambda *args: asked.append(args[2]) or ["words"])
    monkeypatch.setattr(session, "dialogues", defaultdict(list))
    surest = {"codes": [[0.6, 0.4], [0.9, 0.1]], "bins": [[0.1, 0.9], [0.8, 0.2]]}
    readings = [
        Reading(artefact, name, [f"{name} of {window}" for window in range(2)], np.array(p))
        for name, p in surest.items()
    ]
    monkeypatch.setattr(session, "readings", readings)
    monkeypatch.setattr(session, "probabilities", np.mean(list(surest.values()), axis=0))
    for window, source in enumerate(("bins", "codes")):
        session.ask("Which state is it?", window)
        other = "codes" if source == "bins" else "bins"
        assert f"{source} of {window}" in str(asked[-1])
        assert f"{other} of {window}" not in str(asked[-1])


@pytest.fixture(scope="module")
def talking(store, conversations, make_base, tmp_path_factory):
    """Conversations with dialogues, and an artefact of them."""
    folder = tmp_path_factory.mktemp("talking")
    built = build(
        BuildConfig(
            str(store),
            str(conversations.parent / "signal_tokenizer"),
            str(folder / "built"),
            tasks={"emotion": 1, "dialogue": 1},
            sources=["codes", "bins+levels"],
            n_conversations=60,
            model_name_or_path=make_base(),
        ),
        progress=False,
    )
    config = FinetuneConfig(str(built), str(folder / "artefact"), make_base())
    short = FinetuneTraining(max_steps=1, per_device_train_batch_size=2)
    return built, load_artefact(finetune(config, short, progress=False))


def test_a_dialogue_is_asked_as_it_was_taught(talking):
    built, artefact = talking
    rows = [json.loads(line) for line in (built / "train" / "00000.jsonl").read_text().splitlines()]
    seen = 0
    for row in rows:
        turns = [{"role": t["from"], "content": t["value"]} for t in row["conversations"]]
        if row["task"] != "dialogue" or turns[0]["content"] != artefact.card.dialogue:
            continue
        taught = artefact.tokenizer.apply_chat_template(turns, tokenize=False)
        first, text = turns[1]["content"].split("\n", 1)
        asked = [first, *(turn["content"] for turn in turns[3::2])]
        answers = [turn["content"] for turn in turns[2::2]]
        for n in range(len(asked)):
            before = list(zip(asked[:n], answers[:n], strict=True))
            prompt = artefact.chat_prompt(text, asked[n], before)
            assert taught.startswith(prompt + answers[n])
        seen += 1
    assert seen > 5


def test_questions_about_a_window_follow_those_before_them(talking, two_states, monkeypatch):
    artefact, asked = talking[1], []
    session = RecordingChat([artefact], *read_for_chat(artefact.card.store, str(two_states / "P0.npz")))
    monkeypatch.setattr("biollm.chat.generate", lambda *args: asked.append(args[2][0]) or [f"A{len(asked)}."])
    (values,) = [reading for reading in session.readings if reading.source == "bins+levels"]
    values.probabilities[:] = 0  # the other source is surer
    for number in range(1, 8):
        session.ask(f"Q{number}?", 3)
    for prompt in asked:
        assert prompt.count(values.texts[3]) == 1
        assert artefact.card.dialogue in prompt
    told = [f"{kind}{number}" for number in (1, 4, 5, 6) for kind in "QA"]
    assert re.findall(r"\b[QA]\d", asked[-1]) == [*told, "Q7"]
    session.ask("Q8?", 4)
    assert re.findall(r"\b[QA]\d", asked[-1]) == ["Q8"]
    session.ask("Q9?", 3)
    assert "Q7" in asked[-1]
    assert "Q8" not in asked[-1]


def test_an_empty_answer_is_not_remembered(session, monkeypatch):
    monkeypatch.setattr("biollm.chat.generate", lambda *args: [""])
    monkeypatch.setattr(session, "dialogues", defaultdict(list))
    assert session.ask("Which state is it?", 0) == ""
    assert session.dialogues[0] == []


def test_a_model_that_was_taught_no_dialogues_hears_each_question_alone(session, monkeypatch):
    asked, artefact = [], session.readings[0].artefact
    monkeypatch.setattr("biollm.chat.generate", lambda *args: asked.append(args[2][0]) or ["calm"])
    monkeypatch.setattr(session, "dialogues", defaultdict(list))
    for _ in range(2):
        session.ask("Which state is it?", 0)
    assert asked[0] == asked[1]
    assert artefact.task.instruction(artefact.card.written_classes) in asked[0]


def test_several_phrasings_are_averaged(session):
    (reading,) = session.readings
    artefact = reading.artefact
    answers = artefact.task.answers(artefact.card.written_classes)
    by_phrasing = [
        label_probabilities(artefact.model, artefact.tokenizer, artefact.prompts(reading.texts, k), answers)
        for k in range(2)
    ]
    assert not np.allclose(*by_phrasing, atol=1e-3)
    np.testing.assert_allclose(session.probabilities, np.mean(by_phrasing, axis=0), atol=1e-6)


def test_several_models_are_averaged(session, artefact_folder, two_states):
    weaker = load_artefact(artefact_folder)
    for name, weights in weaker.model.named_parameters():
        if "lora_B" in name:
            weights.data *= 0.5
    recording = read_for_chat(weaker.card.store, str(two_states / "P0.npz"))
    alone = RecordingChat([weaker], *recording).probabilities
    both = RecordingChat([session.readings[0].artefact, weaker], *recording).probabilities
    assert not np.allclose(alone, session.probabilities, atol=1e-2)
    np.testing.assert_allclose(both, (alone + session.probabilities) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"store": {"window": 20.0}}, "store.window is 20.0"),
        ({"split_hash": "of another fold"}, "split is 'of another fold'"),
    ],
)
def test_models_of_other_stores_and_folds_are_not_asked_together(
    artefact_folder, artefact_copy, two_states, changed, named
):
    other = artefact_copy("other", changed)
    with pytest.raises(ValueError, match=f"{other}: {named}, that of {artefact_folder} is "):
        chat(ChatConfig([str(artefact_folder), other], str(two_states / "P1.npz"), ask="?"))


@pytest.mark.parametrize("artefact", ["runs/x", []])
def test_one_folder_is_a_list_too(artefact):
    with pytest.raises(ValueError, match=r"artefact is .*; allowed is a list of one folder or more"):
        ChatConfig(artefact)


def test_several_models_from_the_command(artefact_folder, two_states, capsys):
    twice = ["--artefact", str(artefact_folder), str(artefact_folder)]
    run("chat", [*twice, "--recording", str(two_states / "P1.npz"), "--ask", "Which state is it?"])
    assert capsys.readouterr().out.startswith("[2:00-2:10] ")


def test_one_question_from_the_command(artefact_folder, two_states, capsys):
    chat(ChatConfig([str(artefact_folder)], str(two_states / "P1.npz"), ask="Which state is it?", at=12.0))
    assert capsys.readouterr().out.startswith("[0:10-0:20] ")


def test_the_middle_is_asked_about_by_default(artefact_folder, two_states, capsys):
    chat(ChatConfig([str(artefact_folder)], str(two_states / "P1.npz"), ask="Which state is it?"))
    assert capsys.readouterr().out.startswith("[2:00-2:10] ")


def test_it_goes_on_interactively(artefact_folder, two_states, monkeypatch, capsys):
    said = iter(["at 100", "Which state is it?", "at noon", "at 9999", "overview", "quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(said))
    chat(ChatConfig([str(artefact_folder)], str(two_states / "P1.npz")))
    out = capsys.readouterr().out
    assert "[1:40-1:50] " in out
    assert "'at noon': give a number of seconds" in out
    assert "at is 9999 s; allowed is 0 to the 240 s of the recording." in out
    assert out.count("truth") == 2


def test_a_missing_recording_is_one_message_and_status_2(artefact_folder, tmp_path, capsys):
    missing = str(tmp_path / "none.npz")
    with pytest.raises(SystemExit) as stop:
        run("chat", ["--artefact", str(artefact_folder), "--recording", missing, "--ask", "?"])
    assert stop.value.code == 2
    assert missing in capsys.readouterr().err


def test_one_of_several_recordings_of_a_file_is_given_by_its_name(artefact_folder, two_states, monkeypatch):
    """As of DEAP's files, which hold 40 each."""
    read = []

    def first(card, path, root):
        read.append(path)
        return read_for_chat(card, path.partition("#")[0], root)

    monkeypatch.setattr("biollm.chat.read_for_chat", first)
    path = f"{two_states / 'P1.npz'}#P1-05"
    chat(ChatConfig([str(artefact_folder)], path, ask="Which state?"))
    assert read == [path]


def test_long_answers_are_not_cut(session, monkeypatch):
    """The longest description in docs/conversations.md has some 230 tokens."""
    allowed = []
    monkeypatch.setattr(
        "biollm.chat.generate", lambda m, t, prompt, most, s: allowed.append(most) or ["said"]
    )
    session.ask("Describe this recording.", 0)
    assert min(allowed) > 230
