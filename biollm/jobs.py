"""Jobs that leave one table each: in this process or in several, resumable, named where they fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_builders.engines import end_with_parent
from data_builders.places import is_remote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiskFullError", "Job", "JobError", "jobs_folder", "run_jobs", "wrong_runs"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


FAILURES = (ValueError, ArithmeticError, LookupError, RuntimeError, OSError, MemoryError)
"""What data, settings and machines lead to; anything else is a fault of the code and ends the run."""


class DiskFullError(OSError):
    """No other job could write its table either."""


class JobError(ValueError):
    """Jobs that failed, each with its name and what went wrong."""


@dataclass(frozen=True)
class Job:
    """A piece of work that is done when its table is there.

    Parameters
    ----------
    name : str
        For the progress bar and for errors.
    target : Path
        Parquet file of the table.
    work : callable
        Importable by its name; gives the table.
    arguments : tuple
        What `work` is called with.
    cost : float
        Seconds that it may take, roughly: longer jobs start first and weigh more in the bar.
    """

    name: str
    target: Path
    work: Callable[..., pd.DataFrame]
    arguments: tuple[Any, ...]
    cost: float = 1.0


def jobs_folder(out: str) -> Path:
    """The folder beside an output in which the tables of finished jobs are kept, OUT.jobs.

    Raises
    ------
    ValueError
        If the output is not on this machine, where jobs are kept.
    """
    if is_remote(out):
        raise ValueError(f"out is {out!r}, a URL; give a folder on this machine, and copy the report later.")
    place = Path(out).absolute()
    return place.with_name(f"{place.name}.jobs")


def wrong_runs(seeds: Sequence[int], jobs: int) -> list[str]:
    """What is wrong with the seeds and the number of processes of a table."""
    problems = []
    if not seeds or len(set(seeds)) < len(seeds):
        problems.append(f"seeds are {list(seeds)}, allowed are one or more, each once")
    if jobs < 1:
        problems.append(f"jobs is {jobs}, allowed is 1 or more")
    return problems


def run_jobs(jobs: Sequence[Job], processes: int, what: str, progress: bool = True) -> None:
    """Run the jobs whose tables are not there yet, the longest first.

    Each table is written whole as its job ends, so that a killed run goes on. A job that fails does not
    stop the others, unless it finds the disk full.

    Parameters
    ----------
    jobs : sequence of Job
    processes : int
        1 runs them in this process; more run in processes of one thread each, which end with this one.
    what : str
        Before the progress bar.
    progress : bool

    Raises
    ------
    JobError
        With all jobs that failed, after the others have ended.
    ChildProcessError
        If a process died.
    DiskFullError
        If there is no space left.
    """
    from tqdm import tqdm

    finished = [job for job in jobs if job.target.is_file()]
    left = sorted((job for job in jobs if not job.target.is_file()), key=lambda job: -job.cost)
    done, failed = len(finished), list[JobError]()
    bar = tqdm(
        initial=sum(map(_milliseconds, finished)), total=sum(map(_milliseconds, jobs)), desc=what,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}", smoothing=0,
        disable=not progress,
    )  # fmt: skip
    with bar:
        bar.set_postfix_str(f"{done}/{len(jobs)} jobs")
        for job, error in _in_processes(left, processes) if processes > 1 else _here(left):
            done += 1
            failed += [error] if error else []
            bar.set_postfix_str(f"{done}/{len(jobs)} jobs, {job.name}", refresh=False)
            bar.update(_milliseconds(job))
    if failed:
        lines = "".join(f"\n- {error}" for error in failed)
        raise JobError(
            f"{len(failed)} of {len(jobs)} jobs failed:{lines}\nThe results of the others are kept: the same "
            "command runs these alone, and one that leaves them out makes the report of the rest."
        ) from failed[0]


def _milliseconds(job: Job) -> int:
    """Whole, for sums of fractions depend on their order and would pass the bar's end."""
    return round(1000 * job.cost)


def _here(jobs: list[Job]) -> Iterator[tuple[Job, JobError | None]]:
    for job in jobs:
        try:
            run_job(job)
        except JobError as error:
            yield job, error
        else:
            yield job, None


def _in_processes(jobs: list[Job], processes: int) -> Iterator[tuple[Job, JobError | None]]:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=end_with_parent)
    try:
        with _one_thread():
            waiting = {pool.submit(run_job, job): job for job in jobs}
        for done in as_completed(waiting):
            error = done.exception()
            if error is not None and not isinstance(error, JobError):
                raise error
            yield waiting[done], error
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"a process died ({error}); was there too little memory? The same command goes on from there, "
            "with fewer jobs if you like."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that are started here have one thread each, since together they fill the cores.

    The libraries read their number from the environment, once, as they are loaded.
    """
    before = {name: os.environ[name] for name in THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name in THREADS:
            del os.environ[name]
        os.environ.update(before)


def run_job(job: Job) -> None:
    """Run one job and write its table, atomically."""
    try:
        _write(job.work(*job.arguments), job.target)
    except FAILURES as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise DiskFullError(
                f"{job.name}: {error}. Finished jobs are kept; make room, and the same command goes on from "
                "there."
            ) from error
        raise JobError(f"{job.name}: {type(error).__name__}: {error}") from error


def _write(table: pd.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    try:
        table.to_parquet(partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
