"""Quantile bins are equal in frequency; learned codebooks give codes that lead back to their vectors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.base import clone

from encoders.bins import QuantileBins
from encoders.quantizers import QUANTIZERS, VQ, KMeansVQ, ResidualVQ

DIM = 12


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(name, frames, **options):
    quantizer = QUANTIZERS[name](DIM, **options)
    quantizer.train()
    for _ in range(5):
        quantizer(frames)
    if isinstance(quantizer, KMeansVQ):
        quantizer.fit(frames.detach())
    return quantizer.eval()


@pytest.fixture
def frames():
    return torch.randn(40, 15, DIM)


@pytest.mark.parametrize("n_bins", [2, 5, 16])
def test_bins_hold_equally_many_training_values(n_bins):
    values = np.random.default_rng(0).lognormal(size=(n_bins * 50, 3))
    codes = QuantileBins(n_bins).fit_transform(values)
    for column in codes.T:
        # Edges are values; where a quantile falls between two, a bin has one value more or less.
        np.testing.assert_allclose(np.bincount(column, minlength=n_bins), 50, atol=1)


def test_codes_rise_with_the_value():
    values = np.random.default_rng(0).normal(size=(100, 1))
    bins = QuantileBins(8).fit(values)
    codes = bins.transform(np.sort(values, axis=0))[:, 0]
    assert (np.diff(codes) >= 0).all()
    np.testing.assert_array_equal(bins.transform([[-1e9], [1e9]])[:, 0], [0, 7])


def test_equal_values_share_a_bin_and_no_bin_is_empty():
    values = np.array([0.0] * 60 + [1.0] * 20 + list(np.linspace(2, 3, 20)))[:, None]
    bins = QuantileBins(10).fit(values)
    counts = np.bincount(bins.transform(values)[:, 0])
    assert len(counts) == bins.n_bins_[0] < 10
    assert counts.min() > 0
    assert counts[0] == 60


def test_nan_is_left_out_and_coded_apart():
    values = np.random.default_rng(0).normal(size=(200, 2))
    holes = values.copy()
    holes[::3, 0] = np.nan
    bins = QuantileBins(4).fit(holes)
    np.testing.assert_array_equal(
        bins.edges_[0], QuantileBins(4).fit(values[~np.isnan(holes[:, 0])]).edges_[0]
    )
    codes = bins.transform(holes)
    np.testing.assert_array_equal(codes[:, 0] == -1, np.isnan(holes[:, 0]))
    assert codes[:, 1].min() == 0
    assert codes.dtype == np.int64


def test_bins_follow_scikit_learn():
    bins = QuantileBins(4).fit(np.arange(12.0)[:, None])
    assert clone(bins).n_bins == 4
    assert not hasattr(clone(bins), "edges_")
    with pytest.raises(ValueError, match="2 features"):
        bins.transform(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="n_bins is 1"):
        QuantileBins(1).fit(np.zeros((3, 2)))


@pytest.mark.parametrize("name", QUANTIZERS)
def test_codes_lead_back_to_the_quantized_frames(name, frames):
    quantizer = trained(name, frames)
    quantized, codes, loss = quantizer(frames)
    assert quantized.shape == frames.shape
    assert codes.shape == (len(frames), frames.shape[1] * quantizer.codes_per_frame)
    assert codes.dtype == torch.int64
    assert loss.ndim == 0
    assert 0 <= codes.min() <= codes.max() < quantizer.codebook_size
    assert quantizer.codebook.shape == (quantizer.codebook_size, quantizer.codebook_dim)
    # The same numbers, up to the order in which float32 adds the levels of a residual codebook up.
    torch.testing.assert_close(quantizer.frames(codes), quantized)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_codes_of_a_segment_do_not_depend_on_its_batch(name, frames):
    quantizer = trained(name, frames)
    alone = torch.cat([quantizer(segment[None])[1] for segment in frames])
    assert torch.equal(alone, quantizer(frames)[1])


@pytest.mark.parametrize("name", QUANTIZERS)
def test_gradient_passes_through(name, frames):
    quantizer = trained(name, frames).train()
    if name == "kmeans":
        quantizer = QUANTIZERS[name](DIM).train()  # whose frames pass unchanged until it is fitted
    frames = frames.clone().requires_grad_()
    quantizer(frames)[0].pow(2).sum().backward()
    assert (frames.grad.abs().sum(dim=-1) > 0).float().mean() > 0.99


@pytest.mark.parametrize("name", QUANTIZERS)
def test_deterministic_and_kept_by_a_state_dict(name, frames):
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(trained(name, frames))
    one, two = (quantizer.state_dict() for quantizer in runs)
    assert all(torch.equal(one[key], two[key]) for key in one)
    copy = QUANTIZERS[name](DIM).eval()
    copy.load_state_dict(runs[0].state_dict())
    assert torch.equal(copy(frames)[1], runs[0](frames)[1])
    torch.testing.assert_close(copy.codebook, runs[0].codebook)


def test_vq_uses_its_whole_codebook_on_clusters():
    centres = torch.nn.functional.normalize(torch.randn(8, DIM), dim=1) * 10
    frames = (centres[torch.randint(8, (60, 15))] + 0.1 * torch.randn(60, 15, DIM)).requires_grad_()
    quantizer = trained("vq", frames, codebook_size=8, codebook_dim=8)
    _, codes, _ = quantizer(frames)
    assert len(codes.unique()) == 8
    torch.testing.assert_close(quantizer.codebook.norm(dim=1), torch.ones(8))


def test_vq_in_eval_mode_leaves_the_codebook_alone(frames):
    quantizer = trained("vq", frames)
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer(10 * frames + 3)
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())


@pytest.mark.parametrize("make", [VQ, ResidualVQ])
def test_an_untrained_vq_says_so(frames, make):
    with pytest.raises(RuntimeError, match="never trained"):
        make(DIM).eval()(frames)


def test_each_level_of_a_residual_codebook_comes_closer(frames):
    """Levels have codes of their own, and the sum over more of them leaves less of the frames over."""
    quantizer = trained("rvq", frames, levels=3, codebook_size=16, codebook_dim=DIM)
    _, codes, _ = quantizer(frames)
    by_level = codes.unflatten(1, (-1, 3))
    assert [int(by_level[..., k].min()) // 16 for k in range(3)] == [0, 1, 2]
    assert [int(by_level[..., k].max()) // 16 for k in range(3)] == [0, 1, 2]
    parts = quantizer.decode(codes).unflatten(1, (-1, 3)).cumsum(dim=2)
    left = [(frames - parts[:, :, k]).pow(2).mean() for k in range(3)]
    assert left[0] > left[1] > left[2]


def test_k_means_finds_planted_clusters():
    centres = 10 * torch.eye(DIM)[:8]
    frames = centres[torch.randint(8, (60, 15))] + 0.1 * torch.randn(60, 15, DIM)
    quantizer = trained("kmeans", frames, codebook_size=8)
    distances = torch.cdist(centres, quantizer.codebook).min(dim=1).values
    # The mean of about 110 points of spread 0.1 in 12 dimensions is 0.1 * sqrt(12 / 110) = 0.03 away.
    assert distances.max() < 0.1
    with pytest.raises(ValueError, match="900 frames for a codebook of 1000"):
        KMeansVQ(DIM, 1000).fit(frames)


@pytest.mark.parametrize("name", ["fsq", "scalar"])
def test_fsq_levels_are_checked(name):
    with pytest.raises(ValueError, match=r"\[2, 4\]"):
        QUANTIZERS[name](DIM, levels=(2, 4))


@pytest.mark.parametrize("levels", [(4, 4, 4), (3, 5, 8), (5,) * DIM])
def test_dimensions_apart_are_those_of_the_combination(frames, levels):
    """With the same projections both quantizers round alike; codes of a dimension rise with its value."""
    apart = QUANTIZERS["scalar"](DIM, levels=levels).eval()
    if len(levels) < DIM:  # so many combinations have no codebook
        together = QUANTIZERS["fsq"](DIM, levels=levels).eval()
        together.load_state_dict(apart.state_dict(), strict=False)
        torch.testing.assert_close(apart(frames)[0], together(frames)[0])
    codes = apart(frames)[1].unflatten(1, (-1, len(levels)))
    starts = np.cumsum([0, *levels])
    for k, (first, stop) in enumerate(itertools.pairwise(starts)):
        assert first <= codes[..., k].min() <= codes[..., k].max() < stop
        values = apart.quantizer.project_in(frames)[..., k].flatten()
        assert (codes[..., k].flatten()[values.argsort()].diff() >= 0).all()
