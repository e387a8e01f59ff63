"""Losses and scores of several targets at once; unknown labels (NaN) count for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.metrics import f1_score, recall_score
from torch.nn import functional

from encoders.model import ModelOutput
from encoders.objectives import OBJECTIVES, Objective, contrastive_loss
from encoders.training_config import TrainingConfig

__all__ = ["LOSSES", "balanced_shares", "class_weights", "training_loss", "validation_scores"]

Tensors = Mapping[str, torch.Tensor]
CLASS_TARGETS = {"emotion": None, "transition": 2}
"""Targets with classes, and their number where it does not depend on the data set."""


def cross_entropy(output: torch.Tensor, truth: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Of logits (n, n_classes) and classes (n,): (n,)."""
    return functional.cross_entropy(output, truth.long(), reduction="none", label_smoothing=smoothing)


def squared_error(output: torch.Tensor, truth: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Of values (n, 1) and ratings (n,): (n,)."""
    return (output[:, 0] - truth) ** 2


def binary_cross_entropy(output: torch.Tensor, truth: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Of logits (n, 1) and zeros and ones (n,): (n,)."""
    soft = truth * (1 - smoothing) + smoothing / 2
    return functional.binary_cross_entropy_with_logits(output[:, 0], soft, reduction="none")


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "emotion": cross_entropy,
    "valence": squared_error,
    "arousal": squared_error,
    "transition": binary_cross_entropy,
}


def class_weights(y: Tensors, targets: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """Weights by target that give every class that occurs the same total."""
    return {
        target: _balancing(_known(y[target]).long(), CLASS_TARGETS[target] or size)
        for target, size in targets.items()
        if target in CLASS_TARGETS
    }


def _known(values: torch.Tensor) -> torch.Tensor:
    return values[~values.isnan()]


def _balancing(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    counts = torch.bincount(y, minlength=n_classes).float()
    return torch.where(counts > 0, len(y) / counts.clamp(min=1) / (counts > 0).sum(), 0.0)


def balanced_shares(y: Tensors, datasets: np.ndarray | None, balance: str) -> torch.Tensor | None:
    """Chances of the segments to be drawn, (n_segments,), that a sampler takes; None for no sampler.

    With ``sampler`` classes come equally often, with ``dataset`` data sets, with ``both`` data sets and, in
    each, its classes.

    Raises
    ------
    ValueError
        If there is nothing to balance over.
    """
    if balance not in ("sampler", "dataset", "both"):
        return None
    origins = classes = torch.zeros_like(next(iter(y.values())), dtype=torch.long)
    if balance != "sampler":
        if datasets is None:
            raise ValueError(f"balance is {balance!r}, but the training segments name no data sets.")
        origins = torch.as_tensor(np.unique(datasets, return_inverse=True)[1], device=origins.device)
    if balance != "dataset":
        target = next((name for name in CLASS_TARGETS if name in y), None)
        if target is None:
            raise ValueError(
                f"balance is {balance!r}, but no target has classes; allowed are 'dataset', 'none'."
            )
        # Segments without that label are a group of their own, drawn as often as a class.
        classes = y[target].nan_to_num(nan=float(y[target].nan_to_num(0).max()) + 1).long()
    shares = torch.zeros(len(classes), device=classes.device)
    for origin in origins.unique():
        rows = origins == origin
        found = classes[rows]
        shares[rows] = _balancing(found, int(found.max()) + 1)[found] / len(found)
    return shares


def training_loss(
    output: ModelOutput,
    y: Tensors,
    weights: Tensors,
    config: TrainingConfig,
    objective: Objective = OBJECTIVES["supervised"],
    batch: Tensors | None = None,
) -> torch.Tensor:
    """Sum over the targets of their mean loss over the known labels, and the losses without labels.

    Of a part of a batch, whose labels are `batch`: what it adds to the loss of the whole.
    """
    batch = y if batch is None else batch
    share = len(next(iter(y.values()))) / len(next(iter(batch.values())))
    total = share * output.loss
    if objective.contrastive:
        if "emotion" not in y:
            raise ValueError(
                "the contrastive objective needs the target 'emotion'; add it or choose another."
            )
        total = share * objective.contrastive * contrastive_loss(output.embedding, y["emotion"]) + total
    for target, logits in output.outputs.items():
        known = ~y[target].isnan()
        if known.any():
            truth = y[target][known]
            loss = LOSSES[target](logits.float()[known], truth, config.label_smoothing)
            if target in weights:
                loss = weights[target][truth.long()] * loss
            weight = (objective.supervised or 1.0) * config.loss_weights.get(target, 1.0)
            of_batch = known.sum() / (~batch[target].isnan()).sum()
            total = weight * of_batch * loss.mean() + total
    if not total.requires_grad:
        total = total + 0.0 * output.embedding.sum()  # no label is known
    return total


def validation_scores(
    outputs: Tensors, y: Tensors, weights: Tensors, config: TrainingConfig
) -> dict[str, float]:
    """Loss without smoothing, and what the targets have of balanced accuracy, CCC and F1 of transitions."""
    total, scores, agreement = 0.0, {}, []
    for target, logits in outputs.items():
        known = ~y[target].isnan()
        logits, truth = logits[known], y[target][known]
        loss = LOSSES[target](logits, truth)
        share = weights[target][truth.long()] if target in weights else torch.ones_like(loss)
        total += config.loss_weights.get(target, 1.0) * float((share * loss).sum() / share.sum())
        if target == "emotion":
            # Balanced accuracy, without a warning for a class that no validation subject has.
            classes, guess = truth.cpu().numpy(), logits.argmax(dim=1).cpu().numpy()
            recall = recall_score(classes, guess, labels=np.unique(classes), average="macro")
            scores["balanced_accuracy"] = float(recall)
        elif target == "transition":
            guess = (logits[:, 0] > 0).cpu().numpy()
            scores["transition_f1"] = float(f1_score(truth.cpu().numpy() > 0.5, guess, zero_division=0))
        else:
            agreement.append(concordance(logits[:, 0], truth))
    if agreement:
        scores["ccc"] = float(np.mean(agreement))
    return {"loss": total, **scores}


def concordance(guess: torch.Tensor, truth: torch.Tensor) -> float:
    """Lin's concordance correlation (1989), Biometrics 45; 0 where either is constant."""
    guess, truth = guess.double(), truth.double()
    covariance = ((guess - guess.mean()) * (truth - truth.mean())).mean()
    spread = guess.var(correction=0) + truth.var(correction=0) + (guess.mean() - truth.mean()) ** 2
    return float(2 * covariance / spread) if spread > 0 else 0.0
