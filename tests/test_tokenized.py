"""Tokenized segments: what is written is what is read, from memory and from a folder."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pyarrow
import pytest

from data_builders.tokenized import (
    IDS,
    SegmentsCard,
    TokenizedError,
    TokenizedSegments,
    segment_schema,
    write_block,
    write_card,
)

CARD = SegmentsCard(
    classes=["calm", "tense"],
    sources=["codes", "bins+levels"],
    scale=(1.0, 9.0),
    quantities=[
        {"key": "heart_rate_mean", "name": "heart rate", "unit": "beats per minute", "low": 60.0,
         "high": 100.0, "digits": 0},
        {"key": "gsr_level", "name": "skin conductance", "unit": "microsiemens", "low": 1.0, "high": None,
         "digits": 1},
    ],
    copies=1,
)  # fmt: skip


def a_row(k: int) -> dict:
    """An even row is labelled and measured, an odd one is not."""
    known = k % 2 == 0
    return {
        **{name: f"{name}{k}" for name in IDS},
        "part": "train",
        "start": 10.0 * k,
        "duration": 10.0,
        "emotion": "tense" if known else None,
        "valence": 2.5 if known else None,
        "arousal": 7.0 if known else None,
        "transition": True if known else None,
        "reading": "calm" if known else None,
        "confidence": 0.75 if known else None,
        "unusable": "" if known else "the signal is noise",
        "values": [70.0 + k, math.nan] if known else None,
        "faults": json.dumps([["skin conductance", "flat", 0.25]]) if known else None,
        "clues": json.dumps([["heart rate", 0.5]]) if known else None,
        "text_codes": [f"codes {k} plain", f"codes {k} copy"],
        "text_bins+levels": [f"bins {k} plain"],
    }


def a_table(rows=range(4)) -> pyarrow.Table:
    return pyarrow.Table.from_pylist([a_row(k) for k in rows], schema=segment_schema(CARD.sources))


@pytest.fixture(params=["memory", "one block", "three blocks"])
def segments(request, tmp_path) -> TokenizedSegments:
    if request.param == "memory":
        return TokenizedSegments(a_table(), CARD)
    blocks = [range(4)] if request.param == "one block" else [range(2), range(2, 3), range(3, 4)]
    for number, rows in enumerate(blocks):
        write_block(a_table(rows), tmp_path, number)
    write_card(CARD, tmp_path)
    return TokenizedSegments(tmp_path)


def test_every_row_comes_back_with_its_texts(segments):
    assert len(segments) == 4
    for k in range(4):
        assert segments.value(k, "segment") == f"segment{k}"
        assert segments.text(k, "codes", 1) == f"codes {k} copy"
        assert [segments.n_copies(k, source) for source in CARD.sources] == [2, 1]
        assert segments.facts(k, "bins+levels").signal == f"bins {k} plain"
        assert segments.facts(k, needs=()).described == ("heart rate", "skin conductance")
    assert list(segments.column("emotion")) == ["tense", None, "tense", None]
    assert segments.column("start").tolist() == [0.0, 10.0, 20.0, 30.0]


def test_facts_say_what_is_known_and_leave_out_what_is_undefined(segments):
    facts = segments.facts(2, "codes")
    assert (facts.emotion, facts.valence, facts.arousal, facts.transition) == ("tense", 2.5, 7.0, True)
    assert (facts.reading, facts.confidence, facts.classes) == ("calm", 0.75, ("calm", "tense"))
    assert facts.scale == (1.0, 9.0)
    assert [(q.name, q.value, q.digits) for q in facts.quantities] == [("heart rate", 72.0, 0)]
    assert [(f.channel, f.what, f.share) for f in facts.faults] == [("skin conductance", "flat", 0.25)]
    assert [(c.name, c.weight) for c in facts.clues] == [("heart rate", 0.5)]


def test_what_was_not_measured_is_told_from_what_was_found_faultless(segments):
    facts = segments.facts(1, "codes")
    assert facts.unusable == "the signal is noise"
    assert facts.emotion is None
    assert facts.faults is None
    assert facts.quantities == facts.clues == ()


def test_a_range_without_an_end_is_open():
    row = a_row(0) | {"values": [70.0, 1e6]}
    table = pyarrow.Table.from_pylist([row], schema=segment_schema(CARD.sources))
    assert TokenizedSegments(table, CARD).facts(0).quantities[1].level == "normal"


def test_only_the_details_that_are_needed_are_read(segments):
    facts = segments.facts(2, "codes", needs={"emotion", "quantities"})
    assert facts.emotion == "tense"
    assert len(facts.quantities) == 1
    assert facts.faults is None
    assert facts.clues == ()
    assert segments.facts(2).signal == ""


def test_a_folder_without_a_card_is_not_complete(tmp_path):
    write_block(a_table(), tmp_path, 0)
    with pytest.raises(TokenizedError, match=r"no segments\.json"):
        TokenizedSegments(tmp_path)


def test_a_folder_without_a_block_is_refused(tmp_path):
    write_card(CARD, tmp_path)
    with pytest.raises(TokenizedError, match="got no block"):
        TokenizedSegments(tmp_path)


def test_missing_columns_are_named():
    with pytest.raises(TokenizedError, match=r"'faults', 'text_codes'.*missing"):
        TokenizedSegments(a_table().drop_columns(["faults", "text_codes"]), CARD)
    with pytest.raises(TokenizedError, match="needs a card"):
        TokenizedSegments(a_table())


def test_a_block_is_there_whole_or_not_at_all(tmp_path):
    path = write_block(a_table(), tmp_path, 3)
    assert path.name == "00003.arrow"
    assert [file.name for file in tmp_path.iterdir()] == ["00003.arrow"]
    assert write_block(a_table(), tmp_path, 3).read_bytes() == path.read_bytes()


def test_the_least_certain_readings_are_uncertain_where_certainty_is_needed():
    table = a_table(range(100))
    confidence = pyarrow.array([0.4 + 0.006 * k for k in range(100)])
    column = table.schema.get_field_index("confidence")
    segments = TokenizedSegments(table.set_column(column, "confidence", confidence), CARD)
    found = [segments.facts(row, needs=("certainty",)).uncertain for row in range(100)]
    assert found == [row < 5 for row in range(100)]
    floor = replace(CARD, least_confidence=0.5)
    segments = TokenizedSegments(segments.table, floor)
    found = [segments.facts(row, needs=("certainty",)).uncertain for row in range(100)]
    assert found == [0.4 + 0.006 * row < 0.5 for row in range(100)]
    assert not any(segments.facts(row, needs=()).uncertain for row in range(100))
