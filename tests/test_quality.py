"""Each finding on signals made on the spot, whose true figure is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_builders.quality import QualityConfig, data_quality, summarise
from data_builders.recording import Recording, Signal, save_recording
from data_builders.signal_quality import BANDS, COLUMNS, recording_quality, signal_quality, snr, sparsity

REAL = Path(__file__).parents[2] / "shared" / "data"


def made(data: np.ndarray, rate: float = 100.0) -> Signal:
    data = np.atleast_2d(data)
    return Signal(data, rate, tuple(f"c{k}" for k in range(len(data))), "mV")


def draw(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def quality(data: np.ndarray, rate: float = 100.0, modality: str = "", **options: float) -> pd.Series:
    """The row of a single channel."""
    return signal_quality(made(data, rate), modality, **options).iloc[0]


@pytest.mark.parametrize("amplitude", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(
    ("modality", "rate", "frequency"),
    [
        ("eeg", 256.0, 10.0),
        ("ecg", 360.0, 8.0),
        ("emg", 2000.0, 100.0),
        ("gsr", 8.0, 0.2),
        ("bvp", 64.0, 1.2),
    ],
)
def test_snr_of_a_tone_in_white_noise(modality, rate, frequency, amplitude):
    """Noise of power 1 spreads evenly up to half the rate; the tone's power lies inside the band."""
    n = round(600 * rate)
    low, high = BANDS[modality]
    tone = amplitude * np.sin(2 * np.pi * frequency * np.arange(n) / rate)
    inside = (high - low) / (rate / 2)
    wanted = 10 * np.log10((amplitude**2 / 2 + inside) / (1 - inside))
    # One bin of the spectrum more or less in the narrowest band (16 bins of 0.06 Hz) makes .27 dB.
    assert quality(draw(n) + tone, rate, modality)["snr"] == pytest.approx(wanted, abs=0.3)


def test_snr_does_not_depend_on_unit_or_offset():
    data = draw(20_000) + np.sin(np.arange(20_000))
    values = [snr(x, 256.0, (0.5, 45.0)) for x in (data, 1e-6 * data, data + 300)]
    np.testing.assert_allclose(values, values[0], atol=1e-6)


def test_drift_and_hum_lower_the_snr():
    time = np.arange(60 * 256) / 256
    data = draw(time.size)
    clean = snr(data, 256.0, (0.5, 45.0))
    for other in (5 * np.sin(2 * np.pi * 0.1 * time), 5 * np.sin(2 * np.pi * 60 * time)):
        assert snr(data + other, 256.0, (0.5, 45.0)) < clean - 5


def test_snr_is_undefined_without_a_band_or_anything_outside_of_it():
    assert np.isnan(quality(draw(1000), modality="temperature")["snr"])
    assert np.isnan(snr(draw(1000), 2.0, (0.0, 1.0)))
    assert np.isnan(snr(np.ones(1000), 100.0, (0.5, 40.0)))
    assert np.isnan(snr(np.full(1000, np.nan), 100.0, (0.5, 40.0)))
    # four cycles of 0.5 Hz take 8 s
    assert np.isnan(snr(draw(790), 100.0, (0.5, 40.0)))
    assert np.isfinite(snr(draw(800), 100.0, (0.5, 40.0)))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (np.sin(2 * np.pi * np.arange(100_000) / 100), 1 - 2 * np.sqrt(2) / np.pi),
        (draw(100_000), 1 - np.sqrt(2 / np.pi)),
        (np.tile([-1.0, 1.0], 50_000), 0.0),
        (np.eye(1, 100_000)[0], 1.0),
    ],
)
def test_sparsity_of_known_distributions(data, wanted):
    """Large n: (sqrt(n) - L1/L2) / (sqrt(n) - 1) goes to 1 - E|x| / sqrt(E x²), to within 1/sqrt(n)."""
    assert sparsity(data) == pytest.approx(wanted, abs=0.004)
    assert sparsity(1e-6 * data + 5) == pytest.approx(sparsity(data), abs=1e-4)


def test_sparsity_leaves_out_gaps():
    data = draw(1000)
    assert sparsity(np.insert(data, [3, 500], np.nan)) == sparsity(data)
    assert np.isnan(sparsity(np.ones(100)))
    assert np.isnan(sparsity(np.full(100, np.nan)))


def test_missing_samples():
    data = draw(1000)
    data[200:230] = np.nan
    row = quality(data)
    assert (row["nan_share"], row["n_samples"], row["duration"]) == (0.03, 1000, 10.0)
    assert row["findings"] == "3.0% missing"
    empty = quality(np.full(1000, np.nan), modality="ecg")
    assert (empty["nan_share"], empty["effective_rate"], empty["n_flat"]) == (1.0, 0.0, 0)


