"""Training of the signal classifier: it learns, repeats itself and keeps its best weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders import training
from encoders.classifier import SignalClassifier
from encoders.networks import ENCODERS
from encoders.streams import StreamSpec
from encoders.training import TrainingConfig, augment, encode, fit_classifier, predict_proba

STREAMS = [
    StreamSpec("ecg", ("ecg",), 64.0, ("lead",), 256, 64),
    StreamSpec("peripheral", ("gsr", "temperature"), 8.0, ("gsr", "temperature"), 32, 8),
]
FAST = TrainingConfig(epochs=6, batch_size=32, patience=6, learning_rate=5e-3)


def toy(n_segments=192, seed=0):
    """Three classes: no wave, a wave in the ECG, a step in skin conductance; the rest is noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n_segments)
    x = {s.name: rng.standard_normal((n_segments, s.n_channels, s.n_samples)) for s in STREAMS}
    x["ecg"][y == 1] += 2 * np.sin(2 * np.pi * 6 * np.arange(256) / 64)
    x["peripheral"][y == 2, 0, 16:] += 2
    return {name: array.astype(np.float32) for name, array in x.items()}, y


def make_model(seed=0, **options):
    torch.manual_seed(seed)
    return SignalClassifier(STREAMS, 3, **({"dim": 16} | options))


def tensors(x):
    return {name: torch.as_tensor(array) for name, array in x.items()}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_learns_a_separable_problem(encoder):
    x, y = toy()
    x_new, y_new = toy(96, seed=1)
    model = make_model(encoder=encoder)
    fit_classifier(model, x, y, x_new, y_new, FAST, progress=False)
    probabilities = predict_proba(model, x_new)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == y_new).mean() > 0.9


@pytest.mark.parametrize("quantizer", ["vq", "fsq"])
def test_codes_carry_the_classes(quantizer):
    x, y = toy()
    x_new, y_new = toy(96, seed=1)
    model = make_model(quantizer=quantizer)
    fit_classifier(model, x, y, x_new, y_new, FAST, progress=False)
    assert (predict_proba(model, x_new).argmax(axis=1) == y_new).mean() > 0.9
    codes = encode(model, x_new)
    assert {name: array.shape for name, array in codes.items()} == {"ecg": (96, 4), "peripheral": (96, 4)}
    one = model.codes(tensors({name: array[:1] for name, array in x_new.items()}))
    assert all(np.array_equal(one[name].numpy()[0], codes[name][0]) for name in codes)


@pytest.mark.parametrize("quantizer", [None, "vq", "fsq"])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_gradient_reaches_every_encoder(quantizer, pooling):
    model = make_model(quantizer=quantizer, pooling=pooling)
    x, _ = toy(32)
    output = model(tensors(x))
    assert output.logits.shape == (32, 3)
    output.logits.pow(2).sum().backward()
    for name, encoder in model.encoders.items():
        assert encoder.stem.convolution.weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("quantizer", [None, "vq"])
def test_same_seed_same_weights(quantizer):
    x, y = toy(96)
    runs = []
    for _ in range(2):
        model = make_model(quantizer=quantizer)
        torch.manual_seed(np.random.default_rng().integers(1000))  # the caller's random state must not matter
        state = torch.get_rng_state()
        fit_classifier(model, x, y, x, y, TrainingConfig(epochs=2, device="cpu"), progress=False)
        assert torch.equal(torch.get_rng_state(), state)
        runs.append(model.state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    other = make_model(quantizer=quantizer)
    fit_classifier(other, x, y, x, y, TrainingConfig(epochs=2, seed=1, device="cpu"), progress=False)
    assert not torch.equal(other.head[1].weight, runs[0]["head.1.weight"])


@pytest.mark.parametrize("monitor", ["balanced_accuracy", "loss"])
def test_the_best_weights_are_restored(monkeypatch, monitor):
    scores = [0.5, 0.9, 0.4, 0.6, 0.3] if monitor == "balanced_accuracy" else [0.5, 0.1, 0.4, 0.6, 0.3]
    seen = []

    def validate(model, *_):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {monitor: scores[len(seen) - 1]}

    monkeypatch.setattr(training, "_validate", validate)
    x, y = toy(64)
    model = make_model()
    config = TrainingConfig(epochs=20, patience=3, monitor=monitor)
    history = fit_classifier(model, x, y, x, y, config, progress=False)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[-1]["best"] == scores[1]
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())
    assert not torch.equal(seen[1]["head.1.weight"], seen[4]["head.1.weight"])
    assert not model.training


def test_only_training_segments_are_augmented(monkeypatch):
    changed, validated = [], []
    original = training._validate
    monkeypatch.setattr(training, "augment", lambda x, *_: changed.append(len(x["ecg"])) or x)
    monkeypatch.setattr(
        training, "_validate", lambda model, x, *rest: validated.append(x) or original(model, x, *rest)
    )
    x, y = toy(64)
    x_new, y_new = toy(48, seed=1)
    fit_classifier(make_model(), x, y, x_new, y_new, TrainingConfig(epochs=2), progress=False)
    assert sum(changed) == 2 * 64
    for part in validated:
        assert all(np.array_equal(part[name].cpu().numpy(), x_new[name]) for name in x_new)


