"""python benchmarks/quickstart.py

Time and peak memory of `make quickstart` after the installation. Memory is the sum over its processes of the
proportional set size, so that pages which processes share count once. Remove runs/quickstart before, or there
is nothing to do.
"""

from __future__ import annotations

import sys
import time

import psutil


def memory(process: psutil.Process) -> int:
    """Bytes of a process and its children."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def main() -> None:
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(["make", "quickstart"])
    while process.poll() is None:
        peak = max(peak, memory(process))
        time.sleep(0.5)
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s, peak {peak / 2**30:.2f} GiB, exit status {process.returncode}")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
