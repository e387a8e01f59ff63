"""Splits: every protocol keeps apart what it says, and old assignments stay as they were."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_builders.leaks import LeakError, check_leaks
from data_builders.splits import (
    PARTS,
    UNITS,
    BlockKFold,
    Split,
    SubjectKFold,
    TrialKFold,
    group_kfold,
    load_splits,
    make_splits,
    subject_holdout,
)


def make_table(n_subjects: int = 10, n_windows: int = 6, step: float = 10.0) -> pd.DataFrame:
    """Windows of 10 s, `step` apart; each of a trial of its own."""
    number = np.tile(np.arange(n_windows), n_subjects)
    subject = np.repeat([f"S{k:02d}" for k in range(n_subjects)], n_windows)
    return pd.DataFrame(
        {
            "segment": [f"d/{s}/{n}" for s, n in zip(subject, number, strict=True)],
            "dataset": "d",
            "recording": subject,
            "group": subject,
            "subject": subject,
            "session": "",
            "trial": [f"T{n}" for n in number],
            "stimulus": "",
            "source": "",
            "start": number * step,
            "duration": 10.0,
            "reference": False,
            "emotion": None,
        }
    )


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
    split = subject_holdout(make_table())
    reordered = dict(reversed(split.parts.items()))
    assert Split(reordered, "other words", 4).hash == split.hash
    assert Split(split.parts | {"d/S00/0": "nowhere"}, "").hash != split.hash


def test_a_file_that_was_changed_by_hand_is_refused(tmp_path):
    path = tmp_path / "split.json"
    subject_holdout(make_table()).save(path)
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


# Made before there were other protocols; figures in docs/ rest on these assignments.
STORED = {
    "gkf3": [
        ("S00 S01 S05 S07 S08 S09", "S02 S03", "S04 S06 S10 S11"),
        ("S00 S04 S05 S06 S09 S10", "S03 S11", "S01 S02 S07 S08"),
        ("S01 S02 S06 S08 S10 S11", "S04 S07", "S00 S03 S05 S09"),
    ],
    "holdout": [("S00 S01 S04 S05 S06 S10 S11", "S03 S08", "S02 S07 S09")],
}


@pytest.mark.parametrize("protocol", STORED)
def test_assignments_are_the_stored_ones(protocol):
    table = make_table(12, 2)
    found = [
        tuple(" ".join(sorted(of_part(table, split, part))) for part in PARTS)
        for split in make_splits(table, protocol)
    ]
    assert found == STORED[protocol]


def test_hashes_of_a_larger_table_are_the_stored_ones():
    table = make_table(20, 3)
    assert [split.hash for split in group_kfold(table)] == [
        "aa630165ef31dbe4", "cd1d7722f783d5cd", "847209ae2a0d6bee", "299ed08784b4333c", "59bf7bb1b0a6dad6",
    ]  # fmt: skip
    assert subject_holdout(table).hash == "6269e34378a06625"
    assert subject_holdout(table, n_test=0.4, seed=3).hash == "6f7f8c7d5629afae"


PROTOCOLS = [
    "holdout", "holdout-2", "gkf3", "loso", "loso-first2", "loso3", "leave-stimulus", "stimulus3",
    "leave-session",
    "trial3", "trial5", "blocks4", "shuffled4",
]  # fmt: skip


def random_table(seed: int) -> pd.DataFrame:
    """Subjects in groups, sessions, recordings a session or a trial, windows that overlap, mixed copies."""
    rng = np.random.default_rng(seed)
    step, length, n_trials = rng.uniform(3, 12), 10.0, int(rng.integers(4, 8))
    by_trial = bool(rng.integers(2))
    rows = []
    for subject in range(int(rng.integers(7, 12))):
        for session in ("1", "2", "10")[: int(rng.integers(2, 4))]:
            for trial in range(n_trials):
                recording = f"d/{subject}/{session}" + (f"/{trial}" if by_trial else "")
                # Trials of one recording follow each other so closely that event windows overlap.
                offset = 0.0 if by_trial else trial * rng.uniform(20, 40)
                for k in range(int(rng.integers(2, 6))):
                    rows.append(
                        {
                            "segment": f"{recording}/{trial}/{k}", "dataset": "d", "recording": recording,
                            "group": f"G{subject // 2 if seed % 2 else subject}", "subject": f"P{subject}",
                            "session": session, "trial": f"T{trial}", "stimulus": f"film {trial}",
                            "source": "", "start": offset + k * step, "duration": length,
                            "reference": False, "emotion": rng.choice(["calm", "tense"]),
                        }
                    )  # fmt: skip
                ids = {"segment": f"{recording}/{trial}/reference", "trial": "reference", "stimulus": ""}
                rows.append({**rows[-1], **ids, "start": offset, "reference": True, "emotion": None})
    table = pd.DataFrame(rows)
    chosen = table[~table["reference"]].sample(30, random_state=seed)
    mixed = chosen["segment"].to_numpy()
    source = np.where(np.arange(30) % 3, mixed, mixed + "+" + np.roll(mixed, 1))
    copies = chosen.assign(segment=[f"{name}#1" for name in mixed], source=source)
    return pd.concat([table, copies], ignore_index=True).sample(frac=1, random_state=seed, ignore_index=True)


KEPT_APART = {
    "subject": ["group"],
    "stimulus": ["stimulus"],
    "session": ["subject", "session"],
    "trial": ["subject", "session", "trial"],
    "moment": [],
}


def brute_force_leaks(table: pd.DataFrame, parts: dict[str, str], unit: str) -> list[tuple[str, str]]:
    """Every pair in two parts that shares what the unit forbids, or a moment, or is copied from outside."""
    rows = [row for row in table.to_dict("records") if row["segment"] in parts]
    columns = KEPT_APART[unit]
    found = []
    for k, one in enumerate(rows):
        for source in filter(None, one["source"].split("+")):
            if {parts.get(source), parts[one["segment"]]} != {"train"}:
                found.append((one["segment"], source))
        for other in rows[:k]:
            if parts[one["segment"]] == parts[other["segment"]]:
                continue
            same = columns and all(one[c] == other[c] for c in columns)
            if unit in ("stimulus", "trial"):
                same = same and not (one["reference"] or other["reference"])
            together = (
                one["recording"] == other["recording"]
                and one["start"] < other["start"] + other["duration"] - 1e-6
                and other["start"] < one["start"] + one["duration"] - 1e-6
            )
            if same or together:
                found.append((one["segment"], other["segment"]))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_protocol_leaks_on_random_tables(protocol, seed):
    table = random_table(seed)
    splits = make_splits(table, protocol, seed)
    tested = set()
    for split in splits[:4]:
        check_leaks(table, split)
        assert set(PARTS) == set(split.parts.values())
        if not split.leaky:
            assert brute_force_leaks(table, split.parts, split.unit) == []
    for split in splits:
        fresh = {segment for segment, part in split.parts.items() if part == "test"}
        assert not fresh & tested
        tested |= fresh
    if protocol[:4] not in ("hold", "loso") or protocol == "loso":
        plain = set(table.loc[(table["source"] == "") & ~table["reference"], "segment"])
        assert plain <= tested


def test_the_brute_force_check_finds_what_a_shuffled_split_leaks():
    table = random_table(0)
    parts = make_splits(table, "shuffled4")[0].parts
    for unit in KEPT_APART:
        assert brute_force_leaks(table, parts, unit)
        with pytest.raises(LeakError):
            check_leaks(table, Split(parts, "shuffled", unit=unit))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_say_whether_they_hold_for_new_subjects(protocol):
    table = random_table(1)
    for split in make_splits(table, protocol):
        groups = [set(table["group"][split.mask(table, part)]) for part in PARTS]
        shared = bool((groups[0] | groups[1]) & groups[2])
        assert split.subject_disjoint is not shared
        assert split.leaky is (protocol == "shuffled4") is ("leaky" in split.protocol)
        assert split.unit in UNITS


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_protocol_depends_on_the_order_of_the_rows(protocol):
    table = random_table(2)
    shuffled = table.sample(frac=1, random_state=3)
    for one, other in zip(make_splits(table, protocol), make_splits(shuffled, protocol), strict=True):
        assert one == other


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_splitters_serve_scikit_learn(protocol):
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import cross_val_score

    from data_builders.splits import find_splitter

    table = random_table(4)
    splitter = find_splitter(protocol, seed=1)
    target = table["emotion"].fillna("calm")
    scores = cross_val_score(DummyClassifier(), table, target, cv=splitter)
    assert len(scores) == splitter.get_n_splits(table) == len(make_splits(table, protocol, seed=1))
    for (train, test), split in zip(splitter.split(table), make_splits(table, protocol, seed=1), strict=True):
        # Both know the same test part; the validation part comes out of the training side.
        assert set(table["segment"].iloc[test]) == set(table["segment"][split.mask(table, "test")])
        learned = split.mask(table, "train") | split.mask(table, "validation")
        assert set(np.flatnonzero(learned)) <= set(train)


def test_groups_that_may_not_be_separated_are_not():
    table = make_table(28, 2)
    number = table["subject"].str[1:].astype(int)
    table["group"] = "pair " + (number % 14).astype(str)
    for split in [*group_kfold(table, 5), *make_splits(table, "loso")]:
        part = table["segment"].map(split.parts)
        assert (part.groupby(table["group"]).nunique() == 1).all()
    assert len(make_splits(table, "loso")) == 14


@pytest.mark.parametrize("protocol", ["blocks5", "trial5"])
def test_the_same_moment_of_copied_subjects_is_never_on_two_sides(protocol):
    """As of GAMEEMO's pairs k and k + 14."""
    table = make_table(28, 10)
    number = table["subject"].str[1:].astype(int)
    table["group"] = "pair " + (number % 14).astype(str)
    for split in make_splits(table, protocol):
        sides = [set(zip(*(table.loc[split.mask(table, part), c] for c in ("group", "start")), strict=True))
                 for part in ("train", "test")]  # fmt: skip
        assert sides[1]
        assert not sides[0] & sides[1]
        check_leaks(table, split)


