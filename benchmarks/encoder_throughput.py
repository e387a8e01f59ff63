"""python benchmarks/encoder_throughput.py

Segments a second of every preset in training and in inference, parameters, and peak memory above the bare
program, each in a process of its own with one thread: windows of 10 s, EEG of 14 channels at 128 Hz (with
their amplitude copies, which published networks leave alone), and ECG and skin conductance at 128 Hz; frames
of 1 s, batches of 32. `feature_gru` reads rows of 2,548 precomputed features. Of networks that read
spectrograms, which are computed anew in each step since augmentation changes the signals, the share of a
training step that they take. On a GPU (`--device cuda`) the memory is the GPU's.

Training runs under `kept_memory`, as it does in `fit_model`; `memory kept` is how many times as fast that is
as without, each in processes of its own that take turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from contextlib import nullcontext

import torch

from encoders.encoder_config import EncoderConfig
from encoders.memory import kept_memory
from encoders.networks.spectrogram import LogSpectrogram
from encoders.presets import PRESETS
from encoders.signal_encoder import SignalEncoder
from encoders.streams import DERIVED, StreamSpec

RATE, SECONDS, BATCH = 128, 10, 32
ELECTRODES = [f"eeg{k}" for k in range(14)]
CHANNELS = {
    "eeg": [*ELECTRODES, *(f"{name}_{DERIVED['eeg']}" for name in ELECTRODES)],
    "ecg": ["ecg"],
    "gsr": ["gsr"],
}
ENOUGH = 5.0  # s that a measurement lasts at least, after one step to warm up
TURNS = 5  # in a process, of which the fastest counts: others use the machine
PROCESSES = 2  # with the memory kept, and as many without
N_FEATURES = 120
PRECOMPUTED = 2548


def streams(preset: dict) -> list[StreamSpec]:
    if preset["network"] == "feature_gru":
        return [StreamSpec("features", ("features",), 1.0, tuple(map(str, range(PRECOMPUTED))), 1, 1)]
    found = [
        StreamSpec(name, (name,), RATE, tuple(channels), RATE * SECONDS, RATE)
        for name, channels in CHANNELS.items()
    ]
    measured = StreamSpec("measured", ("measured",), 0.1, tuple(map(str, range(N_FEATURES))), 1, 1)
    reads = preset.get("reads", "signals")
    return [*(found if reads != "features" else []), *([measured] if reads != "signals" else [])]


def rate_of(step, device: torch.device) -> float:
    """Segments a second of a function that works on one batch, in the fastest of the turns."""
    step()
    best = 0.0
    for _ in range(TURNS):
        started, n = time.perf_counter(), 0
        while time.perf_counter() - started < ENOUGH / TURNS:
            step()
            n += 1
            if device.type == "cuda":
                torch.cuda.synchronize()
        best = max(best, n * BATCH / (time.perf_counter() - started))
    return best


def measure(name: str, device: torch.device, memory: str) -> dict:
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

    spectrograms = [module for module in model.modules() if isinstance(module, LogSpectrogram)]

    @torch.no_grad()
    def transform() -> None:
        for module, (name, channels) in zip(spectrograms, model.channels.items(), strict=True):
            module(x[name][:, channels])

    with kept_memory() if memory == "kept" else nullcontext():
        trained = rate_of(train, device)
    model.eval()
    inferred = rate_of(infer, device)
    share = trained / rate_of(transform, device) if spectrograms else 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 1024 * peak
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "train": trained,
        "inference": inferred,
        "memory": memory / 2**20,
        "spectrograms": f"{share:.1%}" if spectrograms else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--memory", choices=["kept", "mapped"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, torch.device(arguments.device), arguments.memory)))
        return
    head = [
        "training, segments/s",
        "memory kept",
        "inference, segments/s",
        "peak memory, MiB",
        "spectrograms",
    ]
    print(f"| preset | parameters | {' | '.join(head)} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in arguments.presets:
        command = [sys.executable, __file__, "--one", name, "--device", arguments.device, "--memory"]
        found: dict[str, list[dict]] = {"kept": [], "mapped": []}
        for memory in ["kept", "mapped"] * PROCESSES:
            done = subprocess.run([*command, memory], capture_output=True, text=True, check=True)
            found[memory].append(json.loads(done.stdout))
        row, mapped = (max(rows, key=lambda row: row["train"]) for rows in found.values())
        print(
            f"| {name} | {row['parameters']:,} | {row['train']:,.0f} | {row['train'] / mapped['train']:.2f} "
            f"| {row['inference']:,.0f} | {row['memory']:,.0f} | {row['spectrograms']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
