"""python benchmarks/encoder_throughput.py

Segments a second of every preset but `feature_gru` (which reads precomputed features only) in training and in
inference, parameters, and peak memory above the bare program, each in a process of its own with one thread:
windows of 10 s, EEG of 14 channels at 128 Hz (with their amplitude copies), and ECG and skin conductance at
128 Hz; frames of 1 s, batches of 32. On a GPU (`--device cuda`) the memory is the GPU's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import torch

from encoders.presets import PRESETS
from encoders.signal_encoder import EncoderConfig, SignalEncoder
from encoders.streams import StreamSpec

RATE, SECONDS, BATCH = 128, 10, 32
CHANNELS = {"eeg": 28, "ecg": 1, "gsr": 1}
ENOUGH = 5.0  # s that a measurement lasts at least, after one step to warm up
N_FEATURES = 120


def streams(preset: dict) -> list[StreamSpec]:
    found = [
        StreamSpec(name, (name,), RATE, tuple(f"{name}{k}" for k in range(n)), RATE * SECONDS, RATE)
        for name, n in CHANNELS.items()
    ]
    measured = StreamSpec("measured", ("measured",), 0.1, tuple(map(str, range(N_FEATURES))), 1, 1)
    reads = preset.get("reads", "signals")
    return [*(found if reads != "features" else []), *([measured] if reads != "signals" else [])]


def rate_of(step, device: torch.device) -> float:
    """Segments a second of a function that works on one batch."""
    step()
    started, n = time.perf_counter(), 0
    while time.perf_counter() - started < ENOUGH:
        step()
        n += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
    return n * BATCH / (time.perf_counter() - started)


def measure(name: str, device: torch.device) -> dict:
    torch.set_num_threads(1)
    preset = PRESETS[name]
    config = EncoderConfig(**{**preset, "quantizer": None})
    specs = streams(preset)
    x = {s.name: torch.randn(BATCH, s.n_channels, s.n_samples, device=device) for s in specs}
    y = torch.randint(4, (BATCH,), device=device)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = SignalEncoder(config, ("a", "b", "c", "d")).build(specs).to(device)
    optimizer = torch.optim.AdamW(model.parameters())

    def train() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x).outputs["emotion"], y).backward()
        optimizer.step()

    @torch.no_grad()
    def infer() -> None:
        model(x)

    trained = rate_of(train, device)
    model.eval()
    inferred = rate_of(infer, device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 1024 * peak
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "train": trained,
        "inference": inferred,
        "memory": memory / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="*", default=[name for name in PRESETS if name != "feature_gru"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, torch.device(arguments.device))))
        return
    print("| preset | parameters | training, segments/s | inference, segments/s | peak memory, MiB |")
    print("|---|---:|---:|---:|---:|")
    for name in arguments.presets:
        command = [sys.executable, __file__, "--one", name, "--device", arguments.device]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        print(
            f"| {name} | {row['parameters']:,} | {row['train']:,.0f} | {row['inference']:,.0f} "
            f"| {row['memory']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
