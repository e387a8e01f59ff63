"""From a fold's inputs to an LLM's answers: fit the signal tokenizer, write conversations, tune, read out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from biollm.context import Context, MethodOutput
from biollm.encoder_methods import encoder_answers
from biollm.provenance import code_hash
from biollm.rating_readout import RatingQuestion, rating_questions
from biollm.rating_scales import N_POINTS
from biollm.rating_scales import TASK as AFFECT
from data_builders.options import as_mapping
from data_builders.splits import Split
from data_builders.stage import content_hash, run_stage
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

__all__ = ["READOUTS", "fit_tokenizer", "head", "read_out", "tune_and_read"]

READOUTS = ("generated", "one phrasing", "prior corrected", "self-consistency")
"""Ways to read an answer beside the mean likelihood over phrasings."""

BUILD: dict[str, Any] = {"answer_forms": 1}
"""Fields of `BuildConfig` that are otherwise here: likelihoods are read on the first answer form alone."""

SAMPLES, TEMPERATURE = 5, 0.7
N_CALIBRATING = 256
"""Segments, at most, by which the sharpness of ratings is fitted."""
SPARE = 8
"""Tokens that a written answer may have more than the first answer form."""


def fit_tokenizer(context: Context, inputs: SignalInputs, **changes: Any) -> SignalTokenizer:
    """The signal tokenizer of this fold and seed, or the one that a stopped job has left.

    Parameters
    ----------
    changes
        Fields of `SignalTokenizerConfig` that differ from the configuration's.
    """
    done = context.workplace / "conversations" / "signal_tokenizer"
    if done.is_dir():
        return SignalTokenizer.from_pretrained(done)
    settings = SignalTokenizerConfig(**{**_taught(context), **changes})
    if context.tokenizers is None or inputs is not context.inputs:
        return _fitted(context, inputs, settings)
    return _shared(context, settings, context.tokenizers)


def _taught(context: Context) -> dict[str, Any]:
    """Fields of `SignalTokenizerConfig`; of ratings the encoder and the choice of features learn as well."""
    settings = context.config.tokenizer_settings
    if "emotion" in context.targets:
        return settings
    targets, encoder = list(context.targets), settings.get("encoder", {})
    taught = None if encoder is None else {**encoder, "targets": targets}
    return {**settings, "encoder": taught, "ranked_by": targets}


def _fitted(context: Context, inputs: SignalInputs, settings: SignalTokenizerConfig) -> SignalTokenizer:
    tokenizer = SignalTokenizer(settings, context.classes, context.seed)
    train, validation = (inputs[context.rows(part)] for part in ("train", "validation"))
    return tokenizer.fit(train, validation, context.progress)


def _shared(context: Context, settings: SignalTokenizerConfig, folder: Path) -> SignalTokenizer:
    """One fit for all jobs that want the same; of two at once the second waits for the first."""
    from filelock import FileLock

    split = context.split
    code = code_hash("data_builders", "encoders")
    key = content_hash([asdict(settings), split.hash, split.fold, context.store.key, context.seed, code])
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{key}.lock"):
        if not (folder / key).is_dir():
            partial = folder / f"{key}.partial"
            _fitted(context, context.inputs, settings).save_pretrained(partial)
            partial.rename(folder / key)
    return SignalTokenizer.from_pretrained(folder / key)


def head(context: Context, tokenizer: SignalTokenizer, inputs: SignalInputs, started: float) -> MethodOutput:
    """What the encoder's own heads say of the frames that the LLM reads."""
    said = encoder_answers(tokenizer.encoder, context, inputs)
    values = {target: said[target] for target in context.targets}
    seconds, probabilities = time.perf_counter() - started, values.pop("emotion", None)
    note = "quantized frames, own head"
    return MethodOutput("encoder of the tokens", "encoder", seconds, probabilities, note=note, values=values)


