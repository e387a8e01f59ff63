"""Recordings of one's own as ``.npz``, spoiled."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import two_state_recording

from data_builders.recording import Block, Signal, save_recording
from spoiled.case import Case, Trap, cut, empty, nothing


def case(spoil: Callable[[Path], object], said: str, flags: str = "") -> Case:
    """Two recordings, of which the second is spoiled."""

    def spoiled(root: Path) -> None:
        for number in range(2):
            save_recording(two_state_recording(f"P{number}", seed=number), root / f"P{number}.npz")
        spoil(root / "P1.npz")

    return Case(spoiled, said, "npz", flags)


def again(path: Path, **changes: object) -> None:
    """Save the second recording with changes."""
    save_recording(replace(two_state_recording("P1", seed=1), **changes), path)  # type: ignore[arg-type]


def gsr(data: np.ndarray, rate: float = 8.0, names: tuple[str, ...] = ("gsr",)) -> dict[str, Signal]:
    heart = two_state_recording("P1", seed=1).signals["heart_rate"]
    return {"gsr": Signal(data, rate, names, "µS"), "heart_rate": heart}


def blocks(*found: Block) -> tuple[Block, ...]:
    return found


def arrays(path: Path, **changes: np.ndarray | None) -> None:
    """Write the file's arrays again with changes; with objects, as a pickle."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: array for name, array in content.items() if array is not None})


def header(path: Path, change: Callable[[dict], object]) -> None:
    with np.load(path) as file:
        content = json.loads(str(file["header"]))
    change(content)
    arrays(path, header=np.array(json.dumps(content)))


def trap(path: Path) -> np.ndarray:
    return np.array([Trap(path.parent)], dtype=object)


def lying_header(path: Path, shape: tuple[int, ...]) -> None:
    """The array's own header tells a shape that the file does not hold."""
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["gsr.npy"] = text.getvalue() + bytes(64)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def flip_a_byte(path: Path) -> None:
    """In the middle of the first array's bytes: its check sum does not fit any more."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


CASES = {
    "truncated": case(cut, r"P1\.npz"),
    "empty": case(empty, r"P1\.npz"),
    "text": case(lambda p: p.write_text("time,eda\n0,1\n"), r"P1\.npz"),
    "a flipped byte": case(flip_a_byte, r"P1\.npz.*(CRC|decompress|code|block|zip)"),
    "only a directory": Case(lambda r: (r / "P1.npz").mkdir(), r"holds no \*\.npz", "npz"),
    "no header": case(lambda p: arrays(p, header=None), r"P1\.npz.*header"),
    "header that is no JSON": case(lambda p: arrays(p, header=np.array("{")), r"P1\.npz"),
    "header without blocks": case(lambda p: header(p, lambda h: h.pop("blocks")), r"P1\.npz.*blocks"),
    "a pickle as signal": case(lambda p: arrays(p, gsr=trap(p)), r"P1\.npz.*gsr\.npy holds Python objects"),
    "a pickle as header": case(lambda p: arrays(p, header=trap(p)), r"P1\.npz.*[Oo]bject"),
    "a pickle as file": case(lambda p: p.write_bytes(pickle.dumps(Trap(p.parent))), r"P1\.npz"),
    "2 GB in the header": case(lambda p: lying_header(p, (1, 500_000_000)), r"P1\.npz.*2,000,000,000 bytes"),
    "2 PB in the header": case(
        lambda p: lying_header(p, (1, 10**15)), r"P1\.npz.*4,000,000,000,000,000 bytes"
    ),
    "samples x channels": case(
        lambda p: arrays(p, gsr=np.zeros((1920, 1), np.float32)), r"P1\.npz.*\(1920, 1\).*Transpose"
    ),
    "rate of 0": case(
        lambda p: header(p, lambda h: h["signals"]["gsr"].update(sampling_rate=0)),
        r"P1\.npz.*sampling_rate is 0",
    ),
    "NaN only": case(
        lambda p: again(p, signals=gsr(np.full((1, 1920), np.nan))), r"P1\.npz.*'gsr' is NaN throughout"
    ),
    "no samples": case(lambda p: again(p, signals=gsr(np.zeros((1, 0)))), r"P1\.npz.*'gsr' has no samples"),
    "no signals": case(lambda p: again(p, signals={}), r"P1\.npz.*no signals"),
    "times that go back": case(
        lambda p: again(p, blocks=blocks(Block(60, 30, {}, "b"), Block(0, 30, {}, "a"))),
        r"P1\.npz.*block 'a': starts at 0 s; allowed is from 60 s",
    ),
    "a block before the start": case(
        lambda p: again(p, blocks=blocks(Block(-5, 30, {}, "a"))), r"P1\.npz.*block 'a': starts at -5"
    ),
    "a block behind the end": case(
        lambda p: again(p, blocks=blocks(Block(900, 30, {}, "a"))), r"P1\.npz.*ends at 240\.00 s"
    ),
    "unknown label": case(
        lambda p: again(p, blocks=blocks(Block(0, 30, {"mood": "good"}, "a"))), r"P1\.npz.*labels \['mood'\]"
    ),
    "a label that is no number": case(
        lambda p: again(p, blocks=blocks(Block(0, 30, {"valence": "good"}, "a"))),
        r"P1\.npz.*valence is 'good'",
    ),
    "two spellings of a subject": case(lambda p: again(p, subject="p00"), r"several ways: \['P0', 'p00'\]"),
    "a recording twice": case(
        lambda p: again(p, subject="P0"), r"P0\.npz and P1\.npz both hold two_states/P0"
    ),
    "mixed rates": case(
        lambda p: again(p, signals=gsr(np.random.default_rng(0).normal(size=(1, 960)), 4.0)),
        r"P1\.npz: has gsr at 4 Hz.*have gsr at 8 Hz",
    ),
    "other channels": case(
        lambda p: again(p, signals=gsr(np.ones((1, 1920)), names=("left",))),
        r"P1\.npz: has gsr.*\(left\).*\(gsr\)",
    ),
    "too long a window": case(nothing, r"P0\.npz: no window of 60\.0 s fits", "--window 60"),
    "an option that is not there": case(nothing, r"'npz'.*rate", '--reader_options {"rate":3}'),
}
