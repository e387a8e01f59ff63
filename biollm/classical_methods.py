"""Rows of the classical baselines: one model a target, hyper-parameters chosen inside the training part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from biollm.baselines import BASELINES, predict_baseline, why_not_applicable
from biollm.context import Context, MethodOutput
from encoders.signal_encoder import labelled_rows
from encoders.streams import StreamSpec
from prompts.words import RATINGS

__all__ = ["run_baseline", "why_no_baseline"]

RANKING = (("emotion",), RATINGS, ("transition",))
"""Targets that rank a table, so that all rows answer for them: the first of these that are asked for."""


def run_baseline(context: Context, name: str, search: bool = True) -> MethodOutput:
    """Fit a baseline for each target that it has an answer for, and ask it.

    Parameters
    ----------
    context : Context
    name : str
        One of `BASELINES`.
    search : bool
        Choose hyper-parameters inside the training part; otherwise take fixed ones.
    """
    started = time.perf_counter()
    inputs = context.inputs
    if BASELINES[name].reads == "features":
        inputs = replace(inputs, streams={})  # which may be large, and nothing reads them
    fitted, held = inputs[context.rows(*context.fitted_parts)], inputs[context.rows(context.config.part)]
    rows_held = labelled_rows(held, context.classes, on_grid=True, targets=context.targets)
    values, notes, answers = {}, [], None
    for target, model in _models(name, inputs.stream_specs, context.targets).items():
        made = predict_baseline(
            model, fitted, held, labelled_rows(fitted, context.classes, targets=[target]), rows_held,
            target, context.classes, context.config.normalisation, context.seed, search=search,
        )  # fmt: skip
        values[target] = made.values
        if target == "emotion" and made.votes:
            answers = [context.classes[k] for k in values.pop(target).argmax(axis=1)]
        about = [model if model != name else "", made.note]
        if any(about):
            notes.append(": ".join(filter(None, [target if len(context.targets) > 1 else "", *about])))
    family = "majority" if name == "majority" else "classical"
    probabilities = values.pop("emotion", None)
    seconds = time.perf_counter() - started
    return MethodOutput(name, family, seconds, probabilities, answers, "; ".join(notes), values)


def why_no_baseline(name: str, stream_specs: Sequence[StreamSpec], targets: Sequence[str]) -> str:
    """Why a baseline has no row of its own; empty if it answers for all that ranks the table."""
    row = next((row for row, made in BASELINES.items() if made.twin == name), None)
    if row and set(targets) & set(RATINGS) and not set(targets) <= set(RATINGS):
        return f"answers for ratings in the row {row!r}"
    found = _models(name, stream_specs, targets)
    ranking = next(wanted for wanted in RANKING if set(wanted) & set(targets))
    absent = [target for target in targets if target in ranking and target not in found]
    reasons = [why_not_applicable(name, stream_specs, target) for target in absent]
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def _models(name: str, stream_specs: Sequence[StreamSpec], targets: Sequence[str]) -> dict[str, str]:
    """Target -> the baseline that answers for it in a row."""
    mixed = not set(targets) <= set(RATINGS)
    twin = BASELINES[name].twin
    known = [name, twin] if twin and mixed else [name]
    found = {
        target: [model for model in known if why_not_applicable(model, stream_specs, target) is None]
        for target in targets
    }
    return {target: models[0] for target, models in found.items() if models}
