"""How the learning rate goes over a training."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from encoders.training_config import TrainingConfig

__all__ = ["rate_schedule"]


def rate_schedule(optimizer: Optimizer, n_batches: int, config: TrainingConfig) -> LRScheduler:
    """The schedule of a training of ``config.epochs`` epochs with `n_batches` steps each.

    That of ``plateau`` is stepped once an epoch with a score of which more is better, all others once a step.
    """
    highest, lowest = config.learning_rate, config.lowest_rate
    n_steps = config.epochs * n_batches
    if config.schedule == "plateau":
        return ReduceLROnPlateau(
            optimizer, "max", config.decay_factor, config.decay_epochs - 1,
            threshold=config.min_delta, threshold_mode="abs", min_lr=lowest,
        )  # fmt: skip
    if config.schedule == "step":
        every, floor = config.decay_epochs * n_batches, lowest / highest
        return LambdaLR(optimizer, lambda step: max(floor, config.decay_factor ** (step // every)))
    # A rise and a fall want three steps: of two, one would learn next to nothing.
    if config.schedule == "constant" or n_steps < 3:
        return LambdaLR(optimizer, lambda step: 1.0)
    # The last step is left to the fall, without which the schedule divides by zero.
    rise = min(config.warmup, 1 - 1 / n_steps)
    if rise * n_steps <= 1:
        rise = 0.0  # it would divide by zero here as well; the first step is one step down from the highest
    start = max(highest / 25, lowest)  # 25, and 1e4 below, are OneCycleLR's own
    return OneCycleLR(
        optimizer, highest, total_steps=n_steps, pct_start=rise, cycle_momentum=False,
        div_factor=highest / start, final_div_factor=start / lowest if lowest else 1e4,
    )  # fmt: skip
