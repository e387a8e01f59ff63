"""One's own recordings: every format, units, and time axes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from written import manifest as written_manifest
from written import signal_files
from written.tables import NAMES, RATE, check, eeg, row, write_table

from data_builders.manifests import ManifestOptions, convert, open_signals
from data_builders.manifests.units import UNITS, unit_problem
from data_builders.preparing import read_for_chat
from data_builders.readers.manifest import ManifestReader
from data_builders.segments import signal_summary

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample recordings are not here")


@pytest.mark.parametrize("name", signal_files.WRITERS)
def test_every_format_gives_back_what_was_written(name: str, tmp_path: Path) -> None:
    data = eeg()
    signal_files.WRITERS[name](tmp_path / name, data, RATE, NAMES)
    told = name not in signal_files.NAMELESS
    needs_unit = not told or Path(name).suffix in (".csv", ".tsv", ".txt")
    write_table(tmp_path, [row(name, unit="uV" if needs_unit else "", sampling_rate="" if told else RATE)])
    signal = next(iter(ManifestReader(tmp_path))).signals["eeg"]
    assert (signal.sampling_rate, signal.unit) == (RATE, "µV")
    assert signal.channel_names == (tuple(NAMES) if told else ("eeg1", "eeg2", "eeg3"))
    # 16 bits over 2 x 80 µV are steps of 0.0025 µV; all other formats keep float32 or more
    np.testing.assert_allclose(signal.data, data, atol=0.003, rtol=1e-5)
    assert check(tmp_path)["modalities"]["eeg"]["minutes"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("name", "separator", "decimal"),
    [
        ("a.csv", ";", ","),
        ("a.csv", ";", "."),
        ("a.tsv", "\t", ","),
        ("a.txt", "\t", ","),
        ("a.txt", " ", ","),
    ],
)
def test_a_decimal_comma_is_read_where_columns_are_not_separated_by_it(
    name: str, separator: str, decimal: str, tmp_path: Path
) -> None:
    data = eeg()
    table = pd.DataFrame({"time": np.arange(data.shape[1]) / RATE} | dict(zip(NAMES, data, strict=True)))
    table.iloc[0, 1:] = 3  # the first row may have whole numbers alone
    table.to_csv(tmp_path / name, sep=separator, decimal=decimal, index=False)
    write_table(tmp_path, [row(name)])
    signal = next(iter(ManifestReader(tmp_path))).signals["eeg"]
    assert (signal.sampling_rate, signal.channel_names) == (RATE, tuple(NAMES))
    np.testing.assert_allclose(signal.data[:, 1:], data[:, 1:], rtol=1e-6)


@pytest.mark.parametrize(("true", "told"), [(4.0039, 4.0039), (4.0001, 4.0)])
@pytest.mark.parametrize("stated", ["", 4, 4.03])
def test_the_clock_of_a_file_goes_before_its_nominal_rate(
    true: float, told: float, stated: object, tmp_path: Path
) -> None:
    """Of an hour at 4.0039 Hz taken for 4 the last stretch would lie 3.5 s from its label."""
    times = np.arange(round(3600 * true)) / true
    pd.DataFrame({"time": times, "EDA": np.sin(times)}).to_csv(tmp_path / "a.csv", index=False)
    cells = {"modality": "gsr", "unit": "uS", "sampling_rate": stated}
    write_table(tmp_path, [row("a.csv", **cells)])
    signal = next(iter(ManifestReader(tmp_path))).signals["gsr"]
    assert signal.sampling_rate == pytest.approx(told, abs=1e-9)
    assert signal.duration == pytest.approx(3600, abs=0.3)


@pytest.mark.parametrize("index", [None, "index"])
def test_the_index_of_a_table_is_no_signal(index: str | None, tmp_path: Path) -> None:
    """It tells where in the recording a window lies, and that tells the label."""
    pd.DataFrame(eeg().T, columns=NAMES).to_csv(tmp_path / "a.csv", index_label=index)
    write_table(tmp_path, [row("a.csv", unit="uV", sampling_rate=RATE)])
    with pytest.raises(ValueError, match=r"a\.csv.*(none for number \[1\]; .* An index is no|\['index'\])"):
        list(ManifestReader(tmp_path))
    picked = ManifestReader(tmp_path, channels={"eeg": NAMES})
    assert next(iter(picked)).signals["eeg"].channel_names == tuple(NAMES)


def test_one_trial_of_a_subject_is_a_trial_where_others_have_several(tmp_path: Path) -> None:
    """Of a recording without a name no baseline was taken off, and the store refused the mixture."""
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", eeg())
    subjects = {"a": "01", "b": "01", "c": "02"}
    write_table(tmp_path, [row(f"{name}.npy", subject, trial=name) for name, subject in subjects.items()])
    found = {recording.name for recording in ManifestReader(tmp_path, channels={"eeg": NAMES})}
    assert found == set(subjects)


def test_a_model_is_asked_about_an_array_of_its_manifest(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", eeg())
    write_table(tmp_path, [row("a.npz")])
    options = {"channels": {"eeg": NAMES}}
    recording = next(iter(ManifestReader(tmp_path, **options)))
    card = {"dataset": "manifest", "reader_options": options, "window": 2.0, "event": None}
    card |= {"preprocessing": "none"}
    card |= {"modalities": {"eeg": signal_summary(recording.signals["eeg"])}}
    asked, _ = read_for_chat(card, str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(asked.signals["eeg"].data, recording.signals["eeg"].data)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "v73.mat", "a.h5"])
def test_an_index_takes_one_item_of_an_array(name: str, tmp_path: Path) -> None:
    data = np.stack([eeg(seed) for seed in range(3)])
    signal_files.WRITERS[name](tmp_path / name, data, RATE, NAMES)
    rows = [row(name, index=k, emotion=("calm", "joy")[k % 2]) for k in range(3)]
    write_table(tmp_path, rows)
    reader = ManifestReader(tmp_path, channels={"eeg": NAMES})
    recordings = list(reader)
    assert [r.id for r in recordings] == [f"manifest/S01/{Path(name).stem}-{k}" for k in range(3)]
    for recording, item in zip(recordings, data, strict=True):
        np.testing.assert_array_equal(recording.signals["eeg"].data, item.astype(np.float32))
        assert [block.trial for block in recording.blocks] == [recording.name]
        # nothing lies before the trial, so that it has no causal baseline
        assert recording.baseline == (0.0, 0.0)
    np.testing.assert_array_equal(
        reader.read(reader.paths()[1]).signals["eeg"].data, recordings[1].signals["eeg"].data
    )


def test_an_item_of_a_large_array_never_loads_the_array(tmp_path: Path) -> None:
    """The EMG corpus is (28080, 8, 45000) in float32; the file here is as long, and sparse on disk."""
    array = np.lib.format.open_memmap(
        tmp_path / "emg.npy", mode="w+", dtype=np.float32, shape=(28_080, 8, 45_000)
    )
    array[20_000] = 7.0
    array[20_000, 0, :100] = np.arange(100)
    array.flush()
    del array
    cells = {"modality": "emg", "sampling_rate": 15_000}
    write_table(tmp_path, [row("emg.npy", index=index, **cells) for index in (5, 20_000)])
    reader = ManifestReader(tmp_path)
    tracemalloc.start()
    signal = reader.read(reader.paths()[1]).signals["emg"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(signal.data[0, :100], np.arange(100))
    # one item is 1.44 MB; a few copies of it are made on the way, and none of the 40 GB
    assert signal.data.nbytes == 1_440_000
    assert peak < 10e6


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.tsv", "manifest.jsonl", "manifest.parquet"])
def test_the_table_may_be_in_any_of_its_formats(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    rows = [row("a.npy", "01", start=k, end=k + 0.5, valence=k / 2, transition=k) for k in (0, 1)]
    write_table(tmp_path, rows, name)
    recording = next(iter(ManifestReader(tmp_path)))
    blocks = [(block.start, block.duration, dict(block.labels)) for block in recording.blocks]
    assert recording.subject == "01"
    assert blocks == [
        (k, 0.5, {"emotion": "calm", "valence": k / 2, "transition": float(k)}) for k in (0.0, 1.0)
    ]


def test_rows_of_one_trial_are_one_recording_and_rows_of_one_file_one_time_axis(tmp_path: Path) -> None:
    last = written_manifest.write(tmp_path)
    reader = ManifestReader(tmp_path)
    recordings = [reader.read(path) for path in reader.paths()]
    assert [r.id for r in recordings] == ["manifest/S01/a", "manifest/S01/b", "manifest/S02/a"]
    recording = recordings[-1]
    assert [(b.start, b.duration, b.trial) for b in recording.blocks] == [(0, 20, "film0"), (20, 20, "film1")]
    assert [dict(b.labels) for b in recording.blocks] == [
        {"emotion": "calm", "valence": 0.0},
        {"emotion": "joy", "valence": 0.5},
    ]
    for name, data in last.items():
        np.testing.assert_allclose(recording.signals[name].data, data, rtol=1e-6)
    assert reader.classes == ("calm", "joy")
    assert sorted(path.name for path in reader.files())[-1] == "manifest.csv"
    by_file = reader.read(tmp_path / "S02_a_eda.npy")
    assert by_file.id == recording.id


def test_one_row_of_a_file_is_enough_to_tell_its_rate_and_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    rows = [row("a.npy", start=0, end=6, sampling_rate="", unit=""), row("a.npy", start=6, end=12)]
    write_table(tmp_path, rows)
    signal = next(iter(ManifestReader(tmp_path))).signals["eeg"]
    assert (signal.sampling_rate, signal.unit) == (RATE, "µV")


def test_events_have_no_length(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    write_table(tmp_path, [row("a.npy", start=k) for k in (3, 6)])
    reader = ManifestReader(tmp_path, event=[1, 2])
    assert (reader.event, reader.step) == ((1, 2), 0)
    assert [(b.start, b.duration) for b in next(iter(reader)).blocks] == [(3, 0), (6, 0)]


def test_what_lies_before_a_single_trial_is_its_baseline(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    write_table(tmp_path, [row("a.npy", start=5)])
    assert next(iter(ManifestReader(tmp_path))).baseline == (0, 5)
    assert next(iter(ManifestReader(tmp_path, baseline=[1, 4]))).baseline == (1, 4)


def test_channels_are_picked_in_the_order_wanted_and_renamed(tmp_path: Path) -> None:
    data = eeg()
    signal_files.csv(tmp_path / "a.csv", data, RATE, NAMES)
    write_table(tmp_path, [row("a.csv")])
    picked = next(iter(ManifestReader(tmp_path, channels={"eeg": ["Cz", "Fp1"]}))).signals["eeg"]
    assert picked.channel_names == ("Cz", "Fp1")
    np.testing.assert_allclose(picked.data, data[[2, 0]], rtol=1e-6)
    renamed = next(iter(ManifestReader(tmp_path, channels={"eeg": {"Cz": "vertex"}}))).signals["eeg"]
    assert renamed.channel_names == ("vertex",)


def test_one_file_may_hold_several_modalities(tmp_path: Path) -> None:
    data = eeg(n_channels=2)
    signal_files.csv(tmp_path / "a.csv", data, RATE, ["heart", "skin"])
    write_table(tmp_path, [row("a.csv", modality="ecg", unit="V"), row("a.csv", modality="gsr", unit="kOhm")])
    recording = next(iter(ManifestReader(tmp_path, channels={"ecg": ["heart"], "gsr": ["skin"]})))
    np.testing.assert_allclose(recording.signals["ecg"].data, 1000 * data[:1], rtol=1e-6)
    # 1 kOhm is 1000 µS
    np.testing.assert_allclose(recording.signals["gsr"].data, 1000 / data[1:], rtol=1e-6)
    assert len(recording.blocks) == 1


def test_samples_first_is_the_transposed_layout(tmp_path: Path) -> None:
    data = eeg()
    np.save(tmp_path / "a.npy", data.T)
    write_table(tmp_path, [row("a.npy")])
    signal = next(iter(ManifestReader(tmp_path, layout="samples_first"))).signals["eeg"]
    np.testing.assert_array_equal(signal.data, data.astype(np.float32))


def test_resampling_brings_files_of_different_rates_together(tmp_path: Path) -> None:
    rows = []
    for k, rate in enumerate((128, 256)):
        times = np.arange(12 * rate) / rate
        np.save(tmp_path / f"{k}.npy", np.sin(2 * np.pi * 3 * times)[None])
        rows.append(row(f"{k}.npy", f"S0{k}", sampling_rate=rate))
    write_table(tmp_path, rows)
    one, other = (r.signals["eeg"] for r in ManifestReader(tmp_path, resample={"eeg": 64}))
    assert one.sampling_rate == other.sampling_rate == 64
    # away from the filter's edges a 3 Hz wave is the same at any rate
    np.testing.assert_allclose(one.data[:, 64:-64], other.data[:, 64:-64], atol=0.01)
    assert check(tmp_path, resample={"eeg": 64})["modalities"]["eeg"]["sampling_rate"] == 64


@pytest.mark.parametrize(
    ("value", "unit", "modality", "expected"),
    [
        (2e-6, "V", "eeg", 2.0),
        (0.002, "mV", "emg", 2.0),
        (2.0, "uV", "eeg", 2.0),
        (2000.0, "nV", "eeg", 2.0),
        (1500.0, "μV", "ecg", 1.5),
        (0.0015, "V", "ecg", 1.5),
        (4e-6, "S", "gsr", 4.0),
        (4.0, "µmho", "gsr", 4.0),
        (250.0, "kOhm", "gsr", 4.0),
        (0.25, "MΩ", "gsr", 4.0),
        (300.15, "K", "temperature", 27.0),
        (98.6, "degF", "temperature", 37.0),
        (9.80665, "m/s^2", "acceleration", 1.0),
        (512.0, "a.u.", "ecg", 512.0),
        (70.0, "bpm", "heart_rate", 70.0),
    ],
)
def test_units_convert(value: float, unit: str, modality: str, expected: float) -> None:
    assert not unit_problem(unit, modality)
    assert convert(np.array([value]), unit, modality)[0] == pytest.approx([expected], rel=1e-9)


def test_every_unit_is_refused_where_it_does_not_belong() -> None:
    for unit, (kind, *_) in UNITS.items():
        assert bool(unit_problem(unit, "ecg")) == (kind != "voltage")
        assert bool(unit_problem(unit, "gsr")) == (kind not in ("conductance", "resistance"))


def test_unknown_and_wrong_options_are_named_together() -> None:
    with pytest.raises(ValueError, match=r"(?s)'chanels' is unknown.*window is 'ten'"):
        ManifestOptions.of({"chanels": {}, "window": "ten"})
    with pytest.raises(ValueError, match=r"(?s)layout is 'wide'.*window is -1.*units: unit 'mV'"):
        ManifestOptions(layout="wide", window=-1, units={"gsr": "mV"})


def test_options_of_modalities_that_no_row_has_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    write_table(tmp_path, [row("a.npy")])
    with pytest.raises(
        ValueError, match=r"(?s)channels: names \['egg'\].*resample: names \['EEG'\].*\['eeg'\]"
    ):
        ManifestReader(tmp_path, channels={"egg": ["a"]}, resample={"EEG": 32})


def test_a_known_set_of_classes_refuses_others(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", eeg())
    write_table(tmp_path, [row("a.npy", emotion="anger")])
    assert ManifestReader(tmp_path, classes=["joy", "anger"]).classes == ("joy", "anger")
    with pytest.raises(
        ValueError, match=r"row 2, column 'emotion': is 'anger'.*allowed are \['joy', 'calm'\]"
    ):
        ManifestReader(tmp_path, classes=["joy", "calm"])


@needs_samples
@pytest.mark.parametrize(
    ("name", "n_channels", "rate", "seconds"),
    [
        ("mne_test.edf", 138, 512, 6),
        ("mne_test.bdf", 72, 2048, 1),
        ("mitdb_100.hea", 2, 360, 650_000 / 360),
        ("biosppy_ecg.txt", 1, 1000, 15),
        ("biosppy_eda.txt", 1, 1000, 150),
        ("biosppy_eeg_ec.txt", 1, 125, 38_219 / 125),
    ],
)
def test_real_samples_open_as_their_headers_say(
    name: str, n_channels: int, rate: float, seconds: float
) -> None:
    opened = open_signals(SAMPLES / name)
    first = opened.channels[0]
    assert (len(opened.channels), first.sampling_rate) == (n_channels, rate)
    assert first.n_samples == pytest.approx(seconds * rate)
    assert opened.read([0]).shape == (1, first.n_samples)


@needs_samples
def test_real_edf_and_wfdb_values_are_those_of_their_libraries() -> None:
    import mne
    import wfdb

    raw = mne.io.read_raw_edf(SAMPLES / "mne_test.edf", preload=True, verbose="error")
    opened = open_signals(SAMPLES / "mne_test.edf")
    # the same 16-bit numbers, scaled to µV instead of V
    np.testing.assert_allclose(opened.read([0, 137]), raw.get_data(picks=[0, 137]) * 1e6, rtol=1e-9)
    record = wfdb.rdrecord(str(SAMPLES / "mitdb_100"))
    np.testing.assert_array_equal(open_signals(SAMPLES / "mitdb_100.hea").read([0, 1]), record.p_signal.T)


@needs_samples
def test_a_real_ecg_is_read_through_a_manifest(tmp_path: Path) -> None:
    paths = [SAMPLES / "mitdb_100.hea"]
    write_table(tmp_path, [row(str(p), modality="ecg", sampling_rate="", unit="") for p in paths])
    signal = next(iter(ManifestReader(tmp_path, channels={"ecg": ["MLII"]}))).signals["ecg"]
    assert (signal.sampling_rate, signal.unit, signal.channel_names) == (360, "mV", ("MLII",))
    # an R wave of about 1 mV, as the record shows
    assert 0.5 < signal.data.max() < 2


def test_companions_of_a_header_are_files_that_a_manifest_depends_on(tmp_path: Path) -> None:
    from data_builders.manifests import with_companions

    for name in ("a.hea", "a.dat", "a_1.dat", "b.dat", "c.csv", "c.dat"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in with_companions(tmp_path / "a.hea")] == ["a.dat", "a.hea", "a_1.dat"]
    assert with_companions(tmp_path / "c.csv") == [tmp_path / "c.csv"]