def tune_and_read(
    context: Context,
    inputs: SignalInputs,
    tokenizer: SignalTokenizer,
    sources: Sequence[str],
    started: float,
) -> Iterator[MethodOutput]:
    """Tune the LLM on the fold's training subjects and give its answers on the scored ones."""
    from biollm.artefact import load_artefact

    config, place = context.config, context.workplace
    build, training = {**_asking(context), **as_mapping(config.build)}, as_mapping(config.training)
    aligned = None
    if config.alignment:
        settings = as_mapping(config.alignment)
        before = training | {name: settings.pop(name) for name in ("max_steps",) if name in settings}
        aligned = _tuned(context, inputs, tokenizer, sources, place / "alignment", settings, before, None)
    artefact = _tuned(context, inputs, tokenizer, sources, place, build, training, aligned)
    yield from read_out(context, inputs, load_artefact(artefact), started)


def _asking(context: Context) -> dict[str, Any]:
    """Fields of `BuildConfig` by which the LLM is taught what it will be asked for."""
    if "emotion" in context.targets:
        return BUILD
    return {**BUILD, "tasks": {AFFECT: 1.0}, "rating_points": dict.fromkeys(context.targets, N_POINTS)}


def _tuned(
    context: Context,
    inputs: SignalInputs,
    tokenizer: SignalTokenizer,
    sources: Sequence[str],
    place: Path,
    build: dict[str, Any],
    training: dict[str, Any],
    adapter: Path | None,
) -> Path:
    """Build and fine-tune in a folder; the artefact."""
    from biollm.building import BuildConfig, write_conversations
    from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune

    config = context.config
    conversations, artefact = place / "conversations", place / "artefact"
    building = BuildConfig(
        sources=list(sources),
        signal_mode=config.signal_mode,
        model_name_or_path=config.model_name_or_path,
        seed=context.seed,
        **build,
    )
    split = context.split
    if config.part == "validation":
        split = Split({k: v for k, v in split.parts.items() if v == "train"}, split.protocol, split.fold)

    def work(partial: Path) -> None:
        write_conversations(partial, inputs, tokenizer, split, context.store, building)

    run_stage("build", conversations, {"split": split.hash, "job": context.workplace.name}, work)
    tuning = FinetuneConfig(
        str(conversations),
        str(artefact),
        config.model_name_or_path,
        config.load_in_4bit,
        adapter=None if adapter is None else str(adapter),
        **as_mapping(config.finetune),
    )
    return finetune(tuning, FinetuneTraining(seed=context.seed, **training), context.progress)


def read_out(context: Context, inputs: SignalInputs, artefact: Any, started: float) -> Iterator[MethodOutput]:
    """Likelihoods of the answers by source, and the read-outs that were asked for."""
    held = inputs[context.rows(context.config.part)]
    rows = labelled_rows(held, context.classes, on_grid=True, targets=context.targets)
    questions = _questions(context, artefact)
    for number, source in enumerate(artefact.card.sources):
        texts = artefact.signal_tokenizer.encode_copies(held, rows, source)[0]
        note = _tokens_note(artefact, texts)
        if "emotion" not in context.targets:
            _calibrate(context, inputs, artefact, questions, source)
        for readout, found in _readings(context, artefact, questions, texts).items():
            seconds, probabilities = time.perf_counter() - started, found.pop("emotion", None)
            yield MethodOutput(
                f"LLM on {source}{readout}", "llm", seconds, probabilities, note=note, values=found
            )
        if number == 0:
            yield from _written(context, artefact, questions, texts, source, started)


