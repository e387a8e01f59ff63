"""Streams: which signals a network reads, at which rate, and how they are filtered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data_builders.normalisation import Normaliser
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec
from encoders.encoder_config import EncoderConfig
from encoders.features import extract_features
from encoders.inputs import signal_inputs
from encoders.signal_encoder import SignalEncoder
from encoders.streams import default_streams, stream_arrays


def make_segments(rates: dict[str, float], n_segments=3, seconds=10.0, n_channels=2) -> Segments:
    rng = np.random.default_rng(0)
    signals = {
        name: rng.standard_normal((n_segments, n_channels, round(seconds * rate))).astype(np.float32)
        for name, rate in rates.items()
    }
    specs = {
        name: SignalSpec(rate, tuple(f"{name}{i}" for i in range(n_channels)), "µV")
        for name, rate in rates.items()
    }
    table = pd.DataFrame({"segment": [f"s{i}" for i in range(n_segments)]}).reindex(columns=[*TABLE_COLUMNS])
    return Segments(signals, table, specs)


def test_fast_modalities_stand_alone_and_slow_ones_are_joined():
    specs = make_segments({"gsr": 8.0, "emg": 500.0, "heart_rate": 1.0, "ppg": 64.0}).specs
    emg, ppg, slow = default_streams(specs, 10.0, {"emg": 1.0, "ppg": 0.5, "peripheral": 2.0})
    assert (emg.name, emg.modalities, emg.n_samples, emg.frame_stride) == ("emg", ("emg",), 5000, 500)
    assert emg.channel_names == ("emg0", "emg1", "emg0_log_rectified", "emg1_log_rectified")
    assert (ppg.name, ppg.channel_names, ppg.frame_stride, ppg.n_frames) == ("ppg", ("ppg0", "ppg1"), 32, 20)
    assert (slow.name, slow.sampling_rate, slow.n_samples, slow.frame_stride) == ("peripheral", 8.0, 80, 16)
    assert slow.channel_names == ("gsr0", "gsr1", "heart_rate0", "heart_rate1")


def test_a_single_slow_modality_keeps_its_name():
    (stream,) = default_streams(make_segments({"gsr": 32.0}).specs, 10.0, 2.0)
    assert (stream.name, stream.n_frames) == ("gsr", 5)


def test_frames_must_fit():
    specs = make_segments({"gsr": 4.0}).specs
    for seconds in (0.1, 11.0):
        with pytest.raises(ValueError, match="frame_seconds"):
            default_streams(specs, 10.0, seconds)
    with pytest.raises(KeyError, match="gsr"):
        default_streams(specs, 10.0, {"emg": 1.0})


def test_arrays_have_the_shapes_of_their_streams():
    segments = make_segments({"emg": 100.0, "eeg": 128.0, "ecg": 256.0, "gsr": 8.0, "heart_rate": 1.0})
    streams = default_streams(segments.specs, 10.0, 1.0)
    arrays = stream_arrays(segments, streams)
    for stream in streams:
        assert arrays[stream.name].shape == (3, stream.n_channels, stream.n_samples)
        assert arrays[stream.name].dtype == np.float32
    np.testing.assert_array_equal(arrays["peripheral"][:, :2], segments.signals["gsr"])


def test_slow_signals_are_interpolated_in_place():
    segments = make_segments({"gsr": 8.0, "heart_rate": 1.0})
    segments.signals["heart_rate"][:] = np.arange(10.0)
    rate = stream_arrays(segments, default_streams(segments.specs, 10.0, 2.0))["peripheral"][0, 2]
    # A ramp of one a second stays one until the last sample, which is held.
    np.testing.assert_allclose(rate, np.minimum(np.arange(80) / 8, 9.0), atol=1e-6)


@pytest.mark.parametrize(
    ("modality", "rate", "stopped", "passed"), [("emg", 500, 2, 80), ("ecg", 256, 0.05, 10)]
)
def test_drifts_are_filtered_out_and_the_signal_stays_in_place(modality, rate, stopped, passed):
    segments = make_segments({modality: float(rate)}, n_channels=1)
    time = np.arange(10 * rate) / rate
    wave = np.sin(2 * np.pi * passed * time)
    segments.signals[modality][:] = wave + 50 + 5 * np.sin(2 * np.pi * stopped * time)
    array = stream_arrays(segments, default_streams(segments.specs, 10.0, 1.0))[modality][0, 0]
    inner = slice(rate, -rate)
    # 5 % of the wave's amplitude: what a second-order filter leaves of both bands, with no shift in time.
    np.testing.assert_allclose(array[inner], wave[inner], atol=0.05)


def test_amplifier_gain_only_moves_the_log_rectified_copies():
    segments = make_segments({"emg": 500.0})
    streams = default_streams(segments.specs, 10.0, 1.0)
    once = stream_arrays(segments, streams)["emg"]
    segments.signals["emg"] *= 4
    louder = stream_arrays(segments, streams)["emg"]
    # Tolerance: the arrays are float32.
    np.testing.assert_allclose(louder[:, :2], 4 * once[:, :2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(louder[:, 2:], once[:, 2:] + np.log(4), atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 5.3, 1000.1])
@pytest.mark.parametrize("modality", ["eeg", "emg", "ecg"])
def test_nothing_is_left_of_a_flat_channel(modality, level):
    segments = make_segments({modality: 128.0})
    segments.signals[modality][0, 0] = level
    array = stream_arrays(segments, default_streams(segments.specs, 10.0, 1.0))[modality]
    assert not array[0, 0].any()
    undefined = np.argwhere(np.isnan(array).any(axis=2)).tolist()
    assert undefined == ([] if modality == "ecg" else [[0, 2]])  # its log-rectified copy


def test_the_envelope_of_an_emg_is_read_as_it_is_and_has_no_features_of_its_own():
    """It lies below the high-pass, which left nothing of it."""
    plain = make_segments({"emg": 500.0})
    data, spec = plain.signals["emg"], plain.specs["emg"]
    slow = 5 + np.sin(np.arange(5000) / 500 * 2 * np.pi * 0.5)[None, None] * np.ones_like(data)
    names = (*spec.channel_names, *(f"{name}_envelope" for name in spec.channel_names))
    with_them = Segments({"emg": np.concatenate([data, slow.astype(np.float32)], axis=1)}, plain.table,
                         {"emg": replace(spec, channel_names=names)})  # fmt: skip
    array = stream_arrays(with_them, default_streams(with_them.specs, 10.0, 1.0))["emg"]
    np.testing.assert_allclose(array[:, 2:4], slow, rtol=1e-6)
    alone = stream_arrays(plain, default_streams(plain.specs, 10.0, 1.0))["emg"]
    np.testing.assert_array_equal(array[:, :2], alone[:, :2])
    pd.testing.assert_frame_equal(extract_features(with_them), extract_features(plain))


def test_one_flat_window_does_not_set_the_scale_of_its_subject():
    """Of 40 windows whose gains differ, the 39 others keep their spread; the flat one is at the mean."""
    segments = make_segments({"emg": 500.0}, n_segments=40, n_channels=1)
    segments.signals["emg"] *= np.exp(np.random.default_rng(1).normal(size=(40, 1, 1))).astype(np.float32)
    segments.table = segments.table.assign(subject="S", source="", reference=False, duration=10.0)
    whole = signal_inputs(segments, 2.0)
    segments.signals["emg"][7] = 0.02
    broken = signal_inputs(segments, 2.0)
    encoder = SignalEncoder(EncoderConfig(), ("calm", "tense"))
    found = []
    for inputs in (whole, broken):
        encoder.normalisers_ = {"emg": Normaliser().fit(inputs.streams["emg"], inputs.table)}
        found.append(encoder.normalised(inputs, np.arange(40))["emg"][:, 1].mean(axis=1))
    others = np.arange(40) != 7
    assert found[1][others].std() == pytest.approx(found[0][others].std(), rel=0.1)
    assert found[1][7] == 0


def test_nan_is_named():
    segments = make_segments({"gsr": 8.0, "heart_rate": 1.0})
    segments.signals["heart_rate"][1, 0, 3] = np.nan
    with pytest.raises(ValueError, match=r"heart_rate has NaN.*1 of 3.*'s1'"):
        stream_arrays(segments, default_streams(segments.specs, 10.0, 2.0))


def test_a_missing_modality_is_named():
    streams = default_streams(make_segments({"gsr": 8.0, "heart_rate": 1.0}).specs, 10.0, 2.0)
    with pytest.raises(ValueError, match="heart_rate"):
        stream_arrays(make_segments({"gsr": 8.0}), streams)
