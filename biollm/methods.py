"""The rows of the table: what each group of methods fits and predicts on one fold with one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biollm.baselines import predict_baseline
from biollm.context import Context, MethodOutput
from biollm.controls import noise_for_signal, shuffle_labels
from biollm.encoder_methods import run_encoder
from data_builders.options import as_mapping
from data_builders.splits import Split
from data_builders.stage import run_stage
from encoders.inputs import SignalInputs
from encoders.signal_encoder import SignalEncoder, labelled_rows
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

__all__ = ["GROUPS", "Group"]


def classical(context: Context) -> Iterator[MethodOutput]:
    """Majority class, and classical models on normalised hand-made features."""
    fitted = context.inputs[context.rows(*context.fitted_parts)]
    held = context.inputs[context.rows(context.config.part)]
    rows = labelled_rows(fitted, context.classes), labelled_rows(held, context.classes, on_grid=True)
    for name in ("majority", "SVM-RBF", "extra trees"):
        started = time.perf_counter()
        made = predict_baseline(
            name, fitted, held, *rows, classes=context.classes, normalisation=context.config.normalisation,
            seed=context.seed, search=False,
        )  # fmt: skip
        family = "majority" if name == "majority" else "classical"
        yield MethodOutput(name, family, time.perf_counter() - started, made.values)


def encoders(context: Context) -> Iterator[MethodOutput]:
    """Networks with a classification head on their own frames."""
    common = {
        **context.config.tokenizer_settings.get("encoder", {}),
        "quantizer": None,
        "quantizer_options": {},
    }
    for name in ("CNN", "TCN", "BiLSTM"):
        yield run_encoder(context, name, {**common, "network": name.lower()})


def _train_and_validation(context: Context, inputs: SignalInputs) -> tuple[SignalInputs, SignalInputs]:
    return inputs[context.rows("train")], inputs[context.rows("validation")]


def _head(
    encoder: SignalEncoder, context: Context, inputs: SignalInputs, started: float
) -> tuple[float, np.ndarray]:
    held = inputs[context.rows(context.config.part)]
    probabilities = encoder.predict_proba(held, labelled_rows(held, context.classes, on_grid=True))
    return time.perf_counter() - started, probabilities


def llm(context: Context) -> Iterator[MethodOutput]:
    """The LLM on signal tokens: likelihoods by source, generated answers, and its own encoder's head."""
    if context.config.artefact:
        yield from _finished_artefact(context)
        return
    started = time.perf_counter()
    tokenizer = _fit_tokenizer(context, context.inputs)
    yield MethodOutput(
        "encoder of the tokens", "encoder", *_head(tokenizer.encoder, context, context.inputs, started),
        note="quantized frames, own head",
    )  # fmt: skip
    yield from _tune_and_read(context, context.inputs, tokenizer, context.config.sources, started)


def floats(context: Context) -> Iterator[MethodOutput]:
    """The LLM on stringified features, the predecessors' way."""
    started = time.perf_counter()
    tokenizer = _fit_tokenizer(context, context.inputs, encoder=None)
    yield from _tune_and_read(context, context.inputs, tokenizer, ["floats"], started)


def shuffled(context: Context) -> Iterator[MethodOutput]:
    """Control: the whole chain on shuffled training labels."""
    rows = context.rows("train", "validation")
    inputs = shuffle_labels(context.inputs, rows, context.classes, context.seed)
    yield from _control(context, inputs, "LLM, shuffled labels")


def noise(context: Context) -> Iterator[MethodOutput]:
    """Control: the whole chain on noise in place of the signals, in training and test."""
    yield from _control(context, noise_for_signal(context.inputs, context.seed), "LLM, noise for signal")


def _control(context: Context, inputs: SignalInputs, name: str) -> Iterator[MethodOutput]:
    started = time.perf_counter()
    tokenizer = _fit_tokenizer(context, inputs)
    outputs = list(
        _tune_and_read(context, inputs, tokenizer, context.config.sources, started, generated=False)
    )
    mean = np.mean([output.probabilities for output in outputs if output.probabilities is not None], axis=0)
    yield MethodOutput(name, "control", outputs[-1].seconds, mean, note="must be at chance")


