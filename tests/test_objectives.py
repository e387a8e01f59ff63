"""Objectives: spectra are read back, likeness follows labels, and heads beside them do not steer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.losses import training_loss
from encoders.model import SignalModel
from encoders.objectives import OBJECTIVES, Objective, SpectrumDecoder, contrastive_loss, find_objective
from encoders.streams import StreamSpec
from encoders.training import Examples, fit_model, outputs
from encoders.training_config import TrainingConfig

STREAM = StreamSpec("ecg", ("ecg",), 64.0, ("lead",), 256, 64)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def waves(n_segments=160, seed=0):
    """Two classes of frequency under noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_segments)
    wave = np.sin(2 * np.pi * np.where(y == 1, 12, 4)[:, None] * np.arange(256) / 64)
    x = wave + 0.3 * rng.standard_normal((n_segments, 256))
    return Examples({"ecg": x[:, None].astype(np.float32)}, {"emotion": y})


def model_for(objective, quantizer=None):
    return SignalModel([STREAM], {"emotion": 2}, dim=16, quantizer=quantizer, objective=objective)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("quantizer", [None, "vq"])
def test_every_objective_leaves_what_a_head_can_read(objective, quantizer):
    model = model_for(objective, quantizer)
    config = TrainingConfig(epochs=12, batch_size=32, patience=12, learning_rate=5e-3)
    held = waves(80, seed=1)
    fit_model(model, waves(), held, config, progress=False)
    assert (outputs(model, held.x)["emotion"].argmax(axis=1) == held.y["emotion"]).mean() > 0.9


@pytest.mark.parametrize(("objective", "reached"), [("supervised", True), ("reconstruction", False)])
def test_without_supervision_labels_do_not_move_the_network(objective, reached):
    model = model_for(objective)
    part = waves(32)
    output = model({"ecg": torch.as_tensor(part.x["ecg"])})
    output = output._replace(loss=torch.zeros(()))
    y = {"emotion": torch.as_tensor(part.y["emotion"], dtype=torch.float32)}
    training_loss(output, y, {}, TrainingConfig(), model.objective).backward()
    moved = any(p.grad is not None and p.grad.any() for p in model.encoders.parameters())
    assert moved == reached
    assert model.heads.outputs["emotion"].weight.grad.any()


def test_the_decoder_describes_level_and_bands():
    """A sine of 8 Hz puts the power into the band that holds it, and an offset into the mean."""
    decoder = SpectrumDecoder(dim=4, n_channels=1, frame_stride=64, n_bands=8)
    x = 3 + torch.sin(2 * torch.pi * 8 * torch.arange(256) / 64)
    described = decoder.describe(x[None, None])
    assert described.shape == (1, 4, 9)
    torch.testing.assert_close(described[..., 0], torch.full((1, 4), 3.0))
    # 32 bins of 1 Hz in 8 bands: 5 to 8 Hz is the second.
    assert (described[..., 1:].argmax(dim=-1) == 1).all()


def test_a_decoder_that_knows_nothing_has_a_loss_of_one():
    decoder = SpectrumDecoder(dim=4, n_channels=2, frame_stride=32)
    torch.nn.init.zeros_(decoder.read.weight)
    torch.nn.init.zeros_(decoder.read.bias)
    loss = decoder(torch.randn(64, 4, 4), torch.randn(64, 2, 128))
    assert loss.item() == pytest.approx(1, abs=1e-3)  # batch normalisation adds 1e-5 to the variances


def test_frames_of_one_sample_are_described_by_their_level():
    decoder = SpectrumDecoder(dim=4, n_channels=3, frame_stride=1)
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(decoder.describe(x), x.transpose(1, 2))


def test_contrastive_loss_meets_its_closed_form():
    """Two pairs on two axes: each vector's own is at likeness 1/t, both others at 0."""
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0])
    e = np.exp(1 / 0.5)
    assert float(contrastive_loss(vectors, labels, 0.5)) == pytest.approx(-np.log(e / (e + 2)), rel=1e-5)


def test_contrastive_loss_leaves_out_what_has_no_partner():
    vectors = torch.randn(5, 3)
    labels = torch.tensor([0.0, 0.0, 1.0, float("nan"), float("nan")])
    # The single 1 has no partner, but the pair must still tell it apart.
    torch.testing.assert_close(contrastive_loss(vectors, labels), contrastive_loss(vectors[:3], labels[:3]))
    assert float(contrastive_loss(vectors, torch.arange(5.0))) == 0


def test_objectives_are_named_or_weighed():
    assert find_objective({"supervised": 1.0, "contrastive": 0.5}) == Objective(1.0, 0.0, 0.5)
    for wrong in ("magic", {"magic": 1.0}, {"supervised": 0.0}):
        with pytest.raises(ValueError, match=r"objective is .*allowed are \['supervised'"):
            find_objective(wrong)


def test_the_contrastive_objective_needs_classes():
    model = SignalModel([STREAM], {"valence": 1}, dim=8, objective="contrastive")
    output = model({"ecg": torch.randn(4, 1, 256)})
    with pytest.raises(ValueError, match="needs the target 'emotion'"):
        training_loss(output, {"valence": torch.zeros(4)}, {}, TrainingConfig(), model.objective)
