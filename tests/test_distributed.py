"""Training in two processes: the same weights as in one, and one of them writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from two_processes import first_weights, trained_weights

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_gloo_available(), reason="needs torch.distributed with gloo"
)


@pytest.fixture(scope="module")
def folder(store, tmp_path_factory) -> Path:
    """What two processes wrote; ``--standalone`` finds a free port by itself."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    program = Path(__file__).with_name("two_processes.py")
    done = subprocess.run(
        [*command, str(program), str(store), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_two_processes_reach_the_weights_of_one(folder):
    """The mean of two halves' gradients is the batch's, but for rounding, which Adam makes larger where a
    gradient is small: to a ten-thousandth of what training changes, all weights together."""
    ours, theirs = (torch.load(folder / f"weights-{rank}.pt", weights_only=True) for rank in "01")
    alone, first = trained_weights(), first_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in alone)
    changed, off = (
        sum(float((value - alone[name]).square().sum()) for name, value in weights.items()) ** 0.5
        for weights in (first, ours)
    )
    assert off < changed / 10_000


def test_batches_are_in_as_many_parts_in_all_processes(folder):
    """Seven rows are four and three: parts of one's own would make one process wait for ever."""
    ours, theirs = (json.loads((folder / f"parts-{rank}.json").read_text()) for rank in "01")
    assert ours == theirs
    assert len(ours) == 1


def test_one_run_folder_comes_of_it(folder):
    assert {path.name for path in folder.iterdir()} >= {"run", "results-0.json", "results-1.json"}
    assert not list(folder.glob("run*partial*"))
    results = (folder / "run" / "results.json").read_text()
    assert all(json.loads((folder / f"results-{r}.json").read_text()) == json.loads(results) for r in "01")
    assert not (folder / "run" / "checkpoints" / "last.pt").exists()
