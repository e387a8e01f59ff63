"""Stage ``build``: store, split and signal tokenizer -> conversations."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from biollm.base_model import load_text_tokenizer
from data_builders.conversations import emotion_conversations
from data_builders.engines import ENGINES
from data_builders.leaks import check_leaks
from data_builders.places import working_folder
from data_builders.sharegpt import (
    Roles,
    read_sharegpt,
    render_token_lengths,
    token_length_report,
    token_lengths,
    write_sharegpt,
)
from data_builders.splits import Split
from data_builders.stage import read_stamp, run_stage
from data_builders.store import SegmentStore
from encoders.input_cache import store_inputs
from encoders.inputs import SignalInputs
from encoders.signal_encoder import labelled_rows
from encoders.signal_tokenizer import SignalTokenizer
from prompts import load_task

__all__ = [
    "CONVERSATIONS",
    "BuildConfig",
    "build",
    "read_card",
    "write_conversations",
]

CONVERSATIONS = "train"
CARD = "card.json"
SPLIT = "split.json"
RUNNING = ("jobs", "engine", "ray_address")
"""Fields that say where a stage runs, and change nothing about what it makes."""


@dataclass
class BuildConfig:
    """Store and signal tokenizer -> ShareGPT conversations of the training subjects."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    signal_tokenizer: str = field(
        default="runs/signal_tokenizer", metadata={"help": "folder that 'biollm train-encoder' wrote"}
    )
    out: str = field(default="runs/conversations", metadata={"help": "folder to write to"})
    sources: list[str] = field(
        default_factory=lambda: ["codes", "bins"], metadata={"help": "token sources: codes, bins, floats"}
    )
    n_conversations: int = field(
        default=2400, metadata={"help": "conversations to draw, balanced over classes and sources"}
    )
    copies: int = field(default=8, metadata={"help": "augmented token copies of each training segment"})
    task: str = field(
        default="emotion", metadata={"help": "task, or a YAML file with phrasings of one's own"}
    )
    model_name_or_path: str = field(
        default="nano", metadata={"help": "whose tokenizer the token-length report is for"}
    )
    max_length: int = field(default=1024, metadata={"help": "tokens that will fit when fine-tuning"})
    file_format: str = field(default="jsonl", metadata={"help": "jsonl or parquet"})
    human_role: str = field(default="human", metadata={"help": "name of the asking role in the files"})
    gpt_role: str = field(default="gpt", metadata={"help": "name of the answering role in the files"})
    seed: int = field(default=0, metadata={"help": "of the drawing of segments and phrasings"})
    jobs: int = field(default=1, metadata={"help": "processes that compute features, or Ray tasks at a time"})
    engine: str = field(default="local", metadata={"help": "local or ray"})
    ray_address: str | None = field(
        default=None, metadata={"help": "Ray cluster to run on; default: one on this machine"}
    )

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"BuildConfig: engine is {self.engine!r}; allowed are {list(ENGINES)}.")


def build(config: BuildConfig, progress: bool = True) -> Path:
    """Write the conversations of a tokenizer's training subjects, with the tokenizer itself."""
    store, folder = SegmentStore(config.store), Path(config.signal_tokenizer)
    split = Split.load(folder / SPLIT)
    made = read_stamp(folder, "train-encoder")
    fitted = store.fitted | {f"the signal tokenizer {folder}": made["inputs"]["split"]}
    check_leaks(store.table, split, store, fitted)
    task = asdict(load_task(config.task))
    inputs = {
        "config": asdict(config) | dict.fromkeys(("out", *RUNNING)),
        "store": store.key,
        "tokenizer": made["key"],
        "task": task,
    }

    def work(partial: Path) -> None:
        tokenizer = SignalTokenizer.from_pretrained(folder / "signal_tokenizer")
        tokenizer.require(config.sources)
        where = config.jobs, config.engine, config.ray_address
        settings = tokenizer.config
        signals = store_inputs(store, settings.frame_seconds, *where, features=settings.features)
        with working_folder(partial) as here:
            write_conversations(here, signals, tokenizer, split, store.card(), config, progress)

    return run_stage("build", config.out, inputs, work)


def write_conversations(
    folder: Path,
    signals: SignalInputs,
    tokenizer: SignalTokenizer,
    split: Split,
    store: dict,
    config: BuildConfig,
    progress: bool = True,
) -> None:
    """Write conversations, tokenizer and card of the train and validation parts into a folder.

    The encoder is fitted on the train part alone; the LLM, which stops at a fixed step, learns from the
    validation subjects too, whose tokens look as those of new people will.
    """
    fitted = np.isin(signals.table["segment"].map(split.parts), ["train", "validation"])
    signals = signals[fitted]
    rows = labelled_rows(signals, tokenizer.classes)
    texts = {s: tokenizer.encode_copies(signals, rows, s, config.copies, config.seed) for s in config.sources}
    table = signals.table.iloc[rows].reset_index(drop=True)
    task = load_task(config.task)
    drawn = emotion_conversations(
        table, texts, task, tokenizer.classes, config.n_conversations, "train", config.seed
    )
    roles = Roles(human=config.human_role, gpt=config.gpt_role)
    path = folder / f"{CONVERSATIONS}.{config.file_format}"
    write_sharegpt((_with_roles(row, roles) for row in drawn), path, roles)
    tokenizer.save_pretrained(folder / "signal_tokenizer")
    card = {
        "task": asdict(load_task(config.task)),
        "classes": list(tokenizer.classes),
        "sources": config.sources,
        "roles": asdict(roles),
        "file": path.name,
        "split_hash": split.hash,
        "split_protocol": split.protocol,
        "store": store,
    }
    (folder / CARD).write_text(json.dumps(card, indent=1))
    if progress:
        print(_length_report(path, roles, tokenizer, config))


def _with_roles(row: dict, roles: Roles) -> dict:
    names = {"human": roles.human, "gpt": roles.gpt}
    return row | {"conversations": [{**turn, "from": names[turn["from"]]} for turn in row["conversations"]]}


def _length_report(path: Path, roles: Roles, tokenizer: SignalTokenizer, config: BuildConfig) -> str:
    """Token lengths under the base's tokenizer once it has the signal tokens."""
    text_tokenizer = load_text_tokenizer(config.model_name_or_path)
    text_tokenizer.add_tokens(tokenizer.vocabulary(config.sources)[0])
    lengths = token_lengths(read_sharegpt(path, roles), text_tokenizer, roles)
    return render_token_lengths(token_length_report(lengths, config.max_length))


def read_card(folder: str | Path) -> dict:
    """The card of built conversations."""
    read_stamp(folder, "build")
    return json.loads((Path(folder) / CARD).read_text())
