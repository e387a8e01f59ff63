"""The loss of fine-tuning, against TRL's own."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from trl import SFTTrainer

from biollm.answer_trainer import IGNORED, AnswerTrainer, answer_weights, fused_losses, short_losses
from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.finetuning import FinetuneConfig, FinetuneTraining, with_lora


@pytest.fixture
def make_trainer(make_base, tmp_path):
    """A function that makes a trainer of answers of one and ten words, behind questions of any length."""

    def make(tied: bool = False, n_rows: int = 4, **options) -> AnswerTrainer:
        base = make_base(tied)
        torch.manual_seed(0)
        model = with_lora(load_base_model(base, load_in_4bit=False).float(), FinetuneConfig(), [5, 6])
        rows = [
            {
                "prompt": [{"role": "user", "content": "calm or tense? " * (1 + k)}],
                "completion": [{"role": "assistant", "content": " tense" * (1 + 9 * (k % 2))}],
            }
            for k in range(n_rows)
        ]
        settings = {
            "output_dir": str(tmp_path),
            "per_device_train_batch_size": n_rows,
            "bf16": False,
            **options,
        }
        return AnswerTrainer(
            model,
            FinetuneTraining(**settings),
            train_dataset=Dataset.from_list(rows),
            processing_class=load_text_tokenizer(base),
        )

    return make


def gradient(trainer, loss):
    trainer.model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("tied", [True, False])
def test_it_is_the_mean_of_what_the_trainer_of_trl_makes_of_each_answer(make_trainer, tied):
    trainer = make_trainer(tied)
    batch = next(iter(trainer.get_train_dataloader()))
    trained = batch["labels"] != IGNORED
    # Answers begin at other columns in each row, so some kept columns hold labels of some rows only.
    assert 0 < trained.any(0).sum() < trained.shape[1]
    assert not torch.equal(trained.any(0), trained.all(0))
    assert len(set(trained.sum(1).tolist())) > 1
    ours = trainer.compute_loss(trainer.model, dict(batch))
    our_gradient = gradient(trainer, ours)
    alone = [{name: value[[row]] for name, value in batch.items()} for row in range(4)]
    theirs = torch.stack([SFTTrainer.compute_loss(trainer, trainer.model, one) for one in alone]).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert our_gradient.abs().max() > 0
    torch.testing.assert_close(our_gradient, gradient(trainer, theirs), rtol=1e-4, atol=1e-6)
    of_tokens = SFTTrainer.compute_loss(trainer, trainer.model, dict(batch))
    assert ours.item() != pytest.approx(of_tokens.item(), rel=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_both_ways_to_the_losses_give_the_same(make_trainer, tied):
    trainer = make_trainer(tied)
    batch = next(iter(trainer.get_train_dataloader()))
    short, fused = (losses(trainer.model, dict(batch)) for losses in (short_losses, fused_losses))
    assert short.shape == fused.shape
    assert ((short > 0) == (batch["labels"][:, 1:] != IGNORED)).all()
    torch.testing.assert_close(short, fused, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"loss_type": "dft"}, {"label_smoothing_factor": 0.1}], ids=str)
def test_another_loss_is_that_of_trl(make_trainer, options):
    trainer = make_trainer(**options)
    batch = next(iter(trainer.get_train_dataloader()))
    ours, theirs = (
        made.compute_loss(trainer, trainer.model, dict(batch)) for made in (AnswerTrainer, SFTTrainer)
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_accumulated_batches_teach_what_one_batch_does(make_trainer):
    learned = []
    for options in ({}, {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}):
        trainer = make_trainer(max_steps=1, optim="sgd", max_grad_norm=0.0, warmup_steps=0, **options)
        before = [p.detach().clone() for p in trainer.model.parameters() if p.requires_grad]
        trainer.train()
        after = [p.detach() for p in trainer.model.parameters() if p.requires_grad]
        learned.append(torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)]))
    assert learned[0].abs().max() > 0
    torch.testing.assert_close(learned[0], learned[1], rtol=1e-3, atol=1e-7)


def test_each_answer_weighs_one_in_packed_rows_too():
    n = IGNORED
    labels = torch.tensor([[n, 3, 4, n, n, 5, 6, 7, 8], [9, n, n, n, n, n, n, n, n], [n] * 9])
    expected = torch.tensor([[0, 1 / 2, 1 / 2, 0, 0, *[1 / 4] * 4], [1, *[0] * 8], [0] * 9])
    torch.testing.assert_close(answer_weights(labels), expected)


def test_a_batch_without_labels_has_a_loss_of_zero(make_trainer):
    trainer = make_trainer()
    batch = next(iter(trainer.get_train_dataloader()))
    batch["labels"] = torch.full_like(batch["labels"], IGNORED)
    assert trainer.compute_loss(trainer.model, batch).item() == 0
