"""What each task says: which facts it needs, what it claims of them, and what is read from free text."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from segment_facts import CLASSES, NAMES, fixed, segments_for, unusable, usable

from prompts import Clue, Facts, Fault, Quantity, load_task
from prompts.reading import find_words, template_pattern


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("emotion", {"emotion": None}, "no emotion label"),
        ("emotion", {"emotion": "joy"}, "'joy'"),
        ("affect", {"valence": None, "arousal": None}, "neither"),
        ("affect", {"scale": None}, "scale"),
        ("transition", {"emotion": None, "transition": None}, "transition label"),
        ("compare", {"arousal": None, "quantities": ()}, "in common"),
        ("describe", {"quantities": ()}, "no quantity"),
        ("quality", {"faults": None}, "not checked"),
        ("evidence", {"clues": ()}, "no clues"),
        ("evidence", {"reading": "fear", "emotion": "calm"}, "'fear'"),
        ("dialogue", {"emotion": None}, "no emotion label"),
        ("refuse", {"unusable": ""}, "usable"),
        ("refuse", {"unusable": "channel 2 is flat"}, "number"),
        ("refuse", {"unusable": "the contact is low"}, "class"),
    ],
)
def test_lacks_says_what_is_missing(name, changes, reason):
    task = load_task(name)
    segments = [replace(facts, **changes) for facts in segments_for(task, random.Random(11))]
    assert reason in task.lacks(segments)


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("A heart rate of 72 bpm.", {"heart_rate_mean": 72}),
        ("The heart rate is 72 beats/min, and normal.",
         {"heart_rate_mean": 72, "heart_rate_mean.level": "normal"}),
        ("a high heart rate of 110 bpm", {"heart_rate_mean": 110, "heart_rate_mean.level": "high"}),
        ("In this window of 30 s the heart rate was 72.", {"heart_rate_mean": 72}),
        ("heart rate 72 bpm and skin conductance level 3.25 µS",
         {"heart_rate_mean": 72, "gsr_level": 3.25}),
        ("72 bpm for heart rate and 3.25 µS for skin conductance level",
         {"heart_rate_mean": 72, "gsr_level": 3.25}),
        ("HEART RATE: 72; Trend of the skin conductance: −0.04 µS/min",
         {"heart_rate_mean": 72, "gsr_slope": -0.04}),
        ("heart rate (60 to 100) is 72", {"heart_rate_mean": 72}),
        ("The heart rate lies in 60-100.", None),
        ("heart rate 72 milliseconds", None),
        ("The heart rate is low.", {"heart_rate_mean.level": "low"}),
        ("low frequency power of the EEG 1.5", {"eeg_low_power": 1.5}),
        ("heart rate 72, high skin conductance level",
         {"heart_rate_mean": 72, "gsr_level.level": "high"}),
        ("I measure 72.", None),
    ],
)  # fmt: skip
def test_measured_values_are_found_in_free_text(text, claimed):
    facts = Facts(quantities=tuple(Quantity(k, n, 1.0, u, lo, hi, d) for k, n, u, lo, hi, d in NAMES))
    assert load_task("describe").parse(text, [facts]) == claimed


def test_a_level_against_the_range_can_be_seen():
    task, quantity = load_task("describe"), fixed(110)
    claimed = task.parse("The heart rate is 110 bpm, which is low.", [Facts(quantities=(quantity,))])
    assert claimed == {"heart_rate_mean": 110, "heart_rate_mean.level": "low"}
    assert quantity.level_of(claimed["heart_rate_mean"]) == "high"


def test_an_open_description_gives_the_main_quantities_and_a_question_what_it_names():
    task, rng = load_task("describe"), random.Random(12)
    facts = Facts(quantities=tuple(Quantity(k, n, 1.0, u, lo, hi, d) for k, n, u, lo, hi, d in NAMES))
    names = {name: key for key, name, *_ in NAMES}
    strange = [quantity.key for quantity in facts.quantities if quantity.level in ("low", "high")]
    assert strange == ["heart_rate_mean", "ecg_rmssd", "gsr_slope", "spo2_mean", "emg_2_rms"]
    for _ in range(60):
        ((question, answer),) = task.turns([facts], rng)
        values = {key for key in task.parse(answer, [facts]) if "." not in key}
        asked = {key for *_, key in find_words(question, names)}
        assert values == (asked or {"gsr_level", *strange})


@pytest.mark.parametrize(
    ("value", "level", "written"),
    [
        (59.4, "low", "59"),
        (59.6, "normal", "60"),
        (100.4, "normal", "100"),
        (100.6, "high", "101"),
        (-0.2, "low", "0"),
    ],
)
def test_the_level_is_that_of_the_written_value(value, level, written):
    assert (fixed(value).level, fixed(value).written) == (level, f"{written} beats per minute")


def test_facts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="leave undefined"):
        fixed(float("nan"))
    with pytest.raises(ValueError, match="low must be below"):
        replace(fixed(70), low=100.0)
    with pytest.raises(ValueError, match="'broken'"):
        Fault("ECG", "broken", 0.5)
    with pytest.raises(ValueError, match="share"):
        Fault("ECG", "flat", 50)


def test_refusals_hold_no_label_and_no_number():
    task, rng = load_task("refuse"), random.Random(13)
    words = {word.lower() for word in CLASSES} - {"low", "high"}
    for _ in range(100):
        segments = [unusable(rng)]
        ((_, answer),) = task.turns(segments, rng)
        assert segments[0].unusable in answer
        assert not re.search(r"\d", answer)
        assert not words & set(re.findall(r"\w+", answer.lower()))
    assert task.parse("The recording shows fear.", segments) == {"refused": False}
    assert task.parse("The heart rate is 72.", segments) == {"refused": False}
    assert task.parse("I can't read this.", segments) == {"refused": True}


def test_refuse_asks_as_the_other_tasks_do():
    """System prompt and question of one of them, the same at each call: they tell nothing of the answer."""
    task, rng = load_task("refuse"), random.Random(14)
    seen = set()
    for _ in range(100):
        segments = [unusable(rng)]
        system, ((question, _),) = task.system(segments), task.turns(segments, rng)
        asked = next(t for t in task.others.values() if t.system(segments) == system)
        forms = ["questions", "questions_of"] if asked.name == "describe" else ["questions"]
        text = question.partition("\n")[0]
        form = next(f for f in forms if any(template_pattern(t).fullmatch(text) for t in asked.texts[f]))
        seen.add((asked.name, form))
        named = find_words(text, {name: name for name in segments[0].described})
        assert (1 <= len(named) <= 3) if form == "questions_of" else not named
    plain = {(name, "questions") for name in ("emotion", "affect", "describe", "evidence", "dialogue")}
    assert seen == plain | {("describe", "questions_of")}


def test_refuse_does_not_ask_for_values_where_none_are_described():
    """Its system prompt would come with refusals only."""
    task, rng = load_task("refuse"), random.Random(15)
    systems = {task.system([replace(unusable(rng), described=())]) for _ in range(200)}
    names = ("emotion", "affect", "evidence", "dialogue")
    asked = [task.others[name].system([unusable(rng)]) for name in names]
    assert systems == set(asked)


def test_refuse_asks_in_its_own_words_where_no_other_task_fits():
    rng = random.Random(16)
    task = replace(load_task("refuse"), others={})
    segments = [unusable(rng)]
    assert task.system(segments) == task.texts["system"][0]
    text = task.turns(segments, rng)[0][0].partition("\n")[0]
    assert any(template_pattern(form).fullmatch(text) for form in task.texts["questions"])
    unsure = [replace(unusable(rng), unusable="", uncertain=True)]
    assert task.lacks(unsure) == "its reading is uncertain, and no task asks for one"


def test_comparison_says_which_and_by_how_much():
    task = load_task("compare")
    rated = [Facts(signal=s, arousal=a, scale=(1, 9)) for s, a in (("x", 3.24), ("y", 5.5))]
    assert task.truth(rated) == {"arousal.higher": "second", "arousal.by": 2.3}
    assert task.stratum(rated) == "second"
    assert "2.3 on a scale from 1 to 9" in task.turns(rated, random.Random(0))[0][1]
    unscaled = [replace(facts, scale=None) for facts in rated]
    assert "in common" in task.lacks(unscaled)
    measured = [Facts(signal=s, quantities=(fixed(v),)) for s, v in (("x", 80.4), ("y", 71.6))]
    assert task.truth(measured) == {"heart_rate_mean.higher": "first", "heart_rate_mean.by": 8.0}
    assert task.parse("The heart rate is 9 bpm higher in the first.", measured) == {
        "heart_rate_mean.higher": "first",
        "heart_rate_mean.by": 9.0,
    }
    assert task.parse("The first, or the second, in heart rate.", measured) is None
    by_one = [Facts(signal=s, quantities=(fixed(v),)) for s, v in (("x", 80), ("y", 81))]
    answer = task.turns(by_one, random.Random(0))[0][1]
    assert "1 beat per minute" in answer
    assert task.parse(answer, by_one) == {"heart_rate_mean.higher": "second", "heart_rate_mean.by": 1.0}


@pytest.mark.parametrize(("second", "by"), [(96.4, "1.4 percentage points"), (96.0, "1.0 percentage points")])
def test_percents_differ_by_percentage_points(second, by):
    task = load_task("compare")
    values = (
        Quantity("spo2_mean", "oxygen saturation", v, "percent", 95.0, 100.0, 1) for v in (95.0, second)
    )
    pair = [Facts(signal=s, quantities=(value,)) for s, value in zip("xy", values, strict=True)]
    answer = task.turns(pair, random.Random(0))[0][1]
    assert by in answer
    assert task.parse(answer, pair) == task.truth(pair)


def test_a_class_with_a_no_in_its_name_is_no_sign_of_staying():
    task, classes = load_task("transition"), ("no stress", "stress")
    pair = [Facts(classes=classes, emotion=label) for label in ("stress", "no stress")]
    for seed in range(20):
        assert task.parse(task.reply(pair, random.Random(seed)), pair) == task.truth(pair)


def test_both_emotions_decide_on_a_transition_before_its_label():
    task = load_task("transition")
    pair = [Facts(classes=CLASSES, emotion=label, transition=True) for label in ("calm", "calm")]
    assert task.truth(pair) == {"transition": False, "from": "calm", "to": "calm"}
    assert task.truth([replace(facts, emotion=None) for facts in pair]) == {"transition": True}
    assert task.parse("It did not change.", pair) == {"transition": False}
    assert "uncertain" in task.lacks([pair[0], replace(pair[1], uncertain=True)])


def test_what_is_out_of_its_range_is_not_left_out_of_an_open_description():
    """The first three stay, then come those that are not normal, in the order in which they were measured."""
    task = load_task("describe")
    values = [70, 70, 70, 70, 70, 110, 70, 50, 70]
    facts = Facts(quantities=tuple(replace(fixed(v), key=f"q{k}", name=f"quantity {k}")
                                   for k, v in enumerate(values)))  # fmt: skip
    claimed = task.parse(task.reply([facts], random.Random(0)), [facts])
    assert [key for key in claimed if "." not in key] == ["q0", "q1", "q2", "q3", "q5", "q7"]


def test_channels_with_the_same_fault_stand_together():
    task = load_task("quality")
    same = [Fault(channel, "flat", 1.0) for channel in ("skin conductance", "ECG", "x acceleration")]
    facts = Facts(faults=(*same, Fault("EMG 2", "noise", 0.25)))
    for seed in range(20):
        answer = task.reply([facts], random.Random(seed))
        assert "skin conductance, ECG and x acceleration" in answer
        assert answer.count("flat") == 1
        assert task.parse(answer, [facts]) == task.truth([facts])


def test_evidence_names_the_strongest_clues_and_leaves_out_what_is_little():
    task = load_task("evidence")
    weights = {"ECG": 0.3, "EMG": 0.004, "EEG": -0.2, "breathing": 0.1, "movement": 0.05, "EOG": 0.02}
    facts = Facts(classes=CLASSES, reading="fear", clues=tuple(Clue(*pair) for pair in weights.items()))
    assert task.truth([facts]) == {
        "reading": "fear", "ECG.weight": 0.3, "breathing.weight": 0.1, "movement.weight": 0.05,
    }  # fmt: skip
    for weight in (-0.3, 0.0, 0.04):
        little = replace(facts, clues=(Clue("ECG", weight),))
        assert task.truth([little]) == {"reading": "fear"}
        assert task.in_form(task.reply([little], random.Random(0)), [little])


def test_a_fault_of_a_channel_that_has_none_is_read():
    """A claimed fault is found although the facts do not name its channel."""
    task = load_task("quality")
    clean = Facts(faults=())
    claimed = task.parse("There are artefacts: Left EMG flat for 30 percent of the time.", [clean])
    assert claimed == {"clean": False, "Left EMG.flat": 0.3}


def test_what_is_outside_is_said_to_be_and_only_what_is_known_is_offered():
    task, rng = load_task("outside"), random.Random(15)
    bare = [Facts(signal="x", classes=CLASSES)]
    for _ in range(50):
        ((_, answer),) = task.turns(bare, rng)
        assert "the person's state" in answer
        assert not any(word in answer for word in ("measured", "valence", "arousal"))
    assert task.parse("The heart rate is 72.", bare) is None


def test_dialogues_follow_up_on_what_is_known():
    task, rng = load_task("dialogue"), random.Random(16)
    lengths = []
    for _ in range(200):
        segments = [usable(rng)]
        turns = task.turns(segments, rng)
        said = [task.parse(answer, segments) for _, answer in turns]
        state = next(i for i, claim in enumerate(said) if "emotion" in claim)
        sure = [i for i, claim in enumerate(said) if "confidence" in claim or "reading" in claim]
        assert sure == list(range(state + 1, state + 1 + len(sure))), turns
        assert len({question for question, _ in turns}) == len(turns)
        lengths.append(len(turns))
    assert set(lengths) >= {2, 3, 4}
    wrong = [replace(usable(rng), emotion="calm", reading="fear")]
    assert not {"confidence", "reading"} & set(task.truth(wrong))
