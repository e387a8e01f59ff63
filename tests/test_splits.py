"""Splits by subject, and the check that finds every leak."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

from data_builders.splits import PARTS, LeakError, Split, check_leaks, group_kfold, subject_holdout


def make_table(n_subjects: int = 10, n_windows: int = 6, step: float = 10.0) -> pd.DataFrame:
    """Windows of 10 s, `step` apart; each of a trial of its own."""
    number = np.tile(np.arange(n_windows), n_subjects)
    subject = np.repeat([f"S{k:02d}" for k in range(n_subjects)], n_windows)
    return pd.DataFrame(
        {
            "segment": [f"d/{s}/{n}" for s, n in zip(subject, number, strict=True)],
            "dataset": "d",
            "subject": subject,
            "session": "",
            "trial": [f"T{n}" for n in number],
            "start": number * step,
            "duration": 10.0,
        }
    )


def clean(table: pd.DataFrame) -> Split:
    return subject_holdout(table)


def moved(split: Split, **parts: str) -> Split:
    """The split with some segments, as ``S00_3="test"``, in another part."""
    changes = {f"d/{name.replace('_', '/')}": part for name, part in parts.items()}
    return Split(split.parts | changes, split.protocol, split.fold)


def of_part(table: pd.DataFrame, split: Split, part: str) -> set[str]:
    return set(table["subject"][split.mask(table, part)])


@pytest.mark.parametrize(("n_subjects", "n_folds"), [(20, 5), (10, 10), (7, 3), (3, 3), (4, 2)])
def test_each_subject_is_tested_exactly_once(n_subjects, n_folds):
    table = make_table(n_subjects)
    splits = group_kfold(table, n_folds)
    assert [split.fold for split in splits] == list(range(n_folds))
    tested = [subject for split in splits for subject in of_part(table, split, "test")]
    assert sorted(tested) == sorted(table["subject"].unique())


@pytest.mark.parametrize("n_validation", [0.0, 0.25, 1.0])
def test_the_parts_are_disjoint_whole_and_none_is_empty(n_validation):
    table = make_table(9)
    for split in [*group_kfold(table, 4, n_validation), subject_holdout(table, 0.25, n_validation)]:
        parts = [of_part(table, split, part) for part in PARTS]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == 9
        assert set(split.parts) == set(table["segment"])
        check_leaks(table, split)


def test_folds_are_of_like_size_and_the_validation_share_is_kept():
    table = make_table(20)
    for split in group_kfold(table, 5, n_validation=0.25):
        assert [len(of_part(table, split, part)) for part in PARTS] == [12, 4, 4]
    assert len(of_part(table, subject_holdout(table, n_test=0.3), "test")) == 6


def test_a_seed_gives_one_split_and_another_seed_another():
    table = make_table(20)
    for make in (
        lambda seed: group_kfold(table, 5, seed=seed)[0],
        lambda seed: subject_holdout(table, seed=seed),
    ):
        assert make(0) == make(0)
        assert len({make(seed).hash for seed in range(5)}) == 5
    tests = [of_part(table, group_kfold(table, 5, seed=seed)[0], "test") for seed in range(5)]
    assert len(set(map(frozenset, tests))) == 5
    folds = group_kfold(table, 5)
    assert len({split.hash for split in folds}) == 5


def test_the_order_of_the_rows_does_not_matter():
    table = make_table(20)
    shuffled = table.sample(frac=1, random_state=0)
    for one, other in zip(group_kfold(table), group_kfold(shuffled), strict=True):
        assert one.hash == other.hash
    assert subject_holdout(table).hash == subject_holdout(shuffled).hash


@pytest.mark.parametrize(("n_subjects", "n_folds"), [(4, 5), (2, 2), (3, 2), (5, 1)])
def test_too_few_subjects_for_the_folds_is_an_error(n_subjects, n_folds):
    with pytest.raises(ValueError, match=f"{n_subjects} subjects cannot make {n_folds} folds"):
        group_kfold(make_table(n_subjects), n_folds)


def test_too_few_subjects_for_a_holdout_is_an_error():
    with pytest.raises(ValueError, match="2 subjects are too few"):
        subject_holdout(make_table(2))


def test_a_file_gives_back_the_split(tmp_path):
    split = group_kfold(make_table())[3]
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split


def test_the_hash_is_of_the_assignment_alone():
    split = clean(make_table())
    reordered = dict(reversed(split.parts.items()))
    assert Split(reordered, "other words", 4).hash == split.hash
    assert moved(split, S00_0="nowhere").hash != split.hash


def test_a_file_that_was_changed_by_hand_is_refused(tmp_path):
    path = tmp_path / "split.json"
    clean(make_table()).save(path)
    content = json.loads(path.read_text())
    segment, part = next(iter(content["parts"].items()))
    content["parts"][segment] = "test" if part == "train" else "train"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"split.json: was changed by hand: hash \w{16}, written \w{16}"):
        Split.load(path)
    path.write_text(json.dumps({"parts": content["parts"], "fold": 0}))
    with pytest.raises(ValueError, match=r"lacks the keys \['hash', 'protocol'\]"):
        Split.load(path)


def test_a_mask_marks_the_rows_of_a_part():
    table = make_table(2, 3)
    split = Split({"d/S00/0": "train", "d/S00/2": "test", "d/S01/1": "train"}, "by hand")
    assert split.mask(table, "train").tolist() == [True, False, False, False, True, False]
    assert not split.mask(table, "validation").any()


def test_a_shared_subject_is_found():
    table = make_table()
    split = clean(table)
    subject = min(of_part(table, split, "train"))
    with pytest.raises(LeakError, match=f"train and test share 1 subjects: {subject}") as error:
        check_leaks(table, moved(split, **{f"{subject}_0": "test"}))
    assert "trials" not in str(error.value)
    assert "overlap" not in str(error.value)


@pytest.mark.parametrize("pair", [("train", "validation"), ("validation", "test")])
def test_leaks_between_any_two_parts_are_found(pair):
    table = make_table()
    split = clean(table)
    subject = min(of_part(table, split, pair[0]))
    with pytest.raises(LeakError, match=f"{pair[0]} and {pair[1]} share 1 subjects: {subject}"):
        check_leaks(table, moved(split, **{f"{subject}_5": pair[1]}))


def test_a_shared_trial_is_found():
    table = make_table()
    table["trial"] = "film"
    split = clean(table)
    subject = min(of_part(table, split, "train"))
    with pytest.raises(LeakError, match=f"train and test share 1 trials: {subject}//film"):
        check_leaks(table, moved(split, **{f"{subject}_0": "test"}))


@pytest.mark.parametrize(("step", "neighbour"), [(9.99, True), (5.0, True), (10.0, False), (12.0, False)])
def test_overlapping_windows_are_found_and_touching_ones_are_none(step, neighbour):
    table = make_table(step=step)
    split = clean(table)
    subject = min(of_part(table, split, "train"))
    with pytest.raises(LeakError) as error:
        check_leaks(table, moved(split, **{f"{subject}_2": "test"}))
    assert ("overlap in time" in str(error.value)) is neighbour
    if neighbour:
        assert f"d/{subject}/2 with d/{subject}/1" in str(error.value)


@pytest.mark.parametrize("seed", range(5))
def test_the_overlap_check_agrees_with_comparing_all_pairs(seed):
    rng = np.random.default_rng(seed)
    table = make_table(4, 8).assign(start=rng.uniform(0, 150, 32), duration=rng.uniform(1, 20, 32))
    table["session"] = rng.choice(["a", "b"], 32)
    parts = dict(zip(table["segment"], rng.choice(["train", "test"], 32, p=[0.8, 0.2]), strict=True))
    rows = table.to_dict("records")
    pairs = {
        (one["segment"], other["segment"])
        for one in rows
        for other in rows
        if parts[one["segment"]] != parts[other["segment"]]
        and (one["subject"], one["session"]) == (other["subject"], other["session"])
        and one["start"] < other["start"] + other["duration"]
        and other["start"] < one["start"] + one["duration"]
    }
    from data_builders.splits import _overlaps

    train = table["segment"].map(parts) == "train"
    found = {tuple(pair.split(" with ")) for pair in _overlaps(table[train], table[~train])}
    assert found <= pairs
    # Each window that begins inside one of the other part is named, so none goes unseen.
    start = table.set_index("segment")["start"]
    assert {one for one, _ in found} == {one for one, other in pairs if start[one] > start[other]}


def test_sessions_of_a_subject_are_different_recordings():
    table = make_table(6, 2, step=0.0)
    table["session"] = np.tile(["morning", "evening"], 6)
    split = clean(table)
    subject = min(of_part(table, split, "train"))
    with pytest.raises(LeakError) as error:
        check_leaks(table, moved(split, **{f"{subject}_0": "test"}))
    assert "overlap" not in str(error.value)


def test_all_leaks_are_named_at_once():
    table = make_table(step=5.0).assign(trial="film")
    split = clean(table)
    train, test = (min(of_part(table, split, part)) for part in ("train", "test"))
    planted = moved(split, **{f"{train}_0": "test", f"{test}_3": "validation", f"{train}_5": "dev"})
    with pytest.raises(LeakError) as error:
        check_leaks(table, planted)
    complaints = [
        f"train and test share 1 subjects: {train}",
        f"train and test share 1 trials: {train}//film",
        f"train and test hold windows that overlap in time: d/{train}/1 with d/{train}/0",
        f"validation and test share 1 subjects: {test}",
        "parts ['dev'] are unknown",
    ]
    for complaint in complaints:
        assert complaint in str(error.value)


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_part_is_an_error(part):
    table = make_table()
    split = clean(table)
    emptied = Split({k: v for k, v in split.parts.items() if v != part}, split.protocol)
    with pytest.raises(LeakError, match=f"the {part} part is empty"):
        check_leaks(table, emptied)


def test_a_split_of_another_store_is_an_error():
    with pytest.raises(LeakError, match="train part is empty"):
        check_leaks(make_table().assign(segment=lambda t: "other/" + t["segment"]), clean(make_table()))


@pytest.mark.parametrize(("n_subjects", "n_windows"), [(20, 250), (4, 1250)])
def test_the_check_takes_under_a_second_for_5000_windows(n_subjects, n_windows):
    table = make_table(n_subjects, n_windows, step=5.0)
    split = clean(table)
    started = time.process_time()
    check_leaks(table, split)
    assert time.process_time() - started < 1


def test_the_check_of_a_split_that_leaks_everywhere_is_quick_too():
    table = make_table(2, 2500, step=5.0)
    parts = np.random.default_rng(0).choice(["train", "test"], len(table))
    started = time.process_time()
    with pytest.raises(LeakError, match="overlap in time"):
        check_leaks(table, Split(dict(zip(table["segment"], parts, strict=True)), "shuffled windows"))
    assert time.process_time() - started < 2
