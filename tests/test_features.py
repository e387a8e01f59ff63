"""The table of hand-made features: names, sets, gaps, and the reason for what is undefined."""

from __future__ import annotations

import re
import runpy
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_signals import SPECS, batch, scr_train

from data_builders.segments import Segments, SignalSpec
from encoders.features import (
    FEATURE_SETS,
    FEATURES,
    emg_features,
    extract_features,
    slow_features,
    why_undefined,
)
from encoders.features.catalogue import CATALOGUE, row_of
from encoders.features.table import FULL

DOCS = Path(__file__).parents[1] / "docs"
LONG = 130.0  # s: every feature is defined


def alone(segments: Segments, modality: str) -> Segments:
    return Segments(
        {modality: segments.signals[modality]}, segments.table, {modality: segments.specs[modality]}
    )


def test_names_are_unique_lower_case_and_in_a_stable_order():
    names = list(extract_features(batch(2)))
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) for name in names)
    assert {"gsr_scr_rate", "ecg_rmssd", "emg_rms_zygomaticus", "eeg_faa", "temperature_slope"} <= set(names)
    segments = batch(2, seed=1)
    backwards = dict(reversed(segments.signals.items()))
    assert list(extract_features(Segments(backwards, segments.table, SPECS))) == names
    assert list(extract_features(segments[:0])) == names