def test_a_holdout_of_seven_of_amigos_leaves_thirty():
    table = make_table(37, 1)
    split = make_splits(table, "holdout-7")[0]
    assert [len(of_part(table, split, part)) for part in PARTS] == [22, 8, 7]


def test_loso_tests_the_first_by_number_or_random_ones():
    table = make_table(12, 1)
    table["group"] = table["subject"] = "S" + table["subject"].str[1:].astype(int).astype(str)
    first = [min(of_part(table, split, "test")) for split in make_splits(table, "loso-first4")]
    assert first == ["S0", "S1", "S2", "S3"]
    drawn = {
        tuple(min(of_part(table, split, "test")) for split in make_splits(table, "loso4", seed))
        for seed in range(4)
    }
    assert len(drawn) == 4
    assert all(len(set(names)) == 4 for names in drawn)


def test_trials_are_dealt_by_subject_and_label():
    table = make_table(6, 20).assign(emotion=np.tile(["calm", "tense"], 60))
    for split in make_splits(table, TrialKFold(n_folds=5)):
        tested = table[split.mask(table, "test")]
        assert tested.groupby(["subject", "emotion"]).size().tolist() == [2] * 12


def test_a_baseline_goes_with_its_recording_where_that_is_one_trial():
    by_trial = (t for t in map(random_table, range(9)) if t["recording"].str.count("/").max() == 3)
    table = next(by_trial)
    for split in make_splits(table, "trial3"):
        part = table["segment"].map(split.parts)
        tested = table.loc[(part == "test") & ~table["reference"], "recording"].unique()
        baselines = part[table["reference"] & table["recording"].isin(tested)]
        assert (baselines == "test").all()


