"""The prompts floor: templates that fit together, answers that can be read back, files that are checked."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import yaml

from prompts import STATE_WORDS, STATES, TASKS, load_states, load_task
from prompts.facts import Facts
from prompts.wording import FOLDER, read_mapping

CLASSES = ("relax", "physical", "cognitive", "emotional")


@pytest.fixture(scope="module")
def task():
    return load_task("emotion")


@pytest.fixture
def own(tmp_path):
    """A folder with wording files of one's own: the English ones with changes to some of their keys."""

    def write(**files) -> Path:
        shutil.copytree(FOLDER / "en", tmp_path, dirs_exist_ok=True)
        for name, changes in files.items():
            path = tmp_path / f"{name}.yaml"
            content = read_mapping(path) | changes
            kept = {key: value for key, value in content.items() if value is not None}
            path.write_text(yaml.safe_dump(kept, allow_unicode=True), encoding="utf-8")
        return tmp_path

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
    assert "relax, physical, cognitive, emotional" in task.instruction(CLASSES)


@pytest.mark.parametrize("label", STATE_WORDS)
def test_answer_can_be_read_back(task, label):
    answer = task.answer(label)
    assert answer == f"The recording shows {label}."
    assert task.label(answer, STATE_WORDS) == label


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
def test_label(task, text, label):
    assert task.label(text, CLASSES) == label


def test_the_longer_class_name_wins_and_keeps_its_case(task):
    assert task.label("a physical stress.", ("stress", "Physical stress")) == "Physical stress"


@pytest.mark.parametrize("name", TASKS)
def test_shipped_wording_is_varied_and_short(name):
    """At least 12 questions and 4 answer forms a task; every prompt token costs time on a CPU."""
    texts = load_task(name).texts
    lists = texts["topics"].values() if name == "outside" else [texts["questions"]]
    questions = [question for some in lists for question in some]
    assert len(set(questions)) >= 12
    assert max(len(question.split()) for question in questions) <= 15
    forms = {key: value for key, value in texts.items() if key.startswith("answers")}
    assert forms
    assert all(len({str(form) for form in value}) >= 4 for value in forms.values())
    assert 2 <= len(texts["system"]) <= 3


@pytest.mark.parametrize(
    ("name", "changes", "key"),
    [
        ("emotion", {"system": ["no list", "no list either"]}, r"'system\[0\]'"),
        ("emotion", {"system": None}, "'system' is missing"),
        ("emotion", {"system": "{classes}"}, "'system' must be a list"),
        ("emotion", {"answers": ["{label}"] * 4}, r"'answers\[0\]' needs words and one space"),
        ("emotion", {"answers": ["It is {label}"] * 4}, r"'answers\[0\]' needs .* and something behind it"),
        ("emotion", {"answers": ["It is ({label})"]}, r"'answers\[0\]'"),
        ("emotion", {"answers": ["It is {label"]}, r"'answers\[0\]'"),
        ("emotion", {"questions": ["What?"] * 12}, "needs 12 different ones, got 1"),
        ("emotion", {"questions": ["Which {state}?"] * 12}, "must hold no {placeholders}"),
        ("emotion", {"questions": ["What?", True]}, r"'questions\[1\]' must be text, got bool True"),
        ("emotion", {"sytem": "x"}, "'sytem' is unknown"),
        ("transition", {"answers_from_to": ["{now} after {before}"]}, "in this order"),
        ("transition", {"signs": {"changed": ["x"], "stayed": ["y"]}}, r"must hold \['changed', 'same'\]"),
        ("transition", {"signs": {"changed": ["yes"], "same": [False]}}, r"'signs.same\[0\]'"),
        ("describe", {"answers": [{"text": "{items}", "item": "{name}"}]}, "must be a mapping of"),
        ("describe", {"answers": [{"text": "a", "item": "b", "plain": "c"}]}, r"'answers\[0\].text'"),
        ("outside", {"topics": {False: ["What?"]}}, "key False must be text; put it in quotes"),
        ("words", {"levels": {"low": ["low"]}}, "'levels' must hold"),
        ("words", {"question": "{phrasing}"}, "'question' must hold"),
        ("words", {"names": {"heart rate": 3}}, "'names.heart rate' must be text"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key(own, name, changes, key):
    folder = own(**{name: changes})
    with pytest.raises(ValueError, match=key) as error:
        load_task("emotion" if name == "words" else name, folder)
    assert str(folder / f"{name}.yaml") in str(error.value)


def test_all_problems_of_all_files_come_at_once(own):
    folder = own(outside={"answers": ["{topic}"]}, words={"decimal": 3}, dialogue={"system": None})
    (folder / "quality.yaml").unlink()
    with pytest.raises(ValueError, match="'system' is missing") as error:
        load_task("dialogue", folder)
    lines = str(error.value).splitlines()
    for name, told in {
        "outside": "'answers'",
        "words": "'decimal'",
        "quality": "missing; task 'dialogue'",
    }.items():
        assert any(f"{name}.yaml" in line and told in line for line in lines), name


def test_unknown_tasks_and_languages_name_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="emotion"):
        load_task("emotions")
    with pytest.raises(ValueError, match=r"no language 'xx': give one of \['en'\] or a folder"):
        load_task("emotion", "xx")
    with pytest.raises(ValueError, match="not valid YAML"):
        load_task("emotion", broken(tmp_path))


def broken(folder: Path) -> Path:
    for name in ("words", "emotion"):
        (folder / f"{name}.yaml").write_text("a: [")
    return folder


def test_wording_of_ones_own_is_read(own):
    folder = own(emotion={"answers": ["I see {label}!", *(f"It is {n} {{label}}." for n in "abc")]})
    assert load_task("emotion", folder).answers(["fear", "calm"]) == ["I see fear!", "I see calm!"]


def test_an_answer_that_is_read_is_the_one_that_is_taught(own):
    """A likelihood is that of the answer as it was trained, whose sentence begins with a capital."""
    answers = [f"{word} es {{label}}." for word in ("el estado", "lo que veo", "esto", "la respuesta")]
    task = load_task("emotion", own(emotion={"answers": answers}))
    said = {task.reply([Facts(classes=CLASSES, emotion="relax")], random.Random(k)) for k in range(20)}
    assert task.answer("relax") == "El estado es relax." in said


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
