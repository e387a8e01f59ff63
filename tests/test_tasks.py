"""The tasks: answers that tell the truth, and nothing else, and can be read back in every form."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import pytest

from prompts import LEVELS, TASKS, Clue, Facts, Fault, Quantity, load_task, task_from_fields
from prompts.facts import FAULTS
from prompts.reading import find_words

CLASSES = ("calm", "fear", "physical stress", "stress", "low", "high")
CHANNELS = ("skin conductance", "corrugator EMG", "heart rate", "ECG 2")
REASONS = ("the signal is noise", "all channels are flat", "the reading is too uncertain")
NAMES = [
    ("heart_rate_mean", "heart rate", "beats per minute", 60.0, 100.0, 0),
    ("ecg_rmssd", "heart rate variability (RMSSD)", "milliseconds", 19.0, 75.0, 0),
    ("gsr_level", "skin conductance level", "microsiemens", None, 20.0, 2),
    ("gsr_slope", "trend of the skin conductance", "microsiemens per minute", -0.4, 0.35, 2),
    ("gsr_scr_rate", "rate of skin conductance responses", "responses per minute", 1.0, None, 1),
    ("spo2_mean", "oxygen saturation", "percent", 95.0, 100.0, 1),
    ("emg_corrugator_rms", "corrugator EMG amplitude", "microvolts", None, None, 1),
    ("emg_2_rms", "EMG 2 amplitude", "microvolts", 1.5, 12.25, 1),
    ("eeg_low_power", "low frequency power of the EEG", "units as recorded", 0.5, 2.0, 3),
]
SPREAD = {0: 150, 1: 30, 2: 3, 3: 3}
N_RANDOM = 150


def quantities(rng: random.Random) -> tuple[Quantity, ...]:
    chosen = sorted(rng.sample(range(len(NAMES)), rng.randint(1, len(NAMES))))
    return tuple(
        Quantity(key, name, rng.uniform(-0.2, 1) * SPREAD[digits], unit, low, high, digits)
        for key, name, unit, low, high, digits in (NAMES[i] for i in chosen)
    )


def faults(rng: random.Random) -> tuple[Fault, ...]:
    channels = rng.sample(CHANNELS, rng.randint(0, len(CHANNELS)))
    return tuple(
        Fault(channel, rng.choice(FAULTS), rng.choice([0.001, 1.0, rng.random()])) for channel in channels
    )


def usable(rng: random.Random, signal: str = "<|a|><|b|>") -> Facts:
    """Facts of a segment of which much is known, at random."""
    label = rng.choice(CLASSES)
    return Facts(
        signal=signal,
        classes=CLASSES,
        emotion=label,
        valence=rng.choice([None, rng.uniform(1, 9)]),
        arousal=rng.uniform(1, 9),
        scale=(1.0, 9.0),
        quantities=quantities(rng),
        faults=faults(rng),
        clues=tuple(Clue(name, rng.uniform(-0.2, 0.5)) for name in CHANNELS),
        reading=label,
        confidence=rng.random(),
    )


def unusable(rng: random.Random) -> Facts:
    return Facts(
        signal=f"<|{rng.random()}|>", classes=CLASSES, scale=(1.0, 9.0), unusable=rng.choice(REASONS)
    )


def segments_for(task, rng: random.Random) -> list[Facts]:
    if task.name == "refuse":
        return [unusable(rng)]
    segments = [usable(rng, signal) for signal in ("<|a|><|b|>", "<|c|>")[: task.n_segments]]
    if task.name == "transition" and rng.random() < 0.5:
        segments = [replace(facts, emotion=None, transition=rng.random() < 0.5) for facts in segments]
    if task.name == "compare" and rng.random() < 0.5:
        segments = [replace(f, arousal=None, quantities=(fixed(rng.randint(50, 52)),)) for f in segments]
    return segments


def fixed(value: float) -> Quantity:
    return Quantity("heart_rate_mean", "heart rate", value, "beats per minute", 60.0, 100.0, 0)


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


def test_only_refuse_takes_unusable_segments(task):
    segments = [
        replace(facts, unusable="the signal is noise", faults=())
        for facts in segments_for(task, random.Random(10))
    ]
    assert bool(task.lacks(segments)) == (task.name != "refuse")


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


def test_an_open_description_gives_the_first_quantities_and_a_question_what_it_names():
    task, rng = load_task("describe"), random.Random(12)
    facts = Facts(quantities=tuple(Quantity(k, n, 1.0, u, lo, hi, d) for k, n, u, lo, hi, d in NAMES))
    names = {name: key for key, name, *_ in NAMES}
    for _ in range(60):
        ((question, answer),) = task.turns([facts], rng)
        values = {key for key in task.parse(answer, [facts]) if "." not in key}
        asked = {key for *_, key in find_words(question, names)}
        assert values == (asked or {key for key, *_ in NAMES[:6]})


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
    for _ in range(N_RANDOM):
        segments = [unusable(rng)]
        ((_, answer),) = task.turns(segments, rng)
        assert segments[0].unusable in answer
        assert not re.search(r"\d", answer)
        assert not words & set(re.findall(r"\w+", answer.lower()))
    assert task.parse("The recording shows fear.", segments) == {"refused": False}
    assert task.parse("The heart rate is 72.", segments) == {"refused": False}
    assert task.parse("I can't read this.", segments) == {"refused": True}


def test_refuse_asks_as_the_other_tasks_do():
    """System prompt and question of one task, the same at each call: they cannot tell what the answer is."""
    task, rng = load_task("refuse"), random.Random(14)
    seen = set()
    for _ in range(100):
        segments = [unusable(rng)]
        system, ((question, _),) = task.system(segments), task.turns(segments, rng)
        asked = next((t for t in task.others.values() if t.system(segments) == system), task)
        assert question.partition("\n")[0] in asked.texts["questions"]
        seen.add(asked.name)
    assert seen == {"refuse", "emotion", "affect", "describe", "evidence"}


def test_comparison_says_which_and_by_how_much():
    task = load_task("compare")
    rated = [Facts(signal=s, arousal=a, scale=(1, 9)) for s, a in (("x", 3.24), ("y", 5.5))]
    assert task.truth(rated) == {"arousal.higher": "second", "arousal.by": 2.3}
    assert task.stratum(rated) == "second"
    measured = [Facts(signal=s, quantities=(fixed(v),)) for s, v in (("x", 80.4), ("y", 71.6))]
    assert task.truth(measured) == {"heart_rate_mean.higher": "first", "heart_rate_mean.by": 8.0}
    assert task.parse("The heart rate is 9 bpm higher in the first.", measured) == {
        "heart_rate_mean.higher": "first",
        "heart_rate_mean.by": 9.0,
    }
    assert task.parse("The first, or the second, in heart rate.", measured) is None


def test_both_emotions_decide_on_a_transition_before_its_label():
    task = load_task("transition")
    pair = [Facts(classes=CLASSES, emotion=label, transition=True) for label in ("calm", "calm")]
    assert task.truth(pair) == {"transition": False, "from": "calm", "to": "calm"}
    assert task.truth([replace(facts, emotion=None) for facts in pair]) == {"transition": True}
    assert task.parse("It did not change.", pair) == {"transition": False}


def test_evidence_names_the_strongest_clues_and_leaves_out_what_is_nothing():
    task = load_task("evidence")
    weights = {"ECG": 0.3, "EMG": 0.004, "EEG": -0.2, "breathing": 0.1, "movement": 0.05, "EOG": 0.02}
    facts = Facts(classes=CLASSES, reading="fear", clues=tuple(Clue(*pair) for pair in weights.items()))
    assert task.truth([facts]) == {
        "reading": "fear", "ECG.weight": 0.3, "breathing.weight": 0.1, "movement.weight": 0.05,
    }  # fmt: skip
    nothing = replace(facts, clues=(Clue("ECG", -0.1),))
    assert task.truth([nothing]) == {"reading": "fear"}


def test_a_fault_of_a_channel_that_has_none_is_read():
    """A claimed fault is found although the facts do not name its channel."""
    task = load_task("quality")
    clean = Facts(faults=())
    claimed = task.parse("There are artefacts: left EMG is flat for 30 percent of the time.", [clean])
    assert claimed == {"clean": False, "left EMG.flat": 0.3}


def test_what_is_outside_is_said_to_be_and_only_what_is_known_is_offered():
    task, rng = load_task("outside"), random.Random(15)
    bare = [Facts(signal="x", classes=CLASSES)]
    for _ in range(50):
        ((_, answer),) = task.turns(bare, rng)
        assert "the state of the person" in answer
        assert not any(word in answer for word in ("measured", "valence", "arousal"))
    assert task.parse("The heart rate is 72.", bare) is None


def test_dialogues_follow_up_on_what_is_known():
    task, rng = load_task("dialogue"), random.Random(16)
    lengths = []
    for _ in range(200):
        segments = [usable(rng)]
        turns = task.turns(segments, rng)
        said = [task.parse(answer, segments) for _, answer in turns]
        state = next(i for i, claim in enumerate(said) if "emotion" in claim or "reading" in claim)
        sure = [i for i, claim in enumerate(said) if "confidence" in claim or "reading" in claim]
        assert all(i >= state for i in sure), turns
        assert len({question for question, _ in turns}) == len(turns)
        lengths.append(len(turns))
    assert set(lengths) >= {2, 3, 4}
    wrong = [replace(usable(rng), emotion="calm", reading="fear")]
    assert not {"confidence", "reading"} & set(task.truth(wrong))


def test_levels_faults_and_labels_are_balanced_over_their_strata():
    rng = random.Random(17)
    for name, strata in {"emotion": set(CLASSES), "quality": {"clean", "faulty"}, "dialogue": set(CLASSES),
                         "transition": {"changed", "same"}, "describe": {""}}.items():  # fmt: skip
        task = load_task(name)
        assert {task.stratum(segments_for(task, rng)) for _ in range(N_RANDOM)} == strata
    assert set(LEVELS) == {"low", "normal", "high"}
