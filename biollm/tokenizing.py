"""Store and split -> tokenized segments in a folder, in parallel, and going on where a run was stopped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biollm.segment_facts import SHARE_SPOILED, SIGNALS, segment_table, segments_card
from data_builders.engines import ENGINES
from data_builders.recording import LABELS
from data_builders.splits import Split
from data_builders.store import SegmentStore
from data_builders.tokenized import SegmentsCard, block_file, write_block, write_card
from encoders.input_cache import opened_store, store_inputs
from encoders.inputs import SignalInputs
from encoders.quantities import Described, described, quantity_values, with_training_ranges
from encoders.signal_encoder import labelled_rows
from encoders.signal_tokenizer import SignalTokenizer

__all__ = ["PARTS", "store_quantities", "tokenize"]

PARTS = ("train", "validation")
"""Parts that an LLM is fitted on. The encoder is fitted on the first alone."""
BLOCK_BYTES = 2**23
"""Size of the streams that are read at a time, but never less than a subject."""


def store_quantities(
    inputs: SignalInputs, store: SegmentStore, train: np.ndarray, tokenizer: SignalTokenizer
) -> list[Described]:
    """The quantities of a store that are described, with the ranges of its training windows.

    Only those whose levels the signal tokenizer writes: an LLM could but guess the others.

    Parameters
    ----------
    inputs : SignalInputs
        Of the whole store.
    store : SegmentStore
    train : ndarray of bool
        Which windows are training subjects'.
    tokenizer : SignalTokenizer
    """
    found = described(list(inputs.features.columns), store.specs, store.about["window"])
    found = [quantity for quantity in found if quantity.key in tokenizer.levels_.keys]
    return with_training_ranges(found, quantity_values(inputs.features[train], found))


def tokenize(
    folder: str | Path,
    store: SegmentStore,
    split: Split,
    tokenizer: SignalTokenizer,
    sources: Sequence[str],
    copies: int = 0,
    needs: Collection[str] = (),
    seed: int = 0,
    spoiled: float = SHARE_SPOILED,
    jobs: int = 1,
    engine: str = "local",
    address: str | None = None,
    least_confidence: float = 0.0,
) -> SegmentsCard:
    """Write the tokenized segments of the training and validation parts, a file a block of subjects.

    Windows with a label are written, and where quantities are needed all of them. A block that is there is
    kept, so that a killed run goes on: the folder must be one for these inputs. The result does not depend
    on `jobs` and `engine`.

    Parameters
    ----------
    folder : path
        For a cluster, one that all of its machines reach.
    store : SegmentStore
    split : Split
    tokenizer, sources, copies, needs, seed, spoiled
        As `segment_table` takes them.
    jobs, engine, address
        As `data_builders.engines` takes them.
    least_confidence : float
        As `SegmentsCard` has it.
    """
    config = tokenizer.config
    inputs = store_inputs(store, config.frame_seconds, jobs, engine, address, config.features)
    parts = store.table["segment"].map(split.parts).to_numpy(object)
    train = parts == "train"
    quantities = store_quantities(inputs, store, train, tokenizer) if "quantities" in needs else []
    written = np.isin(parts, PARTS)
    card = segments_card(tokenizer, sources, copies, store.table[written], quantities, least_confidence)
    Path(folder).mkdir(parents=True, exist_ok=True)
    shared = _Shared(
        str(folder), str(store.location), store.key, tokenizer, list(sources), copies, seed, frozenset(needs),
        quantities, spoiled,
    )  # fmt: skip
    blocks = enumerate(_blocks(inputs, written))
    tasks = [(shared, k, rows, parts[rows]) for k, rows in blocks if not block_file(folder, k).is_file()]
    for _ in ENGINES[engine](write_block_of_subjects, tasks, jobs, address):
        pass
    for rest in Path(folder).glob("*.partial"):
        rest.unlink()
    write_card(card, folder)
    return card


def _blocks(inputs: SignalInputs, wanted: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of the windows of some subjects at a time."""
    size = sum(4 * spec.n_channels * spec.n_samples for spec in inputs.stream_specs)
    table = inputs.table[["dataset", "subject"]]
    block: list[int] = []
    for found in table[wanted].groupby(["dataset", "subject"], sort=False).groups.values():
        if block and (len(block) + len(found)) * size > BLOCK_BYTES:
            yield np.array(block)
            block = []
        block += found.tolist()
    if block:
        yield np.array(block)


@dataclass(frozen=True)
class _Shared:
    """What all blocks have in common."""

    folder: str
    location: str
    key: str
    tokenizer: SignalTokenizer
    sources: list[str]
    copies: int
    seed: int
    needs: frozenset[str]
    quantities: list[Described]
    spoiled: float


def write_block_of_subjects(task: tuple[_Shared, int, np.ndarray, np.ndarray]) -> int:
    """Write one block of subjects."""
    shared, number, positions, parts = task
    config = shared.tokenizer.config
    store, whole = opened_store(shared.location, shared.key, config.frame_seconds, config.features)
    inputs = whole[positions]
    segments = store.segments(positions) if (SIGNALS | {"quantities"}) & shared.needs else None
    rows = np.arange(len(inputs))
    if "quantities" not in shared.needs:
        rows = labelled_rows(inputs, shared.tokenizer.classes, targets=LABELS)
    seed = int(np.random.SeedSequence([shared.seed, number]).generate_state(1)[0])
    table = segment_table(
        inputs,
        rows,
        shared.tokenizer,
        shared.sources,
        shared.copies,
        seed,
        shared.needs,
        parts[rows],
        shared.quantities,
        segments,
        shared.spoiled,
    )
    write_block(table, shared.folder, number)
    return number
