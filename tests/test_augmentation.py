"""Transforms of segments, what each keeps and what it changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_builders.augmentation.basic import BASIC, level_and_spread
from data_builders.augmentation.electrodes import has_homologues, homologues, is_ring
from data_builders.augmentation.intermediate import INTERMEDIATE
from data_builders.augmentation.mixing import cutmix, mixup, partners

EEG = ("AF3", "F7", "Fz", "AF4", "F8", "Cz")
RING = tuple(f"emg{k}" for k in range(1, 7))
N_SEGMENTS, N_CHANNELS, RATE, SECONDS = 40, 6, 128, 4
KINDS = torch.arange(N_SEGMENTS) % 3
EXTRA = {
    "mixup": {"kinds": KINDS},
    "cutmix": {"kinds": KINDS},
    "swap_hemispheres": {"channel_names": EEG},
    "rotate_ring": {"channel_names": RING},
}
ALL = BASIC | INTERMEDIATE
STAY_IN_TIME = sorted(
    set(ALL) - {"shift", "time_warping", "window_slicing", "rotate_ring", "swap_hemispheres"}
)


def segments(rate=RATE, n_channels=N_CHANNELS, seed=0) -> torch.Tensor:
    """Smoothed noise of unit scale on levels far from 0, as temperature has."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((N_SEGMENTS, n_channels, rate * SECONDS + 4))
    smooth = sum(noise[..., k : k + rate * SECONDS] for k in range(5)) / np.sqrt(5)
    return torch.tensor(smooth + 33 + rng.standard_normal((N_SEGMENTS, n_channels, 1)), dtype=torch.float32)


def apply(name, x, seed=0, **strength):
    out = ALL[name](x, torch.Generator().manual_seed(seed), **EXTRA.get(name, {}), **strength)
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize("name", ALL)
def test_a_transform_changes_most_segments_and_repeats_itself_by_its_generator(name):
    x = segments()
    before = x.clone()
    torch.manual_seed(np.random.default_rng().integers(1000))  # the global state must not matter
    state = torch.get_rng_state()
    out = apply(name, x)
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(out, apply(name, x))
    assert not torch.equal(out, apply(name, x, seed=1))
    # A swap of half of the segments leaves the most alone: 20 of 40, by chance 12 or more.
    assert (out != x).any(dim=(1, 2)).sum() >= 12


@pytest.mark.parametrize("name", sorted(set(ALL) - {"mixup", "cutmix"}))
def test_segments_of_a_batch_are_changed_each_on_its_own(name):
    x = segments()[:1].expand(N_SEGMENTS, -1, -1)
    assert len(apply(name, x).unique(dim=0)) > 1


@pytest.mark.parametrize("name", ALL)
def test_no_strength_changes_nothing(name):
    x = segments()
    out = apply(name, x, strength=0)
    # Fourier there and back in float32 on values near 33: within 1e-4.
    np.testing.assert_allclose(out, x, atol=1e-4)


@pytest.mark.parametrize("name", STAY_IN_TIME)
def test_nan_stays_where_it_is(name):
    x = segments()
    x[::3, 1, 100:150] = torch.nan
    x[5, 2] = torch.nan
    kept = apply(name, x).isnan()
    if name in ("mixup", "cutmix"):  # the partner may bring NaN of its own
        assert kept.sum() >= x.isnan().sum() if name == "mixup" else kept.any()
        assert not kept[:, [0, 3, 4, 5]].any()
    else:
        assert torch.equal(kept, x.isnan())


@pytest.mark.parametrize("name", ["shift", "time_warping", "window_slicing"])
def test_time_changes_alike_at_every_rate(name):
    """A slow wave at 64 and at 512 Hz is read at the same moments after the change."""

    def wave(rate, n_channels):
        time = (torch.arange(rate * SECONDS) + 0.5) / rate
        return torch.sin(2 * np.pi * 0.25 * time).expand(N_SEGMENTS, n_channels, -1)

    slow, fast = apply(name, wave(64, 1)), apply(name, wave(512, 3))
    # The mean of 8 fast samples stands in the middle of a slow one; a shift rounds to samples of
    # 1/64 s, in which the wave moves by 2 pi / 4 / 64 = 0.025.
    np.testing.assert_allclose(slow[:, 0], fast[:, 2].reshape(N_SEGMENTS, -1, 8).mean(dim=2), atol=0.03)
    assert (slow - wave(64, 1)).abs().max() > 0.1


