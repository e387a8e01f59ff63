"""The tasks: answers that tell the truth, and nothing else, and can be read back in every form."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import pytest
from segment_facts import CLASSES, segments_for, usable

from prompts import LEVELS, TASKS, Facts, Task, load_task, task_from_fields

N_RANDOM = 150


@pytest.fixture(scope="module", params=list(TASKS))
def task(request):
    return load_task(request.param)


def near(claimed, known) -> bool:
    """Equal up to the rounding of what is written; the roughest writes no decimals."""
    return claimed == known if isinstance(known, bool | str) else claimed == pytest.approx(known, abs=0.5)


def test_every_answer_is_read_back_as_the_truth(task):
    rng = random.Random(0)
    for _ in range(N_RANDOM):
        segments = segments_for(task, rng)
        assert not task.lacks(segments)
        truth = task.truth(segments)
        for question, answer in task.turns(segments, rng):
            claimed = task.parse(answer, segments)
            assert claimed, (question, answer)
            assert set(claimed) <= set(truth), (question, answer, claimed, truth)
            assert all(near(claimed[key], truth[key]) for key in claimed), (question, answer, claimed, truth)


WHOLE = ["emotion", "affect", "transition", "quality", "evidence", "refuse", "outside"]


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_tells_the_whole_truth(name):
    task, rng = load_task(name), random.Random(1)
    for _ in range(N_RANDOM):
        segments = segments_for(task, rng)
        ((_, answer),) = task.turns(segments, rng)
        assert set(task.parse(answer, segments)) == set(task.truth(segments)), answer


def test_each_form_is_used_and_each_reads_back(task):
    """One form at a time: the first n forms are what `with_answer_forms` leaves."""
    for n in (1, 2, 3, 4):
        rng, limited = random.Random(n), task.with_answer_forms(n)
        starts = set()
        for _ in range(60):
            segments = segments_for(task, rng)
            for _, answer in limited.turns(segments, rng):
                assert task.parse(answer, segments), answer
                starts.add(answer)
        assert len(starts) >= min(n, 4)
    with pytest.raises(ValueError, match="got 0"):
        task.with_answer_forms(0)


def test_turns_depend_on_facts_and_generator_alone(task):
    segments = segments_for(task, random.Random(3))
    assert task.turns(segments, random.Random(5)) == task.turns(segments, random.Random(5))
    drawn = {str(task.turns(segments, random.Random(seed))) for seed in range(30)}
    assert len(drawn) > 10


def test_questions_hold_the_signals_once_and_follow_ups_none(task):
    rng = random.Random(4)
    for _ in range(40):
        segments = segments_for(task, rng)
        (first, _), *later = task.turns(segments, rng)
        assert all(first.count(facts.signal) == 1 for facts in segments)
        assert not any(facts.signal in question for question, _ in later for facts in segments)


def test_texts_are_sentences(task):
    """No placeholder, double space, space before a mark or small first letter is left."""
    rng = random.Random(6)
    for _ in range(N_RANDOM):
        segments = segments_for(task, rng)
        for question, answer in task.turns(segments, rng):
            asked = question.partition("\n")[0]
            for text in (asked, answer, task.system(segments), task.system(segments, rng)):
                assert not re.search(r"[{}]|  |\s[,.;:?]|\.\.|nan|None", text), text
                assert text[0].isupper(), text
                assert text[-1] in ".?!", text


def test_truth_and_fields_survive_json(task):
    segments = segments_for(task, random.Random(7))
    truth = task.truth(segments)
    assert json.loads(json.dumps(truth)) == truth
    assert all(isinstance(value, str | float | bool) for value in truth.values())
    again = task_from_fields(json.loads(json.dumps(task.fields())))
    assert again == task
    assert again.turns(segments, random.Random(8)) == task.turns(segments, random.Random(8))


@pytest.mark.parametrize("text", ["", "Hm.", "the of and", "<|a|><|b|>"])
def test_what_claims_nothing_is_not_readable(task, text):
    assert task.parse(text, segments_for(task, random.Random(9))) is None


def test_a_wrong_number_of_segments_is_an_error(task):
    with pytest.raises(ValueError, match=f"takes {task.n_segments}"):
        task.lacks([Facts()] * 3)


def test_a_task_needs_what_is_known():
    with pytest.raises(TypeError, match=r"Typo: needs \['quantites'\]; allowed are \['certainty', 'clues'"):
        type("Typo", (Task,), {"needs": frozenset({"quantites"})})
    with pytest.raises(TypeError, match="Pair: n_segments follows from pairing"):
        type("Pair", (Task,), {"n_segments": 2})
    assert {name for name in TASKS if load_task(name).n_segments == 2} == {"compare", "transition"}


def test_only_refuse_takes_unusable_segments(task):
    segments = [
        replace(facts, unusable="the signal is noise", faults=())
        for facts in segments_for(task, random.Random(10))
    ]
    assert bool(task.lacks(segments)) == (task.name != "refuse")


def test_levels_faults_and_labels_are_balanced_over_their_strata():
    rng = random.Random(17)
    for name, strata in {"emotion": set(CLASSES), "quality": {"clean", "faulty"}, "dialogue": set(CLASSES),
                         "transition": {"changed", "same"}, "describe": {""}}.items():  # fmt: skip
        task = load_task(name)
        assert {task.stratum(segments_for(task, rng)) for _ in range(N_RANDOM)} == strata
    assert set(LEVELS) == {"low", "normal", "high"}


@pytest.mark.parametrize("name", ["emotion", "evidence", "dialogue", "describe"])
def test_an_uncertain_state_is_refused_and_measured_values_are_not(name):
    task, refuse, rng = load_task(name), load_task("refuse"), random.Random(0)
    sure = next(f for f in (usable(rng) for _ in range(99)) if not task.lacks([f]) and f.faults)
    unsure = replace(sure, uncertain=True)
    assert bool(task.lacks([unsure])) == (name != "describe")
    assert refuse.lacks([sure]) == "the segment is usable"
    assert not refuse.lacks([unsure])
    for _ in range(20):
        ((question, answer),) = refuse.turns([unsure], rng)
        assert refuse.parse(answer, [unsure]) == {"refused": True}
        assert any(reason in answer for reason in refuse.texts["uncertain"])
        # It asks for the state, as another task does, and not for what can be measured.
        asked = [load_task(other).texts["questions"] for other in ("emotion", "evidence")]
        assert any(question.removesuffix(f"\n{unsure.signal}") in questions for questions in asked)
