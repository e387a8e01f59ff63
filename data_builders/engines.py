"""Where the tasks of a stage run: in this process, in several, or on a Ray cluster.

An engine takes a function, its tasks and a number of workers, and yields the results as they come, in any
order. A task must be safe to run twice: a worker that dies has its task run again elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from typing import Any

__all__ = ["ENGINES", "end_with_parent", "run_local", "run_ray"]


def run_local(
    work: Callable[[Any], Any], tasks: Sequence[Any], jobs: int = 1, address: str | None = None
) -> Generator[Any, None, None]:
    """Run the tasks in this process, or in `jobs` processes of this machine.

    Parameters
    ----------
    work : callable
        Importable by its name.
    tasks : sequence
        What `work` is called with, one at a time.
    jobs : int
    address : None
        There is none.
    """
    if address is not None:
        raise ValueError(f"ray_address is {address!r}; allowed with the local engine is none.")
    if jobs == 1 or len(tasks) < 2:
        yield from map(work, tasks)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    context = get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, initializer=end_with_parent) as pool:
        waiting = [pool.submit(work, task) for task in tasks]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BrokenProcessPool as error:
            raise ChildProcessError(
                f"a worker process died ({error}); was there too little memory? The same command goes on "
                "from there, with fewer jobs if you like."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def end_with_parent() -> None:
    """Let this worker end when its parent is killed: it would wait for tasks for ever."""
    from threading import Thread

    Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_ray(
    work: Callable[[Any], Any], tasks: Sequence[Any], jobs: int = 1, address: str | None = None
) -> Generator[Any, None, None]:
    """Run the tasks through Ray Data, on the cluster at `address` or a new one on this machine.

    Ray runs the tasks of a lost worker again on another one.

    Parameters
    ----------
    work : callable
    tasks : sequence
    jobs : int
        Tasks at a time, of one CPU each.
    address : str or None
        As ``ray.init`` takes it; None starts Ray on this machine with `jobs` CPUs.

    Raises
    ------
    ModuleNotFoundError
        If Ray is not installed; the message says what installs it.
    """
    ray = _import_ray()
    if not ray.is_initialized():
        ray.init(address, num_cpus=None if address else jobs, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = ray.data.from_items([{"task": task} for task in tasks], override_num_blocks=len(tasks))
    results = rows.map(_Row(work), concurrency=min(jobs, len(tasks)), num_cpus=1)
    yield from (row["result"] for row in results.iter_rows())


class _Row:
    """Ray Data's rows are mappings."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.__name__ = work.__name__

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"result": self.work(row["task"])}


def _import_ray() -> Any:
    try:
        import ray.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; install Ray with: pip install 'biollm[ray]'") from error
    return ray


ENGINES: dict[str, Callable[..., Generator[Any, None, None]]] = {"local": run_local, "ray": run_ray}
