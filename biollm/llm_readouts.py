"""What an LLM answers for the scored rows: likelihoods of its answers, and the text that it writes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from biollm.context import Context, MethodOutput
from biollm.label_readout import LabelQuestion
from biollm.rating_readout import RatingQuestion, rating_questions
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows

__all__ = ["READOUTS", "read_out"]

READOUTS = ("generated", "one phrasing")
"""Ways to read an answer beside the mean likelihood over phrasings."""

N_CALIBRATING = 256
"""Segments, at most, by which the sharpness of ratings is fitted."""
SPARE = 8
"""Tokens that a written answer may have more than the first answer form."""


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
        if number == 0 and "generated" in context.config.readouts:
            written = {q.target: q.named(_answers(artefact, q, texts)) for q in questions}
            seconds, labels = time.perf_counter() - started, written.pop("emotion", None)
            note = "greedy answer, parsed"
            yield MethodOutput(f"LLM on {source}, generated", "llm", seconds, None, labels, note, written)


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
    return dict(readings)


def _likelihoods(context: Context, artefact: Any, question: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Probabilities of the answers by phrasing."""
    from biollm.readout import label_probabilities

    prompts = (question.prompts(texts, k) for k in range(context.config.n_phrasings))
    return [
        label_probabilities(artefact.model, artefact.tokenizer, asked, question.answers) for asked in prompts
    ]


def _tokens_note(artefact: Any, texts: Sequence[str]) -> str:
    lengths = [len(ids) for ids in artefact.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    return f"{np.mean(lengths):.0f} tokens a segment"


def _answers(artefact: Any, question: Any, texts: Sequence[str]) -> list[str]:
    """What the LLM writes."""
    from biollm.readout import generate

    lengths = (
        len(artefact.tokenizer(answer, add_special_tokens=False)["input_ids"]) for answer in question.answers
    )
    prompts, tokens = question.prompts(texts), artefact.card.signal_tokens
    return generate(artefact.model, artefact.tokenizer, prompts, max(lengths) + SPARE, tokens)
