"""One contract for every network: shapes, gradients, seeds, autocast, compile, export, errors, CUDA."""

from __future__ import annotations

import copy

import pytest
import torch

from encoders.networks import ENCODERS

SHAPES = [(7, 240, 16), (62, 200, 50), (3, 1000, 500), (2, 101, 7), (1, 50, 1)]
"""Channels, samples, samples a frame."""
CAUSAL = ("tcn", "lstm", "gru", "lstm_branch")
ANY_CHANNELS = ("gru_xnet_dynamic",)
"""Networks whose weights serve any montage."""
OPTIONS: dict[str, dict] = {
    "feature_gru": {"hidden": 16},
    "transformer": {"heads": 2},
    "lstm_branch": {"steps": 4},
}
"""Smaller than the defaults where those are slow."""


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make(name: str, n_channels: int = 3, stride: int = 16, dim: int = 8) -> torch.nn.Module:
    return ENCODERS[name](n_channels, stride, dim=dim, **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(("n_channels", "n_samples", "stride"), SHAPES)
def test_frames_of_every_network(name, n_channels, n_samples, stride):
    network = make(name, n_channels, stride, dim=12).eval()
    x = torch.randn(3, n_channels, n_samples)
    frames = network(x)
    assert frames.shape == (3, n_samples // stride, 12)
    assert network.frame_stride == stride
    # A segment's frames do not depend on its batch; float32 sums are ordered by batch size.
    torch.testing.assert_close(network(x[1:2])[0], frames[1], atol=1e-5, rtol=1e-4)
    # The shortest input is one frame, and samples that fill no frame are left out.
    torch.testing.assert_close(network(x[:, :, : n_samples // stride * stride]), frames)
    assert network(x[:, :, :stride]).shape == (3, 1, 12)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_frame_depends_on_its_own_samples(name):
    network = make(name, 2).eval()
    x = torch.randn(1, 2, 160, requires_grad=True)
    for frame in range(10):
        (gradient,) = torch.autograd.grad(network(x)[0, frame].pow(2).sum(), x)
        assert gradient[0, :, frame * 16 : (frame + 1) * 16].abs().amax(dim=1).min() > 0


@pytest.mark.parametrize("name", ENCODERS)
def test_gradients_reach_every_parameter(name):
    network = make(name)
    frames = network(torch.randn(4, 3, 160))
    # Random weights: a plain sum over a normalised vector is constant and has no gradient.
    (frames * torch.randn_like(frames)).sum().backward()
    unreached = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@pytest.mark.parametrize("name", ENCODERS)
def test_same_seed_same_weights_and_same_frames(name):
    x = torch.randn(4, 3, 160)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        network = make(name)
        runs.append((network.state_dict(), network(x)))
    (weights, frames), (weights_again, frames_again), (_, others) = runs
    assert all(torch.equal(value, weights_again[key]) for key, value in weights.items())
    assert torch.equal(frames, frames_again)
    assert not torch.allclose(frames, others)


@pytest.mark.parametrize("name", ENCODERS)
def test_autocast_to_bfloat16_stays_close(name):
    network = make(name)
    x = torch.randn(8, 3, 160)
    network(x)  # One pass in training mode, so that the norms have seen data of this scale.
    network.eval()
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = network(x).float()
    assert rounded.isfinite().all()
    # bfloat16 rounds by up to 0.4 %, here once or twice a layer in at most a dozen layers.
    assert (rounded - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize("name", ENCODERS)
def test_training_in_bfloat16_gives_finite_gradients(name):
    network = make(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        frames = network(torch.randn(4, 3, 160))
    frames.float().pow(2).mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_compiled_trains_and_reads_like_eager(name):
    """With inductor's operators, but run by torch: inductor itself would build C++ for minutes."""
    network = without_dropout(make(name))
    x = torch.randn(4, 3, 48)
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(network), backend="aot_eager_decomp_partition")
    # Decomposed operators may sum in another order; a norm's division makes the most of it.
    torch.testing.assert_close(gradients(compiled, x), gradients(network, x), atol=1e-5, rtol=1e-3)
    network.eval(), compiled.eval()
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), network(x), atol=1e-5, rtol=1e-4)


def without_dropout(network: torch.nn.Module) -> torch.nn.Module:
    """Compiled and eager dropout draw differently."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if isinstance(module, (torch.nn.MultiheadAttention, torch.nn.RNNBase)):
            module.dropout = 0.0
    return network


def gradients(network: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients of every parameter in training mode; fixed weights, as a normalised sum has none."""
    frames = network(x)
    (frames * torch.linspace(-1, 1, frames.numel()).view_as(frames)).mean().backward()
    return {key.removeprefix("_orig_mod."): p.grad for key, p in network.named_parameters()}


# torch puts the weights of recurrent layers back in place while it exports, and says so.
@pytest.mark.filterwarnings("ignore:The tensor attributes")
@pytest.mark.parametrize("name", ENCODERS)
def test_exported_equals_eager_for_any_batch(name):
    network = make(name).eval()
    x = torch.randn(5, 3, 48)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(network, (x[:2],), dynamic_shapes=({0: batch},)).module()
    for n in (1, 5):
        torch.testing.assert_close(exported(x[:n]), network(x[:n]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_other_inputs_are_refused(name):
    network = make(name)
    if name not in ANY_CHANNELS:
        with pytest.raises(ValueError, match=r"\(1, 2, 160\).*\(batch, 3, n_samples\)"):
            network(torch.zeros(1, 2, 160))
    with pytest.raises(ValueError, match=r"\(1, 3, 15\).*at least 16 samples"):
        network(torch.zeros(1, 3, 15))
    with pytest.raises(ValueError, match="n_channels"):
        make(name, n_channels=0)


@pytest.mark.parametrize("stride", [1, 7, 16, 500])
@pytest.mark.parametrize("name", CAUSAL)
def test_causal_networks_do_not_see_the_future(name, stride):
    network = make(name, 2, stride).eval()
    n_frames, changed = 6, 3
    x = torch.randn(1, 2, n_frames * stride)
    later = x.clone()
    later[:, :, changed * stride :] += 10.0
    before, after = network(x), network(later)
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert not torch.allclose(before[:, changed], after[:, changed])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", ENCODERS)
def test_cuda_equals_cpu(name):
    network = make(name).eval()
    x = torch.randn(4, 3, 160)
    on_device = copy.deepcopy(network).cuda()(x.cuda())
    # TF32 convolutions keep 10 bits of the mantissa, 0.1 % a layer.
    torch.testing.assert_close(on_device.cpu(), network(x), atol=1e-2, rtol=1e-2)


def test_an_mlp_without_a_hidden_layer_is_one_affine_map_of_each_frame():
    network = ENCODERS["mlp"](3, 16, dim=8, hidden=0).eval()
    x = torch.randn(2, 3, 40)
    by_hand = [network.second(x[:, :, k * 16 : (k + 1) * 16].flatten(1)) for k in range(2)]
    torch.testing.assert_close(network(x), torch.stack(by_hand, dim=1))
