"""What conversations are about, and that a row depends on the seed and its number alone."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow
import pytest
from made_segments import CLASSES, QUANTITIES, SOURCES, made_segments

from data_builders.conversation_plan import as_neighbours, plan_conversations
from data_builders.conversation_shards import make_shard, plan_shards, write_shards
from data_builders.conversations import COLUMNS, rows
from data_builders.segment_pairs import consecutive_pairs, subject_pairs
from data_builders.sharegpt import Roles, read_sharegpt
from data_builders.tokenized import SegmentsCard, TokenizedSegments, write_block, write_card
from prompts.facts import Facts


@dataclass(frozen=True)
class Asked:
    """A task whose turns say all that it was told: what is drawn is tested, and not how it is worded."""

    name: str
    needs: frozenset[str] = frozenset({"emotion"})
    pairing: str = ""
    about: str = "emotion"

    def lacks(self, segments: Sequence[Facts]) -> str:
        if any(facts.unusable for facts in segments) != (self.about == "unusable"):
            return "it is unusable" if self.about != "unusable" else "it is usable"
        return "" if self.known(segments) is not None else f"no {self.about}"

    def known(self, segments: Sequence[Facts]):
        return getattr(segments[-1], self.about)

    def stratum(self, segments: Sequence[Facts]) -> str:
        return "" if self.about in ("valence", "quantities", "unusable") else str(self.known(segments))

    def system(self, segments: Sequence[Facts], rng: random.Random) -> str:
        return f"Classes {rng.randrange(3)}: " + ", ".join(segments[0].classes)

    def turns(self, segments: Sequence[Facts], rng: random.Random) -> list[tuple[str, str]]:
        return [(f"q{rng.randrange(12)}: {[f.signal for f in segments]}", f"It is {self.known(segments)}.")]

    def truth(self, segments: Sequence[Facts]) -> dict:
        return {self.about: str(self.known(segments))}


TASKS = {
    task.name: task
    for task in (
        Asked("emotion"),
        Asked("affect", frozenset({"ratings"}), about="valence"),
        Asked("transition", frozenset({"transition"}), "consecutive", "transition"),
        Asked("compare", frozenset({"ratings"}), "subject", "valence"),
        Asked("describe", frozenset({"quantities"}), about="quantities"),
        Asked("refuse", frozenset(), about="unusable"),
    )
}
MIXED = {"emotion": 1.0, "affect": 0.5, "transition": 0.25, "compare": 0.25, "refuse": 0.1}


@pytest.fixture(scope="module")
def segments() -> TokenizedSegments:
    return made_segments()


def draw(segments, n=120, weights=None, sources=SOURCES, seed=0, tasks=TASKS, **options) -> list[dict]:
    plan = plan_conversations(segments, tasks, weights or {"emotion": 1}, sources, n, seed=seed)
    return list(rows(segments, tasks, plan, seed, **options))


def signals(row: dict) -> list[list[str]]:
    """Source, copy and number of each signal text in the question."""
    texts = row["conversations"][1]["value"].split(": ", 1)[1]
    return [text.split()[:3] for text in json.loads(texts.replace("'", '"'))]


def test_classes_and_sources_are_balanced(segments):
    found = Counter((row["label"], row["source"]) for row in draw(segments, 120))
    assert found == {(label, source): 20 for label in CLASSES for source in SOURCES}
    assert max(Counter(row["label"] for row in draw(segments, 121)).values()) == 41


def test_a_task_may_be_asked_on_some_sources_only(segments):
    weights = {"emotion": 1, "describe": 1}
    plan = plan_conversations(segments, TASKS, weights, SOURCES, 80, sources_of={"describe": ["bins"]})
    found = Counter((row["task"], row["source"]) for row in rows(segments, TASKS, plan))
    assert found == {("emotion", "codes"): 20, ("emotion", "bins"): 20, ("describe", "bins"): 40}


def test_tasks_have_their_shares_at_every_length(segments):
    names = [row["task"] for row in draw(segments, 420, MIXED)]
    for n in (42, 210, 420):
        found, total = Counter(names[:n]), sum(MIXED.values())
        assert all(abs(found[name] - n * weight / total) <= 1 for name, weight in MIXED.items())


def test_segments_of_a_class_come_equally_often(segments):
    found = Counter(row["segment"] for row in draw(segments, 900))
    labels = {row["segment"]: row["label"] for row in draw(segments, 900)}
    usable = (segments.column("unusable") == "").sum()
    assert len(found) == usable
    for label in CLASSES:
        counts = [count for segment, count in found.items() if labels[segment] == label]
        assert max(counts) - min(counts) <= 1


def test_every_row_asks_about_its_own_segment_and_answers_with_its_label(segments):
    position = {name: k for k, name in enumerate(segments.column("segment"))}
    for row in draw(segments, 420, MIXED):
        about = [row["other_segment"], row["segment"]] if row["other_segment"] else [row["segment"]]
        assert [int(number) for _, _, number in signals(row)] == [position[name] for name in about]
        assert {source for source, _, _ in signals(row)} == {row["source"]}
        for name in ("dataset", "subject", "session", "trial", "stimulus", "part"):
            assert row[name] == segments.value(position[row["segment"]], name)
        if row["task"] == "emotion":
            assert row["label"] == segments.value(position[row["segment"]], "emotion")
            assert row["conversations"][2]["value"] == f"It is {row['label']}."
            assert json.loads(row["truth"]) == {"emotion": row["label"]}
        assert row["subject"] not in row["conversations"][1]["value"], "an id tells the label away"


def test_all_rows_have_the_same_keys_with_text(segments):
    """Readers of JSON take the columns from the first rows, and Parquet shards must have the same ones."""
    for row in draw(segments, 200, MIXED):
        assert set(row) == {*COLUMNS, "conversations"}
        assert all(isinstance(row[name], str) for name in COLUMNS)


def test_copies_and_phrasings_are_all_used(segments):
    drawn = draw(segments, 600)
    assert {copy for row in drawn for _, copy, _ in signals(row)} == {"0", "1", "2"}
    assert len({row["conversations"][1]["value"].split(":")[0] for row in drawn}) == 12
    assert len({row["conversations"][0]["value"] for row in drawn}) == 3


def test_the_system_prompt_is_the_first_turn_and_nothing_else(segments):
    """Trainers that read no key of a row read it there."""
    for row in draw(segments, 200, MIXED, roles=Roles("user", "assistant")):
        first, question, answer = row["conversations"]
        assert first["from"] == "system"
        assert re.fullmatch(r"Classes \d: calm, tense, bored", first["value"])
        assert (question["from"], answer["from"]) == ("user", "assistant")
        assert "system" not in row


def test_the_classes_do_not_come_in_turn(segments):
    labels = [row["label"] for row in draw(segments)]
    assert labels[:60] != [labels[k % 6] for k in range(60)]


def test_a_seed_gives_one_draw_and_another_seed_another(segments):
    assert draw(segments, 60, MIXED, seed=1) == draw(segments, 60, MIXED, seed=1)
    assert draw(segments, 60, MIXED, seed=1) != draw(segments, 60, MIXED, seed=2)


def test_more_conversations_begin_with_the_same(segments):
    assert draw(segments, 1000, MIXED)[:77] == draw(segments, 77, MIXED)


def test_a_plan_reads_the_facts_of_a_segment_once_for_all_tasks(segments, monkeypatch):
    plain, read = TokenizedSegments.facts, []
    monkeypatch.setattr(
        TokenizedSegments, "facts", lambda self, row, **has: read.append(row) or plain(self, row, **has)
    )
    monkeypatch.setattr("data_builders.conversation_plan.KEPT", len(segments) // 2)  # of more than are kept
    plan_conversations(segments, TASKS, dict.fromkeys(TASKS, 1.0), SOURCES, 10)
    assert sorted(read) == list(range(len(segments)))


def test_a_row_is_the_same_in_any_part_of_the_plan(segments):
    plan = plan_conversations(segments, TASKS, MIXED, SOURCES, 200)
    whole = list(rows(segments, TASKS, plan))
    for k in (199, 3, 120):
        assert list(rows(segments, TASKS, plan[k : k + 1])) == [whole[k]]


def test_ids_are_unique_and_say_the_task(segments):
    drawn = draw(segments, 300, MIXED)
    assert len({row["id"] for row in drawn}) == 300
    assert all(row["id"].startswith(row["task"] + "-") for row in drawn)


def test_a_number_of_conversations_per_segment(segments):
    usable = (segments.column("unusable") == "").sum()
    plan = plan_conversations(segments, TASKS, {"describe": 1}, SOURCES, per_segment=3)
    assert len(plan) == 3 * usable
    assert set(Counter(plan.segments[:, 0].tolist()).values()) == {3}
    with pytest.raises(ValueError, match="give one of n and per_segment"):
        plan_conversations(segments, TASKS, {"describe": 1}, SOURCES)


def test_refusals_are_about_unusable_segments_and_nothing_else_is(segments):
    for row in draw(segments, 420, MIXED):
        assert ("~noise" in row["segment"]) == (row["task"] == "refuse")
        assert "~noise" not in row["other_segment"]


def test_consecutive_pairs_are_neighbours_that_do_not_overlap(segments):
    pairs = consecutive_pairs(segments)
    start, recording = segments.column("start"), segments.column("recording")
    usable = np.flatnonzero(segments.column("unusable") == "")
    for first, second in pairs:
        assert recording[first] == recording[second]
        assert start[second] >= start[first] + 10
        between = usable[(recording[usable] == recording[first]) & (start[usable] > start[first])]
        assert not (start[between] + 10 <= start[second]).any()
    # The first two windows of each recording overlap, and have none before them.
    assert len(pairs) == len(usable) - 2 * 6


def test_no_pair_reaches_over_a_trial_that_is_unusable(segments):
    """The label of the trial behind it compares with it, and not with the trial before."""
    lost = (segments.column("recording") == "d/S0") & (segments.column("trial") == "T1")
    unusable = np.where(lost, "the signal is noise", segments.column("unusable"))
    column = segments.table.schema.get_field_index("unusable")
    table = segments.table.set_column(column, "unusable", pyarrow.array(unusable.tolist()))
    pairs = consecutive_pairs(TokenizedSegments(table, segments.card))
    recording, trial = segments.column("recording"), segments.column("trial")
    found = {(trial[a], trial[b]) for a, b in pairs if recording[b] == "d/S0"}
    assert found == {("T0", "T0"), ("T2", "T2"), ("T2", "T3"), ("T3", "T3")}
    before = [tuple(pair) for pair in consecutive_pairs(segments).tolist()]
    kept = [pair for pair in before if not lost[list(pair)].any()]
    assert sorted(map(tuple, pairs.tolist())) == sorted(kept)


def test_a_transition_is_asked_across_trials_and_denied_within_one(segments):
    drawn = draw(segments, 300, {"transition": 1})
    position = {name: k for k, name in enumerate(segments.column("segment"))}
    answers = Counter()
    for row in drawn:
        first, second = position[row["other_segment"]], position[row["segment"]]
        changed = segments.value(first, "emotion") != segments.value(second, "emotion")
        assert row["conversations"][2]["value"] == f"It is {changed}."
        answers[changed] += 1
    assert answers == {True: 150, False: 150}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"valence": 2.0, "transition": True}, {"valence": 2.0, "transition": True}, False),
        ({"valence": 2.0, "transition": False}, {"valence": 7.0, "transition": True}, True),
        ({"transition": None}, {"transition": True}, True),
        ({"transition": True}, {"transition": False}, False),
        ({"transition": True}, {"transition": True}, None),
        ({"emotion": "calm", "transition": True}, {"emotion": "calm", "transition": True}, False),
    ],
)
def test_two_windows_of_a_trial_differ_if_they_are_of_two_blocks(first, second, told):
    """A trial may hold several blocks, each with labels of its own, as the clips of a film have."""
    segments = made_segments(n_subjects=1, n_trials=1, spoiled=False)
    plain = replace(segments.facts(0), emotion=None, valence=None, arousal=None)
    facts = as_neighbours(segments, [0, 2], [replace(plain, **first), replace(plain, **second)])
    assert facts[1].transition is told


def test_compared_segments_are_of_one_subject_and_share_no_second(segments):
    pairs = subject_pairs(segments, seed=3)
    start, subject = segments.column("start"), segments.column("subject")
    assert len(np.unique(pairs, axis=0)) == len(pairs) > len(segments)
    assert (subject[pairs[:, 0]] == subject[pairs[:, 1]]).all()
    assert (np.abs(start[pairs[:, 0]] - start[pairs[:, 1]]) >= 10).all()
    assert set(subject[pairs[:, 0]]) == set(subject)


def test_all_that_is_wrong_with_the_choice_is_said_at_once(segments):
    with pytest.raises(ValueError, match=r"'emotions' is unknown.*-1.*source 'floats', allowed are") as error:
        plan_conversations(segments, TASKS, {"emotions": 1, "affect": -1}, ["floats"], 10)
    assert "'describe'" in str(error.value)
    with pytest.raises(ValueError, match=r"no task is given; no source is given"):
        plan_conversations(segments, TASKS, {}, [], 10)


def test_tasks_that_nothing_can_be_asked_of_are_named_with_the_reasons():
    plain = made_segments(spoiled=False)
    with pytest.raises(ValueError, match=r"'refuse' can be asked about none of 120 .* it is usable \(120\)"):
        plan_conversations(plain, TASKS, MIXED, SOURCES, 10)
    one = made_segments(n_subjects=1, n_trials=1, n_windows=1, spoiled=False)
    with pytest.raises(ValueError, match=r"'transition'.*there are no pairs of segments.*'compare'"):
        plan_conversations(one, TASKS, {"transition": 1, "compare": 1}, SOURCES, 10)


def test_a_class_without_segments_is_named(segments):
    card = SegmentsCard([*CLASSES, "angry"], list(SOURCES), (1, 9), QUANTITIES)
    with pytest.raises(ValueError, match=r"labelled \['angry'\]; the classes are \['calm'"):
        plan_conversations(TokenizedSegments(segments.table, card), TASKS, {"emotion": 1}, SOURCES, 10)


FORMATS = ("jsonl", "jsonl.zst", "parquet")


@pytest.fixture(scope="module")
def stored(segments, tmp_path_factory):
    """The same segments in three blocks."""
    folder = tmp_path_factory.mktemp("segments")
    for number, rows_ in enumerate(np.array_split(np.arange(len(segments)), 3)):
        write_block(segments.table.take(pyarrow.array(rows_)), folder, number)
    write_card(segments.card, folder)
    return folder


@pytest.mark.parametrize("file_format", FORMATS)
def test_shards_hold_the_rows_in_order(segments, stored, tmp_path, file_format):
    roles = Roles("user", "assistant")
    plan = plan_conversations(segments, TASKS, MIXED, SOURCES, 95)
    shards = plan_shards(tmp_path, stored, TASKS, plan, 20, file_format, roles=roles)
    files = list(write_shards(shards[::-1]))
    assert sorted(file.name for file in files) == [f"0000{k}.{file_format}" for k in range(5)]
    assert read_sharegpt(tmp_path, roles) == list(rows(segments, TASKS, plan, roles=roles))


@pytest.mark.parametrize("file_format", FORMATS)
def test_any_number_of_workers_writes_the_same_bytes(segments, stored, tmp_path, file_format):
    plan = plan_conversations(segments, TASKS, MIXED, SOURCES, 60)
    for name, where, jobs in (("here", segments, 1), ("two", stored, 2)):
        shards = plan_shards(tmp_path / name, where, TASKS, plan, 20, file_format)
        assert len(list(write_shards(shards, jobs))) == 3
    for file in (tmp_path / "here").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_shards_that_are_there_are_kept_and_leftovers_go(segments, tmp_path):
    plan = plan_conversations(segments, TASKS, MIXED, SOURCES, 60)
    shards = plan_shards(tmp_path, segments, TASKS, plan, 20, "jsonl")
    first = make_shard(shards[1])
    before = first.stat().st_mtime_ns
    (tmp_path / ".00002.jsonl.77.partial").write_text("half a row")
    list(write_shards(shards))
    assert first.stat().st_mtime_ns == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["00000.jsonl", "00001.jsonl", "00002.jsonl"]


def test_unknown_formats_and_empty_shards_are_refused(segments, tmp_path):
    plan = plan_conversations(segments, TASKS, {"emotion": 1}, SOURCES, 5)
    with pytest.raises(ValueError, match=r"'csv' and shard_size 0; allowed are \['jsonl'"):
        plan_shards(tmp_path, segments, TASKS, plan, 0, "csv")
