"""The quickstart's own parts; the whole of it is what `make quickstart` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from biollm.cli import read_recipe
from biollm.quickstart import RECIPE, QuickstartConfig


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
    assert tuning.out == evaluation.artefact
    # The controls see as many conversations and steps as the model that they stand beside.
    assert evaluation.build["n_conversations"] == build.n_conversations
    assert evaluation.training["max_steps"] == training.max_steps
