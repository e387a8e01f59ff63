"""Networks have the layers that their papers and projects state: kind, widths, kernels, depth, heads."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
from torch import nn

from encoders.encoder_config import EncoderConfig
from encoders.networks import CNN, ENCODERS, TCN, ShallowConvNet
from encoders.networks.stem import pool_steps
from encoders.presets import PRESETS
from encoders.signal_encoder import SignalEncoder
from encoders.streams import StreamSpec

EEG = StreamSpec("eeg", ("eeg",), 128.0, tuple(f"E{k}" for k in range(14)), 512, 128)
GRU_XNET = ["conv 1>32 3x3", "conv 32>64 3x3", "conv 64>128 3x3"]
ATTENTION = ["attention 256 by 4", "norm 256"]
STEM = "conv 14>64 129"

LAYERS = {
    "gru_xnet": [
        *GRU_XNET, "linear 256>64", "linear 896>256", "gru 256>128 x2 both", *ATTENTION, "linear 256>128",
        "linear 128>3",
    ],
    "gru_xnet_dynamic": [
        *GRU_XNET, "linear 256>64", "linear 64>64", "linear 64>4", "linear 256>256", "gru 256>128 x2 both",
        *ATTENTION, "linear 256>128", "linear 128>3",
    ],
    "ca_rnn": [
        "conv 4>64 5", "linear 64>16", "linear 16>64", "conv 64>128 3", "linear 128>16", "linear 16>128",
        "conv 128>256 3", "linear 256>16", "linear 16>256", "linear 1792>512", "lstm 512>128 x1 both",
        "lstm 256>64 x1 both", "linear 128>3",
    ],
    "cbs_attention": [
        "conv 1>32 3x3", "conv 32>64 3x3", "linear 256>64", "linear 896>256", "lstm 256>128 x1 both",
        *ATTENTION, "linear 256>3",
    ],
    "accurate_eeg_lstm": ["lstm 70>128 x1", "lstm 128>64 x1", "linear 64>3"],
    "accurate_eeg_bilstm": ["lstm 70>64 x1 both", "lstm 128>32 x1 both", "linear 64>3"],
    "emg_cnn": [
        "conv 1>16 1x9",
        "conv 16>16 3x5", "conv 16>16 3x5", "conv 16>16 1x1",
        "conv 16>32 3x5", "conv 32>32 3x5", "conv 16>32 1x1",
        "conv 32>64 3x5", "conv 64>64 3x5", "conv 32>64 1x1",
        "conv 64>64 14x1", "linear 64>64", "linear 64>3",
    ],
    "feature_gru": ["gru 128>256 x1", "linear 3584>64", "linear 64>3"],
    "lstm": [STEM, "lstm 64>64 x1", "linear 64>3"],
    "bilstm": [STEM, "lstm 64>32 x1 both", "linear 64>3"],
    "gru": [STEM, "gru 64>64 x1", "linear 64>3"],
    "bigru": [STEM, "gru 64>32 x1 both", "linear 64>3"],
    "transformer": [
        STEM, *["norm 64", "attention 64 by 4", "norm 64", "linear 64>256", "linear 256>64"] * 2, "norm 64",
        "linear 64>3",
    ],
    "cnn": [STEM, *["conv 64>64 5"] * 3, "linear 64>3"],
    "tcn": [STEM, *["conv 64>64 3"] * 4, "linear 64>3"],
    "multimodal_lstm_maximum": [
        "lstm 14>64 x1", "lstm 64>32 x1", "linear 32>48", "linear 48>24", "linear 24>64", "linear 64>32",
        "linear 32>16", "linear 16>3",
    ],
}  # fmt: skip


def in_words(layer):
    """A layer's kind and sizes; empty where it has none that somebody states."""
    match layer:
        case nn.Conv1d() | nn.Conv2d():
            return f"conv {layer.in_channels}>{layer.out_channels} {'x'.join(map(str, layer.kernel_size))}"
        case nn.LSTM() | nn.GRU():
            kind, both = type(layer).__name__.lower(), " both" if layer.bidirectional else ""
            return f"{kind} {layer.input_size}>{layer.hidden_size} x{layer.num_layers}{both}"
        case nn.MultiheadAttention():
            return f"attention {layer.embed_dim} by {layer.num_heads}"
        case nn.LayerNorm():
            return f"norm {layer.normalized_shape[0]}"
        case nn.Linear():
            return f"linear {layer.in_features}>{layer.out_features}"
    return ""


@pytest.mark.parametrize("preset", LAYERS)
def test_a_preset_has_the_layers_that_are_stated(preset):
    config = EncoderConfig(**{**PRESETS[preset], "quantizer": None})
    model = SignalEncoder(config, ("calm", "fear", "joy"), seed=0).build([EEG])
    # Projections inside an attention and the score of a pooling are parts of these.
    found = [
        in_words(m) for n, m in model.named_modules() if not n.endswith((".out_proj", "poolings.eeg.score"))
    ]
    assert sorted(filter(None, found)) == sorted(LAYERS[preset])


@pytest.mark.parametrize("preset", [name for name in PRESETS if name in ENCODERS])
def test_a_preset_has_the_size_of_its_network(preset):
    """The width that is common to all networks does not take the place of a paper's own."""
    own = signature(ENCODERS[preset]).parameters["dim"].default
    assert EncoderConfig(**PRESETS[preset]).dim == own


def test_tcn_dilations_double():
    assert [block.convolution.dilation for block in TCN(2, 16).blocks] == [(1,), (2,), (4,), (8,)]


def test_shallow_convnet_has_forty_filters_of_25_samples():
    network = ShallowConvNet(14, 128)
    assert network.temporal.shape == (40, 25)
    assert network.spatial.shape == (40, 40 * 14)


def test_cnn_blocks_are_residual():
    network, x = CNN(3, 16).eval(), torch.randn(2, 3, 64)
    of_the_stem = pool_steps(network.stem(x), network.stem.n_steps)
    assert not torch.allclose(network(x), of_the_stem)
    for block in network.blocks:
        nn.init.zeros_(block[2].weight)  # with a bias of 0: the block adds nothing
    torch.testing.assert_close(network(x), of_the_stem)
