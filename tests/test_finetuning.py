"""Fine-tuning: what is trained, on what, and that it resumes."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file

from biollm.artefact import load_artefact, save_artefact
from biollm.base_model import add_signal_tokens, load_base_model, load_text_tokenizer
from biollm.finetuning import FinetuneConfig, FinetuneTraining, _last_checkpoint, finetune, with_lora

TOKENS = ["<|gsr_vq_0000|>", "<|gsr_vq_0001|>"]


def tuned(base: str, load_in_4bit: bool, steps: int = 40):
    """A wrapped base after a few steps of TRL on one conversation, and its answer tokens' accuracy."""
    import numpy as np
    from datasets import Dataset
    from trl import SFTTrainer

    model, tokenizer = load_base_model(base, load_in_4bit), load_text_tokenizer(base)
    ids = add_signal_tokens(model, tokenizer, TOKENS, np.eye(2))
    wrapped = with_lora(model, FinetuneConfig(), ids)
    rows = [
        {
            "prompt": [{"role": "user", "content": TOKENS[k % 2] * 3}],
            "completion": [{"role": "assistant", "content": " calm" if k % 2 else " tense"}],
        }
        for k in range(64)
    ]
    before = wrapped.get_input_embeddings().weight[ids].detach().clone()
    training = FinetuneTraining(
        output_dir="unused", max_steps=steps, per_device_train_batch_size=8, logging_steps=1,
        save_strategy="no",
        learning_rate=1e-2, disable_tqdm=True,
    )  # fmt: skip
    trainer = SFTTrainer(wrapped, training, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train()
    accuracy = [log["mean_token_accuracy"] for log in trainer.state.log_history if "loss" in log]
    return wrapped, ids, before, accuracy


@pytest.mark.parametrize("load_in_4bit", [True, False])
@pytest.mark.parametrize("tied", [True, False])
def test_tied_and_untied_bases_learn_the_new_rows(make_base, tied, load_in_4bit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrapped, ids, before, accuracy = tuned(make_base(tied), load_in_4bit)
    after = wrapped.get_input_embeddings().weight.detach()
    # Half of the answers are each word, so only who reads the signal token gets all of them right.
    assert min(accuracy[-3:]) > 0.9
    assert not torch.equal(after[ids], before)
    # Every other row of the embedding stays as it was.
    fresh = load_base_model(make_base(tied), False).get_input_embeddings().weight.detach()
    assert torch.equal(after[: min(ids)].to(fresh.dtype), fresh[: min(ids)])


def test_lora_is_on_every_linear_layer_but_the_head(make_base):
    model = load_base_model(make_base(), True)
    wrapped = with_lora(model, FinetuneConfig(), [])
    adapted = {
        name.split(".lora_A")[0].rpartition(".")[2]
        for name, _ in wrapped.named_parameters()
        if "lora_A" in name
    }
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_the_artefact_holds_rows_and_no_embedding(artefact_folder):
    weights = load_file(artefact_folder / "adapter_model.safetensors")
    rows = [value for name, value in weights.items() if "trainable_tokens" in name]
    tokens = json.loads((artefact_folder / "artefact.json").read_text())["signal_tokens"]
    assert [len(value) for value in rows] == [len(tokens)]
    assert not [name for name in weights if name.endswith(("embed_tokens.weight", "lm_head.weight"))]


def test_finetuning_that_is_done_is_not_done_again(artefact_folder, conversations, make_base):
    before = (artefact_folder / "adapter_model.safetensors").stat().st_mtime_ns
    config = FinetuneConfig(str(conversations), str(artefact_folder), make_base())
    finetune(config, FinetuneTraining(max_steps=60, per_device_train_batch_size=8), progress=False)
    assert (artefact_folder / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_an_interrupted_run_resumes_to_the_same_weights(conversations, make_base, tmp_path, monkeypatch):
    from transformers import TrainerCallback
    from transformers.trainer import DEFAULT_CALLBACKS

    options = {"max_steps": 12, "per_device_train_batch_size": 4, "save_steps": 4}
    whole = FinetuneConfig(str(conversations), str(tmp_path / "whole"), make_base())
    finetune(whole, FinetuneTraining(**options), progress=False)

    class Interrupt(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 6:
                raise KeyboardInterrupt

    broken = FinetuneConfig(str(conversations), str(tmp_path / "broken"), make_base())
    with monkeypatch.context() as patched:
        patched.setattr("transformers.trainer.DEFAULT_CALLBACKS", [*DEFAULT_CALLBACKS, Interrupt])
        with pytest.raises(KeyboardInterrupt):
            finetune(broken, FinetuneTraining(**options), progress=False)
    assert not (tmp_path / "broken").exists()
    checkpoints = tmp_path / "broken.partial" / "checkpoints"
    assert (checkpoints / "checkpoint-4").is_dir()
    (checkpoints / "checkpoint-8").mkdir()  # killed while it was written
    finetune(broken, FinetuneTraining(**options), progress=False)
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (tmp_path / "broken" / "checkpoints").exists()


def test_what_a_tracker_writes_stays(conversations, make_base, tmp_path):
    pytest.importorskip("tensorboard")
    tuning = FinetuneConfig(str(conversations), str(tmp_path / "out"), make_base())
    out = finetune(tuning, FinetuneTraining(max_steps=1, report_to="tensorboard"), progress=False)
    assert list((out / "logs").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("name", "value"), [("assistant_only_loss", True), ("eval_strategy", "steps"), ("save_only_model", True)]
)
def test_what_is_settled_is_refused_with_the_reason(name, value):
    with pytest.raises(ValueError, match=rf"FinetuneTraining: {name} is .*; allowed is .*: "):
        FinetuneTraining(**{name: value, "eval_steps": 1})


def test_epochs_that_the_steps_would_override_are_refused():
    with pytest.raises(ValueError, match=r"num_train_epochs is 5, which max_steps 150 would override"):
        FinetuneTraining(num_train_epochs=5)
    assert FinetuneTraining(num_train_epochs=5, max_steps=-1).num_train_epochs == 5


def test_a_row_that_does_not_fit_fails_before_training(conversations, make_base, tmp_path):
    config = FinetuneConfig(str(conversations), str(tmp_path / "out"), make_base())
    with pytest.raises(ValueError, match="max_length"):
        finetune(config, FinetuneTraining(max_steps=1, max_length=40), progress=False)
    assert not (tmp_path / "out").exists()


def test_a_template_that_drops_the_answer_fails_before_training(conversations, make_base, tmp_path):
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    shutil.copytree(make_base(), base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = (
        "{% for m in messages if m['role'] != 'assistant' %}{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{% endif %}"
    )
    tokenizer.save_pretrained(base)
    config = FinetuneConfig(str(conversations), str(tmp_path / "out"), str(base))
    with pytest.raises(ValueError, match="drops the turns of"):
        finetune(config, FinetuneTraining(max_steps=1), progress=False)


def test_conversations_of_a_version_that_said_less_are_refused_before_training(
    conversations, make_base, tmp_path
):
    old = shutil.copytree(conversations, tmp_path / "old")
    card = json.loads((old / "card.json").read_text())
    (old / "card.json").write_text(json.dumps({k: v for k, v in card.items() if k != "ratings"}))
    config = FinetuneConfig(str(old), str(tmp_path / "out"), make_base())
    with pytest.raises(
        ValueError, match=rf"{re.escape(str(old))}: its card lacks \['ratings'\].*biollm build"
    ):
        finetune(config, FinetuneTraining(max_steps=1), progress=False)
    assert not (tmp_path / "out.partial" / "checkpoints").exists()


def test_a_stage_goes_on_from_the_adapter_and_rows_of_the_one_before(
    artefact_folder, conversations, make_base, tmp_path
):
    config = FinetuneConfig(
        str(conversations), str(tmp_path / "out"), make_base(), adapter=str(artefact_folder)
    )
    # Nothing is learned: what is written is what the stage began with.
    options = {"max_steps": 1, "per_device_train_batch_size": 2, "learning_rate": 0.0}
    out = finetune(config, FinetuneTraining(**options), progress=False)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (artefact_folder, out))
    assert one.keys() == other.keys()
    assert all(torch.equal(other[name], values) for name, values in one.items())


def test_a_stage_on_another_base_or_signal_tokenizer_is_refused(
    artefact_folder, conversations, make_base, tmp_path
):
    training, before = FinetuneTraining(max_steps=1), str(artefact_folder)
    config = FinetuneConfig(str(conversations), str(tmp_path / "out"), make_base(seed=1), adapter=before)
    with pytest.raises(ValueError, match=r"its base_fingerprint differ"):
        finetune(config, training, progress=False)
    # Another fit has tokens of the same names, which mean other things.
    other = shutil.copytree(conversations, tmp_path / "other")
    path = other / "signal_tokenizer" / "signal_tokenizer.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    config = FinetuneConfig(str(other), str(tmp_path / "out"), make_base(), adapter=before)
    with pytest.raises(ValueError, match=r"its signal_tokenizer_hash differ"):
        finetune(config, training, progress=False)


def test_frozen_rows_are_loaded_as_they_were_in_training(conversations, make_base, tmp_path, monkeypatch):
    """They are in no file of the artefact, and drawn again from its card."""
    config = FinetuneConfig(
        str(conversations), str(tmp_path / "out"), make_base(), token_init="random", train_tokens=False
    )
    in_training = []

    def watched(folder, model, *rest):
        in_training.append(model.get_input_embeddings().weight.detach().clone())
        return save_artefact(folder, model, *rest)

    monkeypatch.setattr("biollm.finetuning.save_artefact", watched)
    training = FinetuneTraining(max_steps=2, per_device_train_batch_size=2, seed=3)
    artefact = load_artefact(finetune(config, training, progress=False))
    loaded = artefact.model.get_input_embeddings().weight.detach()
    ids = artefact.tokenizer.convert_tokens_to_ids(artefact.card.signal_tokens)
    assert torch.equal(loaded[ids], in_training[0][ids].to(loaded.dtype))
    assert len(torch.unique(loaded[ids], dim=0)) == len(ids)
    assert not [name for name in load_file(tmp_path / "out" / "adapter_model.safetensors") if "token" in name]


def test_a_stage_cannot_give_the_adapter_another_shape(artefact_folder, conversations, make_base, tmp_path):
    config = FinetuneConfig(
        str(conversations), str(tmp_path / "out"), make_base(), adapter=str(artefact_folder), lora_r=4,
        train_tokens=False,
    )  # fmt: skip
    with pytest.raises(
        ValueError, match=r"made with \{'lora_r': 16, 'train_tokens': True\}, and \{'lora_r': 4"
    ):
        finetune(config, FinetuneTraining(max_steps=1), progress=False)


def test_lora_is_of_the_rank_scale_and_dropout_that_are_asked_for(make_base):
    config = FinetuneConfig(lora_r=4, lora_alpha=6, lora_dropout=0.25)
    wrapped = with_lora(load_base_model(make_base(), False), config, [])
    layers = [module for module in wrapped.modules() if hasattr(module, "lora_A")]
    assert layers
    for layer in layers:
        made = layer.r["default"], layer.scaling["default"], layer.lora_dropout["default"].p
        assert made == (4, 6 / 4, 0.25)


def test_a_checkpoint_that_was_cut_off_is_not_the_last(tmp_path):
    for step, state in ((100, "{}"), (200, ""), (90, "{}")):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-300").mkdir()
    assert _last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-100")
