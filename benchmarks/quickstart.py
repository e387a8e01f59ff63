"""python benchmarks/quickstart.py

Time and peak memory of `biollm quickstart`: memory is the sum over its processes of the proportional set
size, so that pages which processes share count once. Writes to a new temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "biollm", "quickstart", "--out", f"{folder}/quickstart"]
        process = psutil.Popen(command)
        while process.poll() is None:
            peak = max(peak, memory(process))
            time.sleep(0.5)
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s, peak {peak / 2**30:.2f} GiB, exit status {process.returncode}")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
