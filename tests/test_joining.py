"""Several stores as one: channels by name, one rate, one length, subjects apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_builders.joining import JoinConfig, channel_key, join
from data_builders.leaks import check_leaks
from data_builders.preparing import read_for_chat
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec
from data_builders.splits import make_splits
from data_builders.stage import run_stage
from data_builders.store import SegmentStore, write_shards
from encoders.input_cache import store_inputs
from encoders.trainer import TrainEncoderConfig, Trainer

AMIGOS = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
# An older naming in another order, with 32 electrodes, of which 14 are those of AMIGOS.
OLDER = [
    *("FP1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T3", "CP5", "CP1", "P3", "T5", "PO3", "O1", "OZ", "PZ"),
    *("FP2", "AF4", "FZ", "F4", "F8", "FC6", "FC2", "CZ", "C4", "T4", "CP6", "CP2", "P4", "T6", "PO4", "O2"),
]
FREQUENCY = 10.0  # Hz


def sines(names: list[str], rate: float, seconds: float, n: int) -> np.ndarray:
    """Sines whose amplitude names the channel, (n, n_channels, n_samples)."""
    time = np.arange(round(seconds * rate)) / rate
    amplitudes = np.array([1 + sum(channel_key(name).encode()) % 97 for name in names])
    return np.tile(amplitudes[:, None] * np.sin(2 * np.pi * FREQUENCY * time), (n, 1, 1))


def segments_of(
    channels: list[str], rate: float, seconds: float, emotions: list[str], n: int = 6, n_subjects: int = 2
) -> Segments:
    """Segments of subjects with the same ids in every data set."""
    subjects = [f"s{k % n_subjects}" for k in range(n)]
    table = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS, [""] * n)).assign(
        segment=[f"seg{k}" for k in range(n)], dataset="some", recording=subjects, group=subjects,
        subject=subjects, stimulus=None, start=[seconds * (k // n_subjects) for k in range(n)],
        duration=seconds, on_grid=True, reference=False,
        emotion=[emotions[k // n_subjects % len(emotions)] for k in range(n)],
        valence=np.nan, arousal=np.nan, transition=np.nan,
    )  # fmt: skip
    spec = SignalSpec(rate, tuple(channels), "µV")
    return Segments({"eeg": sines(channels, rate, seconds, n).astype(np.float32)}, table, {"eeg": spec})


def stored(folder: Path, segments: Segments) -> str:
    """A store that holds these segments."""
    about = {
        "dataset": folder.name, "root": None, "reader_options": {}, "preprocessing": "none",
        "window": float(segments.table["duration"].iloc[0]), "step": 0.0, "event": None,
        "classes": sorted(segments.table["emotion"].dropna().unique()),
    }  # fmt: skip
    parts = [
        (name, segments[rows])
        for name, rows in segments.table.groupby("recording", sort=False).indices.items()
    ]
    run_stage("prepare", folder, {"test": folder.name}, lambda partial: write_shards(parts, partial, about))
    return str(folder)


@pytest.fixture
def stores(tmp_path) -> dict[str, str]:
    return {
        "headset": stored(tmp_path / "headset", segments_of(AMIGOS, 128.0, 4.0, ["happy", "sad"])),
        "cap": stored(tmp_path / "cap", segments_of(OLDER, 200.0, 6.0, ["happy", "neutral"])),
    }


@pytest.fixture
def joined(stores, tmp_path) -> SegmentStore:
    return SegmentStore(join(JoinConfig(stores, str(tmp_path / "joined")), progress=False))


def test_channels_are_found_by_name_in_the_order_of_the_first(joined):
    assert joined.specs == {"eeg": SignalSpec(128.0, tuple(AMIGOS), "µV")}
    x = joined.segments().signals["eeg"]
    # Both hold the same sine a channel; the resampling filter has no past in the first quarter second.
    first, second = x[0, :, 32:-32], x[-1, :, 32:-32]
    np.testing.assert_allclose(second, first, atol=0.02 * np.abs(first).max())
    np.testing.assert_allclose(np.abs(second).max(1) / np.abs(first).max(1), 1, atol=0.02)


def test_one_rate_and_one_length(joined, stores):
    assert joined.segments().signals["eeg"].shape == (12, 14, 512)
    assert joined.about["window"] == 4.0
    assert (joined.table["duration"] == 4.0).all()
    # What is at the lowest rate and the shortest is untouched.
    own = SegmentStore(stores["headset"]).segments()
    np.testing.assert_array_equal(joined.segments(np.arange(6)).signals["eeg"], own.signals["eeg"])


def test_nothing_above_the_new_half_rate_is_folded_back(tmp_path):
    names = ["F3", "F4", "P7", "P8"]
    slow, fast = segments_of(names, 128.0, 4.0, ["happy"]), segments_of(names, 200.0, 4.0, ["happy"])
    fast.signals["eeg"][:] = np.sin(2 * np.pi * 85 * np.arange(800) / 200)
    given = {"slow": stored(tmp_path / "slow", slow), "fast": stored(tmp_path / "fast", fast)}
    found = SegmentStore(join(JoinConfig(given, str(tmp_path / "joined")), progress=False)).segments()
    # 85 Hz would come back as 43 Hz at full amplitude; the filter takes it down by more than 40 dB.
    assert np.abs(found.signals["eeg"][6:, :, 32:-32]).max() < 0.01


def test_a_single_channel_is_the_same_under_any_name(tmp_path):
    parts = {
        "one": segments_of(["ECG"], 128.0, 4.0, ["happy"]),
        "other": segments_of(["lead II"], 128.0, 4.0, ["happy"]),
    }
    given = {name: stored(tmp_path / name, part) for name, part in parts.items()}
    found = SegmentStore(join(JoinConfig(given, str(tmp_path / "joined")), progress=False))
    assert found.specs["eeg"].channel_names == ("ECG",)


def test_subjects_and_segments_of_two_stores_stay_apart(joined):
    table = joined.table
    assert table["segment"].is_unique
    assert set(table["subject"]) == {"headset/s0", "headset/s1", "cap/s0", "cap/s1"}
    assert table["dataset"].tolist() == ["headset"] * 6 + ["cap"] * 6
    # What is empty stays empty: no augmented copies, no stimulus.
    assert (table["source"] == "").all()
    assert table["stimulus"].isna().all()
    for split in make_splits(table, "loso"):
        check_leaks(table, split, joined)


def test_words_are_mapped_and_left_out(stores, tmp_path):
    words = {"cap": {"happy": "happy", "neutral": None}, "headset": {"happy": "happy", "sad": "low"}}
    found = SegmentStore(join(JoinConfig(stores, str(tmp_path / "joined"), words=json.dumps(words)), False))
    assert found.classes == ("happy", "low")
    assert set(found.table["emotion"][:6]) == {"happy", "low"}
    assert found.table["emotion"][6:].tolist() == ["happy", None, "happy"] * 2


def test_all_that_is_wrong_is_said_at_once(stores, tmp_path):
    out = str(tmp_path / "joined")
    calm = stored(tmp_path / "calm", segments_of(["FP1", "FP2", "CZ", "F3"], 128.0, 4.0, ["calm"]))
    twice = segments_of([*OLDER, "T7"], 128.0, 4.0, ["happy"])
    copies = segments_of(AMIGOS, 128.0, 4.0, ["happy"])
    copies.table["source"] = "seg0"
    volts = segments_of(AMIGOS, 128.0, 4.0, ["happy"])
    volts.specs = {"eeg": replace(volts.specs["eeg"], unit="V")}
    above = segments_of(AMIGOS, 128.0, 4.0, ["happy"])
    above.specs = {"eeg": replace(above.specs["eeg"], above_baseline=True)}
    for given, options, message in (
        (
            stores | {"cap": calm},
            {},
            r"share 1 channels.*and 4 are needed.*no emotion is in all",
        ),
        (stores, {"words": {"cap": {"happy": "happy"}}}, r"words gives cap nothing for \['neutral'\]"),
        (stores, {"modalities": ["ecg"]}, "headset has no modality 'ecg'.*; cap has no"),
        (stores | {"cap": stored(tmp_path / "twice", twice)}, {}, r"cap has \['t7'\] twice"),
        (stores | {"cap": stored(tmp_path / "copies", copies)}, {}, "cap holds augmented copies"),
        (stores | {"again": stores["cap"]}, {}, "cap and again hold the same recordings"),
        (stores | {"cap": stored(tmp_path / "volts", volts)}, {}, r"units of 'eeg' differ: .*'cap': 'V'"),
        (stores | {"cap": stored(tmp_path / "above", above)}, {}, "above its baseline in some stores alone"),
    ):
        with pytest.raises(ValueError, match=message):
            join(JoinConfig(given, out, **options), progress=False)
    with pytest.raises(
        ValueError, match=r"two or more, by name; .*\['a/b'\].*words names \['b'\].*_channels is 0"
    ):
        JoinConfig({"a/b": "runs/a"}, out, words={"b": {}}, min_channels=0)
    assert not Path(out).exists()


def test_an_output_does_not_replace_what_it_is_made_of(joined, stores):
    with pytest.raises(ValueError, match="out is the store cap itself"):
        join(JoinConfig(stores, stores["cap"]), progress=False)
    with pytest.raises(ValueError, match="both was joined already"):
        join(JoinConfig({**stores, "both": str(joined.location)}, str(joined.location) + "2"), progress=False)
    assert SegmentStore(stores["cap"]).about["dataset"] == "cap"


def test_stores_with_ratings_alone_are_joined(tmp_path):
    given = {}
    for name in ("one", "other"):
        rated = segments_of(["left", "right"], 128.0, 4.0, ["happy"])
        rated.table = rated.table.assign(emotion=None, valence=np.linspace(-1, 1, 6))
        given[name] = stored(tmp_path / name, rated)
    found = SegmentStore(join(JoinConfig(given, str(tmp_path / "joined")), progress=False))
    assert found.specs["eeg"].channel_names == ("left", "right")
    assert found.table["valence"].notna().all()


def test_a_store_is_written_to_a_url(stores, tmp_path, monkeypatch):
    monkeypatch.setenv("BIOLLM_CACHE", str(tmp_path / "cache"))
    out = "memory://joining/joined"
    assert len(SegmentStore(join(JoinConfig(stores, out), progress=False))) == 12


def test_offsets_and_gaps_are_no_worse_for_another_rate(tmp_path):
    parts = [segments_of(["left", "right"], rate, 4.0, ["happy"]) for rate in (128.0, 200.0)]
    for part in parts:
        part.signals["eeg"] += 4200
    parts[1].signals["eeg"][0, 0, 400:500] = np.nan
    given = {name: stored(tmp_path / name, part) for name, part in zip(("slow", "fast"), parts, strict=True)}
    slow, fast = (
        SegmentStore(join(JoinConfig(given, str(tmp_path / "joined")), False)).segments().signals["eeg"][rows]
        for rows in (slice(0, 6), slice(6, 12))
    )
    amplitude = np.abs(slow[1] - 4200).max()
    np.testing.assert_allclose(fast[1:, :, 32:-32], slow[1:, :, 32:-32], atol=0.02 * amplitude)
    assert np.isnan(fast[0, 0]).sum() == 64


def test_a_model_of_joined_stores_reads_no_recording(joined):
    with pytest.raises(
        ValueError, match=r"joined stores \['headset', 'cap'\], whose windows no single reader"
    ):
        read_for_chat(joined.card(), "s01.dat")


def test_one_model_is_trained_on_what_was_joined(tmp_path):
    parts = {
        "headset": segments_of(AMIGOS, 128.0, 4.0, ["happy", "sad"], n=20, n_subjects=5),
        "cap": segments_of(OLDER, 200.0, 6.0, ["happy", "sad"], n=40, n_subjects=5),
    }
    given = {name: stored(tmp_path / name, part) for name, part in parts.items()}
    store = join(JoinConfig(given, str(tmp_path / "joined")), progress=False)
    assert store_inputs(SegmentStore(store)).streams["eeg"].shape == (60, 28, 512)
    training = {"epochs": 1, "balance": "dataset"}
    config = TrainEncoderConfig(
        str(store), str(tmp_path / "run"), network="cnn", encoder={"dim": 8},
        training=training, protocol="holdout",
    )  # fmt: skip
    results = Trainer(config, progress=False).fit().test()
    assert set(results["by_dataset"]) == {"headset", "cap"}
    assert all(0 <= found["emotion"]["accuracy"] <= 1 for found in results["by_dataset"].values())


def test_all_modalities_that_are_asked_for_are_joined(tmp_path):
    given = {}
    for number, (name, rate) in enumerate({"one": 128.0, "other": 200.0}.items()):
        part = segments_of(["left", "right"], rate, 4.0, ["happy"])
        part.signals["gsr"] = np.full((6, 1, 32), number, np.float32)
        part.specs = part.specs | {"gsr": SignalSpec(8.0, ("EDA",), "µS")}
        given[name] = stored(tmp_path / name, part)
    for modalities in (["gsr"], ["eeg", "gsr"]):
        found = SegmentStore(join(JoinConfig(given, str(tmp_path / "joined"), modalities), progress=False))
        assert list(found.specs) == modalities
        assert found.segments().signals["gsr"][:, 0, 0].tolist() == [0] * 6 + [1] * 6


def test_other_settings_or_stores_are_another_store(stores, tmp_path):
    longer = stored(tmp_path / "longer", segments_of(OLDER, 200.0, 6.0, ["happy", "neutral"], n=8))
    keys = [
        SegmentStore(join(JoinConfig(stores | {"cap": cap}, str(tmp_path / "out"), **change), False)).key
        for cap, change in ((stores["cap"], {}), (stores["cap"], {"min_channels": 5}), (longer, {}))
    ]
    assert len(set(keys)) == 3
