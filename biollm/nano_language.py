"""English of the domain for the nano base: definitions, small talk, follow-up questions, docstrings.

Every generator takes a `random.Random` and returns one document: a list of messages with `role` and
`content`. Plain text is a single message of the role "text".
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

import prompts
from prompts import STATE_WORDS, STATES, State

Document = list[dict[str, str]]

GLOSSARY: dict[str, Any] = yaml.safe_load(
    (Path(prompts.__file__).parent / "glossary.yaml").read_text(encoding="utf-8")
)
TERMS: dict[str, list[str]] = GLOSSARY["terms"]
PLURALS = {"skin conductance responses", "muscles", "hands", "lip corners", "blinks", "values", "levels"}
DOCSTRING_SOURCES = {"neurokit2": "", "scipy": "signal", "sklearn": "metrics"}


def text(*sentences: str) -> Document:
    """A document of plain text."""
    return [{"role": "text", "content": " ".join(sentences)}]


def chat(*turns: str, system: str = "") -> Document:
    """A conversation: user and assistant in turn, after the system prompt if there is one."""
    messages = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant")
    return messages + [{"role": roles[k % 2], "content": turn} for k, turn in enumerate(turns)]


def upper_first(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def clause(measure: str, level: str) -> str:
    """One cue as a clause: "heart rate is high"."""
    return f"{measure} {'are' if measure in PLURALS else 'is'} {level}"


def joined(parts: list[str]) -> str:
    """Parts with commas and a final "and"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def cue_sentence(state: State, rng: Random, n: int = 3) -> str:
    """A sentence with some of the state's cues; its definition where it has none."""
    cues = [clause(*cue) for cue in state.cues.items()]
    if not cues:
        return definition(state)
    return upper_first(joined(rng.sample(cues, min(n, len(cues))))) + "."


def definition(state: State) -> str:
    return f"The word {state.word} stands for {state.definition}."


def follow_up(state: State, rng: Random) -> list[str]:
    """A question after an answer that named the state, and its answer."""
    asks_meaning = ["What does this mean?", "What does that mean?", f"What is {state.word}?", "Explain."]
    asks_signs = ["Which signs go with it?", f"What goes with {state.word}?", "How does that look?"]
    kinds = [
        [rng.choice(asks_meaning), definition(state)],
        [rng.choice(asks_signs), cue_sentence(state, rng)],
        term_question(rng),
        small_talk_turns(rng),
    ]
    return rng.choices(kinds, [4, 3, 2, 2])[0]


def term_question(rng: Random) -> list[str]:
    """A question on a term of the glossary, with its answer."""
    term = rng.choice(list(TERMS))
    ask = rng.choice(["What is {}?", "Explain {}.", "What does {} mean?", "Tell me about {}.", "Define {}."])
    return [ask.format(term), " ".join(TERMS[term][: rng.randint(1, 3)])]


def small_talk_turns(rng: Random) -> list[str]:
    entry = rng.choice(GLOSSARY["smalltalk"] + GLOSSARY["refusals"])
    return [rng.choice(entry["ask"]), entry["answer"]]


def state_text(rng: Random) -> Document:
    """A paragraph on two or three states."""
    sentences = []
    for word in rng.sample(STATE_WORDS, rng.randint(2, 3)):
        state = STATES[word]
        sentences.append(definition(state))
        if state.cues:
            cues = joined(
                [clause(*cue) for cue in rng.sample(list(state.cues.items()), min(3, len(state.cues)))]
            )
            opening = rng.choice([f"With {word}", f"In {word}", f"When the label is {word}", f"Under {word}"])
            sentences.append(f"{opening}, {cues}.")
    return text(*sentences)


def term_text(rng: Random) -> Document:
    """A paragraph on two or three terms of the glossary."""
    return text(
        *(sentence for term in rng.sample(list(TERMS), rng.randint(2, 3)) for sentence in TERMS[term])
    )


def state_chat(rng: Random) -> Document:
    """Questions about state words."""
    turns: list[str] = []
    for word in rng.sample(STATE_WORDS, rng.randint(1, 2)):
        state = STATES[word]
        ask = rng.choice(["What is {}?", "What does {} mean?", "Define {}.", "Explain the word {}."])
        signs = rng.choice(["Which signs go with {}?", "How does {} show?", "Which signals show {}?"])
        turns += [ask.format(word), definition(state)]
        if rng.random() < 0.6:
            turns += [signs.format(word), cue_sentence(state, rng)]
    return chat(*turns)


def term_chat(rng: Random) -> Document:
    """Questions about terms, some small talk between them."""
    turns = small_talk_turns(rng) if rng.random() < 0.3 else []
    for _ in range(rng.randint(1, 3)):
        turns += term_question(rng)
    return chat(*turns)


def small_talk(rng: Random) -> Document:
    """Greetings, what the model is, and what it declines."""
    turns = [turn for _ in range(rng.randint(1, 3)) for turn in small_talk_turns(rng)]
    return chat(*turns)


def docstring_text(rng: Random) -> Document:
    """A paragraph of a docstring of an installed, freely licensed package."""
    return text(rng.choice(docstring_paragraphs()))


@cache
def docstring_paragraphs() -> tuple[str, ...]:
    """Prose paragraphs of the docstrings of `DOCSTRING_SOURCES`, sorted and without repeats."""
    found: set[str] = set()
    for package, subfolder in DOCSTRING_SOURCES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"package {package!r} is needed for its docstrings; pip install {package}"
            )
        for path in sorted((Path(spec.origin).parent / subfolder).rglob("*.py")):
            if "tests" not in path.parts:
                found.update(prose(path.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def prose(source: str) -> Iterator[str]:
    """Paragraphs of plain sentences in the docstrings of a Python source."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(ast.parse(source)):
        docstring = ast.get_docstring(node) if isinstance(node, documented) else None
        for paragraph in re.split(r"\n\s*\n", docstring or ""):
            sentence = " ".join(re.sub(r"[`*]|:\w+:", "", paragraph).split())
            if re.fullmatch(r"[A-Z][A-Za-z0-9 ,.;:'()/%-]{60,500}\.", sentence):
                yield sentence
