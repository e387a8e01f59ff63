"""Each stage: other settings, code or inputs are another output, and where and how it is run is not."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from biollm.building import BuildConfig, build
from biollm.experiment import EvaluateConfig, evaluate
from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune
from data_builders.stage import content_hash
from encoders.trainer import TrainEncoderConfig, train_encoder

STAGES = {
    "train-encoder": ("encoders.trainer", "open_stage", "code_behind"),
    "build": ("biollm.building", "run_stage", "source_hash"),
    "finetune": ("biollm.finetuning", "open_stage", "source_hash"),
    "evaluate": ("biollm.experiment", "run_stage", "source_hash"),
}
"""Module of each, what it hands all to that its output depends on, and what hashes its code."""
CHANGES = [
    ("train-encoder", {"seed": 1}), ("train-encoder", {"training": {"epochs": 2}}),
    ("train-encoder", {"normalisation": "none"}), ("train-encoder", {"protocol": "gkf2"}),
    ("build", {"n_conversations": 9}), ("build", {"seed": 1}), ("build", {"sources": ["bins"]}),
    ("finetune", {"lora_r": 4}), ("finetune", {"learning_rate": 1e-4}), ("finetune", {"max_steps": 9}),
    ("evaluate", {"seeds": [1]}), ("evaluate", {"sources": ["bins"]}), ("evaluate", {"protocol": "gkf3"}),
]  # fmt: skip
RUNNING = {
    "train-encoder": {"jobs": 2}, "build": {"jobs": 2}, "finetune": {"logging_steps": 1},
    "evaluate": {"jobs": 2},
}  # fmt: skip


class Opened(Exception):
    """In place of a stage's work, with the key of its output."""


@pytest.fixture
def key(store, conversations, make_base, monkeypatch):
    """A function: the key of a stage's output with changes of its settings."""
    tokenizer, base = str(conversations.parent / "signal_tokenizer"), make_base()
    stages = {
        "train-encoder": (train_encoder, TrainEncoderConfig(str(store), "out")),
        "build": (build, BuildConfig(str(store), tokenizer, "out", model_name_or_path=base)),
        "finetune": (finetune, FinetuneConfig(str(conversations), "out", base)),
        "evaluate": (evaluate, EvaluateConfig(str(store), "out", "gkf2", model_name_or_path=base)),
    }

    def opened(stage, folder, inputs, *work):
        raise Opened(content_hash(inputs))

    for module, opening, _ in STAGES.values():
        monkeypatch.setattr(f"{module}.{opening}", opened)

    def call(stage: str, **changes) -> str:
        function, config = stages[stage]
        own = {name: changes.pop(name) for name in list(changes) if hasattr(config, name)}
        training = [FinetuneTraining(**changes)] if stage == "finetune" else []
        with pytest.raises(Opened) as caught:
            function(replace(config, **own), *training, progress=False)
        return str(caught.value)

    return call


@pytest.mark.parametrize(("stage", "change"), CHANGES, ids=str)
def test_other_settings_are_another_output(key, stage, change):
    assert key(stage, **change) != key(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_where_and_how_it_is_run_is_the_same_output(key, stage):
    assert key(stage, **RUNNING[stage], out="elsewhere") == key(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_other_code_is_another_output(key, stage, monkeypatch):
    before, (module, _, hashed) = key(stage), STAGES[stage]
    monkeypatch.setattr(f"{module}.{hashed}", lambda *_: "other")
    assert key(stage) != before


@pytest.mark.parametrize("stage", ["build", "finetune"])
def test_another_output_of_the_stage_before_is_another_output(key, stage, monkeypatch):
    before, module = key(stage), import_module(STAGES[stage][0])
    stamp = module.read_stamp
    monkeypatch.setattr(module, "read_stamp", lambda *given: stamp(*given) | {"key": "another"})
    assert key(stage) != before
