"""How encoders are trained: one dataclass, checked whole."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from data_builders.augmentation.basic import time_masking
from data_builders.augmentation.intermediate import INTERMEDIATE
from encoders.targets import TARGETS

__all__ = ["LENGTHS", "MONITORS", "ON_THE_FLY", "TrainingConfig", "of_length"]


@dataclass
class TrainingConfig:
    """How encoders are trained."""

    epochs: int = 6  # passes over the training segments, at most
    batch_size: int = 64  # segments a step, over all processes together
    batch_parts: int = 1  # parts that a batch is computed in, to save memory
    optimizer: str = "adamw"  # adamw, or adam, whose weight decay is an L2 penalty
    learning_rate: float = 2e-3  # highest rate
    schedule: str = "cosine"  # cosine (rises for `warmup` of the steps, then falls), step, plateau, constant
    warmup: float = 0.1  # cosine: share of the steps in which the rate rises
    lowest_rate: float = 0.0  # cosine, step and plateau go no lower
    decay_epochs: int = 2  # step: epochs between two falls; plateau: epochs without a better score before one
    decay_factor: float = 0.5  # step and plateau: what the rate is multiplied by
    weight_decay: float = 0.05  # on matrices only
    label_smoothing: float = 0.1  # share of a label that goes to all classes alike
    loss_weights: dict[str, float] = field(default_factory=dict)  # by target; 1 for those not named
    balance: str = "weights"  # weights of the loss by class; sampler: by class; dataset; both; none
    gradient_norm: float = 1.0  # gradients are clipped to this norm
    mixed_precision: str = "no"  # no, bf16 or fp16 (fp16 on CUDA only)
    patience: int = 3  # epochs without a better validation score before training ends
    min_delta: float = 0.0  # a score must be better by more than this to count as better
    monitor: str = "auto"  # score that chooses the weights: balanced_accuracy, ccc, loss; auto by target
    scaling: float = 0.1  # augmentation: spread of the log gain of each channel
    jitter: float = 0.1  # augmentation: white noise, in standard deviations of the signal
    shift: float = 0.1  # augmentation: largest shift in time by roll, as a share of the segment
    channel_dropout: float = 0.1  # augmentation: chance of a channel to be zero
    # augmentation: further transforms of data_builders.augmentation, by name with their strength
    transforms: dict[str, float] = field(default_factory=dict)
    report_to: list[str] = field(default_factory=list)  # trackers of Accelerate: tensorboard, wandb, ...
    use_cpu: bool = False  # train on the CPU even where there is a GPU
    seed: int = 0  # of the order, the augmentation and the dropout

    def __post_init__(self) -> None:
        wrong = [
            f"{name} is {getattr(self, name)!r}"
            for names, least, most in (
                (POSITIVE, 1e-12, math.inf),
                (NOT_NEGATIVE, 0, math.inf),
                (SHARES, 0, 1),
                (BETWEEN, 1e-12, 1 - 1e-12),
            )
            for name in names
            if not _between(getattr(self, name), least, most)
        ]
        wrong += [
            f"{name} is {value!r}, allowed are whole numbers"
            for name in WHOLE
            if isinstance(value := getattr(self, name), float)
        ]
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                wrong.append(f"{name} is {getattr(self, name)!r}, allowed are {list(allowed)}")
        for name, allowed in KEYS.items():
            if set(getattr(self, name)) - set(allowed):
                wrong.append(f"{name} are {list(getattr(self, name))}, allowed are {sorted(allowed)}")
        wrong += self._rate_problems()
        if wrong:
            raise ValueError(
                f"TrainingConfig: {'; '.join(wrong)}. Allowed are above 0 for {', '.join(POSITIVE)}, "
                f"from 0 for {', '.join(NOT_NEGATIVE)}, from 0 to 1 for {', '.join(SHARES)}, and between 0 "
                f"and 1 for {', '.join(BETWEEN)}."
            )

    def _rate_problems(self) -> list[str]:
        numbers = (self.lowest_rate, self.learning_rate, self.decay_epochs, self.patience)
        if not all(_between(number, 0, math.inf) for number in numbers):
            return []
        problems = []
        if self.lowest_rate > self.learning_rate:
            problems.append(f"lowest_rate is {self.lowest_rate}, above learning_rate {self.learning_rate}")
        if self.schedule == "plateau" and self.decay_epochs >= self.patience:
            problems.append(
                f"decay_epochs is {self.decay_epochs} with patience {self.patience}: training ends before "
                "the rate falls, allowed are fewer than patience"
            )
        return problems


def _between(value: Any, least: float, most: float) -> bool:
    """Whether a value, which may come from YAML or JSON, is a number from `least` to `most`."""
    return isinstance(value, int | float) and least <= value <= most


def of_length(training: Mapping[str, Any], length: str) -> dict[str, Any]:
    """Fields of a training, as they are (``full``) or with a third of the epochs (``quick``)."""
    if length == "full":
        return dict(training)
    return {**training, "epochs": max(1, TrainingConfig(**training).epochs // QUICK)}


LENGTHS = ("quick", "full")
QUICK = 3  # part of the epochs that a quick training has
POSITIVE = (
    "epochs", "batch_size", "batch_parts", "learning_rate", "decay_epochs", "gradient_norm", "patience"
)  # fmt: skip
WHOLE = ("epochs", "batch_size", "batch_parts", "decay_epochs", "patience")
NOT_NEGATIVE = ("weight_decay", "min_delta", "scaling", "jitter", "lowest_rate")
SHARES = ("warmup", "label_smoothing", "shift", "channel_dropout")
BETWEEN = ("decay_factor",)
# Those that suit all streams and need no channel names or labels: the others go into a store.
ON_THE_FLY = {"time_masking": time_masking} | {
    name: transform
    for name, transform in INTERMEDIATE.items()
    if name not in ("mixup", "cutmix", "swap_hemispheres", "rotate_ring", "phase_randomisation")
}
MONITORS = {"balanced_accuracy": 1, "ccc": 1, "loss": -1}  # and the sign under which more is better
CHOICES: dict[str, Collection[str]] = {
    "optimizer": ("adamw", "adam"),
    "schedule": ("cosine", "step", "plateau", "constant"),
    "balance": ("weights", "sampler", "dataset", "both", "none"),
    "mixed_precision": ("no", "bf16", "fp16"),
    "monitor": ("auto", *MONITORS),
}
KEYS: dict[str, Collection[str]] = {"transforms": ON_THE_FLY, "loss_weights": TARGETS}