def test_augmentation_changes_a_copy_and_repeats_itself():
    x = tensors(toy(16)[0])
    before = {name: array.clone() for name, array in x.items()}
    config = TrainingConfig()
    one, two = (augment(x, torch.Generator().manual_seed(5), config) for _ in range(2))
    for name, array in x.items():
        assert torch.equal(array, before[name])
        assert torch.equal(one[name], two[name])
        assert not torch.equal(one[name], array)


def test_augmentation_of_strength_zero_changes_nothing():
    x = tensors(toy(16)[0])
    config = TrainingConfig(scaling=0, jitter=0, shift=0, channel_dropout=0)
    out = augment(x, torch.Generator(), config)
    assert all(torch.equal(out[name], x[name]) for name in x)


def test_streams_of_a_segment_shift_together():
    ramp = {"fast": torch.arange(640.0).repeat(50, 2, 1), "slow": torch.arange(64.0).repeat(50, 1, 1)}
    config = TrainingConfig(scaling=0, jitter=0, shift=0.2, channel_dropout=0)
    out = augment(ramp, torch.Generator().manual_seed(0), config)
    fast, slow = (out[name][:, 0].argmin(dim=1) for name in ("fast", "slow"))
    assert len(slow.unique()) > 10
    wrapped = (fast - 10 * slow + 320) % 640 - 320
    assert wrapped.abs().max() <= 5  # half a sample of the slow stream
    assert torch.minimum(slow, 64 - slow).max() <= 0.2 * 64 + 0.5
    assert torch.equal(out["fast"][:, 0], out["fast"][:, 1])


@pytest.mark.parametrize("name", sorted(training.ON_THE_FLY))
def test_further_transforms_are_applied_on_the_fly(name):
    x = tensors(toy(16)[0])
    nothing = {"scaling": 0, "jitter": 0, "shift": 0, "channel_dropout": 0}
    config = TrainingConfig(**nothing, transforms={name: 0.3})
    one, two = (augment(x, torch.Generator().manual_seed(5), config) for _ in range(2))
    for stream, array in x.items():
        assert one[stream].shape == array.shape
        assert torch.equal(one[stream], two[stream])
        assert not torch.allclose(one[stream], array)


def test_streams_of_a_segment_warp_together():
    """A ramp shows the time that each sample was read at; to a tenth of a sample of the slow stream."""
    nothing = {"scaling": 0, "jitter": 0, "shift": 0, "channel_dropout": 0}
    ramps = {"fast": (torch.arange(640.0) + 0.5) / 640, "slow": (torch.arange(64.0) + 0.5) / 64}
    x = {name: ramp.repeat(8, 1, 1) for name, ramp in ramps.items()}
    config = TrainingConfig(**nothing, transforms={"time_warping": 0.2})
    out = augment(x, torch.Generator().manual_seed(0), config)
    at_slow_times = out["fast"][:, 0].unflatten(1, (64, 10)).mean(dim=2)
    assert (out["slow"][:, 0] - x["slow"][:, 0]).abs().max() > 2 / 64
    torch.testing.assert_close(at_slow_times, out["slow"][:, 0], rtol=0, atol=0.1 / 64)


def test_unknown_transforms_are_named():
    with pytest.raises(ValueError, match=r"transforms are \['warp'\], allowed are .*'time_warping'"):
        TrainingConfig(transforms={"warp": 1.0})


def test_rare_classes_weigh_as_much_as_common_ones():
    y = torch.tensor([0] * 90 + [1] * 10)
    weights = training._class_weights(y, 3)
    totals = torch.bincount(y, minlength=3) * weights
    torch.testing.assert_close(totals, torch.tensor([50.0, 50.0, 0.0]))


@pytest.mark.filterwarnings("error")
def test_history_tells_the_balanced_accuracy_of_the_kept_weights():
    x, y = toy(96)
    x_new, y_new = toy(60, seed=1)
    x_new, y_new = {name: array[y_new < 2] for name, array in x_new.items()}, y_new[y_new < 2]
    model = make_model()
    history = fit_classifier(model, x, y, x_new, y_new, TrainingConfig(epochs=2), progress=False)
    guess = predict_proba(model, x_new).argmax(axis=1)
    recall = np.mean([(guess[y_new == k] == k).mean() for k in range(2)])
    assert history[-1]["best"] == max(row["balanced_accuracy"] for row in history) == pytest.approx(recall)


def test_wrong_arguments_are_named():
    x, y = toy(16)
    model = make_model()
    with pytest.raises(ValueError, match="training part has lengths"):
        fit_classifier(model, x, y[:-1], x, y, progress=False)
    with pytest.raises(ValueError, match="validation labels"):
        fit_classifier(model, x, y, x, y + 3, progress=False)
    with pytest.raises(ValueError, match=r"'peripheral'.*missing"):
        model({"ecg": torch.zeros(1, 1, 256)})
    with pytest.raises(ValueError, match="no quantizer"):
        encode(model, x)
    with pytest.raises(ValueError, match=r"'nope'.*cnn"):
        make_model(encoder="nope")
    with pytest.raises(ValueError, match=r"epochs is 0.*monitor is 'f1'"):
        TrainingConfig(epochs=0, monitor="f1")


def test_a_broken_signal_stops_the_training():
    x, y = toy(16)
    x["ecg"][3] = np.nan
    with pytest.raises(FloatingPointError, match="training loss is nan"):
        fit_classifier(make_model(), x, y, x, y, progress=False)
