"""Networks against what their papers state, and against the same computed step by step."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from encoders.networks import CARNN, EMGCNN, EEGNet, FeatureGRU, ShallowConvNet, Transformer
from encoders.networks.emg_cnn import ResidualBlock
from encoders.networks.transformer import sinusoids

STRIDES = [*range(1, 34), 97, 375, 3750]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("network", [EMGCNN, EEGNet])
def test_several_strides_make_exactly_one_frame(network):
    for stride in STRIDES:
        frames = network(2, stride, dim=4).eval()(torch.randn(1, 2, 3 * stride + stride // 2))
        assert frames.shape == (1, 3, 4), stride


@pytest.mark.parametrize(("f1", "depth", "published"), [(8, 2, 2258), (4, 2, 1066)])
def test_eegnet_has_the_published_number_of_weights(f1, depth, published):
    """Table 3, P300: 64 electrodes, one second at 128 Hz, two classes."""
    network = EEGNet(64, 32, f1=f1, depth=depth, kernel=64)
    own = sum(p.numel() for key, p in network.named_parameters() if not key.startswith("projection"))
    classifier = (128 // 32) * f1 * depth * 2 + 2
    assert own + classifier == published


def test_eegnet_pools_by_four_and_eight_in_quarter_seconds_at_128_hz():
    network = EEGNet(4, 32)
    assert (network.frame_stride // network.n_steps, network.n_steps) == (4, 8)


def test_eegnet_limits_only_norms_over_one():
    network = EEGNet(5, 32, f1=2, depth=1)
    with torch.no_grad():
        network.spatial[0], network.spatial[1] = 3.0, 0.1
    large, small = network.limited_spatial()
    assert large.norm().item() == pytest.approx(1, rel=1e-6)
    assert torch.equal(small, network.spatial[1])


def test_shallow_convnet_runs_two_convolutions_as_one():
    network = ShallowConvNet(6, 20, filters=5, kernel=9)
    x = torch.randn(2, 6, 100)
    over_time = functional.conv2d(x[:, None], network.temporal[:, None, None])
    over_channels = functional.conv2d(over_time, network.spatial.unflatten(1, (5, 6))[..., None])
    # float32 sums of 54 products in another order.
    torch.testing.assert_close(
        functional.conv1d(x, network.filters()), over_channels[:, :, 0], atol=1e-6, rtol=0
    )


def test_shallow_convnet_reads_log_power():
    network = ShallowConvNet(3, 50, dim=4).eval()
    x = torch.randn(2, 3, 200)
    # A gain of 3 adds 2 log 3 to every log power; its norm has seen no data and is linear.
    added = 2 * math.log(3) * network.projection.weight.sum(dim=1)
    torch.testing.assert_close(network(3 * x) - network(x), added.expand(2, 4, 4), atol=1e-4, rtol=0)


def test_shallow_convnet_is_finite_on_a_flat_signal():
    network = ShallowConvNet(3, 50, dim=4)
    network(torch.zeros(2, 3, 200)).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_feature_gru_is_a_gru_over_features_flattened():
    network = FeatureGRU(7, 1, dim=3, hidden=5)
    cell = torch.nn.GRUCell(1, 5)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in network.recurrent.state_dict().items()})
    x = torch.randn(4, 7, 1)
    state, states = torch.zeros(4, 5), []
    for feature in range(7):
        state = cell(x[:, feature], state)
        states.append(state)
    expected = network.projection(torch.cat(states, dim=1))
    torch.testing.assert_close(network(x)[:, 0], expected, atol=1e-6, rtol=1e-5)


def test_feature_gru_reads_frames_apart():
    network = FeatureGRU(3, 4, dim=2, hidden=5)
    x = torch.randn(2, 3, 12)
    # Sums may be ordered by how many frames there are.
    alone = torch.cat([network(x[:, :, k : k + 4]) for k in (0, 4, 8)], dim=1)
    torch.testing.assert_close(network(x), alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dim", [8, 64])
def test_sinusoids_tell_distances(dim):
    """The product of two positions depends on their distance alone: the sum of cos(rate * distance)."""
    positions = sinusoids(200, dim).double()
    rates = 10_000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    distances = torch.arange(200)[:, None] - torch.arange(200)
    expected = torch.cos(distances[..., None] * rates).sum(dim=-1)
    # Angles up to 200 in float32 are right to 1e-5.
    torch.testing.assert_close(positions @ positions.T, expected, atol=1e-4 * dim, rtol=0)


def test_transformer_knows_where_a_frame_is():
    network = Transformer(2, 16, dim=8).eval()
    frames = network(torch.randn(1, 2, 16).repeat(1, 1, 10))
    # The first and last frame differ by the stem's zeros; the others only by their position.
    assert (frames[0, 2:8] - frames[0, 1:7]).abs().amax(dim=1).min() > 1e-3


def test_residual_block_without_its_convolutions_is_the_skip_path():
    block = ResidualBlock(4, 4, 5, 1, 0.0).eval()
    torch.nn.init.zeros_(block.norms[1].weight)
    x = torch.randn(2, 4, 3, 10)
    assert torch.equal(block(x), functional.gelu(x))


def test_emg_cnn_learns_which_muscle_is_active():
    """Noise that is twice as large on one of four channels: only its power tells which."""

    def noise(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        active = torch.randint(4, (n,))
        return torch.randn(n, 4, 400) * (1 + functional.one_hot(active, 4))[:, :, None], active

    x, active = noise(128)
    network = EMGCNN(4, 200, dim=4, widths=(8, 16))
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(15):
        for rows in torch.randperm(128).split(32):
            optimizer.zero_grad()
            functional.cross_entropy(network(x[rows]).mean(dim=1), active[rows]).backward()
            optimizer.step()
    x, active = noise(128)
    # Chance is a quarter.
    assert (network.eval()(x).mean(dim=1).argmax(dim=1) == active).float().mean() > 0.9


@pytest.mark.parametrize("widths", [(64, 128), (64, 128, 256, 512)])
def test_ca_rnn_has_three_convolutions(widths):
    with pytest.raises(ValueError, match=r"widths are .*allowed are three"):
        CARNN(4, 64, widths=widths)
