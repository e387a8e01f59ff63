"""The state of a training: what a checkpoint holds, and how a step and an epoch change it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from encoders.augmenting import augment
from encoders.losses import class_weights, training_loss
from encoders.model import SignalModel
from encoders.rates import rate_schedule
from encoders.training_config import MONITORS, TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["TrainingRun"]

Tensors = dict[str, torch.Tensor]


class TrainingRun:
    """What changes while a model is trained: a checkpoint holds all of it."""

    def __init__(
        self,
        model: SignalModel,
        x: Tensors,
        y: Tensors,
        shares: torch.Tensor | None,
        config: TrainingConfig,
        accelerator: Accelerator,
    ):
        self.model, self.x, self.y, self.shares = model, x, y, shares
        self.config, self.accelerator = config, accelerator
        self.n_segments = len(next(iter(y.values())))
        # Batch norm of a segment's vector has no variance over a single row, in no process.
        least = 2 * accelerator.num_processes
        self.batch_sizes = _batch_sizes(self.n_segments, config.batch_size, least)
        if min(self.batch_sizes) < least and (normalised := _normalised_over_segments(model)):
            raise ValueError(
                f"batch_size is {config.batch_size} with {self.n_segments} training segments; {normalised} "
                f"over the segments of a batch. Give {least} or more of both, two a process."
            )
        self.n_batches = len(self.batch_sizes)
        weights = config.balance == "weights"
        self.weights = class_weights(y, model.targets) if weights else {}
        optimizer = _optimizer(model, config)
        self.schedule = rate_schedule(optimizer, self.n_batches, config)
        self.wrapped, self.optimizer = accelerator.prepare(model, optimizer)
        generators = [torch.Generator(accelerator.device).manual_seed(config.seed + k) for k in range(2)]
        self.generator = generators[0]
        # Processes draw the same order; what they change of their own share of a batch, each by itself.
        self.own = generators[0]
        if accelerator.num_processes > 1:
            self.own = generators[1].manual_seed(config.seed + 1000 * (accelerator.process_index + 1))
        self.monitor = _monitor(model, config)
        self.history: list[dict[str, float]] = []
        self.best, self.best_epoch, self.best_weights = -math.inf, 0, model.state_dict()

    @property
    def ended(self) -> bool:
        n_epochs = len(self.history)
        return n_epochs >= self.config.epochs or n_epochs - self.best_epoch >= self.config.patience

    def batches(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """The rows of the batches of an epoch, of each the share of this process, in parts."""
        n, draw = self.n_segments, self.generator
        if self.shares is None:
            order = torch.randperm(n, generator=draw, device=self.accelerator.device)
        else:
            order = torch.multinomial(self.shares, n, replacement=True, generator=draw)
        first, step = self.accelerator.process_index, self.accelerator.num_processes
        for rows in order.split(self.batch_sizes):
            # As many parts in all processes, each of two rows at least in the smallest share, as in a batch.
            n_parts = max(1, min(self.config.batch_parts, len(rows) // (2 * step)))
            # A process that the last batch leaves nothing for takes its first row: all must take part.
            rows = rows[first::step] if len(rows) > first else rows[:1]
            yield rows.tensor_split(n_parts)

    def step(self, parts: tuple[torch.Tensor, ...]) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        batch = _rows(self.y, torch.cat(parts))
        loss = sum(self._backward(_rows(self.x, rows), _rows(self.y, rows), batch) for rows in parts)
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        self.optimizer.step()
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        return loss

    def _backward(self, x: Tensors, y: Tensors, batch: Tensors) -> float:
        """Add the gradient of a part of a batch with the labels `batch`; its share of the loss."""
        with self.accelerator.autocast():
            output = self.wrapped(augment(x, self.own, self.config))
        loss = training_loss(output, y, self.weights, self.config, self.model.objective, batch)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the training loss is {loss.item()}; check the signals for huge values, or lower "
                f"learning_rate ({self.config.learning_rate})."
            )
        self.accelerator.backward(loss)
        return loss.item()

    def close_epoch(self, losses: list[float], scores: Mapping[str, float]) -> dict[str, float]:
        """Add a row to the history; keep the weights if the validation part's scores are the best so far."""
        from accelerate.utils import broadcast, reduce

        sign = MONITORS[self.monitor]
        if broken := {name: value for name, value in scores.items() if not math.isfinite(value)}:
            raise FloatingPointError(
                f"of the validation part {broken}; check its signals for NaN and huge values, and whether "
                "the training part has any of its classes."
            )
        # Rounding on the GPUs of several processes must not lead them to different ends.
        exact: dict[str, Any] = {"dtype": torch.float64, "device": self.accelerator.device}
        score = float(broadcast(torch.tensor(sign * scores[self.monitor], **exact)))
        train_loss = float(reduce(torch.tensor(np.mean(losses), **exact), "mean"))
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(score)
        if score > self.best + self.config.min_delta:
            self.best, self.best_epoch = score, len(self.history) + 1
            self.best_weights = copy.deepcopy(self.model.state_dict())
        row = {"epoch": len(self.history) + 1, "train_loss": train_loss, **scores}
        self.history.append({**row, "best": sign * self.best})
        return self.history[-1]

    def state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
            "generators": [self.generator.get_state(), self.own.get_state()],
            "history": self.history,
            "best": [self.best, self.best_epoch],
            "best_weights": self.best_weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        for generator, value in zip((self.generator, self.own), state["generators"], strict=True):
            generator.set_state(value.cpu())
        self.history, self.best_weights = state["history"], state["best_weights"]
        self.best, self.best_epoch = state["best"]
        if not self.accelerator.is_main_process:
            # The checkpoint is the first process's: the others must not draw what that one draws.
            seed = self.config.seed + 1000 * (self.accelerator.process_index + 1) + len(self.history)
            self.own.manual_seed(seed)
            torch.manual_seed(seed)


def _rows(values: Tensors, rows: torch.Tensor) -> Tensors:
    return {name: array[rows] for name, array in values.items()}


def _batch_sizes(n_segments: int, batch_size: int, least: int) -> list[int]:
    """Sizes of an epoch's batches; a last one of fewer than `least` segments joins the one before."""
    whole, rest = divmod(n_segments, batch_size)
    sizes = [batch_size] * whole
    if rest and (rest >= least or not whole):
        return [*sizes, rest]
    sizes[-1] += rest
    return sizes


def _normalised_over_segments(model: SignalModel) -> str:
    """What has one vector a segment and normalises it over a batch, in words; empty if nothing does."""
    if len(model.heads.fusion):
        return "layers of fusion normalise"
    short = [stream.name for stream in model.streams if stream.n_frames == 1]
    norm = any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules())
    return f"batch norm has one frame of the streams {short}, which it normalises" if short and norm else ""


def _optimizer(model: SignalModel, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return an optimizer that decays matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    make = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimizer]
    return make(groups, lr=config.learning_rate)


def _monitor(model: SignalModel, config: TrainingConfig) -> str:
    """The score that chooses the weights."""
    of_targets = {"emotion": "balanced_accuracy", "valence": "ccc", "arousal": "ccc"}
    allowed = [*dict.fromkeys(of_targets[t] for t in model.targets if t in of_targets), "loss"]
    if config.monitor == "auto":
        return "balanced_accuracy" if "emotion" in model.targets else "loss"
    if config.monitor not in allowed:
        raise ValueError(f"monitor is {config.monitor!r}; allowed for these targets are {allowed}.")
    return config.monitor
