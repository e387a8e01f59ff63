"""GRU-XNet: spectra against their definition, all electrodes at once against a loop, and any montage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from encoders.model import SignalModel
from encoders.networks.electrodes import ElectrodeCNN, PooledConvolution
from encoders.networks.gru_xnet import GRUXNet
from encoders.networks.spectrogram import LogSpectrogram, band_levels
from encoders.stft import STFTS, in_samples
from encoders.streams import StreamSpec


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(module: torch.nn.Module) -> torch.nn.Module:
    """Norms with statistics and weights of some training, negative ones among them."""
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
            torch.nn.init.normal_(norm.weight)
            torch.nn.init.normal_(norm.bias)
    return module


def test_columns_are_spectra_of_windows_around_their_part_of_the_frame():
    spectrogram = LogSpectrogram(2, 64)  # hop 8, window 16
    x = torch.randn(1, 2, 192)
    out = spectrogram(x)
    assert out.shape == (1, 2, 9, 24)
    window = np.hanning(17)[:-1]  # periodic
    for column in (1, 11, 22):
        first = column * 8 - 4
        spectrum = np.fft.rfft(x[0, 1, first : first + 16].numpy() * window)
        power = np.abs(spectrum) ** 2 / (window**2).sum()
        # float32 sums of 16 products.
        np.testing.assert_allclose(out[0, 1, :, column], np.log(power + 1e-4), rtol=1e-4, atol=1e-4)


def test_white_noise_has_power_one_in_every_bin():
    power = LogSpectrogram(1, 64)(torch.randn(1, 1, 64 * 400)).exp()[0, 0]
    # 3,200 half-overlapping windows: a mean of exponentials, of about 1 / sqrt(2000) spread; five of these.
    np.testing.assert_allclose(power.mean(1), 1, atol=0.12)


@pytest.mark.parametrize(("stride", "steps"), [(16, 8), (256, 8), (50, 10), (7, 7), (1, 1), (997, 1)])
def test_columns_a_frame_are_the_divisor_nearest_to_eight(stride, steps):
    spectrogram = LogSpectrogram(1, stride)
    assert spectrogram.steps == steps
    assert spectrogram(torch.zeros(1, 1, 3 * stride)).shape[3] == 3 * steps


@pytest.mark.parametrize("dataset", STFTS)
def test_windows_of_the_data_sets(dataset):
    rate = 200.0 if dataset == "seed_iv" else 128.0
    options = in_samples({"stft": dataset}, rate)
    # Half overlapping, as in the reference.
    assert options["n_fft"] == 2 * options["hop"]
    network = GRUXNet(4, round(8 * options["hop"]), dim=16, **options).eval()
    assert network.frames.spectrogram.steps == 8
    assert network(torch.randn(1, 4, 8 * options["hop"])).shape == (1, 1, 16)


def test_a_band_is_the_bins_of_its_frequencies():
    options = in_samples({"stft": {"window": 2.0, "band": [4.0, 45.0]}}, 128.0)
    assert options == {"n_fft": 256, "hop": 128, "first_bin": 8, "n_bins": 83}
    x = torch.randn(1, 2, 1024)
    whole = LogSpectrogram(2, 1024, 256, 128)(x)
    torch.testing.assert_close(LogSpectrogram(2, 1024, **options)(x), whole[:, :, 8:91])
    assert GRUXNet(2, 1024, dim=16, **options).eval()(x).shape == (1, 1, 16)
    with pytest.raises(ValueError, match="first_bin is 129; n_fft 256 has bins from 0 to 128"):
        LogSpectrogram(2, 1024, 256, 128, first_bin=129)


@pytest.mark.parametrize(
    ("stft", "named"),
    [
        ("dreams", r"stft is 'dreams'; allowed are \['amigos'"),
        ({"hop": 1.0}, "a mapping with window"),
        ({"window": 1.0, "length": 2.0}, "a mapping with window"),
        ({"window": 1.0, "hop": 2.0}, "128 and 256 samples at 128 Hz"),
        ({"window": 0.0}, "0 and 0 samples"),
        ({"window": "2"}, "window and hop are numbers"),
        ({"window": None}, "window and hop are numbers"),
        ({"window": float("nan")}, "window and hop are numbers"),
        ({"window": 2.0, "hop": "1"}, "window and hop are numbers"),
        ({"window": 2.0, "band": 40}, "band is two numbers"),
        ({"window": 2.0, "band": [4]}, "band is two numbers"),
        ({"window": 2.0, "band": ["4", 8]}, "band is two numbers"),
        ({"window": 2.0, "band": [4, 64.2]}, r"band \[4, 64\.2\] Hz; allowed .* from 0 to 64 Hz"),
    ],
)
def test_a_wrong_stft_is_named(stft, named):
    with pytest.raises(ValueError, match=named):
        in_samples({"stft": stft}, 128.0)


def test_hop_and_band_may_be_left_to_the_default():
    assert in_samples({"stft": {"window": 1.0, "hop": None, "band": None}}, 128.0) == {
        "n_fft": 128,
        "hop": 64,
    }


def test_an_stft_in_seconds_is_that_of_each_stream():
    streams = [
        StreamSpec("eeg", ("eeg",), rate, ("Fp1", "Fp2"), round(4 * rate), round(2 * rate))
        for rate in (128.0, 200.0)
    ]
    streams[1] = replace(streams[1], name="cap")
    stft = {"window": 1.0, "hop": 0.5, "band": [4, 40]}
    model = SignalModel(streams, {"emotion": 2}, network="gru_xnet", network_options={"stft": stft}, dim=16)
    found = [model.encoders[name].frames.spectrogram for name in ("eeg", "cap")]
    assert [(one.n_fft, one.hop, one.first_bin, one.n_bins) for one in found] == [
        (128, 64, 4, 37), (200, 100, 4, 37),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"has \['stft'\] beside options by stream, \['eeg'\]"):
        SignalModel(streams, {"emotion": 2}, network_options={"eeg": {}, "stft": stft})
    with pytest.raises(ValueError, match=r"stft and \['hop'\], the same in samples"):
        SignalModel(streams, {"emotion": 2}, "gru_xnet", network_options={"hop": 64, "stft": stft})

    def own(n_channels, frame_stride, dim, **options):
        return GRUXNet(n_channels, frame_stride, dim, **options)

    model = SignalModel(streams, {"emotion": 2}, own, network_options={"stft": stft}, dim=16)
    assert model.encoders["eeg"].frames.spectrogram.n_fft == round(streams[0].sampling_rate)
    with pytest.raises(ValueError, match=r"has \['stft'\]; the network 'tcn' takes"):
        SignalModel(streams, {"emotion": 2}, "tcn", network_options={"stft": stft})


def test_bands_are_octaves():
    """A sine of 10 Hz at 128 Hz lies in 8-16 Hz, the third octave below 64 Hz."""
    time = torch.arange(1024) / 128
    spectrogram = LogSpectrogram(1, 256)
    levels = band_levels(spectrogram(torch.sin(2 * torch.pi * 10 * time)[None, None]), 4)
    assert levels.shape == (1, 1, 4, 32)
    assert (levels[0, 0, :, 4:-4].argmax(0) == 2).all()
    # The octaves hold all bins once: their powers, weighted by their widths, add up.
    noise = spectrogram(torch.randn(1, 1, 1024))
    widths = torch.tensor([16, 8, 4, 5])[:, None]
    total = (band_levels(noise, 4)[0, 0].exp() * widths).sum(0)
    torch.testing.assert_close(total, noise[0, 0].exp().sum(0), rtol=1e-4, atol=1e-4)


def looped(cnn: ElectrodeCNN, x: torch.Tensor) -> torch.Tensor:
    """A Python loop over electrodes, each in plain operations with its part of the weights."""
    groups = cnn.n_electrodes or 1
    features = []
    for electrode in range(x.shape[1]):
        y = x[:, electrode : electrode + 1]
        for block in cnn.blocks:
            assert isinstance(block, PooledConvolution)
            norm, part = block.norm, electrode % groups
            own = [
                values.chunk(groups)[part]
                for values in (
                    block.convolution.weight,
                    norm.running_mean,
                    norm.running_var,
                    norm.weight,
                    norm.bias,
                )
            ]
            y = functional.conv2d(y, own[0], padding=1)
            y = functional.batch_norm(
                y, own[1].clone(), own[2].clone(), own[3], own[4], training=block.training
            )
            y = functional.max_pool2d(functional.relu(y), block.pooling)
        features.append(y.flatten(1, 2))
    return torch.stack(features, dim=1)


@pytest.mark.parametrize(("shared", "train"), [(True, False), (False, False), (False, True)])
def test_all_electrodes_at_once_equal_a_loop(shared, train):
    cnn = trained(ElectrodeCNN(33, (2, 2, 2), (8, 16, 32), None if shared else 5)).train(train)
    x = torch.randn(3, 5, 33, 16)
    wanted = looped(cnn, x)
    # Sums of at most 144 products in float32 in another order, over three layers.
    torch.testing.assert_close(cnn(x), wanted, atol=1e-4, rtol=1e-4)
    assert wanted.shape == (3, 5, cnn.n_features, 2)


def test_shared_weights_learn_from_all_electrodes():
    """In training the norm's statistics are over all electrodes, and so are the gradients."""
    cnn = ElectrodeCNN(9, (2,), (4,)).train()
    x = torch.randn(2, 3, 9, 8)
    weight = cnn.blocks[0].convolution.weight
    maps = functional.conv2d(x.reshape(6, 1, 9, 8), weight, padding=1)
    wanted = functional.max_pool2d(functional.relu(functional.batch_norm(maps, None, None, training=True)), 2)
    got = cnn(x)
    torch.testing.assert_close(got, wanted.flatten(1, 2).reshape(got.shape), atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(out.square().mean(), weight)[0] for out in (got, wanted)]
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_dynamic_network_reads_any_electrodes_in_any_order():
    network = trained(GRUXNet(14, 64, dim=16, mode="dynamic")).eval()
    x = torch.randn(2, 32, 256)
    frames = network(x)
    assert frames.shape == (2, 4, 16)
    assert network(x[:, :3]).shape == (2, 4, 16)
    # Means over electrodes, summed in another order.
    torch.testing.assert_close(network(x[:, torch.randperm(32)]), frames, atol=1e-5, rtol=1e-4)
    # It is no mere mean that ignores them: other electrodes give other frames.
    assert not torch.allclose(network(x[:, :16]), frames, atol=1e-3)


def test_standard_network_knows_its_electrodes():
    network = trained(GRUXNet(6, 64, dim=16)).eval()
    x = torch.randn(2, 6, 256)
    assert not torch.allclose(network(x.flip(1)), network(x), atol=1e-3)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"hop is 5 .* frames of 64 samples"):
        GRUXNet(3, 64, dim=16, hop=5)
    with pytest.raises(ValueError, match="mode is 'static'"):
        GRUXNet(3, 64, dim=16, mode="static")
    with pytest.raises(ValueError, match="needs shared_weights=True"):
        GRUXNet(3, 64, dim=16, mode="dynamic", shared_weights=False)
    with pytest.raises(ValueError, match="dim is 18 with 4 heads"):
        GRUXNet(3, 64, dim=18)
