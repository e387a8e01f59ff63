"""Who is asked about which segment, in which words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from data_builders.conversations import emotion_conversations
from prompts import load_task

CLASSES = ("calm", "tense", "bored")
N = 30
IDS = ("segment", "dataset", "subject", "session", "trial", "stimulus")


def a_table() -> pd.DataFrame:
    """Twenty calm segments, nine tense ones, one bored one."""
    return pd.DataFrame(
        {
            "segment": [f"d/S{k}/0" for k in range(N)],
            "dataset": "d",
            "subject": [f"S{k}" for k in range(N)],
            "session": "",
            "trial": "T",
            "stimulus": "film",
            "emotion": ["calm"] * 20 + ["tense"] * 9 + ["bored"],
        }
    )


def some_texts(copies: int = 3) -> dict[str, list[list[str]]]:
    """Each text says what it is of."""
    return {s: [[f"{s} {c} {k}." for k in range(N)] for c in range(copies)] for s in ("codes", "bins")}


def draw(
    n: int | None = 120, table: pd.DataFrame | None = None, texts: dict | None = None, **options
) -> list[dict]:
    table, texts = a_table() if table is None else table, some_texts() if texts is None else texts
    return list(emotion_conversations(table, texts, load_task("emotion"), CLASSES, n, **options))


def human(row: dict) -> str:
    return row["conversations"][0]["value"]


def signal_of(row: dict) -> tuple[str, int, int]:
    """Source, copy and position of the signal text in the question."""
    source, copy, position = human(row).rstrip(".").split()[-3:]
    return source, int(copy), int(position)


def test_classes_and_sources_are_balanced():
    rows = draw(120)
    assert Counter((row["label"], row["source"]) for row in rows) == {
        (label, source): 20 for label in CLASSES for source in ("codes", "bins")
    }
    two = emotion_conversations(a_table(), some_texts(), load_task("emotion"), CLASSES[:2], 40)
    assert set(Counter((row["label"], row["source"]) for row in two).values()) == {10}
    assert Counter(row["label"] for row in draw(121)).most_common()[0][1] == 41


def test_every_row_asks_about_its_own_segment_and_answers_with_its_label():
    table, task = a_table(), load_task("emotion")
    for row in draw(120):
        source, _, position = signal_of(row)
        assert source == row["source"]
        assert {name: row[name] for name in IDS} == table.loc[position, list(IDS)].to_dict()
        assert row["label"] == table.loc[position, "emotion"]
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
        assert row["conversations"][1]["value"] == task.answer(row["label"])
        assert row["system"] == task.system(CLASSES)
        assert not set(table["subject"]) & set(human(row).split()), "an id tells the label away"


def test_copies_and_phrasings_are_all_used():
    rows = draw(600)
    assert {signal_of(row)[1] for row in rows} == {0, 1, 2}
    phrasings = Counter(human(row).split("\n")[0] for row in rows)
    assert len(phrasings) == load_task("emotion").n_phrasings
    assert {signal_of(row)[2] for row in rows} == set(range(N))


def test_the_classes_do_not_come_in_turn():
    labels = [row["label"] for row in draw(120)]
    assert labels[:60] != [CLASSES[k % 3] for k in range(60)]


def test_a_seed_gives_one_draw_and_another_seed_another():
    assert draw(60, seed=1) == draw(60, seed=1)
    assert draw(60, seed=1) != draw(60, seed=2)


def test_ids_are_unique_and_say_the_part():
    rows = draw(50, part="validation")
    assert len({row["id"] for row in rows}) == 50
    assert all(row["id"].startswith("validation-") and row["part"] == "validation" for row in rows)


def test_without_a_number_each_segment_and_source_comes_once_in_order_and_plain():
    found = [signal_of(row) for row in draw(None)]
    assert found == [(source, 0, k) for k in range(N) for source in ("codes", "bins")]


def test_segments_without_a_label_are_not_asked_about():
    table = a_table()
    table.loc[[0, 5], "emotion"] = [None, "angry"]
    for n in (None, 200):
        rows = draw(n, table)
        assert {row["label"] for row in rows} == set(CLASSES)
        assert not {0, 5} & {signal_of(row)[2] for row in rows}


def test_a_class_without_segments_is_named():
    with pytest.raises(
        ValueError, match=r"labelled \['bored'\]; the classes are \['calm', 'tense', 'bored'\]"
    ):
        draw(10, a_table()[:29], {s: [c[:29] for c in t] for s, t in some_texts().items()})


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ({"codes": [["a"] * (N - 1)]}, r"\{'codes': \[29\]\}"),
        ({"codes": [["a"] * N, ["a"]], "bins": [["b"] * N]}, r"\{'codes': \[30, 1\]\}"),
        ({"codes": []}, r"\{'codes': \[\]\}"),
        ({}, r"\{\}"),
    ],
)
@pytest.mark.parametrize("n", [None, 5])
def test_texts_that_do_not_fit_the_segments_are_refused(texts, complaint, n):
    with pytest.raises(ValueError, match=f"{complaint}.*30 texts"):
        draw(n, texts=texts)


def test_the_rows_of_a_larger_table_keep_their_texts():
    """Positions count, whatever the index of the table says."""
    table = a_table().set_index(np.arange(N)[::-1])
    assert draw(60, table) == draw(60)
