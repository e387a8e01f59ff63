"""What becomes of the memory that training on a CPU frees after each step."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_memory"]

# Options of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4

NEVER = -1
MAPPINGS = 65_536
"""Arrays that glibc may map one by one, as it does of itself."""
LARGEST = 32 * 2**20
"""Bytes from which it does, where its own limit ends up after arrays of that size were freed."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let this process keep the memory that it frees and use it again; give it back at the end.

    Of itself glibc maps each large array anew and unmaps it when it is freed, so that the system clears its
    pages in every step of a training, up to half of its time (the column "memory kept" of
    ``benchmarks/RESULTS.md``). No number changes. Other allocators, and other systems than Linux, are left as
    they are.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_MAX, MAPPINGS)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST)
        libc.malloc_trim(0)
