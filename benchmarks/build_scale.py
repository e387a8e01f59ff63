"""python benchmarks/build_scale.py --segments 3000 50000 --conversations 10000 200000

Conversations of all ten tasks, drawn from tokenized segments that are made on the spot (two sources, plain
and eight augmented texts of 30 tokens each), into shards, in two processes, and their lengths in tokens under
the nano's tokenizer, for the data card. Reports conversations a second, with the start of the processes, the
planning and the lengths, and the peak of memory: the sum over processes of the proportional set size, which
counts the pages of the memory-mapped segments that were touched.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow
from store_scale import watched

from biollm.base_model import add_tokens, load_text_tokenizer
from biollm.data_card import conversation_lengths
from data_builders.conversation_plan import plan_conversations
from data_builders.conversation_shards import plan_shards, write_shards
from data_builders.sharegpt import Roles
from data_builders.tokenized import SegmentsCard, TokenizedSegments, segment_schema, write_block, write_card

CLASSES = ["relax", "physical", "cognitive", "emotional"]
SOURCES = ["codes", "bins+levels"]
COPIES, TOKENS, WINDOW = 8, 30, 30.0
PER_SUBJECT = 50
SUBJECTS_A_BLOCK = 20
QUANTITIES = [
    {"key": "heart_rate_mean", "name": "heart rate", "unit": "beats per minute", "low": 60.0, "high": 100.0,
     "digits": 0},
    {"key": "gsr_level", "name": "skin conductance level", "unit": "microsiemens", "low": 2.0, "high": 20.0,
     "digits": 1},
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, nargs="+", default=[3000, 50000])
    parser.add_argument("--conversations", type=int, nargs="+", default=[10000, 200000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file_format", default="jsonl")
    parser.add_argument("--draw", nargs=2, help="folder of segments and of shards: only draw into it")
    options = parser.parse_args()
    if options.draw:
        segments, shards = map(Path, options.draw)
        draw(segments, shards, options.conversations[0], options.jobs, options.file_format)
        return
    for n_segments in options.segments:
        with tempfile.TemporaryDirectory() as folder:
            made = make_segments(Path(folder, "segments"), n_segments)
            print(f"{n_segments} segments, {made / 1e6:.0f} MB", flush=True)
            for n in options.conversations:
                measure(Path(folder), n, options.jobs, options.file_format)


def measure(folder: Path, n: int, jobs: int, file_format: str) -> None:
    out = folder / f"train-{n}"
    command = [sys.executable, __file__, "--draw", str(folder / "segments"), str(out)]
    command += ["--conversations", str(n), "--jobs", str(jobs), "--file_format", file_format]
    seconds, peak = watched(command)
    size = sum(file.stat().st_size for file in out.iterdir())
    print(
        f"  {n} conversations: {n / seconds:.0f} a second with {jobs} jobs, {seconds:.1f} s in all, peak "
        f"{peak * 1024:.0f} MiB, {size / 1e6:.0f} MB written",
        flush=True,
    )


def draw(folder: Path, out: Path, n: int, jobs: int, file_format: str) -> None:
    from prompts import TASKS, load_task

    started = time.perf_counter()
    tasks = {name: load_task(name) for name in TASKS}
    plan = plan_conversations(TokenizedSegments(folder), tasks, dict.fromkeys(tasks, 1.0), SOURCES, n)
    print(f"    planned in {time.perf_counter() - started:.1f} s", flush=True)
    shards = plan_shards(out, folder, tasks, plan, 5000, file_format)
    assert len(list(write_shards(shards, jobs))) == len(shards)
    written = time.perf_counter()
    tokenizer = load_text_tokenizer("nano")
    add_tokens(tokenizer, [f"<|gsr_vq_{token:04d}|>" for token in range(64)])
    assert len(conversation_lengths(out, asdict(Roles()), tokenizer, (jobs, "local", None))) == n
    print(
        f"    written by {written - started:.1f} s, lengths in {time.perf_counter() - written:.1f} s",
        flush=True,
    )


def make_segments(folder: Path, n_segments: int) -> int:
    """Write blocks of subjects of 50 windows each; bytes on disk."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    size = PER_SUBJECT * SUBJECTS_A_BLOCK
    for number, start in enumerate(range(0, n_segments, size)):
        rows = [a_segment(k, rng) for k in range(start, min(start + size, n_segments))]
        write_block(pyarrow.Table.from_pylist(rows, schema=segment_schema(SOURCES)), folder, number)
    write_card(SegmentsCard(CLASSES, SOURCES, (1.0, 9.0), QUANTITIES, COPIES), folder)
    return sum(file.stat().st_size for file in folder.iterdir())


def a_segment(k: int, rng: np.random.Generator) -> dict:
    """One window with all that is known of it; every tenth one is noise."""
    subject, window = divmod(k, PER_SUBJECT)
    usable = k % 10 != 0
    tokens = rng.integers(64, size=(len(SOURCES), COPIES + 1, TOKENS)).tolist()
    labels = {
        "emotion": CLASSES[int(rng.integers(4))],
        "valence": float(rng.integers(1, 10)),
        "arousal": float(rng.integers(1, 10)),
        "transition": bool(rng.integers(2)),
        "reading": CLASSES[int(rng.integers(4))],
        "confidence": float(rng.uniform(0.3, 1)),
        "clues": json.dumps([["heart rate", 0.3], ["skin conductance", 0.1]]),
    }
    return {
        **{"segment": f"d/S{subject}/{window}", "dataset": "d", "recording": f"d/S{subject}"},
        **{"subject": f"S{subject}", "session": "", "trial": f"T{window // 5}", "stimulus": ""},
        **{"part": "train", "start": WINDOW * window, "duration": WINDOW},
        **(labels if usable else {}),
        "unusable": "" if usable else "the signal is noise",
        "values": [float(rng.uniform(50, 120)), float(rng.uniform(1, 25))] if usable else [np.nan] * 2,
        "faults": json.dumps([["skin conductance", "flat", 0.25]] if k % 4 == 0 else []),
        **{
            f"text_{source}": ["".join(f"<|gsr_vq_{token:04d}|>" for token in copy) for copy in copies]
            for source, copies in zip(SOURCES, tokens, strict=True)
        },
    }


if __name__ == "__main__":
    main()
