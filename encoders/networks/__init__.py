"""Networks that turn one stream of signals into one vector a frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from encoders.networks.cnn import CNN
from encoders.networks.lstm import LSTM
from encoders.networks.tcn import TCN

__all__ = ["CNN", "ENCODERS", "GRU", "LSTM", "TCN"]

GRU = partial(LSTM, cell="gru")

ENCODERS: dict[str, Callable[..., nn.Module]] = {"cnn": CNN, "tcn": TCN, "lstm": LSTM, "gru": GRU}