@pytest.mark.parametrize("features", FEATURE_SETS)
def test_a_segment_alone_equals_its_row_in_the_batch(features):
    segments = batch(40, seconds=12)
    whole = extract_features(segments, features)
    for row in (0, 17, 39):
        one = extract_features(segments[[row]], features)
        np.testing.assert_allclose(one.to_numpy()[0], whole.to_numpy()[row], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("features", FEATURE_SETS)
@pytest.mark.parametrize("modality", list(FEATURES))
def test_a_gap_gives_nan_and_touches_no_other_segment(modality, features):
    segments = batch(3)
    clean = extract_features(alone(segments, modality), features)
    broken = segments.signals[modality].copy()
    broken[1, :, 5] = np.nan
    broken[2, 0, 7] = np.inf
    values = extract_features(Segments({modality: broken}, segments.table, SPECS), features)
    assert values.iloc[1].isna().all()
    assert values.iloc[2].isna().any()
    pd.testing.assert_series_equal(values.iloc[0], clean.iloc[0])


@pytest.mark.parametrize(("modality", "measure"), [*FEATURES.items(), *FULL.items()])
@pytest.mark.parametrize("seconds", [2, 20])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_constants_and_short_windows_raise_no_warning(modality, measure, seconds, level):
    spec = SPECS[modality]
    data = np.full((2, len(spec.channel_names), round(seconds * spec.sampling_rate)), level)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure(data, spec.sampling_rate, spec.channel_names)
    for name, value in values.items():
        assert not np.isinf(value).any(), name
        if re.match("(std|rms|slope|contrast|scr_rate|burst_rate|jerk|range)", name):
            assert ((value == 0) | np.isnan(value)).all(), name


def test_errors_name_what_was_got_and_what_is_allowed():
    segments = batch(1)
    unknown = Segments({"odour": segments.signals["gsr"]}, segments.table, {"odour": SPECS["gsr"]})
    with pytest.raises(ValueError, match=r"odour.*allowed are.*emg"):
        extract_features(unknown)
    with pytest.raises(ValueError, match=r"features is 'all'; allowed are .*standard.*full"):
        extract_features(segments, "all")
    with pytest.raises(ValueError, match=r"shape \(2, 240\); allowed is \(n_segments"):
        slow_features(np.zeros((2, 240)), 8.0, ["a", "b"])
    with pytest.raises(ValueError, match=r"1 samples.*sampling_rate is 0"):
        slow_features(np.zeros((1, 1, 1)), 0.0, ["a"])
    with pytest.raises(ValueError, match=r"'emg_1'.*more than once"):
        emg_features(np.zeros((1, 2, 500)), 500.0, ["EMG 1", "emg-1"])


@pytest.mark.parametrize("modality", list(FEATURES))
def test_the_full_set_holds_the_standard_one_or_says_why_not(modality):
    segments = alone(batch(2), modality)
    standard, full = extract_features(segments), extract_features(segments, "full")
    assert set(standard) <= set(full)
    reasons = why_undefined(segments)
    for name in standard:
        told = reasons[name] != ""
        np.testing.assert_array_equal(full[name].to_numpy()[~told], standard[name].to_numpy()[~told])


@pytest.mark.parametrize("modality", list(FEATURES))
def test_every_column_has_its_row_and_every_row_a_column(modality):
    segments = alone(batch(1, LONG), modality)
    full, standard = (extract_features(segments, features) for features in ("full", "standard"))
    rows = {column: row_of(modality, column.removeprefix(f"{modality}_")) for column in full}
    assert set(rows.values()) == set(CATALOGUE[modality])
    for column, row in rows.items():
        assert (row.set == "standard") == (column in standard), column
    if modality != "features":
        written = {name for row in CATALOGUE[modality] for name in row.names}
        seen = {name for name in written if any(f"_{name}_" in f"{column}_" for column in full)}
        assert seen == written


def test_a_column_without_a_row_is_named():
    with pytest.raises(KeyError, match="emg_odour has no row"):
        row_of("emg", "odour")


def test_the_docs_hold_what_the_rows_say():
    made = runpy.run_path(str(DOCS / "write_features.py"))["text"]()
    assert made == (DOCS / "features.md").read_text(), "run: python docs/write_features.py"


@pytest.mark.parametrize("modality", list(FEATURES))
@pytest.mark.parametrize("seconds", [2, 20, LONG])
def test_each_nan_of_the_full_set_has_a_reason_and_no_value_has_one(modality, seconds):
    segments = alone(batch(2, seconds), modality)
    segments.signals[modality][1] = 0
    values, reasons = extract_features(segments, "full"), why_undefined(segments)
    pd.testing.assert_frame_equal(reasons != "", values.isna())


def reasons_of(data: np.ndarray, modality: str, spec: SignalSpec) -> dict[str, str]:
    table = pd.DataFrame({"segment": ["0"]})
    return why_undefined(Segments({modality: data}, table, {modality: spec})).iloc[0].to_dict()


def test_reasons_name_length_rate_unit_noise_and_gap():
    short = alone(batch(1, 45.0), "ecg")
    told = why_undefined(short).iloc[0]
    assert told["ecg_sdnn"] == "the window of 45 s is below 60 s"
    assert told["ecg_lf"] == "the window of 45 s is below 120 s"
    assert told["ecg_rmssd"] == ""
    responses = scr_train(2.0, np.array([10.0, 30.0]), 0.5)
    slow = reasons_of(responses, "gsr", SignalSpec(2.0, ("EDA",), "µS"))
    assert slow["gsr_scr_count"] == "the rate of 2 Hz is below 3 Hz"
    responses = scr_train(4.0, np.array([10.0, 30.0]), 0.5)
    raw = reasons_of(responses, "gsr", SignalSpec(4.0, ("EDA",), "a.u."))
    assert raw["gsr_scr_count"].startswith("the unit is 'a.u.'")
    assert raw["gsr_phasic_area"].startswith("the unit is 'a.u.'")
    noise = responses + np.random.default_rng(0).normal(0, 0.1, size=responses.shape)
    noisy = reasons_of(noise, "gsr", SignalSpec(4.0, ("EDA",), "µS"))
    assert re.match(r"noise of 0\.0\d+ µS .* hides responses", noisy["gsr_scr_count"])
    still = reasons_of(np.full((1, 1, 240), 5.0), "gsr", SignalSpec(4.0, ("EDA",), "µS"))
    assert still["gsr_scr_rise_time"] == "the window holds no response"
    assert still["gsr_scr_count"] == ""


def test_a_gap_is_told_of_its_own_channel_only():
    segments = alone(batch(1), "emg")
    segments.signals["emg"][0, 0] = 3
    segments.signals["emg"][0, 1, 7] = np.nan
    told = why_undefined(segments).iloc[0]
    assert told["emg_log_rms_corrugator"] == "the signal has a gap"
    assert told["emg_log_rms_zygomaticus"] == "the signal is constant"
    assert told["emg_rms_zygomaticus"] == ""


def test_a_gap_is_told_where_columns_name_no_channel():
    one, axes = alone(batch(1), "gsr"), alone(batch(1), "acceleration")
    one.signals["gsr"][0, 0, 7] = axes.signals["acceleration"][0, 2, 7] = np.nan
    assert why_undefined(one)["gsr_level"][0] == "the signal has a gap"
    assert why_undefined(axes)["acceleration_jerk"][0] == "the signal has a gap"


def test_noise_in_place_of_beats_is_told():
    noise = np.random.default_rng(0).normal(size=(1, 1, 30 * 128))
    told = reasons_of(noise, "ecg", SPECS["ecg"])
    assert "do not look alike" in told["ecg_heart_rate"]
    assert "below 60 s" in told["ecg_sdnn"]
