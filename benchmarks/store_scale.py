"""python benchmarks/store_scale.py --segments 500 2000

Synthetic EMG in the shape of the reference corpus (8 channels, 15 kHz, 3 s, float32; arrays of 50 and a
table of labels) through `biollm prepare` (20-450 Hz, resampled to 2 kHz) into a store, and features from the
store. Reports segments a second and the peak of memory: the sum over processes of the proportional set size.
From the last figures follows what 1 TB and 100 TB of such recordings take: the cost model of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from quickstart import memory

EMOTIONS = ("anger", "anxiety", "fear", "happiness")
PER_ARRAY = 50
NODES = (1, 10, 100)
"""Machines of 16 cores each."""
OPTIONS = {
    "modality": "emg",
    "sampling_rates": {"emg": 15000},
    "units": {"emg": "µV"},
    "channels": {"emg": [f"emg{k}" for k in range(8)]},
    "window": 3,
    "step": 0,
}


def write_corpus(root: Path, n_segments: int) -> None:
    """Arrays of shape (50, 8, 45000), an array a subject, and manifest.csv."""
    rng = np.random.default_rng(0)
    lines = ["path,index,subject,trial,emotion"]
    for first in range(0, n_segments, PER_ARRAY):
        name = f"S{first // PER_ARRAY:03d}.npy"
        np.save(root / name, rng.standard_normal((PER_ARRAY, 8, 45000), dtype=np.float32))
        lines += [f"{name},{k},{name[:4]},{k},{EMOTIONS[k % 4]}" for k in range(PER_ARRAY)]
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")


def watched(command: list[str]) -> tuple[float, float]:
    """Seconds and peak GiB of a command."""
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(command)
    while process.poll() is None:
        peak = max(peak, memory(process))
        time.sleep(0.2)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - started, peak / 2**30


def features(store: str) -> None:
    """Extract the hand-made features of a whole store, chunk by chunk."""
    from data_builders.store import SegmentStore
    from encoders.features import extract_features

    opened, started = SegmentStore(store), time.perf_counter()
    for chunk in opened.chunks(64):
        extract_features(chunk)
    seconds = time.perf_counter() - started
    print(f"  features: {len(opened) / seconds:.0f} segments/s in one process")


def print_costs(seconds: float, raw: float, stored: float, peak: float) -> None:
    """What much data takes, from core seconds, bytes read and bytes stored a segment, and peak GiB."""
    print(f"a segment: {seconds:.4f} core seconds, {raw / 1e6:.2f} MB read, {stored / 1e6:.3f} MB stored")
    print(f"peak {peak:.2f} GiB")
    for terabytes in (1, 100):
        n_segments = terabytes * 1e12 / raw
        hours = [n_segments * seconds / 16 / nodes / 3600 for nodes in NODES]
        times = ", ".join(f"{nodes} nodes {h:.1f} h" for nodes, h in zip(NODES, hours, strict=True))
        print(
            f"{terabytes} TB: {n_segments:.2g} segments, store {n_segments * stored / 1e12:.2f} TB, {times}"
        )


def run(n_segments: int, jobs: int) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "corpus"), Path(folder, "store")
        root.mkdir()
        write_corpus(root, n_segments)
        prepare = [sys.executable, "-m", "biollm", "prepare", "--dataset", "manifest", "--root", str(root)]
        prepare += ["--out", str(out), "--jobs", str(jobs), "--reader_options", json.dumps(OPTIONS)]
        prepare += ["--preprocessing", json.dumps({"emg": {"rate": 2000, "notch": []}})]
        seconds, prepare_peak = watched(prepare)
        size = sum(path.stat().st_size for path in out.iterdir())
        speed = n_segments / seconds
        print(f"{n_segments} segments: {speed:.0f} a second with {jobs} jobs, peak {prepare_peak:.2f} GiB")
        print(
            f"  {seconds:.1f} s with the start of Python; {size / n_segments / 1e3:.0f} kB stored a segment"
        )
        shutil.rmtree(root)
        _, peak = watched([sys.executable, __file__, "--features", str(out)])
        print(f"  features: peak {peak:.2f} GiB", flush=True)
        return seconds * jobs / n_segments, 8 * 45000 * 4, size / n_segments, prepare_peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--features", help="only extract the features of this store")
    options = parser.parse_args()
    if options.features:
        features(options.features)
        return
    for n_segments in options.segments:
        costs = run(n_segments, options.jobs)
    print_costs(*costs)


if __name__ == "__main__":
    main()
