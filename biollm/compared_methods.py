"""The rows of `biollm compare`: how each is run, what it can read, and what its results depend on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biollm.baselines import BASELINES
from biollm.classical_methods import run_baseline, why_no_baseline
from biollm.context import Context, MethodOutput, prediction_table
from biollm.controls import noise_for_signal, shuffle_labels
from biollm.encoder_methods import ROWS, encoder_settings, probe_encoder, run_encoder
from biollm.known_subjects import normalised_before
from data_builders.provenance import called_name, code_hash, code_outside, library_versions
from data_builders.splits import Split
from data_builders.stage import content_hash
from data_builders.store import SegmentStore
from encoders.input_cache import opened_store
from encoders.inputs import streams_read
from encoders.outside import encoders_outside
from encoders.streams import StreamSpec
from encoders.training_config import TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

    from biollm.comparing import CompareConfig

__all__ = ["FAMILIES", "METHODS", "Method", "chosen_methods", "method_key", "run_method"]

FAMILIES = ("classical", "encoders", "controls")
CONTROLLED = {"classical": "extra trees", "encoders": "CNN"}
"""Family -> the method that its controls are run with."""

SHARED = (
    "data_builders/normalisation.py", "encoders/inputs.py", "encoders/signal_encoder.py", "biollm/context.py",
    "biollm/controls.py", "biollm/known_subjects.py", "biollm/compared_methods.py",
    "data_builders/splits/split.py",
)  # fmt: skip
CODE = {
    "classical": ("biollm/baselines", "biollm/classical_methods.py"),
    "encoders": ("encoders", "data_builders/augmentation", "biollm/encoder_methods.py"),
}
"""Family -> modules and packages that its results come from, beside `SHARED` and what computes the inputs."""

LIBRARIES = {"classical": ("numpy", "scikit-learn", "pyriemann"), "encoders": ("numpy", "torch")}


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    run : callable
        Context -> `MethodOutput`.
    settings : callable
        Configuration -> what it is run with, and the hash of code from outside that it runs.
    probe : callable
        Configuration, store and streams -> why it cannot answer (empty if it can), and the seconds that a
        fold may take.
    once : bool
        Whether it is run with the first seed only.
    reads_signals : bool
        Whether it reads the streams, and not only the features.
    made_by : {"classical", "encoders"}
        Whose code it runs.
    """

    family: str
    run: Callable[[Context], MethodOutput]
    settings: Callable[[CompareConfig], Any]
    probe: Callable[[CompareConfig, SegmentStore, Sequence[StreamSpec]], tuple[str, float]]
    once: bool
    reads_signals: bool
    made_by: str


def baseline(name: str) -> Method:
    """The row of a classical baseline."""
    made = BASELINES[name]

    def probe(config: CompareConfig, store: SegmentStore, streams: Sequence[StreamSpec]) -> tuple[str, float]:
        reason = why_no_baseline(name, streams, config.targets or ())
        return reason, made.seconds * len(config.targets or ()) * len(store) / 1500

    def run(context: Context) -> MethodOutput:
        return run_baseline(context, name)

    def identity(config: CompareConfig) -> list[Any]:
        models = [BASELINES[row] for row in (name, made.twin) if row]
        called = [one for model in models for one in (model.classifier, model.regressor, model.grid)]
        return [code_outside(called), [called_name(one) for one in called], made.reads, made.seeded]

    covariances = made.reads == "covariances"
    return Method("classical", run, identity, probe, not made.seeded, covariances, "classical")


def encoder(name: str) -> Method:
    """The row of an encoder."""

    def settings(config: CompareConfig) -> dict[str, Any]:
        return encoder_settings(name, config.encoder_settings, config.preset)

    def probe(config: CompareConfig, store: SegmentStore, streams: Sequence[StreamSpec]) -> tuple[str, float]:
        made = settings(config)
        streams = streams_read(streams, made.get("reads", "signals"), store, config.features)
        reason, seconds = probe_encoder(made, streams, config.targets or (), store.classes)
        epochs = TrainingConfig(**made["training"]).epochs
        return reason, 3 * seconds * len(store) * epochs  # backwards costs about twice what forwards does

    def run(context: Context) -> MethodOutput:
        return run_encoder(context, name, settings(context.config))

    def with_own_code(config: CompareConfig) -> list[Any]:
        return [settings(config), encoders_outside()]

    return Method("encoders", run, with_own_code, probe, False, True, "encoders")


def shuffled(context: Context) -> Context:
    """With the labels of all subjects that are trained on in random order."""
    rows = context.rows("train", "validation")
    return replace(context, inputs=shuffle_labels(context.inputs, rows, context.classes, context.seed))


def noise(context: Context) -> Context:
    """With noise for the signals, in training and test."""
    return replace(context, inputs=noise_for_signal(context.inputs, context.seed))


CONTROLS = {"shuffled labels": shuffled, "noise for signal": noise}


def control(name: str, how: str) -> Method:
    """A method on inputs from which nothing can be learned."""
    method = METHODS[name]

    def run(context: Context) -> MethodOutput:
        output = method.run(CONTROLS[how](context))
        return replace(output, method=f"{name}, {how}", family="control", note="must be at chance")

    return replace(
        method, family="controls", run=run, settings=lambda config: [how, method.settings(config)], once=True
    )


METHODS: dict[str, Method] = {
    **{name: baseline(name) for name in BASELINES},
    **{name: encoder(name) for name in ROWS},
}
"""Name of a row -> how it is made, in the order of the table."""

METHODS |= {f"{name}, {how}": control(name, how) for name in CONTROLLED.values() for how in CONTROLS}


def chosen_methods(names: Sequence[str]) -> list[str]:
    """Rows of some names and families, with the controls of each family that a row is of.

    Raises
    ------
    ValueError
        If names are unknown; the message lists the known ones.
    """
    unknown = [name for name in names if name not in (*METHODS, *FAMILIES, "all")]
    if unknown or not names:
        raise ValueError(
            f"methods are {list(names)}, unknown are {unknown}; allowed are 'all', the families "
            f"{list(FAMILIES)}, and {list(METHODS)}."
        )
    wanted = {name for name, made in METHODS.items() if {"all", name, made.family} & set(names)}
    families = {METHODS[name].family for name in wanted}
    return [
        name
        for name, made in METHODS.items()
        if name in wanted or (made.family == "controls" and made.made_by in families)
    ]


def method_key(name: str, config: CompareConfig) -> str:
    """Hash of what a row's results depend on beside the data: settings, code and libraries."""
    made = METHODS[name]
    code = code_hash(*SHARED, *CODE[made.made_by])
    return content_hash([name, made.settings(config), code, library_versions(LIBRARIES[made.made_by])])


def run_method(
    name: str, split: Split, seed: int, config: CompareConfig, key: str, workplace: Path, progress: bool
) -> pd.DataFrame:
    """The predictions of one method on one fold with one seed."""
    store, inputs = opened_store(config.store, key, config.frame_lengths, config.features)
    if not METHODS[name].reads_signals:
        inputs = replace(inputs, streams={})
    if not split.subject_disjoint:
        inputs = normalised_before(inputs, split, config.normalisation)
        config = replace(config, normalisation="none")
    context = Context(inputs, split, store, config, seed, workplace, progress, tuple(config.targets or ()))
    table = prediction_table(METHODS[name].run(context), context)
    shutil.rmtree(workplace, ignore_errors=True)  # checkpoints of a training that is over
    return table
