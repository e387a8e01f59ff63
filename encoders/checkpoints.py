"""One file that training goes on from, bit for bit on a CPU; written after each epoch, whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from data_builders.stage import content_hash

__all__ = ["load_checkpoint", "save_checkpoint"]


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