def _fit_tokenizer(context: Context, inputs: SignalInputs, **changes: Any) -> SignalTokenizer:
    done = context.workplace / "conversations" / "signal_tokenizer"
    if done.is_dir():
        return SignalTokenizer.from_pretrained(done)
    settings = SignalTokenizerConfig(**{**context.config.tokenizer_settings, **changes})
    tokenizer = SignalTokenizer(settings, context.classes, context.seed)
    return tokenizer.fit(*_train_and_validation(context, inputs), context.progress)


def _tune_and_read(
    context: Context,
    inputs: SignalInputs,
    tokenizer: SignalTokenizer,
    sources: list[str],
    started: float,
    generated: bool = True,
) -> Iterator[MethodOutput]:
    from biollm.artefact import load_artefact
    from biollm.building import BuildConfig, write_conversations
    from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune

    config, place = context.config, context.workplace
    conversations = place / "conversations"
    build = BuildConfig(
        sources=sources,
        model_name_or_path=config.model_name_or_path,
        seed=context.seed,
        **as_mapping(config.build),
    )
    split = context.split
    if context.config.part == "validation":
        split = Split({k: v for k, v in split.parts.items() if v == "train"}, split.protocol, split.fold)
    about = context.store.card()

    def work(partial: Path) -> None:
        write_conversations(partial, inputs, tokenizer, split, about, build, progress=False)

    run_stage("build", conversations, {"split": split.hash, "job": place.name}, work)
    tuning = FinetuneConfig(
        str(conversations), str(place / "artefact"), config.model_name_or_path, config.load_in_4bit
    )
    finetune(tuning, FinetuneTraining(seed=context.seed, **as_mapping(config.training)), context.progress)
    yield from _read_out(context, inputs, load_artefact(place / "artefact"), started, generated)


def _finished_artefact(context: Context) -> Iterator[MethodOutput]:
    """Read-outs of an artefact that exists, on the split that it was made on."""
    from biollm.artefact import load_artefact

    started = time.perf_counter()
    artefact = load_artefact(str(context.config.artefact))
    if artefact.card.split_hash != context.split.hash:
        raise ValueError(
            f"{context.config.artefact}: was made on the split {artefact.card.split_hash}, not on "
            f"{context.split.hash}. Give the artefact's own split.json with --split."
        )
    encoder = artefact.signal_tokenizer.encoder
    head = _head(encoder, context, context.inputs, started)
    yield MethodOutput("encoder of the tokens", "encoder", *head, note="quantized frames, own head")
    yield from _read_out(context, context.inputs, artefact, started, True)


def _read_out(
    context: Context, inputs: SignalInputs, artefact: Any, started: float, generated: bool
) -> Iterator[MethodOutput]:
    from biollm.readout import generate, label_probabilities

    held = inputs[context.rows(context.config.part)]
    scored = labelled_rows(held, context.classes, on_grid=True)
    for source in artefact.card.sources:
        texts = artefact.signal_tokenizer.encode_copies(held, scored, source)[0]
        prompts = [artefact.prompts(texts, k) for k in range(context.config.n_phrasings)]
        mean = np.mean(
            [
                label_probabilities(
                    artefact.model, artefact.tokenizer, asked, artefact.task.answers(context.classes)
                )
                for asked in prompts
            ],
            axis=0,
        )
        yield MethodOutput(f"LLM on {source}", "llm", time.perf_counter() - started, mean)
        if source == "codes" and generated:
            answers = generate(
                artefact.model, artefact.tokenizer, prompts[0], 16, artefact.card.signal_tokens
            )
            parsed = [artefact.task.parse(answer, context.classes) for answer in answers]
            yield MethodOutput(
                "LLM on codes, generated",
                "llm",
                time.perf_counter() - started,
                None,
                parsed,
                "greedy answer, parsed",
            )


@dataclass(frozen=True)
class Group:
    """Methods that are fitted together in one job; `cost` orders the jobs, the longest first."""

    methods: Callable[[Context], Iterator[MethodOutput]]
    cost: int


GROUPS = {
    "llm": Group(llm, cost=5),
    "floats": Group(floats, cost=4),
    "shuffled": Group(shuffled, cost=3),
    "noise": Group(noise, cost=3),
    "encoders": Group(encoders, cost=2),
    "classical": Group(classical, cost=1),
}
