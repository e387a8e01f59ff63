"""Networks that turn one stream of signals into one vector a frame.

All keep one contract: ``Network(n_channels, frame_stride, dim=..., **options)`` maps (batch, n_channels,
n_samples) to frames, (batch, n_samples // frame_stride, dim). Samples at the end that fill no frame are left
out. No network knows its sampling rate: their sizes are in frames, in steps of a frame, or in samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from encoders.networks.accurate_eeg import AccurateEEG
from encoders.networks.ca_rnn import CARNN
from encoders.networks.cbs_attention import CBSAttention
from encoders.networks.cnn import CNN
from encoders.networks.connectivity import Connectivity
from encoders.networks.eegnet import EEGNet
from encoders.networks.emg_cnn import EMGCNN
from encoders.networks.feature_gru import FeatureGRU
from encoders.networks.gru_xnet import GRUXNet
from encoders.networks.lstm_branch import LSTMBranch
from encoders.networks.mlp import MLP
from encoders.networks.recurrent import Recurrent
from encoders.networks.shallow_convnet import ShallowConvNet
from encoders.networks.tcn import TCN
from encoders.networks.tcn_stream import TCNStream
from encoders.networks.transformer import Transformer

__all__ = [
    "CARNN",
    "CNN",
    "EMGCNN",
    "ENCODERS",
    "MLP",
    "TCN",
    "AccurateEEG",
    "CBSAttention",
    "Connectivity",
    "EEGNet",
    "FeatureGRU",
    "GRUXNet",
    "LSTMBranch",
    "Recurrent",
    "ShallowConvNet",
    "TCNStream",
    "Transformer",
]

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "cnn": CNN,
    "tcn": TCN,
    "lstm": partial(Recurrent, cell="lstm", bidirectional=False),
    "bilstm": partial(Recurrent, cell="lstm", bidirectional=True),
    "gru": partial(Recurrent, cell="gru", bidirectional=False),
    "bigru": partial(Recurrent, cell="gru", bidirectional=True),
    "emg_cnn": EMGCNN,
    "feature_gru": FeatureGRU,
    "eegnet": EEGNet,
    "shallow_convnet": ShallowConvNet,
    "transformer": Transformer,
    "lstm_branch": LSTMBranch,
    "mlp": MLP,
    "gru_xnet": GRUXNet,
    "gru_xnet_dynamic": partial(GRUXNet, mode="dynamic"),
    "ca_rnn": CARNN,
    "cbs_attention": CBSAttention,
    "accurate_eeg_lstm": AccurateEEG,
    "accurate_eeg_bilstm": partial(AccurateEEG, bidirectional=True),
    "connectivity": Connectivity,
}