class LabelQuestion:
    """The question for the emotion, whose answers are the classes; `RatingQuestion` has the same methods."""

    target = "emotion"

    def __init__(self, artefact: Any, classes: Sequence[str]) -> None:
        self.artefact = artefact
        self.classes = classes
        self.words = artefact.card.written_classes

    def prompts(self, texts: Sequence[str], phrasing: int = 0) -> list[str]:
        return self.artefact.prompts(texts, phrasing)

    @property
    def answers(self) -> list[str]:
        return self.artefact.task.answers(self.words)

    def read(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities

    def vote(self, drawn: Sequence[Sequence[str]]) -> list[str | None]:
        named = [[self._class(answer) for answer in answers] for answers in drawn]
        return [_most_frequent(column) for column in zip(*named, strict=True)]

    def _class(self, answer: str) -> str | None:
        word = self.artefact.task.label(answer, self.words)
        return None if word is None else self.classes[self.words.index(word)]


def _questions(context: Context, artefact: Any) -> list[Any]:
    """What the LLM is asked, one question a target."""
    if "emotion" in context.targets:
        return [LabelQuestion(artefact, context.classes)]
    return list(rating_questions(artefact, context.targets))


def _calibrate(
    context: Context, inputs: SignalInputs, artefact: Any, questions: Sequence[RatingQuestion], source: str
) -> None:
    """Fit how sharply ratings are read, on segments that the LLM has learned from."""
    fitted = inputs[context.rows(*context.fitted_parts)]
    for question in questions:
        rows = labelled_rows(fitted, context.classes, on_grid=True, targets=[question.target])
        rows = rows[:: -(-len(rows) // N_CALIBRATING)]
        texts = artefact.signal_tokenizer.encode_copies(fitted, rows, source)[0]
        probabilities = np.mean(_likelihoods(context, artefact, question, texts), axis=0)
        question.calibrate(probabilities, fitted.table[question.target].to_numpy(float)[rows])


def _readings(
    context: Context, artefact: Any, questions: Sequence[Any], texts: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """What the likelihoods say, by read-out and target."""
    wanted, readings = context.config.readouts, defaultdict[str, dict[str, np.ndarray]](dict)
    for question in questions:
        by_phrasing = _likelihoods(context, artefact, question, texts)
        readings[""][question.target] = question.read(np.mean(by_phrasing, axis=0))
        if "one phrasing" in wanted:
            readings[", one phrasing"][question.target] = question.read(by_phrasing[0])
        if "prior corrected" in wanted:
            blank = _likelihoods(context, artefact, question, [""])
            corrected = [_corrected(p, prior) for p, prior in zip(by_phrasing, blank, strict=True)]
            readings[", prior corrected"][question.target] = question.read(np.mean(corrected, axis=0))
    return dict(readings)


def _likelihoods(context: Context, artefact: Any, question: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Probabilities of the answers by phrasing."""
    from biollm.readout import label_probabilities

    prompts = (question.prompts(texts, k) for k in range(context.config.n_phrasings))
    return [
        label_probabilities(artefact.model, artefact.tokenizer, asked, question.answers) for asked in prompts
    ]


def _corrected(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Divided by what the LLM says where there is no signal (Zhao et al. 2021)."""
    odds = probabilities / np.maximum(prior, 1e-6)
    return odds / odds.sum(axis=1, keepdims=True)


def _tokens_note(artefact: Any, texts: Sequence[str]) -> str:
    lengths = [len(ids) for ids in artefact.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    return f"{np.mean(lengths):.0f} tokens a segment"


def _written(
    context: Context,
    artefact: Any,
    questions: Sequence[Any],
    texts: Sequence[str],
    source: str,
    started: float,
) -> Iterator[MethodOutput]:
    """What the answers that it writes name: the greedy one, and a vote of drawn ones."""

    def output(readout: str, note: str, how: Sequence[dict[str, Any]]) -> MethodOutput:
        found = {q.target: q.vote([_answers(artefact, q, texts, **one) for one in how]) for q in questions}
        seconds, labels = time.perf_counter() - started, found.pop("emotion", None)
        return MethodOutput(f"LLM on {source}, {readout}", "llm", seconds, None, labels, note, found)

    if "generated" in context.config.readouts:
        yield output("generated", "greedy answer, parsed", [{}])
    if "self-consistency" in context.config.readouts:
        drawn = [{"temperature": TEMPERATURE, "seed": context.seed + k} for k in range(SAMPLES)]
        yield output("self-consistency", f"vote of {SAMPLES} drawn answers", drawn)


def _answers(artefact: Any, question: Any, texts: Sequence[str], **how: Any) -> list[str]:
    from biollm.readout import generate

    lengths = (
        len(artefact.tokenizer(answer, add_special_tokens=False)["input_ids"]) for answer in question.answers
    )
    prompts, tokens = question.prompts(texts), artefact.card.signal_tokens
    return generate(artefact.model, artefact.tokenizer, prompts, max(lengths) + SPARE, tokens, **how)


def _most_frequent(answers: Sequence[str | None]) -> str | None:
    """The label that most answers name, the first of equals; None where none names any."""
    named = [answer for answer in answers if answer is not None]
    return max(named, key=named.count) if named else None
