"""Supervised training of `SignalClassifier`, and what it says about segments afterwards."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.metrics import recall_score
from torch.nn import functional
from tqdm.auto import tqdm

from data_builders.augmentation.basic import roll, time_masking
from data_builders.augmentation.intermediate import INTERMEDIATE
from encoders.classifier import ClassifierOutput, SignalClassifier

__all__ = ["TrainingConfig", "augment", "encode", "fit_classifier", "predict_proba"]

Arrays = Mapping[str, np.ndarray]
Tensors = dict[str, torch.Tensor]


@dataclass
class TrainingConfig:
    """How the encoders are trained."""

    epochs: int = 6  # passes over the training segments, at most
    batch_size: int = 64  # segments a step
    learning_rate: float = 2e-3  # highest rate of AdamW; it rises for a tenth of the steps, then falls
    weight_decay: float = 0.05  # of AdamW, on matrices only
    label_smoothing: float = 0.1  # share of a label that goes to all classes alike
    gradient_norm: float = 1.0  # gradients are clipped to this norm
    patience: int = 3  # epochs without a better validation score before training ends
    monitor: str = "balanced_accuracy"  # validation score that chooses the weights: this or "loss"
    scaling: float = 0.1  # augmentation: spread of the log gain of each channel
    jitter: float = 0.1  # augmentation: white noise, in standard deviations of the signal
    shift: float = 0.1  # augmentation: largest shift in time by roll, as a share of the segment
    channel_dropout: float = 0.1  # augmentation: chance of a channel to be zero
    # augmentation: further transforms of data_builders.augmentation, by name with their strength
    transforms: dict[str, float] = field(default_factory=dict)
    seed: int = 0  # of the order, the augmentation and the dropout
    device: str | None = None  # "cuda", "cpu", ...; by default cuda where there is one

    def __post_init__(self) -> None:
        wrong = [f"{name} is {getattr(self, name)!r}" for name in POSITIVE if not getattr(self, name) > 0]
        wrong += [f"{name} is {getattr(self, name)!r}" for name in NOT_NEGATIVE if getattr(self, name) < 0]
        if self.monitor not in MONITORS:
            wrong.append(f"monitor is {self.monitor!r}, allowed are {sorted(MONITORS)}")
        if set(self.transforms) - set(ON_THE_FLY):
            wrong.append(f"transforms are {list(self.transforms)}, allowed are {sorted(ON_THE_FLY)}")
        if wrong:
            raise ValueError(
                f"TrainingConfig: {'; '.join(wrong)}. Allowed are above 0 for {', '.join(POSITIVE)}, "
                f"and from 0 for {', '.join(NOT_NEGATIVE)}."
            )


POSITIVE = ("epochs", "batch_size", "learning_rate", "gradient_norm", "patience")
NOT_NEGATIVE = ("weight_decay", "label_smoothing", "scaling", "jitter", "shift", "channel_dropout")
# Those that need no channel names or labels: what mixes segments or swaps electrodes goes into a store.
ON_THE_FLY = {"time_masking": time_masking} | {
    name: transform
    for name, transform in INTERMEDIATE.items()
    if name not in ("mixup", "cutmix", "swap_hemispheres", "rotate_ring")
}
MONITORS = {"balanced_accuracy": 1, "loss": -1}  # and the sign under which more is better


def fit_classifier(
    model: SignalClassifier,
    x_train: Arrays,
    y_train: np.ndarray,
    x_validation: Arrays,
    y_validation: np.ndarray,
    config: TrainingConfig | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Train `model` in place and leave it with the weights of its best epoch, in eval mode.

    The loss weighs classes alike. On a CPU the same seed and the same initial weights give the same result;
    the global random state is left as it was.

    Parameters
    ----------
    model : SignalClassifier
    x_train, x_validation : mapping of str to ndarray, shape (n_segments, n_channels, n_samples)
        By stream, normalised. Validation subjects must be others than the training subjects.
    y_train, y_validation : ndarray of int, shape (n_segments,)
        Classes from 0.
    config : TrainingConfig, optional
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    list of dict
        One an epoch: ``epoch``, ``train_loss``, and of the validation segments ``loss``,
        ``balanced_accuracy`` and ``best`` (the best score so far).

    Raises
    ------
    ValueError
        If arrays and labels differ in length, or labels are no classes of the model.
    FloatingPointError
        If the training loss is not finite.
    """
    config = config or TrainingConfig()
    device = torch.device(config.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device)
    train = _labelled(x_train, y_train, model, "training", device)
    validation = _labelled(x_validation, y_validation, model, "validation", device)
    # Dropout, k-means and dead codes draw from the global generator, which the caller gets back unchanged.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        return _train(model, train, validation, config, progress)