def test_warped_time_never_runs_backwards_and_keeps_its_ends():
    ramp = torch.arange(1000.0).expand(200, 1, -1)
    warped = apply("time_warping", ramp, strength=0.9)
    speed = warped.diff(dim=2)
    assert speed.min() >= 0
    assert speed[..., 10:-10].min() > 0  # before the first and behind the last sample it stands still
    assert speed.max() < 1.9 + 1e-3  # float32 differences of numbers near 1000
    assert warped[..., 0].max() < 3
    assert warped[..., -1].min() > 996


def test_a_shift_rolls():
    x = segments()
    out = apply("shift", x, strength=0.5)
    np.testing.assert_array_equal(out.sort(dim=2).values, x.sort(dim=2).values)


def test_noise_has_the_asked_size_in_units_of_each_channel():
    x = segments() * torch.tensor([1e-3, 1, 1, 1, 1, 1e3])[:, None]
    noise = apply("jitter", x, strength=0.2) - x
    ratio = noise.std(dim=(0, 2)) / level_and_spread(x)[1].square().mean(dim=0).sqrt()[:, 0]
    # 40 x 512 draws: 0.5 % of spread; float32 at a level of 33 000 adds little.
    np.testing.assert_allclose(ratio, 0.2, rtol=0.05)


@pytest.mark.parametrize("name", ["scaling", "magnitude_warping"])
def test_a_gain_leaves_the_level_alone(name):
    x = segments()
    out = apply(name, x, strength=0.3)
    # Means move only as the warp weighs parts of a segment: far less than a gain on 33 would move them.
    assert (out.mean(dim=2) - x.mean(dim=2)).abs().max() < 0.5
    mean = x.mean(dim=2, keepdim=True)
    gain = ((out - mean) / (x - mean))[(x - mean).abs() > 0.1]  # elsewhere rounding at 33 tells
    assert gain.min() > 0
    # 240 channels draw once, or four times: 5 % of spread.
    assert gain.log().std() == pytest.approx(0.3, rel=0.15)


def test_dropout_flattens_channels_at_their_mean_and_never_all():
    x = segments()
    out = apply("channel_dropout", x, strength=0.95)
    flat = (out == out[..., :1]).all(dim=2)
    assert 0.7 < flat.float().mean() < 1
    assert not flat.all(dim=1).any()
    np.testing.assert_allclose(out.mean(dim=2), x.mean(dim=2), atol=1e-4)


def test_a_mask_covers_one_stretch_of_the_asked_length():
    changed = (apply("time_masking", segments(), strength=0.25) != segments()).any(dim=1)
    assert (changed.sum(dim=1) - 128).abs().max() <= 1
    assert ((changed.int().diff(dim=1) == 1).sum(dim=1) <= 1).all()


def spectra(x):
    return torch.fft.rfft(x - x.mean(dim=2, keepdim=True)).abs()


@pytest.mark.parametrize("n_samples", [511, 512])
def test_a_surrogate_keeps_power_and_correlations(n_samples):
    x = segments()[..., :n_samples]
    out = apply("phase_randomisation", x)
    np.testing.assert_allclose(spectra(out), spectra(x), atol=0.02)  # of amplitudes up to 60, in float32
    np.testing.assert_allclose(out.mean(dim=2), x.mean(dim=2), atol=1e-4)
    for before, after in zip(x, out, strict=True):
        np.testing.assert_allclose(torch.corrcoef(after), torch.corrcoef(before), atol=1e-3)
    assert (torch.corrcoef(torch.stack([x[0, 0], out[0, 0]]))[0, 1]).abs() < 0.4


