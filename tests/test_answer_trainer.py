"""The loss of fine-tuning, against TRL's own."""

from __future__ import annotations

import pytest
import torch

from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.finetuning import FinetuneConfig, FinetuneTraining, with_lora


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("options", [{}, {"loss_type": "dft"}, {"label_smoothing_factor": 0.1}], ids=str)
def test_the_loss_and_its_gradient_are_those_of_the_trainer_it_shortens(
    make_base, tmp_path, tied, counted, options
):
    from datasets import Dataset
    from trl import SFTTrainer

    from biollm.answer_trainer import IGNORED, AnswerTrainer

    base = make_base(tied)
    wrapped = with_lora(load_base_model(base, load_in_4bit=False).float(), FinetuneConfig(), [5, 6])
    rows = [
        {
            "prompt": [{"role": "user", "content": "calm or tense? " * (1 + k)}],
            "completion": [{"role": "assistant", "content": " tense" * (1 + k % 2)}],
        }
        for k in range(4)
    ]
    training = FinetuneTraining(
        output_dir=str(tmp_path), per_device_train_batch_size=4, bf16=False, **options
    )
    trainer = AnswerTrainer(
        wrapped, training, train_dataset=Dataset.from_list(rows), processing_class=load_text_tokenizer(base)
    )
    batch = next(iter(trainer.get_train_dataloader()))
    trained = batch["labels"] != IGNORED
    # Answers begin at other columns in each row, so some kept columns hold labels of some rows only.
    assert 0 < trained.any(0).sum() < trained.shape[1]
    assert not torch.equal(trained.any(0), trained.all(0))
    number = trained.sum() * 2 if counted else None

    def loss_and_gradient(trainer_class):
        wrapped.zero_grad()
        loss = trainer_class.compute_loss(trainer, wrapped, dict(batch), num_items_in_batch=number)
        loss.backward()
        parts = [p.grad.flatten() for p in wrapped.parameters() if p.grad is not None]
        return loss.item(), torch.cat(parts)

    (ours, our_gradient), (theirs, their_gradient) = map(loss_and_gradient, (AnswerTrainer, SFTTrainer))
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert our_gradient.abs().max() > 0
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-4, atol=1e-6)
