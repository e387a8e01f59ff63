"""Training of the signal classifier: it learns, repeats itself and keeps its best weights."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from encoders import training, training_run
from encoders.augmenting import augment
from encoders.losses import balanced_shares, class_weights, concordance, training_loss, validation_scores
from encoders.model import SignalModel
from encoders.networks import ENCODERS
from encoders.rates import rate_schedule
from encoders.streams import StreamSpec
from encoders.training import Examples, encode, fit_model, outputs
from encoders.training_config import ON_THE_FLY, TrainingConfig

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
    return SignalModel(STREAMS, {"emotion": 3}, **({"dim": 16} | options))


def fit(model, train, validation, config=None, **options):
    parts = [Examples(x, {"emotion": y}) for x, y in (train, validation)]
    return fit_model(model, *parts, config, **{"progress": False, **options})


def probabilities_of(model, x):
    return outputs(model, x)["emotion"]


def tensors(x):
    return {name: torch.as_tensor(array) for name, array in x.items()}


def one_of_my_own(n_channels, stride, dim, **options):
    return ENCODERS["cnn"](n_channels, stride, dim, **options)


@pytest.mark.parametrize("network", ENCODERS)
def test_every_network_learns_a_separable_problem(network):
    x, y = toy()
    x_new, y_new = toy(96, seed=1)
    model = make_model(network=network)
    # What has no learned convolution over samples needs twice the time of the others.
    slow = network in ("lstm_branch", "connectivity")
    config = replace(FAST, epochs=12, patience=12) if slow else FAST
    fit(model, (x, y), (x_new, y_new), config)
    probabilities = probabilities_of(model, x_new)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == y_new).mean() > 0.9


@pytest.mark.parametrize("quantizer", ["vq", "fsq"])
def test_codes_carry_the_classes(quantizer):
    x, y = toy()
    x_new, y_new = toy(96, seed=1)
    model = make_model(quantizer=quantizer)
    fit(model, (x, y), (x_new, y_new), FAST)
    assert (probabilities_of(model, x_new).argmax(axis=1) == y_new).mean() > 0.9
    codes = encode(model, x_new)
    assert {name: array.shape for name, array in codes.items()} == {"ecg": (96, 4), "peripheral": (96, 4)}
    one = model(tensors({name: array[:1] for name, array in x_new.items()})).codes
    assert all(np.array_equal(one[name].numpy()[0], codes[name][0]) for name in codes)


@pytest.mark.parametrize("quantizer", [None, "vq", "fsq"])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_gradient_reaches_every_encoder(quantizer, pooling):
    model = make_model(quantizer=quantizer, pooling=pooling)
    x, _ = toy(32)
    output = model(tensors(x))
    assert output.outputs["emotion"].shape == (32, 3)
    output.outputs["emotion"].pow(2).sum().backward()
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
        fit(model, (x, y), (x, y), TrainingConfig(epochs=2, use_cpu=True))
        assert torch.equal(torch.get_rng_state(), state)
        runs.append(model.state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    other = make_model(quantizer=quantizer)
    fit(other, (x, y), (x, y), TrainingConfig(epochs=2, seed=1, use_cpu=True))
    assert not torch.equal(other.heads.outputs["emotion"].weight, runs[0]["heads.outputs.emotion.weight"])


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
    history = fit(model, (x, y), (x, y), config)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[-1]["best"] == scores[1]
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())
    assert not torch.equal(seen[1]["heads.outputs.emotion.weight"], seen[4]["heads.outputs.emotion.weight"])
    assert not model.training


def test_epochs_run_with_the_memory_kept(monkeypatch):
    seen, kept, original = [], training.kept_memory, training._validate

    @contextmanager
    def watched():
        seen.append("kept")
        with kept():
            yield
        seen.append("given back")

    monkeypatch.setattr(training, "kept_memory", watched)
    monkeypatch.setattr(training, "_validate", lambda *args: seen.append("epoch") or original(*args))
    x, y = toy(32)
    fit(make_model(), (x, y), (x, y), TrainingConfig(epochs=2))
    assert seen == ["kept", "epoch", "epoch", "given back"]


def test_only_training_segments_are_augmented(monkeypatch):
    changed, validated = [], []
    original = training._validate
    monkeypatch.setattr(training_run, "augment", lambda x, *_: changed.append(len(x["ecg"])) or x)
    monkeypatch.setattr(
        training, "_validate", lambda model, x, *rest: validated.append(x) or original(model, x, *rest)
    )
    x, y = toy(64)
    x_new, y_new = toy(48, seed=1)
    fit(make_model(), (x, y), (x_new, y_new), TrainingConfig(epochs=2))
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


@pytest.mark.parametrize("name", sorted(ON_THE_FLY))
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
    y = torch.tensor([0.0] * 90 + [1.0] * 10 + [float("nan")] * 7)
    weights = class_weights({"emotion": y}, {"emotion": 3})["emotion"]
    totals = torch.bincount(y[:100].long(), minlength=3) * weights
    torch.testing.assert_close(totals, torch.tensor([50.0, 50.0, 0.0]))


@pytest.mark.filterwarnings("error")
def test_history_tells_the_balanced_accuracy_of_the_kept_weights():
    x, y = toy(96)
    x_new, y_new = toy(60, seed=1)
    x_new, y_new = {name: array[y_new < 2] for name, array in x_new.items()}, y_new[y_new < 2]
    model = make_model()
    history = fit(model, (x, y), (x_new, y_new), TrainingConfig(epochs=2))
    guess = probabilities_of(model, x_new).argmax(axis=1)
    recall = np.mean([(guess[y_new == k] == k).mean() for k in range(2)])
    assert history[-1]["best"] == max(row["balanced_accuracy"] for row in history) == pytest.approx(recall)


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_rate_rises_for_none_and_for_all_of_the_steps(warmup):
    """Both ends of what is allowed: from the highest rate down, and up to it until the last step but one."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = rate_schedule(optimizer, 5, TrainingConfig(epochs=2, learning_rate=1.0, warmup=warmup))
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert np.argmax(rates) == (0 if warmup == 0 else 8)
    assert (np.diff(rates) > 0).sum() == (0 if warmup == 0 else 8)


