"""What is said of a codebook: usage, perplexity, what it keeps, and its information about labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.code_statistics import bin_statistics, code_statistics, mutual_information
from encoders.quantizers import QUANTIZERS, KMeansVQ


def clusters(n_codes=8, spread=0.01):
    torch.manual_seed(0)
    centres = torch.randn(n_codes, 6)
    which = torch.arange(n_codes).repeat(20)
    frames = centres[which] + spread * torch.randn(len(which), 6)
    return frames[:, None, :], which.numpy()  # a frame a segment


def fitted(frames, size):
    quantizer = KMeansVQ(6, size).eval()
    quantizer.fit(frames)
    return quantizer


def test_a_codebook_that_meets_its_clusters_loses_nothing():
    frames, which = clusters()
    found = code_statistics(fitted(frames, 8), frames, which.astype(str))
    assert found["usage"] == 1
    assert found["perplexity"] == pytest.approx(8)
    assert found["label_entropy"] == pytest.approx(3)
    # Codes and labels are one to one; of 160 draws of 8 x 8 cells chance has about 0.22 bits (Miller 1955).
    assert found["mutual_information"] == pytest.approx(3 - 49 / (2 * 160 * np.log(2)), abs=0.04)
    # What is left is the noise's share of the variance, 0.01² against about 1.
    assert found["reconstruction_error"] < 1e-3


def test_unused_codes_and_unknown_labels():
    frames, which = clusters()
    quantizer = fitted(frames, 8)
    labels = np.where(which < 2, "a", "b").astype(object)
    labels[which == 1] = None
    some = torch.as_tensor(which < 4)
    found = code_statistics(quantizer, frames[some], labels[some.numpy()])
    assert found["usage"] == pytest.approx(0.5)
    assert found["perplexity"] == pytest.approx(4)
    assert found["label_entropy"] == pytest.approx(-(1 / 3 * np.log2(1 / 3) + 2 / 3 * np.log2(2 / 3)))


def test_bins_of_a_uniform_feature_meet_their_closed_form():
    values = (np.arange(800) + 0.5) / 800
    bins = np.repeat(np.arange(8), 100)
    labels = (values > 0.5).astype(str).astype(object)
    found = bin_statistics(np.r_[values, np.nan], np.r_[bins, -1], 16, np.r_[labels, None])
    assert found["usage"] == 0.5
    assert found["perplexity"] == pytest.approx(8)
    # Of a uniform variable eight equal bins leave 1 / 8² of the variance.
    assert found["reconstruction_error"] == pytest.approx(1 / 64, rel=1e-3)
    assert found["mutual_information"] == pytest.approx(1 - 7 / (2 * 800 * np.log(2)), abs=0.005)
    assert found["label_entropy"] == pytest.approx(1)


def test_independent_codes_have_no_information():
    rng = np.random.default_rng(0)
    found = [mutual_information(rng.integers(0, 64, (2000, 1)), rng.integers(0, 4, 2000)) for _ in range(20)]
    # Uncorrected it would be 63 * 3 / (2 * 2000 * ln 2) = 0.068 bits; chance scatters by about 0.007.
    assert np.mean(found) == pytest.approx(0, abs=0.005)


def test_codes_that_are_alike_within_a_segment_know_nothing_of_unrelated_labels():
    rng = np.random.default_rng(0)
    of_segments = [rng.integers(0, 64, (150, 1)) for _ in range(20)]
    found = [mutual_information(codes.repeat(15, axis=1), rng.integers(0, 4, 150)) for codes in of_segments]
    # As 150 draws and not as 2,250: uncorrected it would be about 63 * 3 / (2 * 150 * ln 2) = 0.9 bits.
    assert np.mean(found) == pytest.approx(0, abs=0.05)


def test_information_of_a_noisy_channel_meets_its_closed_form():
    """Labels seen through a binary channel that errs in a tenth: 1 - H(0.1) bits."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 20_000)
    seen = labels ^ (rng.random(20_000) < 0.1)
    expected = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    # The share of errors scatters by sqrt(.09 / 20000) = .002, and the entropy's slope there is 3.2 bits.
    assert mutual_information(seen[:, None], labels) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_every_quantizer_has_statistics(name):
    frames, which = clusters()
    # Few codes: counts of many cells, corrected for their number, would leave no information of 160 draws.
    options = {"levels": (3, 3)} if name in ("fsq", "scalar") else {"codebook_size": 8}
    quantizer = QUANTIZERS[name](6, **options).train()
    for _ in range(3):
        quantizer(frames)
    if hasattr(quantizer, "fit"):
        quantizer.fit(frames)
    found = code_statistics(quantizer.eval(), frames, which)
    assert 0 < found["usage"] <= 1
    assert 1 <= found["perplexity"] <= quantizer.codebook_size
    assert found["mutual_information"] > 0.5
