"""The systems of the field as settings of one encoder: name -> fields of `EncoderConfig`.

What a paper's model has beyond a network (fusion, pooling, optimiser) stands here; the papers are cited
in the networks' docstrings.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS", "Fields"]

Fields = dict[str, Any]


def multimodal_lstm(eeg: Fields, other: Fields, fusion: list[int]) -> Fields:
    """The AMIGOS project's network: a recurrent branch a stream, joined by dense layers.

    Its training has Adam with an L2 penalty, batch normalisation and dropout, and no augmentation;
    the losses (MSE for ratings, binary cross-entropy for transitions) are those of the targets.
    """
    return {
        "network": "lstm_branch",
        "network_options": {
            "eeg": {"recurrent": eeg["recurrent"], "dense": eeg["dense"][:-1]},
            "default": {"recurrent": other["recurrent"], "dense": other["dense"][:-1]},
        },
        "dim": {"eeg": eeg["dense"][-1], "default": other["dense"][-1]},
        "pooling": "last",
        "fusion": fusion,
        "training": {"optimizer": "adam", "weight_decay": 1e-4},
    }


PRESETS: dict[str, Fields] = {
    "cnn": {"network": "cnn"},
    "emg_cnn": {"network": "emg_cnn"},
    "tcn": {"network": "tcn"},
    "lstm": {"network": "lstm"},
    "bilstm": {"network": "bilstm"},
    "gru": {"network": "gru"},
    "bigru": {"network": "bigru"},
}