def rates_of(scores, **settings):
    """The rate in each epoch of two steps, as a training steps its schedule."""
    config = TrainingConfig(epochs=len(scores), learning_rate=1.0, **settings)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = rate_schedule(optimizer, 2, config), []
    for score in scores:
        rates.append(optimizer.param_groups[0]["lr"])
        for _ in range(2):
            optimizer.step()
            if config.schedule != "plateau":
                schedule.step()
        if config.schedule == "plateau":
            schedule.step(score)
    return rates


def test_a_rate_falls_by_steps_to_its_lowest():
    found = rates_of([0] * 6, schedule="step", decay_epochs=2, decay_factor=0.1, lowest_rate=0.05)
    np.testing.assert_allclose(found, [1, 1, 0.1, 0.1, 0.05, 0.05])


def test_a_rate_falls_on_a_plateau():
    """Two epochs without a gain of more than `min_delta` lower the rate for the next."""
    scores = [0.5, 0.6, 0.6, 0.605, 0.7, 0.7, 0.7]
    found = rates_of(scores, schedule="plateau", decay_epochs=2, decay_factor=0.1, min_delta=0.01)
    np.testing.assert_allclose(found, [1, 1, 1, 1, 0.1, 0.1, 0.1])


@pytest.mark.parametrize(("warmup", "first"), [(0.1, 1.0), (0.5, 0.25)])
def test_a_cosine_goes_no_lower_than_the_lowest_rate(warmup, first):
    """A rise of a tenth of ten steps is none: the first is one step down from the highest rate."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    config = TrainingConfig(epochs=1, learning_rate=1.0, lowest_rate=0.25, warmup=warmup)
    schedule = rate_schedule(optimizer, 10, config)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < 10:
            schedule.step()
    assert rates[0] == pytest.approx(first, abs=0.1)
    assert max(rates) == pytest.approx(1.0, abs=0.1)
    assert rates[-1] == min(rates) == pytest.approx(0.25)


@pytest.mark.parametrize("schedule", ["step", "plateau"])
def test_a_training_goes_by_its_schedule(schedule, monkeypatch):
    seen = []
    step = training_run.TrainingRun.step

    def watched(run, parts):
        seen.append(run.optimizer.param_groups[0]["lr"])
        return step(run, parts)

    monkeypatch.setattr(training_run.TrainingRun, "step", watched)
    x, y = toy(32)
    # No score is better by more than one: every epoch but the first is on the plateau.
    config = TrainingConfig(epochs=4, patience=4, schedule=schedule, decay_epochs=1, min_delta=1.0)
    history = fit(make_model(dim=8), (x, y), (x, y), config)
    expected = {"step": [1, 1 / 2, 1 / 4, 1 / 8], "plateau": [1, 1, 1 / 2, 1 / 4]}[schedule]
    np.testing.assert_allclose(seen, 2e-3 * np.array(expected))
    assert {row["best"] for row in history} == {history[0]["best"]}


def test_patience_counts_gains_above_min_delta():
    x, y = toy(32)
    config = TrainingConfig(epochs=8, patience=2, min_delta=1.0)
    assert len(fit(make_model(dim=8), (x, y), (x, y), config)) == 3


def test_a_batch_in_parts_has_the_gradient_of_the_whole():
    """Also where a target is known for few segments, for none of some parts; without batch norm."""
    x, y = toy(32)
    rated = np.where(np.arange(32) < 6, y, np.nan)
    part = Examples(x, {"emotion": y, "valence": rated})
    nothing = {"jitter": 0.0, "scaling": 0.0, "shift": 0.0, "channel_dropout": 0.0, "gradient_norm": 1e9}
    gradients = []
    for parts in (1, 4):
        torch.manual_seed(0)
        targets = {"emotion": 3, "valence": 1}
        model = SignalModel(STREAMS, targets, dim=16, network="feature_gru", dropout=0.0)
        config = TrainingConfig(epochs=1, batch_size=32, batch_parts=parts, **nothing)
        fit_model(model, part, part, config, progress=False)
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert max(float(gradient.abs().max()) for gradient in gradients[0].values()) > 0.01
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5, rtol=1e-3)


def test_gradients_are_clipped_to_their_norm():
    x, y = toy(32)
    norms = []
    for limit in (1e9, 0.05):
        torch.manual_seed(0)
        model = make_model(dim=8)
        fit(model, (x, y), (x, y), TrainingConfig(epochs=1, batch_size=32, gradient_norm=limit))
        norms.append(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]).item())
    assert norms[0] > 0.1
    assert norms[1] == pytest.approx(0.05, rel=1e-3)


def test_the_progress_bar_shows_losses_and_scores(capsys, monkeypatch):
    monkeypatch.setattr(training, "tqdm", partial(training.tqdm, mininterval=0))
    x, y = toy(32)
    fit_model(
        make_model(dim=8), Examples(x, {"emotion": y}), Examples(x, {"emotion": y}), TrainingConfig(epochs=2)
    )
    shown = capsys.readouterr().err
    for name in ("batch_loss=", "train_loss=", "balanced_accuracy=", "best=", "epoch=2"):
        assert name in shown


def test_a_part_without_a_label_adds_nothing():
    x, y = toy(32)
    rated = np.where(np.arange(32) < 6, y, np.nan)
    model = SignalModel(STREAMS, {"valence": 1}, dim=16)
    part = Examples(x, {"valence": rated})
    history = fit_model(model, part, part, TrainingConfig(epochs=1, batch_parts=16), progress=False)
    assert np.isfinite(history[-1]["train_loss"])


def test_batches_of_one_are_refused_where_fusion_normalises_over_them():
    x, y = toy(16)
    config = TrainingConfig(epochs=1, batch_size=1)
    assert len(fit(make_model(dim=8), (x, y), (x, y), config)) == 1
    model = SignalModel(STREAMS, {"emotion": 3}, dim=8, fusion=[4])
    with pytest.raises(ValueError, match=r"batch_size is 1 with 16 .*fusion.* Give 2 or more"):
        fit(model, (x, y), (x, y), config)
    one, single = {name: array[:1] for name, array in x.items()}, y[:1]
    with pytest.raises(ValueError, match=r"batch_size is 64 with 1 training segments; layers of fusion"):
        fit(model, (one, single), (x, y), TrainingConfig(epochs=1))


def test_batches_of_one_are_refused_where_a_stream_has_one_frame():
    streams = [replace(STREAMS[0], n_samples=64)]
    x = {"ecg": toy(16)[0]["ecg"][:, :, :64]}
    part = Examples(x, {"emotion": toy(16)[1]})
    for network in ("mlp", "cnn"):
        model = SignalModel(streams, {"emotion": 3}, network, dim=8)
        with pytest.raises(ValueError, match=r"batch norm has one frame of the streams \['ecg'\]"):
            fit_model(model, part, part, TrainingConfig(epochs=1, batch_size=1), progress=False)
    model = SignalModel(streams, {"emotion": 3}, "feature_gru", dim=8)  # has none
    assert len(fit_model(model, part, part, TrainingConfig(epochs=1, batch_size=1), progress=False)) == 1


@pytest.mark.parametrize("read", [outputs, training.embeddings, encode, training.frames])
def test_no_segments_are_refused_by_name(read):
    with pytest.raises(ValueError, match="0 segments to read"):
        read(make_model(quantizer="vq"), {name: array[:0] for name, array in toy(4)[0].items()})


def test_wrong_arguments_are_named():
    x, y = toy(16)
    model = make_model()
    with pytest.raises(ValueError, match="training part has lengths"):
        fit(model, (x, y[:-1]), (x, y))
    with pytest.raises(ValueError, match="validation labels"):
        fit(model, (x, y), (x, y + 3))
    with pytest.raises(ValueError, match=r"'peripheral'.*missing"):
        model({"ecg": torch.zeros(1, 1, 256)})
    with pytest.raises(ValueError, match="no quantizer"):
        encode(model, x)
    with pytest.raises(ValueError, match=r"'nope'.*cnn"):
        make_model(network="nope")
    with pytest.raises(ValueError, match=r"epochs is 0.*monitor is 'f1'"):
        TrainingConfig(epochs=0, monitor="f1")
    with pytest.raises(
        ValueError, match=r"warmup is 3; epochs is 2\.5, allowed are whole.* from 0 to 1 for warmup"
    ):
        TrainingConfig(epochs=2.5, warmup=3)
    with pytest.raises(ValueError, match=r"epochs is 2\.5.* lowest_rate is 0\.1, above learning_rate 0\.01"):
        TrainingConfig(epochs=2.5, learning_rate=0.01, lowest_rate=0.1)
    with pytest.raises(
        ValueError,
        match=r"decay_factor is 1\.0; decay_epochs is 3 with patience 3.* between 0 and 1 for decay_factor\.",
    ):
        TrainingConfig(schedule="plateau", decay_factor=1.0, decay_epochs=3)
    with pytest.raises(ValueError, match=r"quantizer_options has \['depth'\]; .*'scalar' takes \['levels'\]"):
        make_model(quantizer="scalar", quantizer_options={"depth": 5})
    make_model(network=one_of_my_own, network_options={"depth": 2})
    with pytest.raises(ValueError, match=r"network_options has \['deepness'\]; the network 'cnn' takes"):
        make_model(network_options={"deepness": 5})
    with pytest.raises(ValueError, match=r"has \['depth'\] beside options by stream, \['default'\]"):
        make_model(network_options={"depth": 5, "default": {"steps": 1}})


def test_a_broken_signal_stops_the_training():
    x, y = toy(16)
    x["ecg"][3] = np.nan
    with pytest.raises(FloatingPointError, match="training loss is nan"):
        fit(make_model(), (x, y), (x, y))


def many_targets(n_segments, seed):
    """Emotion as in `toy`; ratings that follow the wave's and the step's presence; transitions as noise."""
    x, y = toy(n_segments, seed)
    unknown = np.where(np.arange(n_segments) % 5 == 0, np.nan, 1.0)
    labels = {"emotion": y * unknown, "valence": (y == 1) * 2.0 - 1, "arousal": (y == 2) * unknown}
    return Examples(x, labels | {"transition": (y == 2).astype(float)})


def test_several_targets_are_learned_at_once():
    model = SignalModel(
        STREAMS, {"emotion": 3, "valence": 1, "arousal": 1, "transition": 1}, dim=16, fusion=(16,)
    )
    train, held = many_targets(192, 0), many_targets(96, 1)
    config = TrainingConfig(epochs=10, batch_size=32, patience=10, learning_rate=5e-3)
    history = fit_model(model, train, held, config, progress=False)
    assert {"loss", "balanced_accuracy", "ccc", "transition_f1"} <= set(history[-1])
    found = outputs(model, held.x)
    truth = toy(96, seed=1)[1]
    assert (found["emotion"].argmax(axis=1) == truth).mean() > 0.9
    assert np.corrcoef(found["valence"], held.y["valence"])[0, 1] > 0.8
    assert ((found["transition"] > 0.5) == (truth == 2)).mean() > 0.9


def test_unknown_labels_count_for_nothing():
    """A segment without any label leaves loss and gradient as they are without it."""
    train = many_targets(32, 0)
    config = TrainingConfig(label_smoothing=0.0)
    model = make_model(dim=8, dropout=0.0).eval()
    hidden = train.y["emotion"].copy()
    hidden[16:] = np.nan
    losses = []
    for x, y in (
        (tensors({n: a[:16] for n, a in train.x.items()}), hidden[:16]),
        (tensors(train.x), hidden),
    ):
        truth = {"emotion": torch.as_tensor(y, dtype=torch.float32)}
        losses.append(training_loss(model(x), truth, {}, config))
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize(("quantizer", "schedule"), [(None, "cosine"), ("vq", "step"), (None, "plateau")])
def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, monkeypatch, quantizer, schedule):
    x, y = toy(96)
    # No score is better by more than one: on a plateau the rate falls before and after the stop.
    delta = 1.0 if schedule == "plateau" else 0.0
    config = TrainingConfig(epochs=4, patience=4, schedule=schedule, decay_epochs=1, min_delta=delta)
    whole = make_model(quantizer=quantizer)
    history = fit(whole, (x, y), (x, y), config)
    save, saved = training.save_checkpoint, []

    def stop_after_two(*arguments):
        save(*arguments)
        saved.append(1)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_checkpoint", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(quantizer=quantizer), (x, y), (x, y), config, folder=tmp_path)
    monkeypatch.setattr(training, "save_checkpoint", save)
    torch.manual_seed(99)
    resumed = make_model(seed=7, quantizer=quantizer)  # the checkpoint's weights take the place of these
    assert fit(resumed, (x, y), (x, y), config, folder=tmp_path) == history
    ours, theirs = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    x, y = toy(32)
    fit(make_model(), (x, y), (x, y), TrainingConfig(epochs=1), folder=tmp_path)
    with pytest.raises(ValueError, match=r"last\.pt: is of another model, configuration or data"):
        fit(make_model(), (x, y), (x, y), TrainingConfig(epochs=2), folder=tmp_path)


@pytest.mark.parametrize("changed", ["labels", "validation", "pooling", "objective"])
def test_a_checkpoint_knows_its_labels_and_what_has_no_weights(tmp_path, changed):
    x, y = toy(32)
    config = TrainingConfig(epochs=1)
    fit(make_model(pooling="mean"), (x, y), (x, y), config, folder=tmp_path)
    model = make_model(pooling="last" if changed == "pooling" else "mean")
    if changed == "objective":
        model = make_model(pooling="mean", objective={"supervised": 2.0})
    truth, held = (y[::-1].copy() if changed == part else y for part in ("labels", "validation"))
    with pytest.raises(ValueError, match=r"last\.pt: is of another model, configuration or data"):
        fit(model, (x, truth), (x, held), config, folder=tmp_path)


def test_a_checkpoint_knows_the_data_sets_that_are_balanced(tmp_path):
    x, y = toy(32)
    config = TrainingConfig(epochs=1, balance="dataset")
    one, other = (np.where(np.arange(32) < n, "a", "b") for n in (8, 16))
    fit_model(make_model(), Examples(x, {"emotion": y}, one), Examples(x, {"emotion": y}), config, tmp_path)
    with pytest.raises(ValueError, match=r"last\.pt: is of another model, configuration or data"):
        fit_model(
            make_model(), Examples(x, {"emotion": y}, other), Examples(x, {"emotion": y}), config, tmp_path
        )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"network": "transformer"}, {"network_options": {"heads": 2}}),
        ({"network": "eegnet"}, {"network_options": {"steps": 4}}),
        (
            {"network": "gru_xnet", "network_options": {"n_fft": 16, "hop": 8}},
            {"network_options": {"n_fft": 16, "hop": 4}},
        ),
        ({"network": "connectivity"}, {"network_options": {"ridge": 0.1}}),
        ({"quantizer": "vq"}, {"quantizer_options": {"decay": 0.8}}),
        ({"quantizer": "vq"}, {"quantizer_options": {"commitment": 1.0}}),
        ({"quantizer": "fsq"}, {"quantizer_options": {"levels": (8, 8, 4)}}),
    ],
)
def test_a_checkpoint_knows_options_that_change_no_weights_shape(tmp_path, one, other):
    """Heads share the weights of a layer, and FSQ of 4, 4, 4 levels has the projections of 8, 8, 4."""
    x, y = toy(32)
    config = TrainingConfig(epochs=1)
    fit(make_model(**one), (x, y), (x, y), config, folder=tmp_path)
    fit(make_model(seed=1, **one), (x, y), (x, y), config, folder=tmp_path)  # goes on, to nothing left to do
    with pytest.raises(ValueError, match=r"last\.pt: is of another model, configuration or data"):
        fit(make_model(**(one | other)), (x, y), (x, y), config, folder=tmp_path)


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(65, 64, [65]), (66, 64, [64, 2]), (1, 64, [1]), (9, 4, [4, 5])]
)
def test_no_batch_is_a_single_segment(n, size, sizes):
    """Batch norm of the fused streams has no variance over one row."""
    x, y = toy(n)
    read = []
    model = make_model(fusion=(8,) if n > 1 else ())
    model.register_forward_pre_hook(lambda module, given: read.append(len(given[0]["ecg"])))
    fit(model, (x, y), toy(100), TrainingConfig(epochs=1, batch_size=size))
    assert read == [*sizes, 100]


def test_what_mixed_precision_trained_answers_as_its_weights_do():
    x, y = toy(64)
    model, loaded = make_model(), make_model(seed=1)
    fit(model, (x, y), (x, y), TrainingConfig(epochs=1, mixed_precision="bf16"))
    loaded.load_state_dict(model.state_dict())
    assert np.array_equal(probabilities_of(model, x), probabilities_of(loaded.eval(), x))


@pytest.mark.parametrize("monitor", ["loss", "balanced_accuracy"])
def test_a_broken_validation_part_stops_the_training(monitor):
    x, y = toy(32)
    broken = {name: np.full_like(array, np.nan) for name, array in x.items()}
    with pytest.raises(FloatingPointError, match=r"validation part \{'loss': nan\}; check its signals"):
        fit(make_model(), (x, y), (broken, y), TrainingConfig(epochs=1, monitor=monitor))


def test_a_score_that_no_target_has_is_named_before_the_first_epoch(monkeypatch):
    monkeypatch.setattr(training_run.TrainingRun, "step", lambda *_: pytest.fail("it trained before"))
    x, y = toy(32)
    with pytest.raises(
        ValueError, match=r"'ccc'; allowed for these targets are \['balanced_accuracy', 'loss'\]"
    ):
        fit(make_model(), (x, y), (x, y), TrainingConfig(monitor="ccc"))


@pytest.mark.parametrize("balance", ["sampler", "dataset", "both"])
def test_samplers_draw_groups_alike(balance):
    """Of classes, of data sets, or of the data sets and in each of them of its classes."""
    y = torch.tensor([0.0] * 80 + [1.0] * 15 + [2.0] * 5)
    datasets = np.array(["big"] * 90 + ["small"] * 10)
    shares = balanced_shares({"emotion": y}, datasets, balance)
    shares = shares / shares.sum()
    drawn = {
        "sampler": [shares[y == k].sum() for k in range(3)],
        "dataset": [shares[:90].sum(), shares[90:].sum()],
        "both": [shares[:80].sum(), shares[80:90].sum(), shares[90:95].sum(), shares[95:].sum()],
    }[balance]
    np.testing.assert_allclose(drawn, 1 / len(drawn), rtol=1e-5)


@pytest.mark.parametrize("balance", ["dataset", "both"])
def test_balancing_over_data_sets_needs_their_names(balance):
    with pytest.raises(ValueError, match=f"{balance}.*name no data sets"):
        balanced_shares({"emotion": torch.zeros(3)}, None, balance)


@pytest.mark.parametrize("balance", ["sampler", "both"])
def test_balancing_over_classes_needs_classes(balance):
    with pytest.raises(ValueError, match=f"{balance}.*no target has classes"):
        balanced_shares({"valence": torch.zeros(3)}, np.array(["a", "a", "b"]), balance)


def test_segments_without_a_label_are_a_class_of_their_data_set():
    y = torch.tensor([0.0, 0.0, 0.0, torch.nan, 1.0, 0.0])
    shares = balanced_shares({"emotion": y}, np.array(["a"] * 4 + ["b"] * 2), "both")
    np.testing.assert_allclose(shares, [1 / 6, 1 / 6, 1 / 6, 1 / 2, 1 / 2, 1 / 2])


def test_concordance_meets_its_closed_form():
    """For guess = a + b truth: CCC = 2 b s² / (s² + b² s² + (a + (b - 1) m)²)."""
    truth = torch.linspace(-1, 3, 50)
    mean, variance = 1.0, float(truth.var(correction=0))
    expected = 2 * 0.5 * variance / (variance + 0.25 * variance + (0.2 - 0.5 * mean) ** 2)
    assert concordance(0.2 + 0.5 * truth, truth) == pytest.approx(expected, rel=1e-6)
    assert concordance(torch.zeros(50), truth) == 0


def test_bf16_learns_too():
    model = make_model()
    config = TrainingConfig(epochs=6, batch_size=32, learning_rate=5e-3, mixed_precision="bf16")
    history = fit(model, toy(), toy(96, seed=1), config)
    assert history[-1]["best"] > 0.9
    assert next(model.parameters()).dtype == torch.float32


def test_metrics_reach_the_trackers(tmp_path):
    x, y = toy(32)
    fit(make_model(), (x, y), (x, y), TrainingConfig(epochs=2, report_to=["tensorboard"]), folder=tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = tmp_path.rglob("events.*")
    log = EventAccumulator(str(events)).Reload()
    assert [event.step for event in log.Scalars("balanced_accuracy")] == [1, 2]


def losses(targets: dict[str, int], y: dict[str, np.ndarray], **settings) -> list[float]:
    """Training and validation loss of an untrained model."""
    torch.manual_seed(0)
    model = SignalModel(STREAMS, targets, dim=8, dropout=0.0).eval()
    with torch.no_grad():
        output = model(tensors(toy(32)[0]))
    truth = {name: torch.as_tensor(y[name], dtype=torch.float32) for name in targets}
    config = TrainingConfig(**settings)
    held = validation_scores(output.outputs, truth, {}, config)["loss"]
    return [float(training_loss(output, truth, {}, config)), held]


def test_a_target_weighs_in_both_losses_as_it_is_told_to():
    y = many_targets(32, 0).y
    without, once, twice = (
        losses({"emotion": 3, "valence": 1}, y, loss_weights={"valence": weight}) for weight in (0, 1, 2)
    )
    assert min(np.subtract(once, without)) > 0.1
    np.testing.assert_allclose(np.subtract(twice, once), np.subtract(once, without), rtol=1e-4)


@pytest.mark.parametrize(("target", "size"), [("emotion", 3), ("transition", 1)])
def test_labels_that_are_smoothed_away_tell_nothing_in_training_alone(target, size):
    for smoothing, alike in ((0.0, [False, False]), (1.0, [True, False])):
        one, other = (
            losses({target: size}, {target: np.full(32, label)}, label_smoothing=smoothing)
            for label in (0, 1)
        )
        assert np.isclose(one, other, rtol=1e-5).tolist() == alike


def test_weight_decay_is_on_matrices_alone():
    """After one step of AdamW it has taken off the rate times the decay of what the weights were."""
    x, y = toy(32)
    after = []
    for decay in (0.0, 0.5):
        model = make_model(dim=8)
        config = TrainingConfig(epochs=1, schedule="constant", learning_rate=0.1, weight_decay=decay)
        fit(model, (x, y), (x, y), config)
        after.append(dict(model.named_parameters()))
    for name, first in make_model(dim=8).named_parameters():
        taken = 0.1 * 0.5 * first if first.ndim > 1 else torch.zeros_like(first)
        torch.testing.assert_close(after[0][name] - after[1][name], taken, atol=1e-6, rtol=1e-4)
