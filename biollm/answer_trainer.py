"""The loop that fine-tunes on answers."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy, pad
from trl import SFTTrainer

__all__ = ["AnswerTrainer", "answer_weights", "fused_losses", "short_losses"]

IGNORED = -100
"""Label of a position that trains nothing."""


class AnswerTrainer(SFTTrainer):
    """TRL's trainer with a loss in which each answer counts the same, however long it is.

    TRL (1.16) takes the mean over tokens. Among answers of one task that is nearly the same; beside a
    description of a hundred tokens, the one token that names the state counts for next to nothing, and is not
    learned.

    Where the loss is more than the log-likelihood (``loss_type``, label smoothing, a mixture of experts'
    balance), it is TRL's own.
    """

    args: Any  # SFTConfig

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Else the trainer leaves the mean over accumulated batches to the loss, with a number of tokens.
        self.model_accepts_loss_kwargs = self.model_accepts_loss_kwargs and not self._plain

    @property
    def _plain(self) -> bool:
        """Whether the loss is the mean log-likelihood alone."""
        return self.args.loss_type == "nll" and self.label_smoother is None and not self.aux_loss_enabled

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        if return_outputs or not self._plain:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        losses = (short_losses if inputs["labels"].device.type == "cpu" else fused_losses)(model, inputs)
        weights = answer_weights(inputs["labels"][:, 1:])
        return (losses * weights).sum() / weights.sum().clamp(min=1)


def answer_weights(labels: torch.Tensor) -> torch.Tensor:
    """One over the length of its answer for each position with a label, 0 for the others.

    Parameters
    ----------
    labels : Tensor, shape (n_rows, n_positions)
        Neighbours with labels are one answer: a packed row holds several, with questions between them.
    """
    trained = labels != IGNORED
    starts = trained & ~pad(trained, (1, 0))[:, :-1]
    number = starts.flatten().cumsum(0).view_as(labels) * trained  # of the answer; 0 beside all
    return trained / number.flatten().bincount()[number]


def short_losses(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Negative log-likelihood of each label, for a CPU.

    There TRL puts every position through the head, here go the columns with a label in any row. Answers are
    short: on the embedded nano a step takes two thirds of the time.

    Returns
    -------
    Tensor, shape (n_rows, n_positions - 1)
        0 where there is no label.
    """
    labels = inputs["labels"][:, 1:]
    columns = (labels != IGNORED).any(0).nonzero().flatten()
    known = {name: value for name, value in inputs.items() if name != "labels"}
    logits = model(**known, use_cache=False, logits_to_keep=columns).logits.float()
    losses = cross_entropy(logits.transpose(1, 2), labels[:, columns], reduction="none", ignore_index=IGNORED)
    return losses.new_zeros(labels.shape).index_copy(1, columns, losses)


def fused_losses(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """The same by TRL's head, which on a GPU never holds the logits of all labels."""
    return -model(**inputs, use_cache=False, fused_lm_head=True).log_probs
