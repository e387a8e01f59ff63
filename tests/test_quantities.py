"""Described quantities: names, units and ranges, and values as a plain computation gives them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_signals import SPECS, batch, scr_train, sine

from data_builders.segments import Segments, SignalSpec
from encoders.features import extract_features
from encoders.features.catalogue import CATALOGUE
from encoders.quantities import (
    DESCRIBED,
    TRAINING,
    described,
    parts_of_column,
    quantity_values,
    with_training_ranges,
)


def one(signal: np.ndarray, modality: str, spec: SignalSpec) -> dict:
    """Name -> (value, unit) of what is described of one made signal."""
    table = pd.DataFrame({"segment": ["a"]})
    features = extract_features(Segments({modality: signal.astype(np.float32)}, table, {modality: spec}))
    rows = described(list(features.columns), {modality: spec})
    values = quantity_values(features, rows)[0]
    return {row.name: (value, row.unit) for row, value in zip(rows, values, strict=True)}


def test_every_row_names_a_feature_of_the_catalogue():
    for row in DESCRIBED:
        modality, base, channel = parts_of_column(row.key)
        names = [name for entry in CATALOGUE[modality] if entry.set == "standard" for name in entry.names]
        assert base in names, row.key
        assert channel == "", row.key


def test_all_modalities_are_described_with_words_in_place_of_columns():
    columns = extract_features(batch()).columns
    rows = described(columns, SPECS, window=20)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.key for row in rows} <= set(columns)
    assert not [text for row in rows for text in (row.name, row.unit) if set(text) & set("_{}")]
    assert {"heart rate", "corrugator EMG amplitude", "relative alpha power of the left frontal EEG"} <= set(
        names
    )


def test_a_level_above_the_baseline_is_not_called_the_level():
    columns = ["heart_rate_mean", "ecg_heart_rate", "gsr_level", "gsr_slope"]
    specs = {name: SignalSpec(8.0, (name,), unit) for name, unit in (("gsr", "µS"), ("heart_rate", "bpm"))}
    specs |= {"ecg": SignalSpec(256.0, ("ecg",), "mV")}
    plain = described(columns, specs)
    assert [row.key for row in plain] == ["heart_rate_mean", "gsr_level", "gsr_slope"]
    above = {name: replace(spec, above_baseline=True) for name, spec in specs.items()}
    found = described(columns, above)
    assert [row.name for row in found] == [
        "heart rate above the baseline", "skin conductance level above the baseline",
        "slope of the skin conductance",
    ]  # fmt: skip
    assert (plain[0].low, found[0].low, found[0].source) == (60.0, None, TRAINING)


def test_one_heart_rate_is_described_where_several_are_measured():
    assert [row.key for row in described(["bvp_heart_rate", "ecg_heart_rate", "heart_rate_mean"])] == [
        "heart_rate_mean"
    ]
    assert [row.key for row in described(["bvp_heart_rate", "ecg_heart_rate"])] == ["ecg_heart_rate"]


def test_values_are_in_the_unit_that_is_written():
    # The RMS of a sine is its amplitude over sqrt(2), whatever the recording's unit.
    for unit, factor in (("µV", 1.0), ("mV", 1e3), ("V", 1e6)):
        found = one(sine(50, 500, amplitude=10 / factor), "emg", SignalSpec(500.0, ("zygomaticus",), unit))
        value, written = found["EMG amplitude"]
        assert written == "microvolts"
        assert value == pytest.approx(10 / np.sqrt(2), rel=0.03)
    found = one(scr_train(8, np.array([10.0, 30.0]), 0.5), "gsr", SignalSpec(8.0, ("EDA",), "µS"))
    assert found["rate of skin conductance responses"] == (2.0, "responses per minute")
    value, written = found["mean amplitude of the skin conductance responses"]
    # Averaging down to 8 Hz and the 1 Hz low-pass take a little off the peak.
    assert (value, written) == (pytest.approx(0.5, rel=0.1), "microsiemens")
    alpha = one(sine(10, 128), "eeg", SignalSpec(128.0, ("O1",), "µV"))["relative alpha power of the O1 EEG"]
    assert alpha == (pytest.approx(100, abs=2), "percent")


def test_without_a_response_there_is_no_amplitude_to_describe():
    found = one(np.full((1, 1, 480), 5.0), "gsr", SignalSpec(8.0, ("EDA",), "µS"))
    assert found["rate of skin conductance responses"][0] == 0
    assert np.isnan(found["mean amplitude of the skin conductance responses"][0])


def test_a_doubled_amplitude_rises_by_six_decibels():
    signal = np.concatenate([sine(50, 500, 5), 2 * sine(50, 500, 15)], axis=-1)
    found = one(signal, "emg", SignalSpec(500.0, ("corrugator",), "µV"))
    assert found["late-to-early ratio of the EMG amplitude"] == (pytest.approx(6.02, abs=0.1), "decibels")


def test_a_range_of_the_literature_holds_for_its_unit_and_its_windows_only():
    rate = described(["gsr_scr_rate"], window=60)[0]
    assert (rate.low, rate.high) == (1.0, 3.0)
    assert "Dawson" in rate.source
    short = described(["gsr_scr_rate"], window=30)[0]
    assert (short.low, short.source) == (None, TRAINING)
    other = described(["heart_rate_mean"], {"heart_rate": SignalSpec(1.0, ("hr",), "z-score")})[0]
    assert (other.low, other.unit) == (None, "z-score")
    unknown = described(["temperature_mean"], {"temperature": SignalSpec(4.0, ("t",), "")})[0]
    assert unknown.unit == "recorded units"
    # SDNN grows with the length of the recording.
    assert described(["ecg_sdnn"], window=60)[0].low is None
    assert described(["ecg_sdnn"], window=300)[0].low == 32


@pytest.mark.parametrize(("unit", "number"), [("µS", 3), ("uS", 3), ("Ω", 0), ("mV", 0), ("", 0)])
def test_of_skin_resistance_no_conductance_is_described(unit, number):
    """It falls where conductance rises, and responses are counted from 0.02 µS."""
    columns = ["gsr_level", "gsr_slope", "gsr_scr_rate"]
    assert len(described(columns, {"gsr": SignalSpec(4.0, ("g",), unit)}, window=60)) == number


def test_ranges_of_the_training_subjects_are_their_percentiles_as_written():
    rows = described(["heart_rate_mean", "gsr_level", "temperature_mean", "emg_rms"])
    values = np.column_stack(
        [np.arange(101), np.linspace(0, 10, 101), np.full(101, np.nan), np.linspace(0, 1e-4, 101)]
    )
    known = {row.key: row for row in with_training_ranges(rows, values)}
    assert list(known) == ["heart_rate_mean", "gsr_level", "emg_rms"]
    assert (known["heart_rate_mean"].low, known["heart_rate_mean"].high) == (60, 100)
    assert (known["gsr_level"].low, known["gsr_level"].high) == (1.0, 9.0)
    # A twentieth of the range must be told apart: 8e-5 / 20 is 4e-6.
    assert known["emg_rms"].digits == 6
    assert (known["emg_rms"].low, known["emg_rms"].high) == (pytest.approx(1e-5), pytest.approx(9e-5))


def test_one_value_in_all_windows_makes_no_range():
    row = described(["gsr_scr_rate"], window=10)
    assert with_training_ranges(row, np.zeros((5, 1))) == [replace(row[0], low=None, high=None)]
