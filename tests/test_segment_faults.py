"""Faults that were planted are found, at their share and by name; clean signals have none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_signals import SPECS, batch

from data_builders.channel_words import channel_in_words
from data_builders.segment_faults import lost_modalities, segment_faults, unusable
from data_builders.segments import Segments, SignalSpec
from prompts.facts import Fault

SECONDS = 32


def gsr(seconds: float = SECONDS, rate: float = 8.0, n: int = 4, seed: int = 0) -> np.ndarray:
    """Slow skin conductance, shape (n, 1, n_samples): next to nothing above 1 Hz."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phases = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    return (5 + np.sin(2 * np.pi * 0.1 * time + phases) + 0.3 * np.sin(2 * np.pi * 0.31 * time)).astype("f4")


def faults_of(data: np.ndarray, modality: str = "gsr", spec: SignalSpec | None = None) -> list:
    spec = spec or SPECS[modality]
    table = pd.DataFrame({"segment": [str(k) for k in range(len(data))]})
    return segment_faults(Segments({modality: data.astype(np.float32)}, table, {modality: spec}))


def test_clean_signals_have_no_faults():
    assert faults_of(gsr()) == [()] * 4
    rng = np.random.default_rng(0)
    emg = rng.normal(size=(4, 2, 500 * SECONDS))
    assert faults_of(emg, "emg") == [()] * 4


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_flat_stretch_is_found_at_its_share(share):
    data = gsr()
    first = data.shape[-1] - round(share * data.shape[-1])
    data[1, 0, first:] = data[1, 0, first]
    found = faults_of(data)
    assert [fault[0].what for fault in found if fault] == ["flat"]
    assert found[1][0].channel == "skin conductance"
    # The sample before the stretch may have its value too.
    assert found[1][0].share == pytest.approx(share, abs=0.01)


def test_a_channel_that_died_is_flat_behind_a_filter_too():
    rng = np.random.default_rng(0)
    data = 10 * rng.normal(size=(4, 2, 500 * SECONDS))
    data[2:, 1] = 1e-14 * rng.normal(size=(2, 500 * SECONDS))
    found = faults_of(data, "emg")
    assert found[:2] == [(), ()]
    assert [[(fault.what, fault.share) for fault in each] for each in found[2:]] == [[("flat", 1.0)]] * 2


def test_slow_activity_at_a_high_rate_is_not_flat():
    spec = SignalSpec(1000.0, ("gsr",), "µS")
    slope = 5 + 0.001 * np.arange(1000 * SECONDS) / 1000.0 / 60
    data = np.stack([slope + 0.5 * k for k in range(4)])[:, None]
    table = pd.DataFrame({"segment": [str(k) for k in range(len(data))]})
    assert segment_faults(Segments({"gsr": data}, table, {"gsr": spec})) == [()] * 4


def test_clipping_is_found_at_its_share():
    data = gsr()
    limit = np.quantile(data[2], 0.8)
    data[2] = np.minimum(data[2], limit)
    (fault,) = faults_of(data)[2]
    assert fault.what == "clipped"
    assert fault.share == pytest.approx((data[2] == limit).mean(), abs=0.02)


def test_missing_samples_are_counted():
    data = gsr()
    data[0, 0, :64] = np.nan
    data[1] = np.nan
    assert faults_of(data)[:2] == [
        (Fault("skin conductance", "missing", 0.25),),
        (Fault("skin conductance", "missing", 1.0),),
    ]


@pytest.mark.parametrize("rate", [4.0, 8.0])
def test_noise_in_half_of_a_segment_is_half_of_it(rate):
    data = gsr(rate=rate)
    half = data.shape[-1] // 2
    data[3, 0, :half] = 5 + np.random.default_rng(0).normal(0, 0.2, half)
    found = faults_of(data, spec=SignalSpec(rate, ("EDA",), "µS"))
    assert found == [(), (), (), (Fault("skin conductance", "noise", 0.5),)]


