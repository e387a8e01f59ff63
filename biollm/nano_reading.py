"""Reading tasks for the nano base: evidence in a list of words or codes, weighed together into one label.

They teach what reading signal tokens needs: looking at all tokens of a turn, adding up what each says about
each class, keeping to the classes of the system prompt, and looking up what was said before. The codes are
nonsense syllables with fixed but arbitrary meanings, drawn so that the right answer is a probability.
"""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np

from biollm.nano_language import GLOSSARY, Document, chat, clause, follow_up, joined
from prompts import STATE_WORDS, STATES, load_task

TASK = load_task("emotion")
CODES = tuple(f"{c}{v}{end}" for end in ("", "x") for c in "bcdfgjklmnprtvwz" for v in "aiou")
CODE_RANK = 4
CUE_WORDS = tuple(word for word in STATE_WORDS if len(STATES[word].cues) >= 4)
MEASURES = (
    "heart rate",
    "skin conductance",
    "RMSSD",
    "alpha power",
    "theta power",
    "muscle activity",
    "valence",
)
SIGNALS = ("EMG", "EEG", "ECG", "GSR")


@cache
def code_meanings() -> np.ndarray:
    """How much each code speaks for each state, ndarray of shape (n_states, n_codes), log-odds."""
    generator = np.random.default_rng(0)
    states = generator.normal(size=(len(STATE_WORDS), CODE_RANK))
    codes = generator.normal(size=(len(CODES), CODE_RANK))
    return states @ codes.T / np.sqrt(CODE_RANK)


def class_list(rng: Random, pool: tuple[str, ...]) -> list[str]:
    """Two to six classes: a known set of a corpus, or words of the pool, in any order."""
    known = [classes for classes in GLOSSARY["class_sets"] if set(classes) <= set(pool)]
    from_known = known and rng.random() < 0.4
    classes = list(rng.choice(known)) if from_known else rng.sample(pool, rng.randint(2, 6))
    rng.shuffle(classes)
    return classes


def ask(signal: str, rng: Random) -> str:
    return TASK.question(rng.randrange(TASK.n_phrasings), signal)


def conversation(classes: list[str], signal: str, label: str, rng: Random, why: str) -> Document:
    """The emotion task on a signal text, with a follow-up question at times."""
    turns = [ask(signal, rng), TASK.answer(label)]
    if rng.random() < 0.15:
        turns += [rng.choice(["Why?", "Why do you think so?", "How do you know?"]), why]
    if rng.random() < 0.15:
        turns += follow_up(STATES[label], rng)
    return chat(*turns, system=TASK.instruction(classes))


def cue_reading(rng: Random) -> Document:
    """Cues in words, mostly of one state: name it."""
    classes = class_list(rng, CUE_WORDS)
    label = rng.choice(classes)
    cues = rng.sample(list(STATES[label].cues.items()), rng.randint(2, 4))
    if rng.random() < 0.3:
        cues.append(rng.choice(list(STATES[rng.choice(classes)].cues.items())))
    rng.shuffle(cues)
    form = rng.choice([clause, lambda measure, level: f"{measure} {level}", lambda *cue: ": ".join(cue)])
    signal = rng.choice([", ", "; ", "\n"]).join(form(*cue) for cue in cues)
    fitting = [clause(*cue) for cue in cues if cue in STATES[label].cues.items()]
    return conversation(classes, signal, label, rng, f"Because {joined(fitting)}.")


def code_reading(rng: Random) -> Document:
    """A list of codes, each a little more likely under some states: name the state that it was drawn from."""
    classes = class_list(rng, STATE_WORDS)
    label = rng.choice(classes)
    weights = np.exp(rng.uniform(0.5, 1.5) * code_meanings()[STATE_WORDS.index(label)])
    codes = rng.choices(CODES, weights.tolist(), k=rng.randint(5, 30))
    why = "Because of all tokens together."
    return conversation(classes, code_lines(codes, rng), label, rng, why)


def code_lines(codes: list[str], rng: Random) -> str:
    """Codes on one line, or on one line a signal."""
    if rng.random() < 0.6:
        return " " + " ".join(codes)
    cut = rng.randint(1, len(codes) - 1)
    names = rng.sample(SIGNALS, 2)
    return "\n".join(
        f"{name}: {' '.join(part)}" for name, part in zip(names, (codes[:cut], codes[cut:]), strict=True)
    )


