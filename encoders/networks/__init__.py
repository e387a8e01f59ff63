"""Networks that turn one stream of signals into one vector a frame.

All keep one contract: ``Network(n_channels, frame_stride, dim=..., **options)`` maps (batch, n_channels, n_samples)
to frames (batch, n_samples // frame_stride, dim); samples at the end that fill no frame are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from encoders.networks.cnn import CNN
from encoders.networks.recurrent import Recurrent
from encoders.networks.tcn import TCN
from encoders.networks.tcn_stream import TCNStream

__all__ = ["CNN", "ENCODERS", "TCN", "Recurrent", "TCNStream"]

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "cnn": CNN,
    "tcn": TCN,
    "lstm": partial(Recurrent, cell="lstm", bidirectional=False),
    "bilstm": partial(Recurrent, cell="lstm", bidirectional=True),
    "gru": partial(Recurrent, cell="gru", bidirectional=False),
    "bigru": partial(Recurrent, cell="gru", bidirectional=True),
}
