"""The systems of the field as settings of one encoder: name -> fields of `EncoderConfig`.

What a paper's model has beyond a network (fusion, pooling, optimiser) stands here; the papers are cited
in the networks' docstrings.
"""

from __future__ import annotations

from typing import Any

from encoders.networks import ENCODERS

__all__ = ["PRESETS"]

Fields = dict[str, Any]


ELECTRODES_ALONE = {"amplitude_copies": False}
"""Published networks read nothing that is derived from the electrodes."""


def multimodal_lstm(scale: float) -> Fields:
    """The AMIGOS project's network: a recurrent branch a stream, joined by dense layers.

    Its own training has Adam with an L2 penalty, batch normalisation and dropout, and no augmentation; the
    losses (squared error for ratings, binary cross-entropy for transitions) are those of the targets.

    Parameters
    ----------
    scale : float
        Factor on all widths; 1 gives those that the project states for its largest network.
    """

    def scaled(*widths: int) -> list[int]:
        return [max(2, round(scale * width)) for width in widths]

    eeg, other = scaled(64, 32, 48, 24), scaled(32, 16, 20, 12)
    return {
        "network": "lstm_branch",
        "network_options": {
            "eeg": {"recurrent": eeg[:2], "dense": eeg[2:3]},
            "default": {"recurrent": other[:2], "dense": other[2:3]},
        },
        "dim": {"eeg": eeg[3], "default": other[3]},
        "pooling": "last",
        **ELECTRODES_ALONE,
        "fusion": scaled(64, 32, 16),
        "training": {
            "epochs": 30, "patience": 8, "optimizer": "adam", "weight_decay": 1e-4, "label_smoothing": 0.0,
            "scaling": 0.0, "jitter": 0.0, "shift": 0.0, "channel_dropout": 0.0,
        },
    }  # fmt: skip


PUBLISHED = ("eegnet", "shallow_convnet", "accurate_eeg_lstm", "accurate_eeg_bilstm", "connectivity")
"""Networks of papers, as they are."""
GRU_XNET = {"dim": 256, "fusion": [128], **ELECTRODES_ALONE}

PRESETS: dict[str, Fields] = {
    **{name: {"network": name} for name in ENCODERS if name not in ("lstm_branch", "mlp")},
    **{name: {"network": name, **ELECTRODES_ALONE} for name in PUBLISHED},
    # Twice the units a direction of the papers' last LSTM.
    "ca_rnn": {"network": "ca_rnn", "dim": 128, **ELECTRODES_ALONE},
    "cbs_attention": {"network": "cbs_attention", "dim": 256, **ELECTRODES_ALONE},
    **{name: {"network": name, **GRU_XNET} for name in ("gru_xnet", "gru_xnet_dynamic")},
    "mlp": {"network": "mlp", "reads": "features", "training": {"epochs": 12, "patience": 5}},
    "cnn_and_features": {"network": {"measured": "mlp", "default": "cnn"}, "reads": "both"},
    "tcn_and_features": {"network": {"measured": "mlp", "default": "tcn"}, "reads": "both"},
    "multimodal_lstm_maximum": multimodal_lstm(1.0),
    "multimodal_lstm_loso": multimodal_lstm(0.5),
    "multimodal_lstm_moderate": multimodal_lstm(0.26),
    "multimodal_lstm_lightweight": multimodal_lstm(0.2),
}
"""Every network with its defaults, networks that read hand-made features too, and the AMIGOS project's."""