def half_reading(rng: Random) -> Document:
    """Codes of one state, or of two states one after the other: is there a transition?"""
    first, second = rng.sample(range(len(STATE_WORDS)), 2)
    changes = rng.random() < 0.5
    codes: list[str] = []
    for state in (first, second if changes else first):
        codes += rng.choices(CODES, np.exp(2 * code_meanings()[state]).tolist(), k=8)
    label = "transition" if changes else "stable"
    why = f"Because both halves are {'different' if changes else 'alike'}."
    return conversation(["stable", "transition"], " " + " ".join(codes), label, rng, why)


def key_reading(rng: Random) -> Document:
    """A key that gives codes their class, then a list of codes: name the class of most of them."""
    classes = class_list(rng, STATE_WORDS)[:4]
    codes = rng.sample(CODES, 2 * len(classes))
    owned = {label: codes[2 * k : 2 * k + 2] for k, label in enumerate(classes)}
    label = rng.choice(classes)
    n = rng.randint(3, 12)
    drawn = rng.choices(owned[label], k=n) + rng.choices(codes, k=rng.randint(0, n // 2))
    rng.shuffle(drawn)
    counts = {name: sum(code in own for code in drawn) for name, own in owned.items()}
    label = max(counts, key=lambda name: counts[name])
    key = ", ".join(f"{' '.join(own)} = {name}" for name, own in owned.items())
    why = f"Because {counts[label]} of {len(drawn)} codes stand for {label}."
    return conversation(classes, f"Key: {key}\n {' '.join(drawn)}", label, rng, why)


def majority_reading(rng: Random) -> Document:
    """A list of state words: name the one that comes most often, or how often one comes."""
    classes = rng.sample(STATE_WORDS, rng.randint(2, 4))
    drawn = rng.choices(classes, [3] + [1] * (len(classes) - 1), k=rng.randint(3, 15))
    rng.shuffle(drawn)
    counts = {name: drawn.count(name) for name in classes}
    listed = " ".join(drawn)
    if rng.random() < 0.3:
        name = rng.choice(classes)
        return chat(f"How often does {name} come here? {listed}", f"It comes {counts[name]} times.")
    most = max(counts, key=lambda name: counts[name])
    question = rng.choice(["Which word comes most often? {}", "Name the most frequent word: {}"])
    return chat(question.format(listed), f"The most frequent word is {most}.")


def copying(rng: Random) -> Document:
    """Pairs of a code and a word, repeated: the second time the word is known. Plain in-context look-up."""
    pairs = list(zip(rng.sample(CODES, 6), rng.sample(STATE_WORDS, 6), strict=True))
    asked = rng.sample(pairs, 3)
    listed = ", ".join(f"{code} is {word}" for code, word in pairs)
    turns = [f"Remember: {listed}. What is {asked[0][0]}?", f"The code {asked[0][0]} is {asked[0][1]}."]
    for code, word in asked[1:]:
        turns += [f"And {code}?", f"The code {code} is {word}."]
    return chat(*turns)


def level_reading(rng: Random) -> Document:
    """A value and the person's average: low, moderate or high."""
    mean, spread = rng.randint(20, 90), rng.randint(3, 8)
    label = rng.choice(["low", "moderate", "high"])
    shift = {"low": -2, "moderate": 0, "high": 2}[label] * spread + rng.randint(-spread // 2, spread // 2)
    measure = rng.choice(MEASURES)
    signal = f"{measure} {mean + shift}, average {mean}, spread {spread}"
    why = f"Because {mean + shift} is {dict(STATES[label].cues)['values'].replace('the average', str(mean))}."
    return conversation(["low", "moderate", "high"], signal, label, rng, why)


def number_reading(rng: Random) -> Document:
    """Small questions on numbers: the larger one, the direction of a list, how many values."""
    measure = rng.choice(MEASURES)
    values = [rng.randint(1, 99) for _ in range(rng.randint(2, 7))]
    low, high = sorted(rng.sample(range(10, 100), 2))
    ordered = sorted(values, reverse=rng.random() < 0.5)
    direction = "rising" if ordered[0] < ordered[-1] else "falling" if ordered[0] > ordered[-1] else "flat"
    listed = ", ".join(map(str, values))
    kinds = [
        (f"Which is larger, {high} or {low}?", f"The larger one is {high}."),
        (f"Which is larger, {low} or {high}?", f"The larger one is {high}."),
        (f"Is {measure} rising or falling? {', '.join(map(str, ordered))}", f"It is {direction}."),
        (f"How many values are there? {listed}", f"There are {len(values)} values."),
        (f"What is the last value of {measure}? {listed}", f"The last value is {values[-1]}."),
        (f"Name the highest value: {listed}", f"The highest value is {max(values)}."),
    ]
    return chat(*rng.choice(kinds))
