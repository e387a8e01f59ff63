"""The full set of EEG features against closed forms, SciPy and NeuroKit2."""

from __future__ import annotations

import math
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal, stats

from data_builders.segments import Segments, SignalSpec
from encoders.features import extract_features, why_undefined
from encoders.features.connectivity import coherence, partial_directed_coherence, phase_locking
from encoders.features.eeg import eeg_features
from encoders.features.eeg_full import FULL_BANDS, full_eeg_features
from encoders.features.entropy import (
    differential_entropy,
    permutation_entropy,
    sample_entropy,
    spectral_entropy,
)

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
EPOC = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
REGIONS = ("frontal_left", "frontal_right", "temporal", "parietal", "occipital")
RATE = 128.0


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def sine(frequency: float, sampling_rate: float = RATE, seconds: float = 10) -> np.ndarray:
    """One segment of one channel, shape (1, 1, n_samples)."""
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * sampling_rate)) / sampling_rate)[
        None, None
    ]


def cut(values: np.ndarray, n_samples: int = 1250) -> np.ndarray:
    """Segments of a recording of one channel, shape (n_segments, 1, n_samples)."""
    return values[: len(values) // n_samples * n_samples].reshape(-1, 1, n_samples)


def series() -> dict[str, np.ndarray]:
    """Noise, a walk, a sine with noise, and a series of few values with many ties."""
    walk = noise(600).cumsum()
    return {
        "noise": noise(600),
        "walk": walk,
        "sine": np.sin(np.arange(600) / 5) + 0.1 * noise(600, seed=1),
        "ties": np.round(walk),
    }


@pytest.mark.parametrize("name", list(series()))
@pytest.mark.parametrize(("dimension", "tolerance"), [(2, 0.2), (1, 0.1), (3, 0.5)])
def test_sample_entropy_equals_neurokit(name, dimension, tolerance):
    import neurokit2

    values = series()[name]
    if name == "ties":
        tolerance += 1e-6  # a distance of exactly the tolerance is a matter of rounding
    expected, _ = neurokit2.entropy_sample(
        values, dimension=dimension, tolerance=tolerance * values.std(ddof=1)
    )
    # the same pairs are counted: only the logarithm rounds
    assert sample_entropy(values, dimension, tolerance) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(57,), (3, 20), (1, 1, 1)])
def test_sample_entropy_of_many_series_is_that_of_each(shape):
    """57 series take more than one pass."""
    data = noise(*shape, 300)
    alone = [sample_entropy(row) for row in data.reshape(-1, 300)]
    np.testing.assert_array_equal(sample_entropy(data), np.reshape(alone, shape))


def test_sample_entropy_of_white_noise_has_its_closed_form():
    """-ln P(|difference of two Gaussians| <= 0.2 sd), as one sample tells nothing of the next."""
    expected = -math.log(2 * stats.norm.cdf(0.2 / math.sqrt(2)) - 1)
    # in 20 series of 1,280 samples some 3,000 pairs match each time: 2 % of spread each, under 1 % together
    assert sample_entropy(noise(20, 1280)).mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", ["noise", "walk", "sine"])  # the order of ties is left open there
@pytest.mark.parametrize(("order", "delay"), [(3, 1), (4, 2), (2, 3), (6, 1)])
def test_permutation_entropy_equals_neurokit(name, order, delay):
    import neurokit2

    values = series()[name]
    expected, _ = neurokit2.entropy_permutation(values, dimension=order, delay=delay)
    assert permutation_entropy(values, order, delay) == pytest.approx(expected, rel=1e-12)


def test_permutation_entropy_tells_all_orders_apart():
    """With a delay of 24 each of the 24 stretches of 4 samples has an order of its own: exactly 1."""
    orders = np.array(list(permutations(range(4))), dtype=float)
    assert permutation_entropy(orders.T.ravel(), order=4, delay=24) == pytest.approx(1, rel=1e-12)
    assert permutation_entropy(np.arange(50.0)) == 0


def test_of_equal_samples_the_earlier_is_the_smaller():
    """A staircase then has but one order, upwards; a staircase down has all but that one and its reverse."""
    assert permutation_entropy(np.repeat(np.arange(30.0), 2)) == 0
    down = permutation_entropy(np.repeat(np.arange(30.0)[::-1], 2), order=2)
    # of 59 pairs 30 are equal, which counts as up
    assert down == pytest.approx(stats.entropy([30, 29]) / math.log(2), rel=1e-12)


