"""OMP_NUM_THREADS=1 python benchmarks/grouped_electrodes.py --threads 1

The CNN of every electrode in GRU-XNet: one batched (shared weights) or grouped (weights of their own)
convolution against a Python loop over electrodes. Both sides read the same spectrograms with the same
weights. They take turns within one run; the medians of both are given with their ratio, and the largest
difference of their numbers. The loop is written as one would: convolution, batch norm, ReLU and pooling of
`torch.nn`, an electrode after the other. With shared weights the norm of training takes its statistics over
all electrodes at once and the loop over one, so that no difference is given there. On cores that others
use, two threads wait for each other and the ratio says little. Both sides run under `kept_memory`, as a
training does. On a GPU: `--device cuda`.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from encoders.memory import kept_memory
from encoders.networks.electrodes import ElectrodeCNN
from encoders.networks.spectrogram import LogSpectrogram

WIDTHS = (32, 64, 128)
POOLINGS = (2, 2, 2)


def looped(cnn: ElectrodeCNN) -> nn.ModuleList:
    """The same weights as CNNs of single electrodes; one for all of them if the weights are shared."""
    groups = cnn.n_electrodes or 1
    return nn.ModuleList(
        nn.Sequential(*(layer for block in cnn.blocks for layer in electrode_layers(block, g, groups)))
        for g in range(groups)
    )


def electrode_layers(block: nn.Module, electrode: int, groups: int) -> list[nn.Module]:
    """Convolution, norm, ReLU and pooling of one electrode, taken out of a grouped block."""
    convolution, norm = copy.deepcopy(block.convolution), copy.deepcopy(block.norm)
    convolution.groups = 1
    for module in (convolution, norm):
        for name, values in [*module.named_parameters(), *module.named_buffers()]:
            if values.ndim:
                part = values.detach().chunk(groups)[electrode].clone(memory_format=torch.contiguous_format)
                setattr(module, name, nn.Parameter(part) if isinstance(values, nn.Parameter) else part)
    norm.num_features = convolution.out_channels = len(convolution.weight)
    return [convolution, norm, nn.ReLU(), nn.MaxPool2d(block.pooling)]


def loop(cnns: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    """Features of each electrode, one after the other, as `ElectrodeCNN` gives them."""
    maps = [cnns[k % len(cnns)](x[:, k : k + 1]) for k in range(x.shape[1])]
    return torch.stack([m.flatten(1, 2) for m in maps], dim=1)


def run(module: Callable, x: torch.Tensor, train: bool, bfloat16: bool) -> torch.Tensor:
    """Forward, and backward if it is training."""
    with torch.set_grad_enabled(train), torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
        out = module(x)
    if train:
        out.float().square().mean().backward()
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return out.detach()


def compare(n: int, x: torch.Tensor, cnn: ElectrodeCNN, train: bool, bfloat16: bool) -> tuple[float, ...]:
    """Median seconds of the loop and of one convolution, and the largest relative difference."""
    cnns = looped(cnn)
    cnn.train(train), cnns.train(train)
    sides: list[Callable] = [lambda y: loop(cnns, y), cnn]
    first, second = (run(side, x, train, bfloat16) for side in sides)
    seconds: list[list[float]] = [[], []]
    for _, (side, times) in itertools.product(range(n), zip(sides, seconds, strict=True)):
        started = time.perf_counter()
        run(side, x, train, bfloat16)
        times.append(time.perf_counter() - started)
    difference = (first - second).abs().max() / first.abs().max()
    return *(statistics.median(times) for times in seconds), float(difference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels", type=int, default=62)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # 4 s at 128 Hz in frames of 2 s, the default spectrogram: 33 frequencies, 16 columns.
    spectrogram = LogSpectrogram(options.channels, 256)
    where = (
        f"{options.threads} threads"
        if options.device == "cpu"
        else torch.cuda.get_device_name(options.device)
    )
    print(f"{where}, {options.channels} electrodes, ms by loop and at once, ratio, difference")
    for batch, shared, train, bfloat16 in itertools.product(
        options.batches, (True, False), (False, True), (False, True)
    ):
        x = spectrogram(torch.randn(batch, options.channels, 512)).to(options.device)
        cnn = ElectrodeCNN(spectrogram.n_bins, POOLINGS, WIDTHS, None if shared else options.channels)
        cnn.to(options.device)
        with kept_memory():
            slow, fast, difference = compare(options.repeats, x, cnn, train, bfloat16)
        kind = "shared" if shared else "own"
        name = f"{kind:6} {'train' if train else 'infer'} {'bf16' if bfloat16 else 'fp32'}"
        numbers = "" if train and shared else f" {difference:.1e}"
        print(
            f"batch {batch:2} {name} {slow * 1e3:7.1f} {fast * 1e3:7.1f} {slow / fast:5.1f}x{numbers}",
            flush=True,
        )


if __name__ == "__main__":
    main()
