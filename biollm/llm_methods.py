"""From a fold's inputs to an LLM's answers: fit the signal tokenizer, write conversations, tune, read out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from biollm.context import Context, MethodOutput
from biollm.encoder_methods import encoder_answers
from biollm.llm_readouts import read_out
from biollm.provenance import LIBRARIES
from data_builders.options import as_mapping
from data_builders.provenance import code_hash, library_versions
from data_builders.splits import Split
from data_builders.stage import content_hash, locked, run_stage
from encoders.inputs import SignalInputs
from encoders.outside import encoders_outside
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

__all__ = ["fit_tokenizer", "head", "tune_and_read"]


def fit_tokenizer(context: Context, inputs: SignalInputs, **changes: Any) -> SignalTokenizer:
    """The signal tokenizer of this fold and seed, or the one that a stopped job has left.

    Parameters
    ----------
    changes
        Fields of `SignalTokenizerConfig` that differ from the configuration's.
    """
    settings = SignalTokenizerConfig(**{**_taught(context), **changes})
    # The inputs of a control are its own, and so is what is fitted on them.
    shared = context.tokenizers if inputs is context.inputs else None
    return _kept(context, inputs, settings, shared or context.workplace / "tokenizers")


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


def _kept(
    context: Context, inputs: SignalInputs, settings: SignalTokenizerConfig, folder: Path
) -> SignalTokenizer:
    """One fit for all jobs that want the same; of two at once the second waits for the first."""
    split, code = context.split, [code_hash("data_builders", "encoders"), encoders_outside()]
    made_by = [code, library_versions(LIBRARIES)]
    key = content_hash([asdict(settings), split.hash, split.fold, context.store.key, context.seed, made_by])
    with locked(folder / key):
        if not (folder / key).is_dir():
            partial = folder / f"{key}.partial"
            _fitted(context, inputs, settings).save_pretrained(partial)
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
    build, training = config.build_settings, as_mapping(config.training)
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
