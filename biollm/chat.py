"""Stage ``chat``: ask a tuned model about a recording."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from biollm.artefact import Artefact, load_artefact, read_card
from biollm.building_config import measured_sources
from biollm.finished_artefacts import differences
from biollm.readout import generate, label_probabilities
from data_builders.preparing import read_for_chat
from data_builders.recording import Recording
from data_builders.segments import Segments
from encoders.inputs import SignalInputs, signal_inputs

__all__ = ["ChatConfig", "Reading", "RecordingChat", "chat"]

MOST_TOKENS = 256
"""Of an answer: a description of six quantities has some 200."""
MOST_BEFORE = 4
"""Turns that a question is asked behind: the first, and the last of the others. Dialogues that are taught
have five at most."""
HELP = "Ask about the current window; 'at SECONDS' moves to another, 'overview' lists all, 'quit' leaves."


@dataclass
class ChatConfig:
    """A recording and a tuned model, or several -> answers with label probabilities."""

    artefact: list[str] = field(
        default_factory=lambda: ["runs/quickstart/artefact"],
        metadata={"help": "folder that 'biollm finetune' wrote; of several, the probabilities are averaged"},
    )
    recording: str | None = field(
        default=None,
        metadata={"help": "a file of the data set's reader, FILE#NAME where it holds several, or .npz"},
    )
    root: str | None = field(
        default=None, metadata={"help": "folder of the data set, if the file does not lie directly in it"}
    )
    ask: str | None = field(default=None, metadata={"help": "ask this, print the answer and leave"})
    at: float | None = field(
        default=None, metadata={"help": "second of the recording to ask about; default: the middle"}
    )
    model_name_or_path: str | None = field(default=None, metadata={"help": "where the base is, if it moved"})
    n_phrasings: int = field(
        default=2, metadata={"help": "phrasings that the probabilities are averaged over"}
    )

    def __post_init__(self) -> None:
        if isinstance(self.artefact, str) or not self.artefact:
            raise ValueError(
                f"ChatConfig: artefact is {self.artefact!r}; allowed is a list of one folder or more."
            )
        if self.n_phrasings < 1:
            raise ValueError(f"ChatConfig: n_phrasings is {self.n_phrasings}; allowed is 1 or more.")


@dataclass
class Reading:
    """What an artefact makes of a recording from one of its token sources.

    Attributes
    ----------
    artefact : Artefact
    source : str
    texts : list of str
        The signal, a text a window.
    probabilities : ndarray, shape (n_windows, n_classes)
        Mean over phrasings.
    """

    artefact: Artefact
    source: str
    texts: list[str]
    probabilities: np.ndarray

    @property
    def talks(self) -> bool:
        """Whether dialogues were taught on this source: on those that hold measured values, if any do."""
        card = self.artefact.card
        return bool(card.dialogue) and self.source in (measured_sources(card.sources) or card.sources)


class RecordingChat:
    """Tuned models with one recording before them.

    Parameters
    ----------
    artefacts : sequence of Artefact
        Of one store and split; one, or several seeds.
    recording : Recording
    segments : Segments
        Of the whole recording, from `read_for_chat`.
    n_phrasings : int
        Phrasings that label probabilities are averaged over, beside all artefacts and token sources.

    Attributes
    ----------
    windows : DataFrame
        ``start``, ``duration`` in s, and ``emotion`` where the recording says it.
    classes : list of str
    readings : list of Reading
        One an artefact and token source.
    probabilities : ndarray, shape (n_windows, n_classes)
        Mean over the readings.
    dialogues : dict of int to list of (question, answer)
        What was said about a window.
    """

    def __init__(
        self, artefacts: Sequence[Artefact], recording: Recording, segments: Segments, n_phrasings: int = 2
    ) -> None:
        self.recording = recording
        self.classes = artefacts[0].card.classes
        rows = np.flatnonzero(~segments.table["reference"].to_numpy(bool))
        self.windows = segments.table.iloc[rows].reset_index(drop=True)
        self.readings = [
            reading
            for artefact, inputs in zip(artefacts, _inputs(artefacts, segments), strict=True)
            for reading in _readings(artefact, inputs, rows, n_phrasings)
        ]
        self.probabilities = np.mean([reading.probabilities for reading in self.readings], axis=0)
        self.dialogues: dict[int, list[tuple[str, str]]] = defaultdict(list)

    def ask(self, question: str, window: int) -> str:
        """A model's own words about one window, behind what was said about it.

        They are from the reading that is surest of the joint one; where dialogues were taught, from one of
        the sources that they were taught on.
        """
        best, said = self.probabilities[window].argmax(), self.dialogues[window]
        surest = max(self.readings, key=lambda reading: (reading.talks, reading.probabilities[window, best]))
        artefact, written = surest.artefact, surest.artefact.card.signal_tokens
        before = said[:1] + said[1:][1 - MOST_BEFORE :]
        prompt = artefact.chat_prompt(surest.texts[window], question, before)
        answer = generate(artefact.model, artefact.tokenizer, [prompt], MOST_TOKENS, written)[0]
        if answer:  # rows hold no empty turn, and some templates refuse one
            said.append((question, answer))
        return answer

    def window_at(self, seconds: float) -> int:
        """Number of the window that holds a moment, or the nearest one."""
        start, end = self.windows["start"], self.windows["start"] + self.windows["duration"]
        outside = np.maximum(start - seconds, seconds - end).clip(lower=0) + (end <= seconds) * 1e-9
        return int(outside.argmin())

    def overview(self) -> str:
        """A line a window: time, most probable label, its probability, and the truth if known."""
        labels = np.asarray(self.classes)[self.probabilities.argmax(axis=1)]
        lines = [f"{'window':>13}  {'reads':<12} {'p':>4}  truth"]
        for k, row in self.windows.iterrows():
            truth = "-" if pd.isna(row["emotion"]) else row["emotion"]
            lines.append(f"{self.span(k):>13}  {labels[k]:<12} {self.probabilities[k].max():4.2f}  {truth}")
        return "\n".join(lines)

    def span(self, window: int) -> str:
        """Start and end of a window as minutes and seconds."""
        start, duration = self.windows.loc[window, ["start", "duration"]]
        return f"{_clock(start)}-{_clock(start + duration)}"

    def answer(self, question: str, window: int) -> str:
        """Words, label probabilities and the truth if known, for printing."""
        ranked = sorted(zip(self.probabilities[window], self.classes, strict=True), reverse=True)
        truth = self.windows.loc[window, "emotion"]
        known = "" if pd.isna(truth) else f"   (recorded as: {truth})"
        shares = "  ".join(f"{label} {p:.2f}" for p, label in ranked)
        return f"[{self.span(window)}] {self.ask(question, window)}\n  {shares}{known}"


def _inputs(artefacts: Sequence[Artefact], segments: Segments) -> Iterator[SignalInputs]:
    """What each artefact's signal tokenizer reads, made once where they read the same."""
    made: dict[str, SignalInputs] = {}
    for artefact in artefacts:
        settings = artefact.signal_tokenizer.config
        wanted = repr((settings.frame_seconds, settings.features))
        if wanted not in made:
            made[wanted] = signal_inputs(segments, settings.frame_seconds, settings.features)
        yield made[wanted]


