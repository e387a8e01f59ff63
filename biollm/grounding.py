"""Stage ``ground``: the values that a tuned model says it measured, held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from biollm.artefact import Artefact, load_artefact, read_card
from biollm.building_config import measured_sources
from biollm.grounded_claims import Asked, answer_table, claim_table
from biollm.grounded_questions import Asker, TokenRanges, chosen_rows
from biollm.grounding_report import grounding_report, write_grounding
from biollm.provenance import source_hash
from biollm.readout import chat_prompts, generate
from biollm.tokenizing import store_quantities
from data_builders.leaks import check_leaks
from data_builders.splits import Split
from data_builders.stage import read_stamp, run_stage
from data_builders.store import SegmentStore
from encoders.input_cache import store_inputs
from encoders.signal_tokenizer import SignalTokenizer
from prompts import Facts, load_task
from prompts.tasks.describe import DescribeTask

__all__ = ["Answering", "GroundConfig", "ground", "make_asker", "measure_claims", "source_with_levels"]

Answering = Callable[[str, Sequence[str]], list[str]]
"""System prompt and questions -> answers."""


@dataclass
class GroundConfig:
    """A tuned model and its test subjects -> how right the values are that it states, and of noise."""

    artefact: str = field(default="runs/artefact", metadata={"help": "folder that 'biollm finetune' wrote"})
    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    split: str = field(
        default="runs/signal_tokenizer/split.json",
        metadata={"help": "the split that the artefact was made on; its test part is asked about"},
    )
    out: str = field(default="runs/grounding", metadata={"help": "folder to write the report to"})
    source: str | None = field(
        default=None, metadata={"help": "token source to ask on; default: the first that holds levels"}
    )
    n_segments: int = field(default=120, metadata={"help": "windows to ask about, spread over the subjects"})
    phrasings: int = field(default=2, metadata={"help": "phrasings of each question"})
    language: str = field(default="en", metadata={"help": "as biollm build was told it"})
    max_new_tokens: int = field(default=256, metadata={"help": "tokens that an answer may have"})
    batch_size: int = field(default=64, metadata={"help": "answers that are written at a time"})
    model_name_or_path: str | None = field(default=None, metadata={"help": "where the base is, if it moved"})
    seed: int = field(default=0, metadata={"help": "of the choice of windows, of phrasings and noise"})
    jobs: int = field(default=1, metadata={"help": "processes that compute features"})

    def __post_init__(self) -> None:
        counts = ("n_segments", "phrasings", "max_new_tokens", "batch_size", "jobs")
        if wrong := {name: value for name in counts if (value := getattr(self, name)) < 1}:
            raise ValueError(f"GroundConfig: got {wrong}; allowed is 1 or more for each.")


def ground(config: GroundConfig, progress: bool = True) -> Path:
    """Ask, read and compare; write ``grounding.json``, ``.md`` and ``.png``, all answers and claims.

    Raises
    ------
    ValueError
        If the split is not the artefact's, or the source none of its sources.
    """
    store, split = SegmentStore(config.store), Split.load(config.split)
    card, _ = read_card(config.artefact)
    card.check_taught("describe", "ground")
    if config.source is not None and config.source not in card.sources:
        raise ValueError(f"source is {config.source!r}; the artefact reads {card.sources}.")
    check_leaks(store.table, split, fitted={config.artefact: card.split_hash})
    without = dict.fromkeys(("out", "jobs", "batch_size"))
    inputs = {
        "config": asdict(config) | without,
        "artefact": read_stamp(config.artefact, "finetune")["key"],
        "store": store.key,
        "split": split.hash,
        "source": source_hash([config.language]),
    }

    def work(partial: Path) -> None:
        artefact = load_artefact(config.artefact, config.model_name_or_path)
        source = config.source or source_with_levels(artefact.card.sources)
        asker = make_asker(config, store, split, artefact.signal_tokenizer, source)
        answering = _model_answers(artefact, config, progress)
        asked, answers, claims = measure_claims(asker, split, config, answering, progress)
        about = {
            "artefact": Path(config.artefact).name,
            "base_model": artefact.card.model_name_or_path,
            "source": source,
            "signal_mode": artefact.signal_tokenizer.signal_mode,
            "dataset": store.about["dataset"],
            "protocol": split.protocol,
            "fold": split.fold,
            "split_hash": split.hash,
            "subjects": sorted({one.subject for one in asked}),
            "n_segments": len({one.segment for one in asked}),
            "phrasings": config.phrasings,
            "seed": config.seed,
        }
        report = grounding_report(about, claims, answers, asker.means())
        write_grounding(partial, report, claims, answers)

    out = run_stage("ground", config.out, inputs, work)
    if progress:
        print((out / "grounding.md").read_text(encoding="utf-8"))
    return out


def measure_claims(
    asker: Asker, split: Split, config: GroundConfig, answering: Answering, progress: bool = False
) -> tuple[list[Asked], pd.DataFrame, pd.DataFrame]:
    """Ask about test subjects' windows and read the answers.

    Returns
    -------
    list of Asked
    DataFrame
        Answers, as `answer_table` gives them.
    DataFrame
        Claims, as `claim_table` gives them.
    """
    table = asker.store.table
    wanted = split.mask(table, "test") & table["on_grid"].to_numpy(bool)
    if not wanted.any():
        raise ValueError(f"{config.split}: the store has no window of its test part.")
    subjects = chosen_rows(table, wanted, config.n_segments, config.seed).values()
    asked = [
        one
        for rows in tqdm(subjects, desc="subjects", unit="subject", disable=not progress, leave=False)
        for one in asker.questions(rows)
    ]
    # Short and long answers apart: a batch is written until its longest one ends.
    asked.sort(key=lambda one: one.question)
    system, means = asker.describe.system([Facts()]), asker.means()
    answers = answering(system, [one.text for one in asked])
    refuse = load_task("refuse", config.language)
    return (
        asked,
        answer_table(asked, answers, asker.describe, refuse, means),
        claim_table(asked, answers, asker.describe, means),
    )


def source_with_levels(sources: Sequence[str]) -> str:
    """The first source that holds the measured values, or the first of all."""
    return (measured_sources(sources) or sources)[0]


def make_asker(
    config: GroundConfig, store: SegmentStore, split: Split, tokenizer: SignalTokenizer, source: str
) -> Asker:
    """What asks about a store's measured values on the texts of one source.

    Raises
    ------
    ValueError
        If none of the store's features is described in words.
    """
    settings = tokenizer.config
    inputs = store_inputs(store, settings.frame_seconds, config.jobs, features=settings.features)
    train = split.mask(store.table, "train")
    quantities = store_quantities(inputs, store, train, tokenizer)
    if not quantities:
        raise ValueError(
            f"{config.store}: none of its features is described in words; there is nothing to ask."
        )
    describe = load_task("describe", config.language)
    assert isinstance(describe, DescribeTask)
    known = min(len(describe.texts[key]) for key in ("questions", "questions_of"))
    if config.phrasings > known:
        raise ValueError(f"GroundConfig: phrasings is {config.phrasings}; allowed are 1 to {known}.")
    ranges = TokenRanges(tokenizer, inputs.features[train], quantities)
    return Asker(
        store, inputs, train, tokenizer, source, quantities, ranges, describe, config.phrasings, config.seed
    )


def _model_answers(artefact: Artefact, config: GroundConfig, progress: bool) -> Answering:
    def answering(system: str, questions: Sequence[str]) -> list[str]:
        prompts = chat_prompts(artefact.tokenizer, system, questions)
        return generate(
            artefact.model,
            artefact.tokenizer,
            prompts,
            config.max_new_tokens,
            artefact.card.signal_tokens,
            config.batch_size,
            progress,
        )

    return answering
