"""Splits that are wrong: what ``train-encoder`` gets beside a store that is sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conftest import two_state_recording

from data_builders.preparing import PrepareConfig, prepare
from data_builders.recording import save_recording
from data_builders.splits import Split, subject_holdout
from data_builders.store import SegmentStore
from spoiled.case import Case


def case(spoil: Callable[[Path, Split], object], said: str) -> Case:
    def spoiled(root: Path) -> None:
        (root / "recordings").mkdir()
        for number in range(4):
            recording = two_state_recording(f"P{number}", number, n_blocks=2)
            save_recording(recording, root / "recordings" / f"P{number}.npz")
        store = prepare(PrepareConfig("npz", str(root / "recordings"), str(root / "store")), progress=False)
        split = subject_holdout(SegmentStore(store).table)
        split.save(root / "split.json")
        spoil(root / "split.json", split)

    flags = "--store {here}/data/store --split {here}/data/split.json"
    return Case(spoiled, said, "", flags, "train-encoder")


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def of_training(split: Split) -> str:
    return next(segment for segment, part in split.parts.items() if part == "train")


CASES = {
    "edited": case(
        lambda p, s: edit(p, lambda c: c["parts"].update({of_training(s): "test"})),
        r"split\.json: was changed by hand: hash",
    ),
    "without a hash": case(
        lambda p, s: edit(p, lambda c: c.pop("hash")), r"split\.json: lacks the keys \['hash'\]"
    ),
    "truncated": case(lambda p, s: p.write_text(p.read_text()[:200]), r"split\.json"),
    "not there": case(lambda p, s: p.unlink(), r"split\.json"),
    "a list": case(lambda p, s: p.write_text("[1]"), r"split\.json"),
    "leaking": case(
        lambda p, s: Split(s.parts | {of_training(s): "test"}, "by hand").save(p), r"'by hand'.*leaks.*share"
    ),
    "an unknown part": case(
        lambda p, s: Split(s.parts | {of_training(s): "exam"}, "by hand").save(p), r"exam"
    ),
    "of another store": case(
        lambda p, s: Split({f"other/{k}": v for k, v in s.parts.items()}, "by hand").save(p), r"'by hand'"
    ),
}
