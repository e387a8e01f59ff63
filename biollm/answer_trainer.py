"""The loop that fine-tunes on answers."""

from __future__ import annotations

from typing import Any

from torch.nn.functional import cross_entropy
from trl import SFTTrainer

__all__ = ["AnswerTrainer"]

IGNORED = -100
"""Label of a position that trains nothing."""


class AnswerTrainer(SFTTrainer):
    """TRL's trainer with a shorter way to its loss on a CPU.

    There TRL (1.16) puts every position through the head, here go the columns with a label in any row. The
    loss is the same. Answers are short: on the embedded nano a step takes two thirds of the time.
    """

    args: Any  # SFTConfig

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
        labels = inputs["labels"]
        if labels.device.type != "cpu" or return_outputs or not self._plain:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        columns = (labels[:, 1:] != IGNORED).any(0).nonzero().flatten()
        known = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**known, use_cache=False, logits_to_keep=columns).logits.float()
        wanted = labels[:, columns + 1].flatten()
        loss = cross_entropy(logits.flatten(0, 1), wanted, reduction="sum")
        if num_items_in_batch is None:
            return loss / (wanted != IGNORED).sum().clamp(min=1)
        processes = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        return loss * processes / num_items_in_batch
