"""Stage ``build``: store, split and signal tokenizer -> conversations."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from biollm.base_model import base_identity, known_words, load_text_tokenizer
from biollm.building_config import RUNNING, SAYING, BuildConfig, measured_sources
from biollm.data_card import conversation_counts, write_data_card
from biollm.provenance import source_hash
from biollm.rating_scales import AFFECT, check_rated, fit_scales, on_scales, scales_card
from biollm.segment_facts import SIGNALS, segment_table, segments_card
from biollm.tokenizing import PARTS, store_quantities, tokenize
from data_builders.conversation_plan import plan_conversations
from data_builders.conversation_shards import plan_shards, write_shards
from data_builders.leaks import check_leaks
from data_builders.options import as_mapping, as_weights
from data_builders.places import working_folder
from data_builders.recording import LABELS
from data_builders.sharegpt import render_token_lengths, token_length_report
from data_builders.splits import Split
from data_builders.stage import read_stamp, run_stage
from data_builders.store import SegmentStore
from data_builders.tokenized import TokenizedSegments
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows
from encoders.signal_tokenizer import SignalTokenizer
from prompts import Facts, Task, language_folder, load_task

__all__ = ["CONVERSATIONS", "BuildConfig", "build", "read_card", "write_conversations"]

CONVERSATIONS = "train"
SEGMENTS = "segments"
CARD = "card.json"
SPLIT = "split.json"


def build(config: BuildConfig, progress: bool = True) -> Path:
    """Write the conversations of a tokenizer's training subjects, with the tokenizer itself.

    A run that was stopped goes on: blocks of tokenized segments and shards that are there are kept. Not so
    where the output is a URL: the files are made in a temporary folder of this machine and uploaded at the
    end, so that a stopped run begins anew, and all workers must be on this machine.
    """
    store, folder = SegmentStore(config.store), Path(config.signal_tokenizer)
    split = Split.load(folder / SPLIT)
    made = read_stamp(folder, "train-encoder")
    fitted = store.fitted | {f"the signal tokenizer {folder}": made["inputs"]["split"]}
    check_leaks(store.table, split, store, fitted)
    tasks = _tasks(config)
    load_task("emotion", config.language)  # chat asks in its words, whatever is taught
    if AFFECT in tasks:
        points = as_weights(config.rating_points)
        fitted_on = ("train",) if points else PARTS
        parts = store.table["segment"].map(split.parts)
        check_rated(config.store, store.table[parts.isin(fitted_on)], points)
    inputs = {
        "config": asdict(config) | dict.fromkeys(("out", *RUNNING)),
        "store": store.key,
        "tokenizer": made["key"],
        "tasks": {name: task.fields() for name, task in tasks.items()},
        "base": base_identity(config.model_name_or_path),
        "source": source_hash([config.language]),
    }

    def work(partial: Path) -> None:
        tokenizer = SignalTokenizer.from_pretrained(folder / "signal_tokenizer")
        tokenizer.require(config.sources)
        _label_words(config, tokenizer.classes)
        written = _in_mode(tokenizer, config)
        with working_folder(partial) as here:
            place, needs = here / SEGMENTS, _needs(tasks)
            tokenize(
                place, store, split, written, config.sources, config.copies, needs, config.seed,
                jobs=config.jobs, engine=config.engine, address=config.ray_address,
                least_confidence=config.least_confidence,
            )  # fmt: skip
            segments = TokenizedSegments(place)
            about = store.card()
            card = _write(here, place, segments, written, split, about, config, tasks)
            tokens = written.vocabulary(config.sources)[0]
            lengths = write_data_card(here, card, segments, tokens, config.max_length, config.where)
            if progress:
                print(render_token_lengths(token_length_report(lengths, config.max_length)))

    return run_stage("build", config.out, inputs, work)


def write_conversations(
    folder: Path,
    signals: SignalInputs,
    tokenizer: SignalTokenizer,
    split: Split,
    store: SegmentStore,
    config: BuildConfig,
) -> None:
    """Write conversations, tokenizer and card of the train and validation parts into a folder.

    The encoder is fitted on the train part alone; the LLM, which stops at a fixed step, learns from the
    validation subjects too, whose tokens look as those of new people will.

    Parameters
    ----------
    folder : Path
    signals : SignalInputs
        Of the whole store, as they are or, for controls, with other labels or signals.
    tokenizer : SignalTokenizer
    split : Split
    store : SegmentStore
        Where more than labels is needed, its own signals tell which of them are lost.
    config : BuildConfig
    """
    tasks = _tasks(config)
    written, needs = _in_mode(tokenizer, config), _needs(tasks)
    parts = signals.table["segment"].map(split.parts).to_numpy(object)
    train = parts == "train"
    quantities = store_quantities(signals, store, train, written) if "quantities" in needs else []
    fitted = np.isin(parts, PARTS)
    about = segments_card(
        written, config.sources, config.copies, signals.table[fitted], quantities, config.least_confidence
    )
    signals, parts = signals[fitted], parts[fitted]
    rows = np.arange(len(signals))
    if "quantities" not in needs:
        rows = labelled_rows(signals, written.classes, targets=LABELS)
    table = segment_table(
        signals,
        rows,
        written,
        config.sources,
        config.copies,
        config.seed,
        needs,
        list(parts[rows]),
        quantities,
        store.segments(fitted) if (SIGNALS | {"quantities"}) & needs else None,
    )
    segments = TokenizedSegments(table, about)
    _write(folder, segments, segments, written, split, store.card(), config, tasks)


def _write(
    folder: Path,
    where: Path | TokenizedSegments,
    segments: TokenizedSegments,
    tokenizer: SignalTokenizer,
    split: Split,
    store: dict,
    config: BuildConfig,
    tasks: dict[str, Task],
) -> dict[str, Any]:
    """Write shards, tokenizer and card, which is returned."""
    weights, words = as_weights(config.tasks), _label_words(config, tokenizer.classes)
    scales = fit_scales(segments, {k: int(n) for k, n in as_weights(config.rating_points).items()})
    ratings = scales_card(tasks, scales)
    tasks, shares = on_scales(tasks, weights, scales)
    plan = plan_conversations(
        segments, tasks, shares, config.sources, config.n_conversations, config.conversations_per_segment,
        config.seed, _sources_of(tasks, config.sources, segments), config.balanced,
    )  # fmt: skip
    shards = plan_shards(
        folder / CONVERSATIONS, where, tasks, plan, config.shard_size, config.file_format, config.seed,
        config.roles, words,
    )  # fmt: skip
    for _ in write_shards(shards, *(config.where if isinstance(where, Path) else (1,))):
        pass
    tokenizer.save_pretrained(folder / "signal_tokenizer")
    card = {
        "task": _limited(load_task("emotion", config.language), config.answer_forms).fields(),
        "tasks": weights,
        "language": config.language,
        "answer_forms": config.answer_forms,
        "dialogue": _dialogue_prompt(tasks, [words.get(name, name) for name in tokenizer.classes]),
        "ratings": ratings,
        "classes": list(tokenizer.classes),
        "label_words": words,
        "sources": config.sources,
        "signal_mode": config.signal_mode,
        "copies": config.copies,
        "seed": config.seed,
        "roles": asdict(config.roles),
        "file": CONVERSATIONS,
        "file_format": config.file_format,
        "model_name_or_path": config.model_name_or_path,
        "counts": conversation_counts(plan, segments),
        "split_hash": split.hash,
        "split_protocol": split.protocol,
        "store": store,
    }
    (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
    return card


def _label_words(config: BuildConfig, classes: Sequence[str]) -> dict[str, str]:
    """The words that are written for classes.

    Raises
    ------
    ValueError
        If a word is given for what is no class, or two classes would be written alike.
    """
    words = as_mapping(config.label_words)
    written = [words.get(name, name) for name in classes]
    if set(words) - set(classes) or len(set(written)) < len(classes):
        raise ValueError(
            f"label_words is {words}; allowed are words for the classes {list(classes)}, each different."
        )
    return words


def _tasks(config: BuildConfig) -> dict[str, Task]:
    tasks = {
        name: _limited(load_task(name, config.language), config.answer_forms)
        for name in as_weights(config.tasks)
    }
    if refuse := tasks.get("refuse"):
        # What only refusals are asked would tell them from the answers.
        beside = {name: task for name, task in refuse.others.items() if name in tasks}
        tasks["refuse"] = replace(refuse, others=beside or refuse.others)
    return tasks


def _dialogue_prompt(tasks: Mapping[str, Task], written_classes: Sequence[str]) -> str:
    """The system prompt that chat asks under; "" where no dialogues are taught."""
    return tasks["dialogue"].system([Facts(classes=tuple(written_classes))]) if "dialogue" in tasks else ""


def _limited(task: Task, forms: int | None) -> Task:
    """A task, and those that it borrows from, with the first so many of answer forms and system prompts."""
    if forms is None:
        return task
    texts = {key: text[:forms] if key == "system" else text for key, text in task.texts.items()}
    others = {name: _limited(other, forms) for name, other in task.others.items()}
    return replace(task, texts=texts, others=others).with_answer_forms(forms)


def _needs(tasks: Mapping[str, Task]) -> set[str]:
    """What must be known of segments, beside their labels."""
    return {need for task in tasks.values() for need in task.needs}


def _sources_of(
    tasks: Mapping[str, Task], sources: Sequence[str], segments: TokenizedSegments
) -> dict[str, list[str]]:
    """Values are said of texts that hold them as measured: all other sources are relative to the subject.

    Two segments are compared by their ratings where all are rated, which all sources may tell.
    """
    usable = segments.column("unusable") == ""
    rated = np.isfinite(segments.column("arousal").astype(float)[usable]).all()
    saying = [name for name in tasks if name in SAYING and not (rated and "ratings" in tasks[name].needs)]
    measured = measured_sources(sources)
    if saying and not measured:
        warnings.warn(
            f"the tasks {saying} say values as measured, which the sources {list(sources)} do not hold: the "
            "LLM can only guess them. Add the source levels.",
            stacklevel=2,
        )
    return dict.fromkeys(saying, measured) if measured else {}


def _in_mode(tokenizer: SignalTokenizer, config: BuildConfig) -> SignalTokenizer:
    words: list[str] = []
    if config.signal_mode == "words":
        # A word that the prompts use should not say another thing in a signal; those of all tasks are left
        # out, so that an alignment stage and the one behind it spell alike.
        files = sorted(language_folder(config.language).glob("*.yaml"))
        besides = [file.read_text(encoding="utf-8") for file in files]
        besides += [*tokenizer.classes, *as_mapping(config.label_words).values()]
        words = known_words(load_text_tokenizer(config.model_name_or_path), besides)
    return tokenizer.in_mode(config.signal_mode, config.sources, words)


def read_card(folder: str | Path) -> dict:
    """The card of built conversations."""
    read_stamp(folder, "build")
    return json.loads((Path(folder) / CARD).read_text(encoding="utf-8"))