def _labelled(
    x: Arrays, y: np.ndarray, model: SignalClassifier, part: str, device: torch.device
) -> tuple[Tensors, torch.Tensor]:
    """Copy one part to tensors once, checked."""
    y = np.asarray(y)
    lengths = {name: len(array) for name, array in x.items()} | {"labels": len(y)}
    if len(set(lengths.values())) != 1 or len(y) == 0:
        raise ValueError(f"the {part} part has lengths {lengths}; allowed is one length, from 1, for all.")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= model.n_classes:
        raise ValueError(
            f"the {part} labels are {y.dtype} with values {np.unique(y)[:10]}; allowed are whole numbers "
            f"from 0 to {model.n_classes - 1}."
        )
    return _tensors(x, device), torch.as_tensor(y, dtype=torch.long, device=device)


def _tensors(x: Arrays, device: torch.device) -> Tensors:
    return {name: torch.as_tensor(array, dtype=torch.float32, device=device) for name, array in x.items()}


def _train(
    model: SignalClassifier,
    train: tuple[Tensors, torch.Tensor],
    validation: tuple[Tensors, torch.Tensor],
    config: TrainingConfig,
    progress: bool,
) -> list[dict[str, float]]:
    x, y = train
    generator = torch.Generator(device=y.device).manual_seed(config.seed)
    n_steps = config.epochs * math.ceil(len(y) / config.batch_size)
    optimizer, schedule = _optimizer(model, n_steps, config)
    weights = _class_weights(y, model.n_classes)
    history: list[dict[str, float]] = []
    sign = MONITORS[config.monitor]
    best, best_epoch, best_weights = -math.inf, 0, model.state_dict()
    bar = tqdm(range(1, config.epochs + 1), desc="train encoder", unit="epoch", disable=not progress)
    for epoch in bar:
        losses = [
            _step(model, augment(batch, generator, config), labels, weights, optimizer, schedule, config)
            for batch, labels in _batches(x, y, generator, config.batch_size)
        ]
        scores = _validate(model, *validation, weights)
        score = sign * scores[config.monitor]
        if score > best:
            best, best_epoch, best_weights = score, epoch, copy.deepcopy(model.state_dict())
        history.append({"epoch": epoch, "train_loss": float(np.mean(losses)), **scores, "best": sign * best})
        bar.set_postfix({name: f"{value:.3f}" for name, value in history[-1].items() if name != "epoch"})
        if epoch - best_epoch >= config.patience:
            break
    model.load_state_dict(best_weights)
    model.eval()
    return history


def _optimizer(
    model: SignalClassifier, n_steps: int, config: TrainingConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW that decays matrices only, and a rate that rises for a tenth and falls as a cosine."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=n_steps, pct_start=0.1, cycle_momentum=False
    )
    return optimizer, schedule