def test_the_last_bit_of_a_converter_is_no_noise():
    data = 0.05 + 0.001 * np.random.default_rng(0).integers(0, 2, (3, 1, 8 * SECONDS))
    assert "noise" not in {fault.what for faults in faults_of(data) for fault in faults}


def test_hum_over_an_eeg_is_noise_on_its_channel_alone():
    rng = np.random.default_rng(0)
    time = np.arange(128 * SECONDS) / 128
    data = 30 * np.sin(2 * np.pi * 10 * time) + rng.normal(size=(2, 2, len(time)))
    data[0, 1] += 100 * np.sin(2 * np.pi * 50 * time)
    found = faults_of(data, "eeg", SignalSpec(128.0, ("F3", "F4"), "µV"))
    assert found == [(Fault("F4 EEG", "noise", 1.0),), ()]


def test_steady_signals_may_hold_a_value():
    saturation = np.full((1, 1, SECONDS), 97.0)
    assert faults_of(saturation, "spo2") == [()]
    pulse = np.repeat([[[70.0, 72.0]]], SECONDS // 2, axis=-1)
    assert faults_of(pulse, "heart_rate") == [()]
    assert faults_of(np.full((1, 1, SECONDS), 70.0), "heart_rate") == [(Fault("heart rate", "flat", 1.0),)]


def test_a_segment_is_unusable_when_most_modalities_are_lost():
    specs = {name: SPECS[name] for name in ("gsr", "heart_rate", "emg")}
    gone = [Fault("skin conductance", "flat", 0.3), Fault("skin conductance", "clipped", 0.3)]
    assert unusable(gone, specs) == ""
    gone.append(Fault("heart rate", "missing", 0.5))
    reason = "most signals are flat, clipped, missing or noisy (skin conductance, heart rate)"
    assert unusable(gone, specs) == reason
    gone.append(Fault("corrugator EMG", "noise", 1.0))
    assert "EMG" not in unusable(gone, specs)  # its other channel is whole
    gone.append(Fault("zygomaticus EMG", "noise", 0.9))
    assert unusable(gone, specs) == "every signal is flat, clipped, missing or noisy"
    for share, lost in ((0.05, []), (0.1, ["heart_rate"])):
        faults = [Fault("heart rate", "noise", 0.4), Fault("heart rate", "flat", share)]
        assert lost_modalities(faults, specs) == lost


def test_every_channel_has_a_name_in_words():
    segments = batch(1)
    names = [
        channel_in_words(modality, channel)
        for modality, spec in segments.specs.items()
        if modality != "features"
        for channel in spec.channel_names
    ]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "_" in name]
    assert channel_in_words("emg", "zEMG") == "zygomaticus EMG"
    assert channel_in_words("acceleration", "ax") == "x acceleration"


@pytest.mark.parametrize(
    ("modality", "channel", "words"),
    [
        ("ecg", "ecg1", "ECG 1"),
        ("eeg", "1", "EEG 1"),
        ("eeg", "EEG F3", "F3 EEG"),
        ("eeg", "fp1", "Fp1 EEG"),
        ("eeg", "FCZ", "FCz EEG"),
        ("eeg", "EEG_C3_A2", "C3-A2 EEG"),
        ("emg", "EMG Corrugator", "corrugator EMG"),
        ("emg", "corrugator", "corrugator EMG"),
    ],
)
def test_a_channel_is_called_as_in_the_field_and_its_modality_once(modality, channel, words):
    assert channel_in_words(modality, channel) == words


def test_a_flat_stretch_is_not_called_noise_too():
    """Half of a 16 s piece of white noise is flat, so that its other half is noise."""
    data = np.random.default_rng(0).normal(5, 0.5, (1, 1, 16 * 8)).astype(np.float32)
    data[..., 64:] = data[..., 63:64]
    ((flat, noise),) = faults_of(data, spec=SignalSpec(8.0, ("EDA",), "µS"))
    assert (flat.what, noise.what) == ("flat", "noise")
    assert flat.share == pytest.approx(0.5, abs=0.02)
    assert flat.share + noise.share == pytest.approx(1)
