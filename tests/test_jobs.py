"""Jobs in this process and in others: each leaves its table, and one that fails is named."""

from __future__ import annotations

import errno
import os

import pandas as pd
import pytest

from biollm.jobs import THREADS, DiskFullError, Job, JobError, run_jobs


def threads(value: int) -> pd.DataFrame:
    return pd.DataFrame({"value": [value], "threads": [os.environ.get(THREADS[0])]})


def divided(value: int) -> pd.DataFrame:
    return pd.DataFrame({"value": [1 / value]})


def dying(value: int) -> pd.DataFrame:
    os._exit(1)


def writing(value: int) -> pd.DataFrame:
    if value == 2:
        raise OSError(errno.ENOSPC, "No space left on device", "weights.bin")
    return pd.DataFrame({"value": [value]})


class Unwritable:
    """A table that does not fit on the disk."""

    def to_parquet(self, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))


def unwritable(value: int):
    return Unwritable()


def jobs_of(work, folder, n_jobs=3):
    return [Job(f"job {k}", folder / f"{k}.parquet", work, (k,), cost=k) for k in range(n_jobs)]


@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_fails_is_named_and_stops_no_other(tmp_path, processes):
    jobs = jobs_of(divided, tmp_path)
    with pytest.raises(JobError, match=r"1 of 3 jobs failed:\n- job 0: ZeroDivisionError: division by zero"):
        run_jobs(jobs, processes, "test", progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"1.parquet", "2.parquet"}


@pytest.mark.filterwarnings("error")
def test_the_bar_ends_at_its_end(tmp_path, capsys):
    costs = (0.1, 0.1, 1.1)  # which are 1.3 in this order, and more from the longest on
    jobs = [Job("job", tmp_path / f"{k}.parquet", writing, (0,), cost) for k, cost in enumerate(costs)]
    run_jobs(jobs, 1, "test")
    assert "test: 100%" in capsys.readouterr().err


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_ends_the_run(tmp_path, processes):
    jobs = [Job(f"job {k}", tmp_path / f"{k}.parquet", writing, (k,), cost=k) for k in (2, 1, 0)]
    with pytest.raises(DiskFullError, match=r"job 2: .*weights\.bin.*Finished jobs are kept; make room"):
        run_jobs(jobs, processes, "test", progress=False)
    if processes == 1:
        assert not list(tmp_path.iterdir())
    run_jobs(jobs[1:], 1, "test", progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"0.parquet", "1.parquet"}


def test_a_table_that_does_not_fit_leaves_nothing_behind(tmp_path):
    with pytest.raises(DiskFullError, match=r"job 0: .*make room"):
        run_jobs(jobs_of(unwritable, tmp_path, 1), 1, "test", progress=False)
    assert not list(tmp_path.iterdir())


def test_other_processes_have_one_thread_and_leave_this_one_alone(tmp_path, monkeypatch):
    monkeypatch.setenv(THREADS[0], "3")
    monkeypatch.delenv(THREADS[1], raising=False)
    run_jobs(jobs_of(threads, tmp_path), 2, "test", progress=False)
    assert [pd.read_parquet(tmp_path / f"{k}.parquet")["threads"].item() for k in range(3)] == ["1"] * 3
    assert os.environ[THREADS[0]] == "3"
    assert THREADS[1] not in os.environ


def test_the_death_of_a_process_is_told(tmp_path):
    with pytest.raises(ChildProcessError, match=r"a process died .* fewer jobs"):
        run_jobs(jobs_of(dying, tmp_path), 2, "test", progress=False)


def test_longer_jobs_start_first_and_weigh_more(tmp_path, capsys):
    ran = []
    jobs = jobs_of(lambda value: ran.append(value) or divided(value + 1), tmp_path, 4)
    jobs[1].target.touch()
    run_jobs(jobs, 1, "test")
    assert ran == [3, 2, 0]
    # one of 0 + 1 + 2 + 3 was there; the longest brings it to four of six
    shown = capsys.readouterr().err
    assert " 17%" in shown
    assert "100%" in shown
