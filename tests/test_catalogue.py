"""The list of readers and the descriptions of readers and stores."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path

import pytest

from data_builders.catalogue import (
    AS_FILES,
    SUBJECTS,
    DataInfoConfig,
    DataListConfig,
    data_info,
    data_list,
    describe_reader,
    describe_store,
)
from data_builders.downloads import access
from data_builders.readers import READERS
from data_builders.segments import SignalSpec
from data_builders.store import SegmentStore


def test_the_list_has_a_line_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    data_list(DataListConfig())
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "modalities", "subjects", "licence", "data"]
    assert [line.split()[0] for line in lines] == sorted(READERS)
    for name, line in zip(sorted(READERS), lines, strict=True):
        assert READERS[name].licence in line
        assert line.endswith(access(name))
        assert all(modality in line for modality in READERS[name].modalities)


def test_the_list_as_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    data_list(DataListConfig(json=True))
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == sorted(READERS)
    assert {row["name"]: row["data"] for row in rows} == {name: access(name) for name in READERS}


def test_subjects_are_known_where_the_files_do_not_decide() -> None:
    own = {name for name in READERS if access(name) == "your own files"}
    assert set(READERS) - own <= set(SUBJECTS)
    assert all(describe_reader(name)["subjects"] == AS_FILES for name in own)


@pytest.mark.parametrize("name", sorted(READERS))
def test_all_options_of_a_reader_are_described(name: str) -> None:
    known = [option for option in signature(READERS[name]).parameters if option not in ("root", "options")]
    described = describe_reader(name)["reader_options"]
    assert set(known) <= {name for names in described for name in names.split(", ")}
    assert all(text.strip(". ") for text in described.values())


def test_options_are_told_with_what_is_allowed_and_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    data_info(DataInfoConfig("amigos"))
    lines = capsys.readouterr().out.splitlines()
    assert (
        '  videos: {"short", "long", "all"}, default \'short\'. 16 short films, 4 long ones, or both.'
        in lines
    )


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_reader_is_described_as_its_class_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    reader, about = READERS[name], describe_reader(name)
    data_info(DataInfoConfig(name, json=True))
    assert json.loads(capsys.readouterr().out) == about
    assert {
        m: SignalSpec(a["rate"], tuple(a["channels"]), a["unit"]) for m, a in about["modalities"].items()
    } == (dict(reader.modalities))
    data_info(DataInfoConfig(name))
    text = capsys.readouterr().out
    said = [reader.title, reader.licence, reader.citation, reader.url, reader.baseline, reader.caution]
    said += [*reader.left_out, *reader.labels.values(), *reader.classes]
    said += [channel for spec in reader.modalities.values() for channel in (*spec.channel_names, spec.unit)]
    assert not [entry for entry in said if entry not in text]
    assert not [line for line in text.splitlines() if line.endswith((": ", ": None", ": []"))]


def test_a_store_is_described(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_info(DataInfoConfig(str(store), json=True))
    about = json.loads(capsys.readouterr().out)
    assert about == json.loads(json.dumps(describe_store(store)))
    # eight people, six blocks of 40 s each, half of either state, in windows of 10 s
    assert (about["n_segments"], about["n_subjects"]) == (192, 8)
    assert about["labels"] == {"calm": 96, "tense": 96}
    assert about["rates"] == {"gsr": 8.0, "heart_rate": 1.0}
    assert list(about["modalities"]) == ["gsr", "heart_rate"]
    assert about["channels"] == {"gsr": ["gsr"], "heart_rate": ["hr"]}
    assert about["n_windows"] == len(SegmentStore(store)) > about["n_segments"]
    assert len(about["hash"]) == 16
    data_info(DataInfoConfig(str(store)))
    text = capsys.readouterr().out
    assert f"hash: {about['hash']}" in text
    assert "  tense: 96" in text


def test_what_is_neither_names_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.*noneeg"):
        data_info(DataInfoConfig("nowhere"))
    with pytest.raises(FileNotFoundError, match=r"expected the output of 'biollm prepare'"):
        data_info(DataInfoConfig(str(tmp_path)))
