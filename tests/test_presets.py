"""Presets are whole encoders; those of the AMIGOS project have its parameter counts."""

from __future__ import annotations

import pytest
import torch

from encoders.presets import PRESETS
from encoders.signal_encoder import EncoderConfig, SignalEncoder
from encoders.streams import StreamSpec

TARGETS = ["valence", "arousal", "transition"]


def streams(seconds=4, rate=128):
    sizes = {"eeg": 14, "ecg": 1, "gsr": 1}
    return [
        StreamSpec(name, (name,), float(rate), tuple(f"{name}{k}" for k in range(n)), seconds * rate, rate)
        for name, n in sizes.items()
    ]


def build(name):
    config = EncoderConfig(**{**PRESETS[name], "quantizer": None, "targets": TARGETS})
    return SignalEncoder(config, (), seed=0).build(streams())


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("multimodal_lstm_lightweight", 3_275, 0.03),
        ("multimodal_lstm_moderate", 5_009, 0.03),
        ("multimodal_lstm_loso", 15_847, 0.03),
        # The stated widths give this many here; the project reports 50,123 for them.
        ("multimodal_lstm_maximum", 58_619, 0),
    ],
)
def test_the_multimodal_lstm_has_the_parameters_that_its_project_reports(name, expected, tolerance):
    count = sum(p.numel() for p in build(name).parameters())
    assert count == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_reads_three_streams_for_three_targets(name):
    model = build(name).eval()
    x = {s.name: torch.randn(2, s.n_channels, s.n_samples) for s in model.streams}
    output = model(x)
    assert {target: tuple(value.shape) for target, value in output.outputs.items()} == dict.fromkeys(
        TARGETS, (2, 1)
    )
    assert torch.isfinite(output.embedding).all()