def _class_weights(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Return weights that give every class that occurs the same total."""
    counts = torch.bincount(y, minlength=n_classes).float()
    return torch.where(counts > 0, len(y) / counts.clamp(min=1) / (counts > 0).sum(), 0.0)


def _batches(
    x: Tensors, y: torch.Tensor, generator: torch.Generator, batch_size: int
) -> Iterator[tuple[Tensors, torch.Tensor]]:
    order = torch.randperm(len(y), generator=generator, device=y.device)
    for rows in order.split(batch_size):
        yield {name: array[rows] for name, array in x.items()}, y[rows]


def _step(
    model: SignalClassifier,
    x: Tensors,
    y: torch.Tensor,
    weights: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    config: TrainingConfig,
) -> float:
    model.train()
    output = model(x)
    entropy = functional.cross_entropy(
        output.logits, y, reduction="none", label_smoothing=config.label_smoothing
    )
    loss = (weights[y] * entropy).mean() + output.loss
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"the training loss is {loss.item()}; check the signals for huge values, or lower learning_rate "
            f"({config.learning_rate})."
        )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
    optimizer.step()
    schedule.step()
    return loss.item()


def _validate(
    model: SignalClassifier, x: Tensors, y: torch.Tensor, weights: torch.Tensor
) -> dict[str, float]:
    logits = torch.cat([output.logits for output in _outputs(model, x)])
    truth, guess = y.cpu().numpy(), logits.argmax(dim=1).cpu().numpy()
    # Balanced accuracy, without a warning for a class that no validation subject has.
    recall = recall_score(truth, guess, labels=np.unique(truth), average="macro")
    return {"loss": functional.cross_entropy(logits, y, weights).item(), "balanced_accuracy": float(recall)}


def augment(x: Tensors, generator: torch.Generator, config: TrainingConfig) -> Tensors:
    """Change normalised segments a little, as other sessions and sensors would.

    Channels are scaled and dropped each on its own; the shift in time is the same for all streams of a
    segment, and rolls its end round to its start.

    Parameters
    ----------
    x : dict of str to Tensor, shape (batch, n_channels, n_samples)
        By stream; left as it is.
    generator : torch.Generator
        On the tensors' device.
    config : TrainingConfig
        For `scaling`, `jitter`, `shift`, `channel_dropout` and `transforms`.

    Returns
    -------
    dict of str to Tensor
        Of the same shapes.
    """
    first = next(iter(x.values()))
    options: dict[str, Any] = {"generator": generator, "device": first.device}
    shift = (2 * torch.rand(len(first), **options) - 1) * config.shift
    out = {}
    for name, signal in x.items():
        n_channels, n_samples = signal.shape[1:]
        gain = torch.exp(config.scaling * torch.randn(len(signal), n_channels, 1, **options))
        kept = torch.rand(len(signal), n_channels, 1, **options) >= config.channel_dropout
        noise = config.jitter * torch.randn(signal.shape, **options)
        out[name] = (roll(signal, torch.round(shift * n_samples).long()) * gain + noise) * kept
    for transform, strength in config.transforms.items():
        # The same draws for all streams, so that time runs alike in them.
        seed = int(torch.randint(2**31, (), **options))
        for name, signal in out.items():
            drawn = torch.Generator(first.device).manual_seed(seed)
            out[name] = ON_THE_FLY[transform](signal, drawn, strength)
    return out


@torch.no_grad()
def _outputs(model: SignalClassifier, x: Tensors, batch_size: int = 256) -> list[ClassifierOutput]:
    """Run the model in eval mode over segments, some at a time."""
    model.eval()
    n_segments = len(next(iter(x.values())))
    starts = range(0, n_segments, batch_size)
    return [model({name: a[start : start + batch_size] for name, a in x.items()}) for start in starts]


def predict_proba(model: SignalClassifier, x: Arrays) -> np.ndarray:
    """Return the classes' probabilities, shape (n_segments, n_classes), for normalised streams `x`."""
    outputs = _outputs(model, _tensors(x, next(model.parameters()).device))
    return torch.cat([output.logits for output in outputs]).softmax(dim=1).cpu().numpy()


def encode(model: SignalClassifier, x: Arrays) -> dict[str, np.ndarray]:
    """Return the codes of normalised streams `x`: by stream, int64 of shape (n_segments, n_frames).

    Raises
    ------
    ValueError
        If the classifier has no quantizers.
    """
    model.require_quantizers()
    outputs = _outputs(model, _tensors(x, next(model.parameters()).device))
    return {name: torch.cat([o.codes[name] for o in outputs]).cpu().numpy() for name in model.quantizers}
