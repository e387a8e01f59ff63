"""`prepare` in a process that is killed at a chosen step; apart, so that the process has little to import."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from pathlib import Path

from data_builders.preparing import PrepareConfig, prepare

STEPS = ("replace", "rename", "unlink", "write_table", "finalize")
"""What writing consists of; a kill falls before or after one of them."""


def killed_at(step: int | None, after: bool, settings: dict, counted) -> None:
    """Run `prepare` in this process and kill it before or after its `step`-th step of writing."""
    from datasets.arrow_writer import ArrowWriter

    def watched(function):
        def call(*args, **kwargs):
            counted.value += 1
            last = counted.value == step
            if last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for owner in (os, Path, ArrowWriter):
        for name in STEPS:
            if name in vars(owner):
                setattr(owner, name, watched(getattr(owner, name)))
    prepare(PrepareConfig(**settings), progress=False)


def run_killed(step: int | None, after: bool, settings: dict) -> tuple[int | None, int]:
    """Exit status and number of steps of a run in a process of its own."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["killing", "datasets.arrow_writer"])
    counted = context.Value("i", 0)
    process = context.Process(target=killed_at, args=(step, after, settings, counted))
    process.start()
    process.join()
    return process.exitcode, counted.value
