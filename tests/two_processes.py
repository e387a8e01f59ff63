"""What each of the processes runs that ``torchrun`` starts in `test_distributed`; apart, to import little."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from encoders.model import SignalModel
from encoders.streams import StreamSpec
from encoders.trainer import TrainEncoderConfig, Trainer
from encoders.training import Examples, fit_model
from encoders.training_config import TrainingConfig

STREAM = StreamSpec("gsr", ("gsr",), 8.0, ("gsr",), 32, 8)


class Frames(nn.Module):
    """One linear layer a frame: no dropout and no statistics of the batch, which its halves would change."""

    def __init__(self, n_channels: int, frame_stride: int, dim: int) -> None:
        super().__init__()
        self.frame_stride = frame_stride
        self.layer = nn.Linear(n_channels * frame_stride, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.unflatten(2, (-1, self.frame_stride)).transpose(1, 2).flatten(2)).tanh()


def new_model() -> SignalModel:
    """A model; its pooling has no bias, whose gradient is zero but for rounding, which Adam makes large."""
    torch.manual_seed(0)
    return SignalModel([STREAM], {"emotion": 2}, Frames, dim=8, dropout=0.0, pooling="mean")


def first_weights() -> dict[str, torch.Tensor]:
    """Before any training."""
    return new_model().state_dict()


def trained_weights() -> dict[str, torch.Tensor]:
    """Weights after an epoch of even batches, without any augmentation; later epochs have other orders."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64)
    x = {"gsr": (rng.standard_normal((64, 1, 32)) + y[:, None, None]).astype(np.float32)}
    model = new_model()
    nothing = {"scaling": 0.0, "jitter": 0.0, "shift": 0.0, "channel_dropout": 0.0}
    config = TrainingConfig(epochs=1, batch_size=8, balance="none", use_cpu=True, **nothing)
    part = Examples(x, {"emotion": y})
    fit_model(model, part, part, config, progress=False)
    return model.state_dict()


def part_losses() -> list[dict[str, float]]:
    """A training in parts whose last batch gives one process two parts' worth of rows and the other less."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 15)
    part = Examples({"gsr": rng.standard_normal((15, 1, 32)).astype(np.float32)}, {"emotion": y})
    config = TrainingConfig(epochs=1, batch_size=8, batch_parts=4, balance="none", use_cpu=True)
    return fit_model(new_model(), part, part, config, progress=False)


def main(store: str, folder: Path) -> None:
    rank = os.environ["RANK"]
    torch.save(trained_weights(), folder / f"weights-{rank}.pt")
    (folder / f"parts-{rank}.json").write_text(json.dumps(part_losses()))
    config = TrainEncoderConfig(
        store, str(folder / "run"), network="cnn", encoder={"dim": 8},
        training={"epochs": 1, "use_cpu": True},
    )  # fmt: skip
    results = Trainer(config, progress=False).fit().test()
    (folder / f"results-{rank}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
