"""Rows of the encoders: one network for all targets, stopped by the validation subjects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from biollm.context import Context, MethodOutput
from data_builders.options import as_mapping, merged
from encoders.encoder_config import EncoderConfig
from encoders.inputs import SignalInputs
from encoders.presets import PRESETS
from encoders.signal_encoder import SignalEncoder, labelled_rows
from encoders.streams import StreamSpec
from encoders.training_config import of_length

__all__ = [
    "ROWS",
    "check_settings",
    "encoder_answers",
    "encoder_settings",
    "probe_encoder",
    "run_encoder",
]

NAMES = {
    "cnn": "CNN",
    "tcn": "TCN",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "gru": "GRU",
    "bigru": "BiGRU",
    "emg_cnn": "EMG-CNN",
    "feature_gru": "FeatureGRU",
    "eegnet": "EEGNet",
    "shallow_convnet": "ShallowConvNet",
    "transformer": "Transformer",
    "gru_xnet": "GRU-XNet",
    "gru_xnet_dynamic": "GRU-XNet, dynamic",
    "ca_rnn": "CA-RNN",
    "cbs_attention": "CBS-attention",
    "accurate_eeg_lstm": "AccurateEEG LSTM",
    "accurate_eeg_bilstm": "AccurateEEG BiLSTM",
    "connectivity": "Connectivity",
    "mlp": "MLP",
    "cnn_and_features": "CNN and features",
    "tcn_and_features": "TCN and features",
    **{
        f"multimodal_lstm_{size}": f"Multimodal LSTM, {size}"
        for size in ("maximum", "loso", "moderate", "lightweight")
    },
}
ROWS = {NAMES.get(preset, preset.replace("_", " ")): preset for preset in PRESETS}
"""Name of a row -> its preset."""


def encoder_settings(row: str, changes: Mapping[str, Any], length: str) -> dict[str, Any]:
    """Fields of `EncoderConfig` of a row, without a quantizer.

    Parameters
    ----------
    row : str
        One of `ROWS`.
    changes : mapping
        Fields that are set for all rows; of `training`, only those that it names, and `network_options` by
        row.
    length : {"quick", "full"}
        Full is the training as it is set; quick has a third of its epochs.
    """
    own = PRESETS[ROWS[row]]
    options = as_mapping(as_mapping(changes.get("network_options")).get(row))
    training = {**own.get("training", {}), **changes.get("training", {})}
    # A row is its network: what sets all rows must not replace it.
    return {
        **changes,
        **own,
        "network_options": merged(own.get("network_options", {}), options),
        "training": of_length(training, length),
        "quantizer": None,
        "quantizer_options": {},
    }


def run_encoder(context: Context, name: str, settings: Mapping[str, Any]) -> MethodOutput:
    """Train a network on the train part and ask it; a stopped training goes on in the job's folder."""
    started = time.perf_counter()
    config = EncoderConfig(
        **{**settings, "normalisation": context.config.normalisation, "targets": list(context.targets)}
    )
    encoder = SignalEncoder(config, context.classes, context.seed)
    train, validation = (context.inputs[context.rows(part)] for part in ("train", "validation"))
    encoder.fit(train, validation, context.progress, context.workplace / name)
    values = encoder_answers(encoder, context, context.inputs)
    seconds = time.perf_counter() - started
    probabilities = values.pop("emotion", None)
    output = MethodOutput(name, "encoder", seconds, probabilities, values=values, history=encoder.history_)
    output.parameters = sum(p.numel() for p in encoder.network_.parameters())
    return output


def encoder_answers(encoder: SignalEncoder, context: Context, inputs: SignalInputs) -> dict[str, Any]:
    """What an encoder's heads say of the scored rows, by target."""
    held = inputs[context.rows(context.config.part)]
    return encoder.predict(held, labelled_rows(held, context.classes, on_grid=True, targets=context.targets))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Fail on what no network would take, before it looks as if none could read the streams.

    Raises
    ------
    ValueError, TypeError
        Of the model that they do not make.
    """
    stream = StreamSpec("measured", ("measured",), 1.0, ("a", "b"), 1, 1)
    config = EncoderConfig(**{**settings, "network": "mlp", "network_options": {}, "quantizer": None})
    SignalEncoder(config, ("a", "b")).build([stream])


def probe_encoder(
    settings: Mapping[str, Any],
    stream_specs: Sequence[StreamSpec],
    targets: Sequence[str],
    classes: tuple[str, ...],
) -> tuple[str, float]:
    """Why a network cannot read these streams (empty if it can), and seconds that it takes for a window."""
    import torch

    if settings["network"] == "feature_gru" and any(s.modalities != ("features",) for s in stream_specs):
        return "reads precomputed features; the store holds signals", 0.0
    config = EncoderConfig(**{**settings, "targets": list(targets)})
    x = {s.name: torch.zeros(N_PROBED, s.n_channels, s.n_samples) for s in stream_specs}
    try:
        network = SignalEncoder(config, classes).build(list(stream_specs)).eval()
        with torch.no_grad():
            network(x)  # the first call has more to do
            started = time.perf_counter()
            network(x)
    except (ValueError, RuntimeError) as error:  # refused, or windows that are too short for its kernels
        return str(error), 0.0
    return "", (time.perf_counter() - started) / N_PROBED


N_PROBED = 4
