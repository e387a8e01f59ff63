"""Training in two processes: the same weights as in one, and one of them writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from two_processes import first_weights, trained_weights

from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune
from data_builders.stage import read_stamp

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_gloo_available(), reason="needs torch.distributed with gloo"
)


TESTS = Path(__file__).parent


def in_two_processes(program: Path, *arguments: str) -> None:
    """Run a program as ``torchrun`` does; ``--standalone`` finds a free port by itself."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, str(program), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(store, tmp_path_factory) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    in_two_processes(TESTS / "two_processes.py", str(store), str(folder))
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="both processes would take the GPU")
def test_an_llm_that_two_processes_tune_is_that_of_as_many_batches_in_one(conversations, make_base, tmp_path):
    """Each process has half of a step's conversations, as each of two accumulated batches has."""
    base = make_base()
    finetune(
        FinetuneConfig(str(conversations), str(tmp_path / "one"), base),
        FinetuneTraining(max_steps=3, per_device_train_batch_size=4, gradient_accumulation_steps=2),
        progress=False,
    )
    in_two_processes(
        TESTS.parent / "scripts" / "finetune.py", "--dataset_path", str(conversations),
        "--out", str(tmp_path / "two"), "--model_name_or_path", base, "--max_steps", "3",
        "--per_device_train_batch_size", "4",
    )  # fmt: skip
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert max(float(value.abs().max()) for name, value in one.items() if "lora_B" in name) > 1e-4
    torch.testing.assert_close(two, one, atol=1e-6, rtol=1e-4)
    assert read_stamp(tmp_path / "two", "finetune")
    assert not list(tmp_path.glob("two*partial*"))


def test_one_run_folder_comes_of_it(folder):
    assert {path.name for path in folder.iterdir()} >= {"run", "results-0.json", "results-1.json"}
    assert not list(folder.glob("run*partial*"))
    results = (folder / "run" / "results.json").read_text()
    assert all(json.loads((folder / f"results-{r}.json").read_text()) == json.loads(results) for r in "01")
    assert not (folder / "run" / "checkpoints" / "last.pt").exists()
