"""The standard features of EEG against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from made_signals import EPOC, sine
from scipy import signal

from encoders.features.eeg import BANDS, eeg_features


def test_eeg_band_power_matches_scipy_and_the_closed_form():
    rng = np.random.default_rng(0)
    data = sine(10, 128, amplitude=20.0) + rng.normal(size=(3, 1, 2560))
    values = eeg_features(data, 128.0, ["Pz"])
    frequencies, density = signal.welch(data[:, 0], 128.0, nperseg=256)
    inside = (frequencies >= 8) & (frequencies < 13)
    np.testing.assert_allclose(np.exp(values["alpha_pz"]), 0.5 * density[:, inside].sum(-1), rtol=1e-6)
    np.testing.assert_allclose(np.exp(values["alpha_pz"]), 200, rtol=0.02)  # A²/2
    np.testing.assert_allclose(sum(values[f"{band}_relative_pz"] for band in BANDS), 1)


def test_eeg_relative_powers_are_parts_of_their_sum():
    data = np.random.default_rng(3).standard_normal((2, 3, 1280))
    values = eeg_features(data, 128.0, ["F3", "F4", "O1"])
    for name in ("F3", "F4", "O1"):
        power = {
            band: np.exp(values[f"{band}_{name.lower()}"]) for band in ("theta", "alpha", "beta", "gamma")
        }
        for band, value in power.items():
            np.testing.assert_allclose(
                values[f"{band}_relative_{name.lower()}"], value / sum(power.values()), rtol=1e-5
            )


def test_eeg_hjorth_of_a_sine():
    values = eeg_features(sine(10, 256), 256.0, ["Pz"])
    # Hann windows of 2 s smear the line over 1 Hz, which adds 0.2 % to the second moment
    assert values["mobility_pz"][0] == pytest.approx(10, rel=0.01)
    assert values["complexity_pz"][0] == pytest.approx(1, abs=0.02)


def test_eeg_frontal_asymmetry_is_right_minus_left():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4, 14, 2560))
    data[:, EPOC.index("F4")] = 2 * data[:, EPOC.index("F3")]
    values = eeg_features(data, 128.0, EPOC)
    np.testing.assert_allclose(values["faa"], 2 * np.log(2), rtol=1e-6)
    assert len(values) < 80
    expected = {"alpha_frontal_left", "beta_frontal_right", "theta_temporal", "faa_f8_f7", "faa_af4_af3"}
    assert expected <= set(values)


def test_eeg_leaves_out_bands_above_nyquist():
    assert {"beta_cz", "gamma_cz"} & set(eeg_features(sine(6, 64), 64.0, ["Cz"])) == {"beta_cz"}
