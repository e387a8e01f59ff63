"""Augmented copies of training segments: ids, labels, sources, and the stores that hold them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from data_builders.augmentation import augmenting
from data_builders.augmentation.augmenting import AugmentConfig, augment_store
from data_builders.augmentation.copies import AugmentationConfig, augment, suitable
from data_builders.augmentation.intermediate import INTERMEDIATE
from data_builders.augmentation.synthesis import Synthesis
from data_builders.augmentation.validation import CHECKS, Check
from data_builders.leaks import LeakError, check_leaks
from data_builders.segments import TABLE_COLUMNS, Segments, SignalSpec
from data_builders.splits import Split, subject_holdout
from data_builders.store import SegmentStore

SPECS = {
    "eeg": SignalSpec(128.0, ("F3", "F4", "Cz"), "µV"),
    "emg": SignalSpec(256.0, ("emg1", "emg2", "emg3", "emg4"), "µV"),
    "gsr": SignalSpec(16.0, ("gsr",), "µS"),
}


def some_segments(n=24, seed=0, specs=SPECS) -> Segments:
    """Noise of 2 s, of two subjects and two labels."""
    rng = np.random.default_rng(seed)
    signals = {
        name: rng.standard_normal((n, len(spec.channel_names), round(2 * spec.sampling_rate))).astype(
            np.float32
        )
        for name, spec in specs.items()
    }
    table = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS, ""), index=range(n))
    table["subject"] = [f"S{k % 2}" for k in range(n)]
    table["emotion"] = [("calm", "tense")[k // 2 % 2] for k in range(n)]
    table["valence"], table["arousal"], table["transition"] = 0.5, np.nan, np.nan
    table["segment"] = [f"d/{subject}/{k}" for k, subject in enumerate(table["subject"])]
    table["on_grid"], table["reference"], table["start"], table["duration"] = True, False, 0.0, 2.0
    return Segments(signals, table, dict(specs))


def all_train(segments: Segments) -> Split:
    return Split(dict.fromkeys(segments.table["segment"], "train"), "all")


@pytest.mark.parametrize("level", ["basic", "intermediate"])
def test_copies_keep_ids_and_labels_and_name_their_sources(level):
    segments = some_segments()
    before = {name: data.copy() for name, data in segments.signals.items()}
    made = augment(segments, AugmentationConfig(level=level), all_train(segments))
    assert len(made) == 2 * len(segments)
    assert made.table["segment"].is_unique
    assert made.table["segment"][0] == "d/S0/0/aug0"
    assert made.table["segment"][24] == "d/S0/0/aug1"
    assert not made.table["on_grid"].any()
    same = [c for c in TABLE_COLUMNS if c not in ("segment", "source", "on_grid")]
    wanted = pd.concat([segments.table] * 2, ignore_index=True)
    pd.testing.assert_frame_equal(made.table[same], wanted[same])
    sources = made.table["source"].str.split("+")
    assert (sources.str[0] == wanted["segment"]).all()
    assert sources.str.len().max() == 1 if level == "basic" else sources.str.len().max() in (2, 3)
    for name, data in made.signals.items():
        assert data.dtype == np.float32
        np.testing.assert_array_equal(segments.signals[name], before[name])
    # Two of five transforms change a segment of three modalities in at least one; a lone ring that is
    # turned by none, or hemispheres that are not swapped, leave a few as they are.
    changed = np.mean([
        any((made.signals[n][k] != np.tile(before[n], (2, 1, 1))[k]).any() for n in SPECS) for k in range(48)
    ])  # fmt: skip
    assert changed > 0.9


def test_segments_are_mixed_within_subject_and_label():
    segments = some_segments(60)
    segments.table.loc[::7, "emotion"] = None
    config = AugmentationConfig(transforms={"mixup": None, "cutmix": 0.2})
    made = augment(segments, config, all_train(segments))
    facts = segments.table.set_index("segment")[["subject", "emotion"]].fillna("none").agg("/".join, axis=1)
    kinds = made.table["source"].str.split("+").map(lambda ids: set(facts[ids]))
    assert (kinds.str.len() == 1).all()
    assert (made.table["source"].str.count(r"\+") >= 1).mean() > 0.9


def test_time_is_changed_alike_in_all_modalities():
    """Every signal is the time itself: afterwards, too, all tell the same time."""
    segments = some_segments()
    for name, spec in SPECS.items():
        time = (np.arange(round(2 * spec.sampling_rate)) + 0.5) / spec.sampling_rate
        segments.signals[name][:] = time
    config = AugmentationConfig(transforms={"time_warping": 0.5, "window_slicing": 0.3})
    made = augment(segments, config, all_train(segments))
    slow = made.signals["gsr"][:, 0]
    fast = made.signals["emg"][:, 2].reshape(len(made), -1, 16).mean(axis=2)
    # Within the first and the last slow sample there is nothing to read between: inner ones are exact
    # but for the bend of the curve within a sample of 1/16 s.
    np.testing.assert_allclose(slow[:, 1:-1], fast[:, 1:-1], atol=0.01)
    assert np.abs(slow - segments.signals["gsr"][0, 0]).max() > 0.1


def test_copies_follow_from_the_seed_and_not_from_what_is_augmented_before():
    segments = some_segments()
    split = all_train(segments)
    one, same, other = (
        augment(segments, AugmentationConfig(level="intermediate", seed=s), split) for s in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one.table, same.table)
    for name in SPECS:
        np.testing.assert_array_equal(one.signals[name], same.signals[name])
    assert any((one.signals[name] != other.signals[name]).any() for name in SPECS)
    assert (one.signals["gsr"][:24] != one.signals["gsr"][24:]).any()


def test_a_level_uses_the_transforms_that_suit():
    plan = suitable(AugmentationConfig(level="intermediate"), SPECS)
    assert plan["swap_hemispheres"] == ["eeg"]
    assert plan["rotate_ring"] == ["emg"]
    assert plan["phase_randomisation"] == ["eeg", "emg"]
    assert plan["time_warping"] == ["eeg", "emg", "gsr"]
    only = {"gsr": SPECS["gsr"], "features": SignalSpec(1.0, ("mean",), "")}
    plan = suitable(AugmentationConfig(level="intermediate"), only)
    assert set(INTERMEDIATE) - set(plan) == {"swap_hemispheres", "rotate_ring", "phase_randomisation"}
    assert all(modalities == ["gsr"] for modalities in plan.values())
    with pytest.raises(ValueError, match=r"\['rotate_ring'\] suit none of the modalities .*'gsr': \['gsr'\]"):
        suitable(AugmentationConfig(transforms={"rotate_ring": 1, "jitter": 0.1}), only)
    with pytest.raises(ValueError, match="nothing is done to 'features'"):
        suitable(AugmentationConfig(), {"features": only["features"]})


def test_only_real_segments_of_the_training_part_are_augmented():
    segments = some_segments()
    parts = {name: ("train", "test")[name.startswith("d/S1")] for name in segments.table["segment"]}
    with pytest.raises(ValueError, match=r"24 segments 12 are not of the training part, such as \['d/S1/1'"):
        augment(segments, AugmentationConfig(), Split(parts, "by subject"))
    segments.table.loc[0, "reference"] = True
    segments.table.loc[1, "source"] = "d/S0/0"
    with pytest.raises(ValueError, match=r"1 are reference windows.*1 are augmented copies already"):
        augment(segments, AugmentationConfig(), all_train(segments))


def test_bad_settings_of_augmentation_are_named_together():
    with pytest.raises(ValueError, match=r"level is 'bsic'.*generator is 'gan'.*ratio is 0.*\['wobble'\]"):
        AugmentationConfig(level="bsic", generator="gan", ratio=0, transforms='{"wobble": 1}')
    with pytest.raises(ValueError, match="width is 6"):
        AugmentationConfig(level="generative", generator_options={"width": 6})
    with pytest.raises(ValueError, match="generative level alone has; set level"):
        AugmentationConfig(generator="wgan")
    with pytest.raises(ValueError, match="generative level has none"):
        AugmentationConfig(level="generative", transforms={"jitter": None})


def test_generated_copies_have_an_emotion_and_no_other_label():
    segments = some_segments()
    options = {"steps": 3, "width": 8}
    config = AugmentationConfig(level="generative", generator_options=options)
    made = augment(segments, config, all_train(segments))
    assert len(made) == 48
    assert made.table["emotion"].tolist() == 2 * segments.table["emotion"].tolist()
    assert made.table["valence"].isna().all()
    assert {name: data.shape[1:] for name, data in made.signals.items()} == {
        name: data.shape[1:] for name, data in segments.signals.items()
    }


@pytest.fixture(scope="module")
def split_file(store, tmp_path_factory):
    """A hold-out of the store of two states, which has eight subjects."""
    path = tmp_path_factory.mktemp("splits") / "split.json"
    subject_holdout(SegmentStore(store).table, seed=1).save(path)
    return path


def run(store, split_file, out, **settings) -> SegmentStore:
    config = AugmentConfig(store=str(store), split=str(split_file), out=str(out), **settings)
    return SegmentStore(augment_store(config, progress=False))


@pytest.mark.parametrize("level", ["basic", "intermediate"])
def test_a_store_gets_copies_of_its_training_segments(level, store, split_file, tmp_path):
    before, split = SegmentStore(store), Split.load(split_file)
    after = run(store, split_file, tmp_path / "out", level=level)
    copies = (after.table["source"] != "").to_numpy()
    trained = split.mask(before.table, "train") & ~before.table["reference"].to_numpy(bool)
    assert copies.sum() == 2 * trained.sum()
    own = after.table["source"][copies].str.split("+").explode()
    assert set(own) == set(before.table["segment"][trained])
    pd.testing.assert_frame_equal(after.table[~copies].reset_index(drop=True), before.table)
    for name, data in before.segments().signals.items():
        np.testing.assert_array_equal(after.segments(~copies).signals[name], data)
    assert after.describe()["n_segments"] == before.describe()["n_segments"]
    assert after.about["augmentation"]["split"] == split.hash
    extended = Split.load(tmp_path / "out" / "split.json")
    assert extended.mask(after.table, "train").sum() == copies.sum() + split.mask(before.table, "train").sum()
    check_leaks(after.table, extended)
    assert (tmp_path / "out" / "augmentation_report" / "report.md").is_file()


def test_an_augmented_store_is_made_anew_for_other_settings_only(store, split_file, tmp_path):
    keys = [run(store, split_file, tmp_path / "out").key for _ in range(2)]
    stamp = (tmp_path / "out" / "store.json").stat().st_mtime_ns
    keys.append(run(store, split_file, tmp_path / "out", force=True).key)
    assert len(set(keys)) == 1
    assert (tmp_path / "out" / "store.json").stat().st_mtime_ns == stamp
    assert run(store, split_file, tmp_path / "out", seed=1).key != keys[0]
    with pytest.raises(ValueError, match="augmented copies already"):
        run(tmp_path / "out", split_file, tmp_path / "twice")
    with pytest.raises(ValueError, match="out is the store itself"):
        run(store, split_file, store)


def test_generated_copies_that_fail_are_used_only_by_force(store, split_file, tmp_path, monkeypatch):
    """Three steps of training make nothing that passes for real."""
    options = {"level": "generative", "generator": "wgan", "generator_options": {"steps": 3, "width": 8}}
    with pytest.raises(ValueError, match=r"generative copies failed(.|\n)*report.md") as error:
        run(store, split_file, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    report = json.loads((tmp_path / "out.partial" / "augmentation_report" / "report.json").read_text())
    failed = [name for name in CHECKS if report["checks"][name]["passed"] is False]
    assert failed
    assert all(f"{name} is {report['checks'][name]['value']:.3g}" in str(error.value) for name in failed)
    # What was fitted is not fitted again.
    monkeypatch.setattr(Synthesis, "fit", None)
    forced = run(store, split_file, tmp_path / "out", force=True, **options)
    done = forced.about["augmentation"]
    assert done["passed"] is False
    with pytest.raises(ValueError, match="written by a run with force, although the copies failed"):
        run(store, split_file, tmp_path / "out", **options)
    split = Split.load(split_file)
    assert {split.parts[name] for name in done["fitted"]["generators"]} == {"train"}
    assert (forced.table["source"] != "").sum() > 0
    extended = Split.load(tmp_path / "out" / "split.json")
    check_leaks(forced.table, extended, fitted=forced.fitted)
    swapped = {"train": "test", "test": "train", "validation": "validation"}
    moved = Split({name: swapped[part] for name, part in extended.parts.items()}, "swapped")
    with pytest.raises(LeakError, match=r"generators was fitted on .* segments that are not in the train"):
        check_leaks(forced.table, moved, fitted=forced.fitted)


def test_generated_copies_that_pass_are_used(store, split_file, tmp_path, monkeypatch):
    judge = augmenting.validate

    def pleased(*args):
        report = judge(*args)
        report.checks = {name: Check(0.0, 0.0, True) for name in report.checks}
        return report

    monkeypatch.setattr(augmenting, "validate", pleased)
    made = run(
        store, split_file, tmp_path / "out", level="generative", generator_options={"steps": 2, "width": 8}
    )
    assert made.about["augmentation"]["passed"] is True
    assert (made.table["source"] != "").any()


def test_copies_that_lose_their_labels_are_refused_at_every_level(store, split_file, tmp_path, monkeypatch):
    def mislabelled(*args):
        """Copies that look as segments of the other emotion do."""
        made = augment(*args)
        emotion = made.table["emotion"].to_numpy(dtype=str)
        other = [np.flatnonzero(emotion != own)[k % (emotion != own).sum()] for k, own in enumerate(emotion)]
        return Segments({n: data[other] for n, data in made.signals.items()}, made.table, made.specs)

    monkeypatch.setattr(augmenting, "augment", mislabelled)
    with pytest.raises(ValueError, match=r"basic copies failed their validation:\n- transfer is -"):
        run(store, split_file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("ratio", "n_transforms"), [(1, 1), (3, 2)])
def test_copies_are_as_many_and_as_changed_as_they_are_told_to_be(ratio, n_transforms):
    """Of two transforms one mixes: every copy where both are taken, half of them where one is."""
    segments = some_segments(60)
    config = AugmentationConfig(
        transforms={"jitter": 0.1, "mixup": None}, ratio=ratio, n_transforms=n_transforms
    )
    made = augment(segments, config, all_train(segments))
    assert len(made) == ratio * len(segments)
    mixed = made.table["source"].str.contains("+", regex=False).mean()
    assert mixed == 1 if n_transforms == 2 else 0.25 < mixed < 0.75
