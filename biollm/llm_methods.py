"""From a fold's inputs to an LLM's answers: fit the signal tokenizer, write conversations, tune, read out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from biollm.context import Context, MethodOutput
from biollm.provenance import code_hash
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
    settings = SignalTokenizerConfig(**{**context.config.tokenizer_settings, **changes})
    if context.tokenizers is None or inputs is not context.inputs:
        return _fitted(context, inputs, settings)
    return _shared(context, settings, context.tokenizers)


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
    """What the encoder's own head says of the frames that the LLM reads."""
    held = inputs[context.rows(context.config.part)]
    rows = labelled_rows(held, context.classes, on_grid=True)
    probabilities = tokenizer.encoder.predict_proba(held, rows)
    seconds = time.perf_counter() - started
    return MethodOutput(
        "encoder of the tokens", "encoder", seconds, probabilities, note="quantized frames, own head"
    )


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
    build, training = {**BUILD, **as_mapping(config.build)}, as_mapping(config.training)
    aligned = None
    if config.alignment:
        settings = as_mapping(config.alignment)
        before = training | {name: settings.pop(name) for name in ("max_steps",) if name in settings}
        aligned = _tuned(context, inputs, tokenizer, sources, place / "alignment", settings, before, None)
    artefact = _tuned(context, inputs, tokenizer, sources, place, build, training, aligned)
    yield from read_out(context, inputs, load_artefact(artefact), started)


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
    """Likelihoods of the labels by source, and the read-outs that were asked for."""
    wanted = context.config.readouts
    held = inputs[context.rows(context.config.part)]
    rows = labelled_rows(held, context.classes, on_grid=True)
    for number, source in enumerate(artefact.card.sources):
        texts = artefact.signal_tokenizer.encode_copies(held, rows, source)[0]
        note = _tokens_note(artefact, texts)
        by_phrasing = _likelihoods(context, artefact, texts)
        readings = {f"LLM on {source}": np.mean(by_phrasing, axis=0)}
        if "one phrasing" in wanted:
            readings[f"LLM on {source}, one phrasing"] = by_phrasing[0]
        if "prior corrected" in wanted:
            blank = _likelihoods(context, artefact, [""])
            readings[f"LLM on {source}, prior corrected"] = np.mean(
                [_corrected(p, prior) for p, prior in zip(by_phrasing, blank, strict=True)], axis=0
            )
        for method, probabilities in readings.items():
            yield MethodOutput(method, "llm", time.perf_counter() - started, probabilities, note=note)
        if number == 0:
            yield from _written(context, artefact, texts, source, started)


def _likelihoods(context: Context, artefact: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Label probabilities by phrasing."""
    from biollm.readout import label_probabilities

    answers = artefact.task.answers(artefact.card.written_classes)
    prompts = (artefact.prompts(texts, k) for k in range(context.config.n_phrasings))
    return [label_probabilities(artefact.model, artefact.tokenizer, asked, answers) for asked in prompts]


def _corrected(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Divided by what the LLM says where there is no signal (Zhao et al. 2021)."""
    odds = probabilities / np.maximum(prior, 1e-6)
    return odds / odds.sum(axis=1, keepdims=True)


def _tokens_note(artefact: Any, texts: Sequence[str]) -> str:
    lengths = [len(ids) for ids in artefact.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    return f"{np.mean(lengths):.0f} tokens a segment"


def _written(
    context: Context, artefact: Any, texts: Sequence[str], source: str, started: float
) -> Iterator[MethodOutput]:
    """What the answers that it writes name: the greedy one, and a vote of drawn ones."""
    from biollm.readout import generate

    longest = max(
        len(artefact.tokenizer(answer, add_special_tokens=False)["input_ids"])
        for answer in artefact.task.answers(artefact.card.written_classes)
    )
    wanted, prompts, tokens = context.config.readouts, artefact.prompts(texts), artefact.card.signal_tokens

    def answers(**how: Any) -> list[str | None]:
        written = generate(artefact.model, artefact.tokenizer, prompts, longest + SPARE, tokens, **how)
        words = artefact.card.written_classes
        named = [artefact.task.label(answer, words) for answer in written]
        return [None if word is None else context.classes[words.index(word)] for word in named]

    if "generated" in wanted:
        greedy, seconds = answers(), time.perf_counter() - started
        yield MethodOutput(
            f"LLM on {source}, generated", "llm", seconds, None, greedy, "greedy answer, parsed"
        )
    if "self-consistency" in wanted:
        drawn = [answers(temperature=TEMPERATURE, seed=context.seed + k) for k in range(SAMPLES)]
        votes = [_most_frequent(column) for column in zip(*drawn, strict=True)]
        seconds, note = time.perf_counter() - started, f"vote of {SAMPLES} drawn answers"
        yield MethodOutput(f"LLM on {source}, self-consistency", "llm", seconds, None, votes, note)


def _most_frequent(answers: Sequence[str | None]) -> str | None:
    """The label that most answers name, the first of equals; None where none names any."""
    named = [answer for answer in answers if answer is not None]
    return max(named, key=named.count) if named else None
