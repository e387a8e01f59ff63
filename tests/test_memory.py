"""Memory that training frees is used again, and given back afterwards."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from encoders.memory import kept_memory

def faults(turns):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(turns):
        np.ones(2**23)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

first = faults(1)
mapped = faults(5)
with kept_memory():
    faults(1)
    kept = faults(5)
    held = resident()
print(first, mapped, kept, faults(5), held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_freed_memory_is_used_again_inside_and_given_back_after():
    small_pages = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=small_pages
    )
    first, mapped, kept, after, given_back = map(float, done.stdout.split())
    assert mapped > 4 * first
    assert kept < first / 10
    assert after > 4 * first
    assert given_back > 60
