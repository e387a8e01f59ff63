"""The quickstart's own parts; the whole of it is what `make quickstart` runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from biollm.cli import read_recipe
from biollm.finetuning import FinetuneTraining
from biollm.quickstart import RECIPE, QuickstartConfig, quickstart
from data_builders.recording import load_recording
from data_builders.splits import Split
from data_builders.store import SegmentStore


def test_no_processes_are_refused_at_once():
    with pytest.raises(ValueError, match="jobs is 0"):
        QuickstartConfig(jobs=0)


def test_the_recipe_hands_each_stage_the_folder_before_it():
    prepare, encoder, build = (read_recipe(RECIPE, name) for name in ("prepare", "train-encoder", "build"))
    tuning, training = read_recipe(RECIPE, "finetune")
    evaluation = read_recipe(RECIPE, "evaluate")
    assert prepare.out == encoder.store == build.store == evaluation.store
    assert encoder.out == build.signal_tokenizer == str(Path(evaluation.split).parent)
    assert build.out == tuning.dataset_path
    assert [tuning.out] == evaluation.artefact
    # The controls see as many conversations and steps as the model that they stand beside.
    assert evaluation.build["n_conversations"] == build.n_conversations
    assert evaluation.training["max_steps"] == training.max_steps


SMALL = {
    "prepare": {"reader_options": {"n_subjects": 6, "n_trials": 4, "modalities": ["gsr"]}},
    "train-encoder": {"training": {"epochs": 1}},
    "build": {"n_conversations": 16},
    "evaluate": {"groups": ["classical", "llm"]},
}


def test_every_stage_is_run_on_what_the_one_before_has_made(tmp_path, monkeypatch, capsys):
    """The recipe on a few short recordings, and two steps of fine-tuning."""

    def small(recipe, command):
        read = read_recipe(recipe, command)
        if command == "finetune":
            return read[0], FinetuneTraining(max_steps=2, per_device_train_batch_size=2)
        return replace(read, **SMALL[command])

    monkeypatch.setattr("biollm.quickstart.read_recipe", small)
    quickstart(QuickstartConfig(str(tmp_path)))
    said = capsys.readouterr().out
    assert re.findall(r"\[(\d)/6\]", said) == list("123456")
    assert "| LLM on codes+bins" in said
    (recording,) = tmp_path.glob("*.npz")
    table = SegmentStore(tmp_path / "store").table
    split = Split.load(tmp_path / "signal_tokenizer" / "split.json")
    assert load_recording(recording).subject in set(table["subject"][split.mask(table, "test")])
    assert f"--artefact {tmp_path}/artefact --recording {recording}" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        "artefact", "conversations", "evaluation", "signal_tokenizer", "store", "store.inputs",
        recording.name,
    }  # fmt: skip