def test_flat_stretches():
    data = draw(10_000)
    data[1000:1600], data[5000:6200], data[8000:8499] = 1.0, -1.0, 0.5  # 6 s, 12 s, just under 5 s
    row = quality(data)
    assert (row["n_flat"], row["longest_flat"]) == (2, 12.0)
    assert row["flat_share"] == pytest.approx(0.18)
    # outside of them only the stretch of 499 samples repeats
    assert row["repeated_share"] == pytest.approx(498 / 8200)
    assert quality(data, flat_seconds=4.99)["n_flat"] == 3
    assert quality(np.ones(100))["n_flat"] == 1  # 1 s, all of it


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_clipping_of_a_sine(level):
    """A sine is beyond `level` of its amplitude for 1 - 2/pi asin(level) of the time."""
    rng = np.random.default_rng(3)
    data = np.sin(2 * np.pi * np.arange(20_000) / 200.3 + rng.uniform()) + rng.normal(0, 1e-3, 20_000)
    row = quality(np.clip(data, -level, level))
    # the noise interrupts some runs at their ends
    assert row["clipped_share"] == pytest.approx(1 - 2 / np.pi * np.arcsin(level), abs=0.01)
    assert "clipped" in row["findings"]
    assert quality(data)["clipped_share"] == 0
    one_sided = quality(np.minimum(data, level))["clipped_share"]
    assert one_sided == pytest.approx(row["clipped_share"] / 2, rel=0.05)


def test_a_coarse_converter_does_not_clip():
    slow = np.round(5 * np.sin(2 * np.pi * np.arange(20_000) / 4000), 1)
    row = quality(slow, 8.0)
    assert row["repeated_share"] > 0.8
    assert (row["clipped_share"], row["held"]) == (0, False)


@pytest.mark.parametrize(("rate", "true_rate"), [(1000.0, 100.0), (15_000.0, 1500.0), (2148.0, 192.0)])
def test_held_samples_tell_the_true_rate(rate, true_rate):
    """90 % repeated samples are a tenth of the rate; 2148 Hz holds 192 Hz for 11 samples or 12."""
    n = round(10 * rate)
    index = np.floor(np.arange(n) * true_rate / rate).astype(int)
    row = quality(draw(index[-1] + 1)[index], rate)
    assert row["effective_rate"] == pytest.approx(true_rate, rel=1e-3)
    assert row["repeated_share"] == pytest.approx(1 - true_rate / rate, abs=1e-3)
    assert row["held"]
    assert f"of {rate:g} Hz" in row["findings"]


def test_samples_that_repeat_at_random_are_not_held():
    rng = np.random.default_rng(4)
    data = draw(50_000)[np.cumsum(rng.random(50_000) > 0.9)]
    row = quality(data, 1000.0)
    # a tenth of 50,000 samples are new: a binomial share with a standard deviation of 1.3 %
    assert row["effective_rate"] == pytest.approx(100, rel=0.05)
    assert not row["held"]


def test_a_clean_signal_has_no_findings():
    table = signal_quality(made(draw(40_000).reshape(4, -1)), "emg")
    assert list(table.columns) == list(COLUMNS)
    assert list(table["channel"]) == ["c0", "c1", "c2", "c3"]
    assert (table["findings"] == "").all()
    assert (table["effective_rate"] == 100.0).all()


def test_too_short():
    assert quality(draw(150))["too_short"]
    assert not quality(draw(250))["too_short"]
    assert quality(draw(250), shortest=3.0)["findings"] == "too short"


def faulty_recording(subject: str, seed: int) -> Recording:
    """Muscle of which the second channel is held, and skin conductance with a gap."""
    emg = np.stack([draw(20_000, seed), np.repeat(draw(2000, seed + 1), 10)])
    gsr = 5 + np.cumsum(draw(160, seed + 2))
    gsr[20:36] = np.nan
    signals = {"emg": made(emg, 1000.0), "gsr": made(gsr, 8.0)}
    return Recording(signals, "faulty", subject, blocks=())


def test_a_recording_has_a_row_for_each_channel():
    table = recording_quality(faulty_recording("P1", 0))
    assert list(table["recording"].unique()) == ["faulty/P1"]
    assert list(zip(table["modality"], table["channel"], strict=True)) == [
        ("emg", "c0"),
        ("emg", "c1"),
        ("gsr", "c0"),
    ]
    assert list(table["held"]) == [False, True, False]
    assert list(table["nan_share"]) == [0, 0, 0.1]


