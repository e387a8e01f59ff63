"""The prompts floor: templates that fit together, answers that can be read back, files that are checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from prompts import STATE_WORDS, STATES, load_states, load_task
from prompts.tasks import FOLDER

CLASSES = ("relax", "physical", "cognitive", "emotional")


@pytest.fixture(scope="module")
def task():
    return load_task("emotion")


@pytest.fixture
def write(tmp_path):
    def write(**changes) -> Path:
        content = yaml.safe_load((FOLDER / "emotion.yaml").read_text(encoding="utf-8")) | changes
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return path

    return write


def test_questions_are_many_short_and_carry_the_signal_below(task):
    questions = {task.question(k, "<|a|><|b|>") for k in range(task.n_phrasings)}
    assert len(questions) == task.n_phrasings >= 12
    for question in questions:
        phrasing, signal = question.split("\n")
        assert signal == "<|a|><|b|>"
        assert len(phrasing.split()) <= 14


def test_phrasings_repeat_from_the_first(task):
    assert task.question(task.n_phrasings, "x") == task.question(0, "x")


def test_signal_text_with_braces_is_kept(task):
    assert task.question(0, "{label}").endswith("{label}")


def test_system_lists_every_class_in_order(task):
    assert "relax, physical, cognitive, emotional" in task.system(CLASSES)


@pytest.mark.parametrize("label", STATE_WORDS)
def test_answer_can_be_read_back(task, label):
    answer = task.answer(label)
    assert answer == f"The recording shows {label}."
    assert task.parse(answer, STATE_WORDS) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The recording shows RELAX.", "relax"),
        ("cognitive", "cognitive"),
        ("It is physical, clearly physical.", "physical"),
        ("The recording shows relaxation.", None),
        ("unphysical", None),
        ("relax or physical", None),
        ("", None),
    ],
)
def test_parse(task, text, label):
    assert task.parse(text, CLASSES) == label


def test_parse_prefers_the_longer_class_name_and_keeps_its_case(task):
    assert task.parse("a physical stress.", ("stress", "Physical stress")) == "Physical stress"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"system": "no list"}, "'system'"),
        ({"system": None}, "'system'"),
        ({"answer": "{label}"}, "'answer'"),
        ({"answer": "It is ({label})"}, "'answer'"),
        ({"answer": "It is {label"}, "'answer'"),
        ({"question": "{phrasing}"}, "'question'"),
        ({"questions": ["What?"] * 12}, "'questions'"),
        ({"questions": "What?"}, "'questions'"),
        ({"sytem": "x"}, "'sytem'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key(write, changes, key):
    path = write(**changes)
    with pytest.raises(ValueError, match=key) as error:
        load_task(path)
    assert str(path) in str(error.value)


def test_all_problems_come_at_once(write):
    with pytest.raises(ValueError, match="'system'") as error:
        load_task(write(system="none", questions=["What?"], answer="{other}"))
    assert {"'answer'", "'questions'"} <= {word.rstrip(":,") for word in str(error.value).split()}


def test_unknown_task_names_the_known_ones():
    with pytest.raises(ValueError, match="emotion"):
        load_task("emotions")


def test_own_file_is_read(write):
    assert load_task(write(answer="I see {label}!")).answers(["fear", "calm"]) == [
        "I see fear!",
        "I see calm!",
    ]


def test_states_cover_the_readers_words():
    wanted = """relax physical cognitive emotional angry happy neutral anger anxiety contempt delight disgust
        fear happiness perplexity pride sadness surprise positive negative boring calm horror funny sad stress
        baseline amusement meditation rest low high moderate"""
    assert set(wanted.split()) <= set(STATE_WORDS)
    assert all(state.definition for state in STATES.values())


def test_states_file_problems_are_named(tmp_path):
    path = tmp_path / "states.yaml"
    path.write_text("Fear: {definition: x}\nanger: {cues: {a: b}}\njoy: {definition: 3, cues: [a]}\n")
    with pytest.raises(ValueError, match="'Fear'") as error:
        load_states(path)
    assert {"'anger'", "'joy.definition'", "'joy.cues'"} <= set(str(error.value).split())