def test_blocks_are_contiguous_and_a_window_apart():
    table = make_table(3, 40)
    for fold, split in enumerate(make_splits(table, BlockKFold(n_folds=4, gap=2.0))):
        part = table["segment"].map(split.parts)
        for _, rows in table.groupby("subject"):
            tested = np.flatnonzero(part[rows.index] == "test")
            assert tested.tolist() == list(range(10 * fold, 10 * fold + 10))
            trained = np.flatnonzero(part[rows.index] == "train")
            # Two windows of 10 s on either side are left out: the next one is the third.
            assert np.abs(trained[:, None] - tested).min(initial=99) >= 3


def test_a_leaky_split_says_so_in_its_file(tmp_path):
    split = make_splits(make_table(), "shuffled5")[2]
    split.save(tmp_path / "split.json")
    assert json.loads((tmp_path / "split.json").read_text())["unit"] == "nothing"
    assert Split.load(tmp_path / "split.json") == split


def test_a_split_is_written_in_its_own_folder_alone(tmp_path, monkeypatch):
    """The folder above may be a home that is not ours, or another disk."""
    replaced = []
    monkeypatch.setattr("os.replace", lambda one, other: replaced.append(Path(one).parent))
    make_splits(make_table(12), "loso")[0].save(tmp_path / "split.json")
    assert replaced == [tmp_path]


