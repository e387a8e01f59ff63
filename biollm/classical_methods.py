"""Rows of the classical baselines: one model a target, hyper-parameters chosen inside the training part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from biollm.baselines import BASELINES, predict_baseline, why_not_applicable
from biollm.context import Context, MethodOutput
from encoders.signal_encoder import labelled_rows
from encoders.streams import StreamSpec

__all__ = ["COSTS", "SEEDED", "run_baseline", "why_no_baseline"]

COSTS = {
    "majority": 0.1,
    "SVM-RBF": 30.0,
    "random forest": 30.0,
    "extra trees": 30.0,
    "gradient boosting": 40.0,
}
"""Seconds a fold of 1,500 windows, roughly; others take about two."""

SEEDED = ("random forest", "extra trees")
"""Baselines that draw random numbers: the others give the same answers under every seed."""


def run_baseline(context: Context, name: str) -> MethodOutput:
    """Fit a baseline for each target that it has an answer for, and ask it."""
    started = time.perf_counter()
    inputs = context.inputs
    if BASELINES[name].reads == "features":
        inputs = replace(inputs, streams={})  # which may be large, and nothing reads them
    fitted, held = inputs[context.rows(*context.fitted_parts)], inputs[context.rows(context.config.part)]
    rows_held = labelled_rows(held, context.classes, on_grid=True, targets=context.targets)
    values, notes = {}, []
    for target in context.targets:
        if why_not_applicable(name, inputs.stream_specs, target) is None:
            made = predict_baseline(
                name, fitted, held, labelled_rows(fitted, context.classes, targets=[target]), rows_held,
                target, context.classes, context.config.normalisation, context.seed,
            )  # fmt: skip
            values[target] = made.values
            notes += (
                [made.note if len(context.targets) == 1 else f"{target}: {made.note}"] if made.note else []
            )
    family = "majority" if name == "majority" else "classical"
    probabilities = values.pop("emotion", None)
    seconds = time.perf_counter() - started
    return MethodOutput(name, family, seconds, probabilities, note="; ".join(notes), values=values)


def why_no_baseline(name: str, stream_specs: Sequence[StreamSpec], targets: Sequence[str]) -> str:
    """Why a baseline has no row of its own; empty if it answers for any target."""
    reasons = [why_not_applicable(name, stream_specs, target) for target in targets]
    return "" if None in reasons else "; ".join(dict.fromkeys(filter(None, reasons)))
