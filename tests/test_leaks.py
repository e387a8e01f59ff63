"""The check that finds every leak, whoever made the split."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from test_splits import brute_force_leaks, make_table, of_part, random_table

from data_builders.leaks import LeakError, StimulusWarning, check_leaks
from data_builders.splits import PARTS, Split, make_splits, overlapping, subject_holdout


def clean(table: pd.DataFrame) -> Split:
    return subject_holdout(table)


def moved(split: Split, **parts: str) -> Split:
    """The split with some segments, as ``S00_3="test"``, in another part."""
    changes = {f"d/{name.replace('_', '/')}": part for name, part in parts.items()}
    return Split(split.parts | changes, split.protocol, split.fold)


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
        assert f"d/{subject}/1 with d/{subject}/2" in str(error.value)


@pytest.mark.parametrize("gap", [0.0, 15.0])
@pytest.mark.parametrize("seed", range(5))
def test_overlaps_agree_with_comparing_all_pairs(seed, gap):
    rng = np.random.default_rng(seed)
    table = make_table(4, 20).assign(start=rng.uniform(0, 600, 80), duration=rng.uniform(1, 20, 80))
    one, other = table.iloc[::3].reset_index(drop=True), table.iloc[1::3].reset_index(drop=True)
    found = overlapping(one, other, gap)
    n_hits = 0
    for row, hit in zip(one.to_dict("records"), found, strict=True):
        near = [
            k
            for k, window in enumerate(other.to_dict("records"))
            if window["recording"] == row["recording"]
            and window["start"] < row["start"] + row["duration"] + gap
            and row["start"] < window["start"] + window["duration"] + gap
        ]
        assert hit in near if near else hit == -1
        n_hits += bool(near)
    assert 0 < n_hits < len(one)


def test_sessions_of_a_subject_are_different_recordings():
    table = make_table(6, 2, step=0.0)
    table["session"] = np.tile(["morning", "evening"], 6)
    table["recording"] = table["subject"] + table["session"]
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
        f"train and test hold 1 windows that overlap in time: d/{train}/1 with d/{train}/0",
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


def test_five_thousand_windows_that_leak_everywhere_are_counted():
    table = make_table(2, 2500, step=5.0)
    parts = ["train", "test"] * 2500
    with pytest.raises(LeakError, match="hold 2500 windows that overlap in time"):
        check_leaks(table, Split(dict(zip(table["segment"], parts, strict=True)), "alternating"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("protocol", ["gkf3", "leave-session", "stimulus3", "trial3", "blocks3"])
def test_the_check_agrees_with_comparing_all_pairs_of_a_split_that_was_tampered_with(protocol, seed):
    rng = np.random.default_rng(seed)
    table = random_table(seed)
    split = make_splits(table, protocol, seed)[0]
    n_leaks = 0
    for _ in range(8):
        moved = {str(segment): str(rng.choice(PARTS)) for segment in rng.choice(table["segment"], 1)}
        tampered = Split(split.parts | moved, "tampered", 0, split.unit)
        leaks = brute_force_leaks(table, tampered.parts, split.unit)
        n_leaks += bool(leaks)
        with pytest.raises(LeakError) if leaks else nullcontext():
            check_leaks(table, tampered)
    assert n_leaks


def test_a_shuffled_split_passes_only_where_it_is_marked_leaky():
    table = make_table(6, 9, step=5.0)
    marked = make_splits(table, "shuffled3")[0]
    check_leaks(table, marked)
    for unit in ("subject", "trial", "moment"):
        with pytest.raises(LeakError, match="overlap in time"):
            check_leaks(table, Split(marked.parts, "shuffled windows", 0, unit))


def test_groups_are_kept_apart_where_subjects_differ():
    table = make_table(8, 2)
    table["group"] = "pair " + (table["subject"].str[1:].astype(int) % 4).astype(str)
    parts = dict.fromkeys(table["segment"], "train") | {"d/S05/0": "test", "d/S05/1": "test"}
    with pytest.raises(LeakError, match="train and test share 1 groups: pair 1") as error:
        check_leaks(table, Split(parts, "by subject"))
    assert "subjects" not in str(error.value)


def test_a_group_that_is_named_after_one_of_its_subjects_is_kept_apart():
    table = make_table(8, 2)
    table["group"] = table["subject"].replace({"S02": "S01"})
    parts = dict.fromkeys(table["segment"], "train") | {"d/S02/0": "test", "d/S02/1": "test"}
    with pytest.raises(LeakError, match="train and test share 1 groups: S01"):
        check_leaks(table, Split(parts, "by subject"))


@pytest.mark.parametrize(
    ("unit", "what"), [("stimulus", "stimuli: d/film 0"), ("session", "sessions: d/S00/")]
)
def test_shared_stimuli_and_sessions_are_found_where_they_are_claimed_apart(unit, what):
    table = make_table(6, 4).assign(stimulus=lambda t: "film " + t["trial"].str[1:])
    parts = dict.fromkeys(table["segment"], "train") | {"d/S00/0": "test"}
    with pytest.raises(LeakError, match=f"train and test share 1 {what}"):
        check_leaks(table, Split(parts, "by hand", unit=unit))
    check_leaks(table, Split(parts, "by hand", unit="trial"))


def augmented(table: pd.DataFrame, source: str) -> pd.DataFrame:
    row = table[table["segment"] == source.split("+")[0]].assign(segment="copy", source=source)
    return pd.concat([table, row], ignore_index=True)


def test_copies_beside_their_sources_in_training_are_no_leak():
    table = make_table()
    split = clean(table)
    names = [segment for segment, part in split.parts.items() if part == "train"]
    for source in (names[0], f"{names[0]}+{names[-1]}"):
        check_leaks(augmented(table, source), Split(split.parts | {"copy": "train"}, "", 0))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_copies_outside_of_training_are_found(part):
    table = make_table()
    split = clean(table)
    source = next(segment for segment, where in split.parts.items() if where == part)
    with pytest.raises(LeakError, match="1 augmented segments are not in the train part: copy"):
        check_leaks(augmented(table, source), Split(split.parts | {"copy": part}, ""))


@pytest.mark.parametrize("part", ["validation", "test", "left out", "unheard of"])
def test_copies_of_what_is_not_trained_on_are_found_in_mixtures_too(part):
    table = make_table()
    split = clean(table)
    train = next(segment for segment, where in split.parts.items() if where == "train")
    foreign = next((segment for segment, where in split.parts.items() if where == part), "d/S99/0")
    parts = split.parts | {"copy": "train"}
    if part == "left out":
        foreign = [segment for segment, where in parts.items() if where == "train"][1]
        del parts[foreign]
    with pytest.raises(LeakError, match=f"1 sources of augmented train .*: copy of {foreign} "):
        check_leaks(augmented(table, f"{train}+{foreign}"), Split(parts, ""))


def test_what_was_fitted_on_other_segments_is_found():
    table = make_table()
    split = clean(table)
    train = [segment for segment, part in split.parts.items() if part == "train"]
    tested = next(segment for segment, part in split.parts.items() if part == "test")
    check_leaks(table, split, fitted={"bins": train, "encoder": split.hash})
    with pytest.raises(LeakError) as error:
        check_leaks(table, split, fitted={"bins": [*train, tested, "d/S99/0"], "encoder": "abc"})
    assert f"bins was fitted on 2 segments that are not in the train part: {tested} (test)" in str(
        error.value
    )
    assert f"encoder was fitted on the split abc, not on this one, {split.hash}" in str(error.value)


def test_a_leaky_split_may_not_be_fitted_on_its_test_part_either():
    split = make_splits(make_table(), "shuffled3")[0]
    tested = [segment for segment, part in split.parts.items() if part == "test"]
    with pytest.raises(LeakError, match=f"bins was fitted on {len(tested)} segments"):
        check_leaks(make_table(), split, fitted={"bins": tested})


@pytest.mark.parametrize("protocol", ["trial4", "leave-session"])
def test_known_subjects_are_warned_of_stimuli_that_tell_the_label_too(protocol):
    table = pd.concat([make_table(6, 4).assign(session=s) for s in "ab"], ignore_index=True)
    for name in ("segment", "recording"):
        table[name] += table["session"]
    number = table["trial"].str[1:].astype(int)
    table = table.assign(stimulus="film " + number.astype(str), emotion="label " + (number % 2).astype(str))
    with pytest.warns(StimulusWarning):
        check_leaks(table, make_splits(table, protocol)[0])


@pytest.mark.parametrize(
    ("n_labels", "follows", "warned"), [(2, True, True), (2, False, False), (4, True, False)]
)
def test_labels_that_follow_shared_stimuli_are_warned_of_where_some_can_be_held_out(
    n_labels, follows, warned
):
    """With four films and four labels none can be held out, and the warning would be of no use."""
    table = make_table(8, 4)
    number = table["trial"].str[1:].astype(int)
    table["stimulus"] = "film " + number.astype(str)
    told_by = number if follows else number + table["subject"].str[1:].astype(int)
    table["emotion"] = "label " + (told_by % n_labels).astype(str)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_leaks(table, clean(table))
    assert [w.category for w in caught] == [StimulusWarning] * warned