def test_a_stopped_band_is_empty_and_the_others_whole():
    x = segments()
    ratio = spectra(apply("band_stop", x, strength=0.2)) / spectra(x)
    changed = ratio[:, :, 1:].mean(dim=1) < 0.99
    # A band of a fifth of the 256 components, or part of it at the edges.
    assert changed.sum(dim=1).max() <= 52
    assert changed.sum(dim=1).min() >= 20
    assert ratio[:, :, 1:].amin(dim=(1, 2)).max() < 0.01
    np.testing.assert_allclose(ratio[:, :, 1:].mean(dim=1)[~changed], 1, atol=0.01)


def test_masked_frequencies_are_gone_from_all_channels():
    x = segments()
    before, after = (
        spectra(y)[..., 1:].transpose(1, 2) for y in (x, apply("frequency_masking", x, strength=0.3))
    )
    gone = after.amax(dim=2) < 0.01
    np.testing.assert_allclose(after[~gone], before[~gone], atol=0.01)  # of amplitudes up to 60, in float32
    # 40 x 256 draws of chance .3: a standard deviation of .005.
    assert gone.float().mean() == pytest.approx(0.3, abs=0.02)


def test_partners_are_others_of_the_same_kind():
    kinds = torch.tensor([0, 1, 0, 2, 1, 0, 1, 0, 0])
    for seed in range(20):
        partner = partners(kinds, torch.Generator().manual_seed(seed))
        assert torch.equal(kinds[partner], kinds)
        assert torch.equal(partner.sort().values, torch.arange(9))
        assert partner[3] == 3  # alone
        assert (partner == torch.arange(9)).sum() == 1


def test_mixup_is_the_weighted_mean_of_the_segment_and_its_partner():
    x = segments()
    mixed, partner, weight = mixup(x, torch.Generator().manual_seed(0), KINDS, strength=0.4)
    wanted = weight[:, None, None] * x + (1 - weight[:, None, None]) * x[partner]
    np.testing.assert_allclose(mixed, wanted, atol=1e-5)
    assert weight.min() >= 0.6
    assert weight.max() <= 1


def test_cutmix_takes_the_rest_of_the_weight_from_the_partner():
    x = segments()
    mixed, partner, weight = cutmix(x, torch.Generator().manual_seed(0), KINDS)
    assert ((mixed == x) | (mixed == x[partner])).all()
    np.testing.assert_allclose((mixed == x).all(dim=1).float().mean(dim=1), weight, atol=1e-6)
    assert weight.min() >= 0.6 - 1 / 512  # the stretch is rounded to samples


def test_hemispheres_are_swapped_by_name():
    x = segments()
    assert homologues(EEG) == [3, 4, 2, 0, 1, 5]
    assert homologues(["T7", "PO10", "FCz", "po9", "T8", "CB1", "CB2"]) == [4, 3, 2, 1, 0, 6, 5]
    out = apply("swap_hemispheres", x, strength=1)
    assert torch.equal(out, x[:, [3, 4, 2, 0, 1, 5]])


def test_all_channels_that_cannot_be_swapped_are_named():
    with pytest.raises(
        ValueError, match=r"\['hEOG', 'ecg'\] are no places.*\['F3', 'P8'\] have no homologue"
    ):
        homologues(["F3", "hEOG", "Cz", "P8", "ecg"])
    assert has_homologues(EEG)
    assert not has_homologues(["F3", "Cz"])
    assert not has_homologues(["Fz", "Cz"])  # nothing to swap


def test_a_ring_is_turned_by_a_place_either_way_or_stays():
    x = segments()
    out = apply("rotate_ring", x)
    turns = torch.stack([(out == x.roll(k, dims=1)).all(dim=(1, 2)) for k in (-1, 0, 1)])
    assert (turns.sum(dim=0) == 1).all()
    assert (turns.sum(dim=1) > 0).all()


@pytest.mark.parametrize(
    "names",
    [("corrugator", "zygomaticus", "trapezius", "biceps"), ("e1", "e2", "e4", "e3"), ("e1", "e2", "e3")],
)
def test_what_is_no_ring_is_not_turned(names):
    assert not is_ring(names)
    with pytest.raises(ValueError, match=f"{names[0]}.*emg1 to emg8"):
        INTERMEDIATE["rotate_ring"](torch.zeros(2, len(names), 8), torch.Generator(), names)