def test_spectral_entropy_of_lines_is_the_logarithm_of_their_number():
    density = np.zeros((3, 64))
    density[0, 5] = 7.0
    density[1, ::8] = 2.0
    density[2] = 0.1
    np.testing.assert_allclose(spectral_entropy(density), [0, math.log(8) / math.log(64), 1], atol=1e-12)
    shares = noise(64) ** 2
    assert spectral_entropy(shares) == pytest.approx(stats.entropy(shares) / math.log(64), rel=1e-12)


def test_differential_entropy_equals_that_of_a_gaussian():
    data = 3 + 5 * noise(4, 1280)
    np.testing.assert_allclose(differential_entropy(data), stats.norm.entropy(scale=data.std(-1)), rtol=1e-12)


@pytest.mark.parametrize(
    "entropy", [differential_entropy, spectral_entropy, permutation_entropy, sample_entropy]
)
def test_entropy_of_nothing_is_nan(entropy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(entropy(np.zeros((2, 3, 300)))).all()
        assert entropy(np.zeros((0, 3, 300))).shape == (0, 3)


@pytest.mark.parametrize("sampling_rate", [128.0, 200.0, 1000.0])
def test_differential_entropy_of_a_band_is_half_its_log_power(sampling_rate):
    """Of a sine of amplitude 1 in the band; elsewhere the filter leaves far less."""
    values = full_eeg_features(sine(10, sampling_rate), sampling_rate, ["Pz"])
    expected = 0.5 * math.log(2 * math.pi * math.e * 0.5)
    # the filters keep 98 % of the power in the middle of the band
    assert values["de_alpha_pz"][0] == pytest.approx(expected, abs=0.02)
    assert all(values[f"de_{band}_pz"][0] < expected - 1.5 for band in FULL_BANDS if band != "alpha")


def test_delta_and_activity_match_scipy():
    data = noise(3, 1, 1280)
    values = full_eeg_features(data, RATE, ["Pz"])
    frequencies, density = signal.welch(data[:, 0], RATE, nperseg=256)
    power = {name: 0.5 * density[:, (frequencies >= low) & (frequencies < high)].sum(-1)
             for name, (low, high) in FULL_BANDS.items()}  # fmt: skip
    np.testing.assert_allclose(np.exp(values["delta_pz"]), power["delta"], rtol=1e-9)
    np.testing.assert_allclose(values["delta_relative_pz"], power["delta"] / sum(power.values()), rtol=1e-9)
    broad = density[:, (frequencies >= 1) & (frequencies <= 45)]
    np.testing.assert_allclose(np.exp(values["activity_pz"]), 0.5 * broad.sum(-1), rtol=1e-9)
    np.testing.assert_allclose(
        values["spectral_entropy_pz"], stats.entropy(broad, axis=-1) / math.log(89), rtol=1e-9
    )


def test_entropies_do_not_follow_the_sampling_rate_of_the_recording():
    """Noise that fades in and out, at 128 Hz and eight times as fast, which is decimated to 102.4 Hz."""
    fast = signal.resample(noise(20, 1, 1280), 8 * 1280, axis=-1) * signal.windows.tukey(8 * 1280, 0.2)
    slow = full_eeg_features(fast[..., ::8], RATE, ["Pz"])
    for name, value in full_eeg_features(fast, 8 * RATE, ["Pz"]).items():
        if name.startswith("de_"):
            # the decimation's own filter takes less than 1 % of the amplitude below 45 Hz
            assert value.mean() == pytest.approx(slow[name].mean(), abs=0.01), name
        if "entropy" in name:
            # rates that differ by a quarter; without decimation permutation entropy falls by 40 %
            assert value.mean() == pytest.approx(slow[name].mean(), rel=0.1), name


def test_the_full_set_begins_with_the_standard_one():
    data = noise(3, 14, 1280)
    standard, full = eeg_features(data, RATE, EPOC), full_eeg_features(data, RATE, EPOC)
    assert list(full)[: len(standard)] == list(standard)
    for name, value in standard.items():
        np.testing.assert_array_equal(full[name], value)


def test_connectivity_is_the_mean_over_the_pairs_of_two_regions():
    data = noise(3, 14, 1280)
    values = full_eeg_features(data, RATE, EPOC)
    temporal, occipital = [4, 9], [6, 7]
    for name, function in {"plv": phase_locking, "coherence": coherence}.items():
        pairs = [function(data, RATE, (8.0, 13.0))[:, one, other] for one in temporal for other in occipital]
        np.testing.assert_allclose(
            values[f"{name}_alpha_temporal_and_occipital"], np.mean(pairs, 0), rtol=1e-9
        )
    assert sum(name.startswith("plv_alpha") for name in values) == 10  # pairs of 5 regions
    directed = {f"pdc_alpha_{one}_to_{other}" for one, other in permutations(REGIONS, 2)}
    assert {name for name in values if name.startswith("pdc_alpha")} == directed


def test_direction_is_told_from_source_to_sink():
    data = noise(4, 2, 1280)
    data[:, 1, 2:] += 2 * data[:, 0, :-2]
    values = full_eeg_features(1000 * data, RATE, ["Cz", "Pz"])
    expected = partial_directed_coherence(data / data.std(-1, keepdims=True), RATE, (8.0, 13.0))
    np.testing.assert_allclose(values["pdc_alpha_cz_to_pz"], expected[:, 1, 0], rtol=1e-6)
    # 2 sds of source in 2.2 sds of sink; the eight coefficients back have a standard error of 0.03 each
    assert (values["pdc_alpha_cz_to_pz"] > 0.5).all()
    assert (values["pdc_alpha_pz_to_cz"] < 0.4).all()


def test_channels_outside_the_regions_are_not_paired():
    names = [f"electrode {k}" for k in range(1, 9)]
    assert not [name for name in full_eeg_features(noise(1, 8, 640), RATE, names) if name.startswith("plv")]
    values = full_eeg_features(noise(1, 16, 1280), RATE, [*EPOC, "CB1", "CB2"])
    assert "delta_cb1" in values
    assert not [name for name in values if name.startswith(("plv", "pdc")) and "cb" in name]


def defined(values: dict[str, np.ndarray], kind: str) -> bool:
    return all(np.isfinite(value).all() for name, value in values.items() if name.startswith(kind))


@pytest.mark.parametrize(
    ("sampling_rate", "shortest"),
    [
        (128.0, {"delta": 2, "sample_entropy": 2, "plv": 4, "coherence": 4, "pdc": 400 / 128}),
        (1000.0, {"delta": 2, "sample_entropy": 2, "plv": 4, "coherence": 4, "pdc": 4}),
        (64.0, {"delta": 2, "sample_entropy": 200 / 64, "plv": 4, "coherence": 4, "pdc": 400 / 64}),
    ],
)
def test_features_begin_at_their_shortest_segment(sampling_rate, shortest):
    """80 samples at 100 to 200 Hz for each of five regions, and so on; a moment below it all are NaN."""
    for kind, seconds in shortest.items():
        n_samples = round(seconds * sampling_rate)
        below = 1 if sampling_rate < 200 else 10  # decimation rounds up
        data = noise(2, 14, n_samples)
        assert defined(full_eeg_features(data, sampling_rate, EPOC), kind), kind
        short = full_eeg_features(data[..., :-below], sampling_rate, EPOC)
        assert all(np.isnan(value).all() for name, value in short.items() if name.startswith(kind)), kind


def test_long_segments_are_cut_into_pieces_for_sample_entropy():
    """25 s are three pieces of 8.33 s: two of noise and one of a sine."""
    data = noise(1, 1, 3200)
    data[..., 2133:] = 3 * np.sin(np.arange(1067) / 3)
    whole = full_eeg_features(data, RATE, ["Pz"])["sample_entropy_pz"][0]
    parts = [
        full_eeg_features(part, RATE, ["Pz"])["sample_entropy_pz"][0]
        for part in (data[..., :1066], data[..., 1066:2132], data[..., 2134:])
    ]
    assert whole == pytest.approx(np.mean(parts), rel=0.05)  # the filter differs at the seams


@pytest.mark.parametrize("seconds", [0.1, 2, 10])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_constants_and_short_windows_raise_no_warning(seconds, level):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = full_eeg_features(np.full((2, 14, round(seconds * RATE)), level), RATE, EPOC)
    assert all(np.isnan(value).all() for name, value in values.items() if not name.startswith("faa"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gap_touches_no_other_segment_and_only_what_needs_its_channel(value):
    clean = noise(3, 14, 1280).astype(np.float32)
    broken = clean.copy()
    broken[1, EPOC.index("O1"), 5] = value
    spec = {"eeg": SignalSpec(RATE, EPOC, "µV")}
    table = pd.DataFrame({"segment": ["a", "b", "c"]})
    whole, values = (
        extract_features(Segments({"eeg": data}, table, spec), "full") for data in (clean, broken)
    )
    pd.testing.assert_frame_equal(values.iloc[[0, 2]], whole.iloc[[0, 2]], rtol=1e-9)
    lost = set(values.columns[values.iloc[1].isna()])
    assert lost == {name for name in values if "occipital" in name or name.startswith("eeg_pdc")}


def test_a_dead_electrode_is_not_hidden_in_its_region():
    data = noise(1, 14, 1280)
    data[0, EPOC.index("O1")] = 4.2
    values = full_eeg_features(data, RATE, EPOC)
    lost = {name for name, value in values.items() if np.isnan(value).all()}
    assert lost == {name for name in values if "occipital" in name or name.startswith("pdc")}


def test_short_segments_say_why_they_have_no_value():
    spec = {"eeg": SignalSpec(RATE, EPOC, "µV")}
    data = noise(1, 14, 450)  # 3.5 s: enough for 400 samples of the autoregression, not for locking
    reasons = why_undefined(Segments({"eeg": data}, pd.DataFrame({"segment": ["a"]}), spec)).iloc[0]
    assert "is below 4 s" in reasons["eeg_plv_delta_temporal_and_parietal"]
    assert reasons["eeg_sample_entropy_temporal"] == reasons["eeg_pdc_delta_temporal_to_parietal"] == ""


def test_a_gap_anywhere_is_why_no_region_leads_another():
    spec = {"eeg": SignalSpec(RATE, ("F3", "F4", "P3"), "µV")}
    data = noise(1, 3, 1024)
    data[0, 2, 5] = np.nan
    told = why_undefined(Segments({"eeg": data}, pd.DataFrame({"segment": ["a"]}), spec)).iloc[0]
    assert told["eeg_pdc_theta_f3_to_f4"] == "the signal has a gap"
    assert told["eeg_theta_f3"] == ""


def test_a_window_without_a_bin_in_the_band_is_told():
    spec = {"eeg": SignalSpec(RATE, ("F3",), "µV")}
    segments = Segments({"eeg": noise(1, 1, 12)}, pd.DataFrame({"segment": ["a"]}), spec)
    assert np.isnan(extract_features(segments, "full")["eeg_theta_f3"][0])
    assert "too short for a bin" in why_undefined(segments)["eeg_theta_f3"][0]


def test_closed_eyes_have_more_alpha_and_no_blinks():
    """Berger's effect in a recording of one person at 125 Hz; the blinks of open eyes are delta."""
    files = [SAMPLES / f"biosppy_eeg_{eyes}.txt" for eyes in ("ec", "eo")]
    if not all(path.exists() for path in files):
        pytest.skip("the EEG of BioSPPy is not at shared/data/samples")
    closed, opened = (full_eeg_features(cut(np.loadtxt(path)), 125.0, ["EEG"]) for path in files)
    for name, sign in {"de_alpha_eeg": 1, "delta_eeg": -1, "de_delta_eeg": -1}.items():
        # a rank test over 30 and 24 segments, of the strongest effects in EEG
        test = stats.mannwhitneyu(sign * closed[name], sign * opened[name], alternative="greater")
        assert test.pvalue < 1e-3, name


def test_rates_that_hold_no_eeg_are_refused():
    with pytest.raises(ValueError, match=r"8\.0 Hz; the full set of EEG features needs 20 Hz"):
        full_eeg_features(noise(1, 1, 80), 8.0, ["Pz"])
    assert "de_beta_pz" in full_eeg_features(noise(1, 1, 600), 60.0, ["Pz"])  # ends at half the rate
