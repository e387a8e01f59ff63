"""`Trainer.fit` in a process that kills itself in the middle of an epoch; apart, to import little."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context

from encoders.trainer import TrainEncoderConfig, Trainer


def fit_until(n_steps: int, settings: dict) -> None:
    """Train until the `n_steps`-th step, which ends in SIGKILL."""
    from encoders.training_run import TrainingRun

    step, steps = TrainingRun.step, []

    def watched(run, parts):
        steps.append(1)
        if len(steps) == n_steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(run, parts)

    TrainingRun.step = watched
    Trainer(TrainEncoderConfig(**settings), progress=False).fit()


def run_killed(n_steps: int, settings: dict) -> int | None:
    """Exit status of that process."""
    process = get_context("spawn").Process(target=fit_until, args=(n_steps, settings))
    process.start()
    process.join()
    return process.exitcode
