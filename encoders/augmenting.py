"""Augmentation of training batches on the fly."""

from __future__ import annotations

from typing import Any

import torch

from data_builders.augmentation.basic import roll
from encoders.training_config import ON_THE_FLY, TrainingConfig

__all__ = ["augment"]

Tensors = dict[str, torch.Tensor]


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
