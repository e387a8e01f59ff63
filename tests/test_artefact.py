"""The artefact loads with nothing but itself and its base, and refuses any other part."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from biollm.artefact import ArtefactCard, ArtefactError, load_artefact, read_card
from biollm.finetune_config import FinetuneConfig
from biollm.finetuning import FinetuneTraining, finetune
from biollm.readout import label_probabilities
from data_builders.stage import folder_hash
from data_builders.store import SegmentStore


@pytest.fixture
def copy(artefact_folder, tmp_path):
    """The artefact alone, in another place."""
    return shutil.copytree(artefact_folder, tmp_path / "moved")


def probabilities(artefact, store):
    segments = SegmentStore(store).segments()
    texts = artefact.signal_tokenizer.encode(segments)[:16]
    prompts = artefact.prompts(texts)
    answers = artefact.task.answers(artefact.card.classes)
    return label_probabilities(artefact.model, artefact.tokenizer, prompts, answers)


def test_a_moved_artefact_answers_the_same(artefact_folder, copy, store):
    here, there = (probabilities(load_artefact(folder), store) for folder in (artefact_folder, copy))
    np.testing.assert_array_equal(here, there)
    # Not one answer for all: what the adapter learned was loaded with it.
    assert np.ptp(here[:, 0]) > 0.02


def test_it_names_the_base_and_no_path_of_its_making(artefact_folder, conversations, store, make_base):
    making = [str(folder) for folder in (store, conversations.parent, artefact_folder.parent)]
    card, page = ((artefact_folder / name).read_text() for name in ("artefact.json", "README.md"))
    assert json.loads(card)["model_name_or_path"] == make_base()
    assert f"\nbase_model: {make_base()}\n" in page
    assert not [folder for folder in making if folder in card + page]
    assert page.count("Ask it:") == 1


def merge(folder, merged):
    """As its page says."""
    code = re.search(r"```python\n(.+?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    exec(code.replace('"DIR"', repr(str(folder))).replace('"MERGED"', repr(str(merged))))
    return code


def test_it_is_merged_without_biollm_as_its_page_says(copy, tmp_path, store):
    assert "biollm" not in merge(copy, tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    artefact = load_artefact(copy)
    texts = artefact.signal_tokenizer.encode(SegmentStore(store).segments())[:16]
    answers = artefact.task.answers(artefact.card.classes)
    ours = label_probabilities(artefact.model, artefact.tokenizer, artefact.prompts(texts), answers)
    theirs = label_probabilities(merged, tokenizer, artefact.prompts(texts), answers)
    np.testing.assert_allclose(theirs, ours, atol=0.05)
    assert np.corrcoef(theirs[:, 0], ours[:, 0])[0, 1] > 0.99


def test_rows_that_were_not_trained_are_merged_too(conversations, make_base, tmp_path):
    """The adapter lacks them; rows that are added in their place are all alike."""
    out = tmp_path / "frozen"
    config = FinetuneConfig(str(conversations), str(out), make_base(), load_in_4bit=False, train_tokens=False)
    finetune(config, FinetuneTraining(max_steps=1, per_device_train_batch_size=4), progress=False)
    merge(out, tmp_path / "merged")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    ours = load_artefact(out).model.get_input_embeddings().weight.float()
    torch.testing.assert_close(model.get_input_embeddings().weight.float(), ours)
    assert ours[-4:].std(0).mean() > 0.1 * ours.std()


def test_a_wrong_base_is_refused_with_both_values(copy, make_base):
    card = json.loads((copy / "artefact.json").read_text())
    with pytest.raises(ArtefactError, match=r"base model is .* made with") as error:
        load_artefact(copy, make_base(seed=1))
    assert card["base_fingerprint"] in str(error.value)


def test_a_changed_signal_tokenizer_is_refused_with_both_values(copy):
    path = copy / "signal_tokenizer" / "signal_tokenizer.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    with pytest.raises(ArtefactError, match="signal tokenizer is") as error:
        load_artefact(copy)
    assert folder_hash(copy / "signal_tokenizer") in str(error.value)


@pytest.mark.parametrize("change", [{"token_seed": None}, {"token_scale": 2.0}])
def test_an_artefact_with_other_fields_is_refused_with_their_names(copy, change):
    path = copy / "artefact.json"
    card = json.loads(path.read_text()) | change
    path.write_text(json.dumps({name: value for name, value in card.items() if value is not None}))
    (name,) = change
    with pytest.raises(ArtefactError, match=rf"artefact.json: .*\['{name}'\].*biollm finetune"):
        load_artefact(copy)


def test_a_changed_text_tokenizer_is_refused(copy):
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    with pytest.raises(ArtefactError, match="text tokenizer is"):
        load_artefact(copy)


def test_a_folder_without_artefact_says_what_makes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="biollm finetune"):
        load_artefact(tmp_path)


def test_it_says_what_all_stages_have_taught(artefact_folder):
    card, _ = read_card(artefact_folder)
    before = replace(card, tasks=["describe", "quality"])
    about = asdict(card) | {"tasks": {"emotion": 1.0, "quality": 0.5}}
    after = ArtefactCard.from_build(about, FinetuneConfig(), before)
    assert after.tasks == ["describe", "quality", "emotion"]
    before = replace(card, dialogue="You talk.", ratings={"scales": {}})
    after = ArtefactCard.from_build(about, FinetuneConfig(), before)
    assert (after.dialogue, after.ratings) == ("You talk.", {"scales": {}})
    assert "Taught: emotion (" in (artefact_folder / "README.md").read_text()
