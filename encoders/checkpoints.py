"""One file that training goes on from, bit for bit on a CPU; written after each epoch, whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from data_builders.stage import content_hash
from encoders.training_config import TrainingConfig

if TYPE_CHECKING:
    from encoders.model import SignalModel

__all__ = ["load_checkpoint", "save_checkpoint", "training_key"]

Tensors = dict[str, torch.Tensor]


def save_checkpoint(path: Path, key: Any, content: Mapping[str, Any]) -> None:
    """Write `content` (tensors, numbers, text, and dicts and lists of them) and the random states.

    Parameters
    ----------
    path : Path
    key : JSON value
        Everything that the training depends on; another key is not resumed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    torch.save({**content, "key": content_hash(key), "random": states}, partial)
    os.replace(partial, path)


def load_checkpoint(path: Path, key: Any, device: torch.device) -> dict[str, Any] | None:
    """Read what `save_checkpoint` wrote and set the random states; None if there is nothing to go on from.

    Raises
    ------
    ValueError
        If the file is of another training.
    """
    if not path.is_file():
        return None
    content = torch.load(path, map_location=device, weights_only=True)
    if content.pop("key") != content_hash(key):
        raise ValueError(
            f"{path}: is of another model, configuration or data; delete it or choose another folder."
        )
    states = content.pop("random")
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
    return content


def training_key(
    model: SignalModel,
    train: tuple[Tensors, Tensors],
    held: tuple[Tensors, Tensors],
    shares: torch.Tensor | None,
    config: TrainingConfig,
) -> dict[str, Any]:
    """What a checkpoint must agree with to be gone on from; its weights take the place of the model's."""
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    settings = {name: value for name, value in asdict(config).items() if name != "report_to"}
    # The modules' own words tell what has no weights (pooling, dropout, strides), their attributes what these
    # leave out: heads of an attention, hops of a spectrum, decay and levels of a codebook.
    about = {"modules": str(model), "objective": asdict(model.objective), "shapes": shapes}
    about["options"] = {name: _options(module) for name, module in model.named_modules()}
    about["constants"] = _digest({n: b.flatten() for n, b in model.named_buffers() if n not in shapes})
    drawn = {} if shares is None else {"shares": shares}
    return {"config": settings, "model": about, "data": [_digest(part) for part in (*train, *held, drawn)]}


def _options(module: torch.nn.Module) -> dict[str, Any]:
    """Public attributes of a module that are numbers, words or lists of these."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str | None)


def _digest(part: Tensors) -> dict[str, str]:
    """Hashes of labels, and of about a hundred segments' signals."""
    found = {}
    for name, values in part.items():
        step = max(1, len(values) // 100) if values.ndim > 1 else 1
        found[name] = hashlib.sha256(values[::step].cpu().numpy().tobytes()).hexdigest()
    return found