def test_the_summary_counts_recordings():
    table = pd.concat([recording_quality(faulty_recording(f"P{k}", 10 * k)) for k in range(3)])
    summary = summarise(table).set_index(["modality", "channel"])
    assert list(summary["recordings"]) == [3, 3, 3]
    assert list(summary["held"]) == [0, 3, 0]
    assert list(summary["missing"]) == [0, 0, 3]
    wanted = table[table["modality"] == "gsr"]["snr"].median()
    assert summary.loc[("gsr", "c0"), "snr"] == wanted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "recordings"
    root.mkdir()
    for k in range(3):
        recording = faulty_recording(f"P{k}", 10 * k)
        from data_builders.recording import Block

        blocks = (Block(0.0, 20.0, {"emotion": "joy"}, trial=f"P{k}-0"),)
        save_recording(replace(recording, blocks=blocks), root / f"P{k}.npz")
    return root


def test_the_command_writes_tables_and_figure_and_prints_the_summary(folder, tmp_path, capsys):
    from matplotlib.image import imread

    config = QualityConfig("npz", str(folder), str(tmp_path / "out"))
    out = data_quality(config, progress=False)
    table, summary = pd.read_csv(out / "quality.csv"), pd.read_csv(out / "summary.csv")
    assert len(table) == 9
    assert list(table.columns) == ["recording", "subject", *COLUMNS]
    assert list(summary["held"]) == [0, 3, 0]
    picture = imread(out / "quality.png")
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 50
    printed = capsys.readouterr().out
    assert "effective_rate" in printed
    assert str(out) in printed


def test_the_same_inputs_are_not_read_again_and_others_are(folder, tmp_path, capsys):
    config = QualityConfig("npz", str(folder), str(tmp_path / "out"))
    out = data_quality(config, progress=False)
    first, stamp = capsys.readouterr().out, (out / "quality.csv").stat().st_mtime_ns
    data_quality(config, progress=False)
    assert (out / "quality.csv").stat().st_mtime_ns == stamp
    assert capsys.readouterr().out == first
    data_quality(replace(config, flat_seconds=1.0), progress=False)
    assert (out / "quality.csv").stat().st_mtime_ns != stamp
    (folder / "P2.npz").unlink()
    data_quality(config, progress=False)
    assert len(pd.read_csv(out / "quality.csv")) == 6


def test_wrong_options_are_told_together():
    with pytest.raises(ValueError, match=r"shortest is 0; .*flat_seconds is -1"):
        QualityConfig(shortest=0, flat_seconds=-1)


@pytest.mark.skipif(
    not (REAL / "stress_predict").is_dir(), reason="the real Stress-Predict data are not here"
)
def test_real_wearable_data():
    """E4: blood volume pulse changes at nearly every sample, temperature (0.02 °C steps) seldom does."""
    from data_builders.preparing import make_reader

    reader = make_reader("stress_predict", str(REAL / "stress_predict"))
    table = recording_quality(next(iter(reader))).set_index("modality")
    assert table.loc["bvp", "effective_rate"] > 0.98 * 64
    assert table.loc["temperature", "effective_rate"] < 0.5 * 4
    assert table.loc["bvp", "snr"] > 3
    assert np.isnan(table.loc["temperature", "snr"])


def test_a_file_that_cannot_be_read_ends_it_or_is_listed(tmp_path):
    root = tmp_path / "recordings"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        signals = {"gsr": Signal(rng.normal(size=(1, 400)), 8.0, ("gsr",), "µS")}
        save_recording(Recording(signals, "mine", name), root / f"{name}.npz")
    (root / "c.npz").write_bytes((root / "a.npz").read_bytes()[:200])
    settings = {"dataset": "npz", "root": str(root), "out": str(tmp_path / "out")}
    with pytest.raises(ValueError, match=r"c\.npz"):
        data_quality(QualityConfig(**settings), progress=False)
    out = data_quality(QualityConfig(**settings, on_error="skip"), progress=False)
    assert len(pd.read_csv(out / "quality.csv")) == 2
    skipped = pd.read_csv(out / "skipped.csv")
    assert skipped["file"].str.endswith("c.npz").tolist() == [True]
    assert skipped["error"].str.contains("c.npz").all()


def test_limits_of_the_command_are_those_of_the_table(folder, tmp_path):
    """Recordings of 20 s; every value of the held channel stands for 10 ms."""
    config = QualityConfig("npz", str(folder), str(tmp_path / "out"), shortest=21.0, flat_seconds=0.01)
    table = pd.read_csv(data_quality(config, progress=False) / "quality.csv")
    assert table["too_short"].all()
    assert (table["n_flat"] > 0).tolist() == [False, True, False] * 3