def test_a_folder_gives_its_splits_by_fold(tmp_path):
    splits = make_splits(make_table(12), "loso")
    for split in splits:
        split.save(tmp_path / f"split-{split.fold}.json")
    assert load_splits(tmp_path) == splits
    assert load_splits(tmp_path / "split-7.json") == [splits[7]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: holds no split-<fold>.json"):
        load_splits(tmp_path / "empty")
    known = make_splits(make_table(12), "shuffled3")[0]
    dataclasses.replace(known, fold=12).save(tmp_path / "split-known.json")
    with pytest.raises(ValueError, match=r"units \['nothing', 'subject'\]; give a folder of splits with one"):
        load_splits(tmp_path)
    (tmp_path / "split-known.json").unlink()
    splits[7].save(tmp_path / "split-again.json")
    with pytest.raises(ValueError, match=r"several files are of the folds \[7\]"):
        load_splits(tmp_path)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("gkf", "protocol is 'gkf'; allowed are"),
        ("loso-last3", "protocol is 'loso-last3'"),
        ("loso11", "for 11 of 10 subjects"),
        ("holdout-9", "10 subjects are too few for train, validation and 9 test subjects"),
        ("holdout-0", "0 test subjects"),
        ("loso-first11", "for 11 of 10 subjects"),
        ("leave-session", "10 sessions of 10 subjects"),
        ("leave-stimulus", "60 segments without 'stimulus'"),
        ("trial1", "allowed are 2 folds or more"),
        ("blocks2", "cannot make 2 contiguous blocks"),
        ("blocks7", "cannot make 7 contiguous blocks"),
        ("shuffled60", "60 segments cannot make 60 folds"),
    ],
)
def test_a_protocol_that_the_table_cannot_fill_is_an_error(protocol, message):
    with pytest.raises(ValueError, match=message):
        make_splits(make_table(), protocol)


def test_a_table_that_lacks_columns_is_an_error():
    table = make_table().drop(columns=["recording", "source"])
    with pytest.raises(ValueError, match=r"lacks the columns \['recording', 'source'\]"):
        make_splits(table, SubjectKFold())


def test_a_unit_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="unit is 'people'; allowed are"):
        Split({}, "by hand", unit="people")


def test_a_split_is_saved_under_a_plain_name_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    split = Split({"a": "train", "b": "test"}, "mine")
    split.save("mine.json")
    assert Split.load("mine.json") == split
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.json"]
