"""The rows of the table: what each group of methods fits and predicts on one fold with one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from biollm.classical_methods import run_baseline, why_no_baseline
from biollm.context import Context, MethodOutput
from biollm.controls import noise_for_signal, shuffle_labels
from biollm.encoder_methods import run_encoder
from biollm.finished_artefacts import made_on
from biollm.llm_methods import fit_tokenizer, head, tune_and_read
from biollm.llm_readouts import read_out
from encoders.inputs import SignalInputs
from encoders.signal_tokenizer import SignalTokenizer

__all__ = ["GROUPS", "Group"]

CLASSICAL = ("majority", "ridge", "SVM-RBF", "extra trees")
N_FLOATS = 16
"""Features that are written as digits."""


def classical(context: Context) -> Iterator[MethodOutput]:
    """Majority class or mean rating, and classical models on normalised hand-made features."""
    for name in CLASSICAL:
        if not why_no_baseline(name, context.inputs.stream_specs, context.targets):
            yield run_baseline(context, name, search=False)


def encoders(context: Context) -> Iterator[MethodOutput]:
    """Networks with a classification head on their own frames of the signals."""
    common = {
        **(context.config.tokenizer_settings.get("encoder") or {}),
        "network_options": {},  # of the network that makes the tokens
        "beside": [],
        "reads": "signals",
        "quantizer": None,
        "quantizer_options": {},
    }
    for name in ("CNN", "TCN", "BiLSTM"):
        yield run_encoder(context, name, {**common, "network": name.lower()})


def llm(context: Context) -> Iterator[MethodOutput]:
    """The LLM on signal tokens: likelihoods by source, generated answers, and its own encoder's head."""
    if context.config.artefact:
        yield from _finished_artefact(context)
        return
    started = time.perf_counter()
    tokenizer = fit_tokenizer(context, context.inputs)
    yield from _own_head(context, tokenizer, started)
    yield from tune_and_read(context, context.inputs, tokenizer, context.config.sources, started)


def floats(context: Context) -> Iterator[MethodOutput]:
    """The LLM on stringified features, the predecessors' way: in one stage, the most informative ones."""
    started = time.perf_counter()
    changes: dict = {"signal_mode": "digits", "readouts": [], "alignment": None}
    context = replace(context, config=replace(context.config, **changes))
    tokenizer = fit_tokenizer(context, context.inputs, encoder=None, n_binned=N_FLOATS)
    for output in tune_and_read(context, context.inputs, tokenizer, ["bins"], started):
        yield replace(output, method="LLM on floats")


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
    context = replace(context, config=replace(context.config, readouts=[]))
    tokenizer = fit_tokenizer(context, inputs)
    outputs = list(tune_and_read(context, inputs, tokenizer, context.config.sources, started))
    read = [output.probabilities for output in outputs if output.probabilities is not None]
    mean = np.mean(read, axis=0) if read else None
    values = {t: np.mean([output.values[t] for output in outputs], axis=0) for t in outputs[0].values}
    yield MethodOutput(name, "control", outputs[-1].seconds, mean, note="must be at chance", values=values)


def _finished_artefact(context: Context) -> Iterator[MethodOutput]:
    """Read-outs of an artefact that exists, on the split that it was made on; the seed says which."""
    from biollm.artefact import load_artefact

    started = time.perf_counter()
    place = context.config.seeds.index(context.seed)
    folder = made_on(context.config.artefact, context.split)[place]
    artefact = load_artefact(folder, context.config.model_name_or_path)
    yield from _own_head(context, artefact.signal_tokenizer, started)
    yield from read_out(context, context.inputs, artefact, started)


def _own_head(context: Context, tokenizer: SignalTokenizer, started: float) -> Iterator[MethodOutput]:
    """What the encoder of the tokens says itself, if there is one that was taught the targets."""
    encoder = tokenizer.encoder_
    if encoder is not None and set(context.targets) <= set(encoder.config.targets):
        yield head(context, tokenizer, context.inputs, started)


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