def _readings(
    artefact: Artefact, inputs: SignalInputs, rows: np.ndarray, n_phrasings: int
) -> Iterator[Reading]:
    answers = artefact.task.answers(artefact.card.written_classes)
    for source in artefact.card.sources:
        texts = artefact.signal_tokenizer.encode_copies(inputs, rows, source)[0]
        asked = [artefact.prompts(texts, phrasing) for phrasing in range(n_phrasings)]
        read = [label_probabilities(artefact.model, artefact.tokenizer, p, answers) for p in asked]
        yield Reading(artefact, source, texts, np.mean(read, axis=0))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def chat(config: ChatConfig) -> None:
    """Print an overview of the recording, answer the question or go on interactively."""
    if config.recording is None:
        raise ValueError("recording is missing; give --recording FILE.")
    path = Path(config.recording.partition("#")[0])
    if not path.parent.is_dir() or path.name not in {
        n for p in path.parent.iterdir() for n in (p.name, p.stem)
    }:
        raise FileNotFoundError(
            f"{path}: there is no such recording; allowed is a file of the data set, or an .npz file that "
            "`data_builders.save_recording` wrote of a recording, simulated ones too."
        )
    store = _common_store(config.artefact)
    recording, segments = read_for_chat(store, config.recording, config.root)
    artefacts = [load_artefact(folder, config.model_name_or_path) for folder in config.artefact]
    session = RecordingChat(artefacts, recording, segments, config.n_phrasings)
    window = _moment(session, recording.duration / 2 if config.at is None else config.at)
    if config.ask:
        print(session.answer(config.ask, window))
        return
    print(_describe(recording))
    print(session.overview())
    print(HELP)
    _converse(session, window)


def _common_store(folders: Sequence[str]) -> dict:
    """The card of the store that all artefacts were made from, on one split."""
    cards = [read_card(folder)[0] for folder in folders]
    for card in cards:
        card.check_taught("emotion", "chat")
    said = [{"store": card.store, "classes": card.classes, "split": card.split_hash} for card in cards]
    if lines := differences(folders, said):
        raise ValueError(
            "models are asked together where they are of one store and split, as the seeds of one fold of "
            "'biollm evaluate' are; of another split, one of them may know the person:\n" + "\n".join(lines)
        )
    return cards[0].store


def _describe(recording: Recording) -> str:
    signals = ", ".join(
        f"{n} {len(s.channel_names)} x {s.sampling_rate:g} Hz" for n, s in recording.signals.items()
    )
    return f"{recording.dataset} {recording.subject}: {_clock(recording.duration)}, {signals}"


def _converse(session: RecordingChat, window: int) -> None:
    while True:
        try:
            said = input(f"[{session.span(window)}] > ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not sys.stdin.isatty():
            print(said)
        if said in {"quit", "exit"}:
            return
        if said == "overview":
            print(session.overview())
        elif said.startswith("at "):
            window = _moved(session, said, window)
        elif said:
            print(session.answer(said, window))


def _moved(session: RecordingChat, said: str, window: int) -> int:
    try:
        seconds = float(said.removeprefix("at "))
    except ValueError:
        print(f"{said!r}: give a number of seconds, as 'at 120'.")
        return window
    try:
        return _moment(session, seconds)
    except ValueError as error:
        print(error)
        return window


def _moment(session: RecordingChat, seconds: float) -> int:
    """The window at or nearest to a moment of the recording."""
    if not 0 <= seconds <= session.recording.duration:
        raise ValueError(
            f"at is {seconds:g} s; allowed is 0 to the {session.recording.duration:g} s of the recording."
        )
    return session.window_at(seconds)
