"""``biollm reproduce``: every experiment is well-formed, says what its data are, and shows what leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from written import amigos, deap, gameemo, kaggle, seed_iv

from biollm.comparing import CompareConfig, applicable_methods
from biollm.experiment import EvaluateConfig
from biollm.predecessors import EXPERIMENTS, Experiment, Study, quick
from biollm.reproducing import ReproduceConfig, reproduce
from data_builders.preparing import PrepareConfig, make_reader, prepare
from data_builders.readers import READERS, find_reader
from data_builders.simulation import draw_feature_table
from data_builders.splits import find_splitter
from data_builders.store import SegmentStore

STUDIES = [
    pytest.param(chosen, id=f"{name}-{key}-{preset}")
    for name, experiment in EXPERIMENTS.items()
    for key, study in experiment.studies.items()
    for preset, chosen in (("full", study), ("quick", quick(study)))
]
WRITERS: dict[str, Callable[[Path], Any]] = {
    "amigos": amigos.write, "deap": deap.write, "gameemo": gameemo.write, "kaggle": kaggle.write,
    "seed_iv": seed_iv.write,
}  # fmt: skip
# An LLM reads any store, and joined stores are those of the other studies at the lowest rate.
COMPARED = [case for case in STUDIES if not (case.values[0].llm or case.values[0].joins)]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_fits_the_stages_that_it_is_run_by(study: Study) -> None:
    """Unknown fields, rows and options are refused by the stages' own configurations."""
    (EvaluateConfig if study.llm else CompareConfig)(**study.settings)
    units = [find_splitter(protocol).unit for protocol in study.protocols]
    # an honest protocol stands beside one that leaks by design; the table knows no subjects
    assert "nothing" in units
    assert {"subject", "moment"} & set(units)
    if study.joins:
        assert "subject" in units
        return
    assert study.dataset in READERS
    if make_reader(study.simulated, None, dict(study.simulated_options)).name == "simulated":
        assert "subject" in units


@pytest.mark.parametrize("study", COMPARED)
def test_all_rows_of_a_study_can_read_its_data(study: Study, tmp_path: Path) -> None:
    """Two people and a few short trials are enough: it is rates, channels and frames that decide."""
    options = dict(study.simulated_options)
    if study.simulated == "simulated":
        options |= {"n_subjects": 2, "n_trials": 4, "block_seconds": 20.0, "persistence": 0.0}
    store = prepare(
        PrepareConfig(
            study.simulated, None, str(tmp_path / "store"), reader_options=options, **study.prepare
        ),
        progress=False,
    )
    config = CompareConfig(str(store), **study.settings)
    assert applicable_methods(config, SegmentStore(store))[1] == {}


@pytest.mark.filterwarnings("ignore:.*left out the videos")
@pytest.mark.parametrize("study", [case for case in COMPARED if case.values[0].dataset in WRITERS])
def test_all_rows_of_a_study_can_read_the_files_of_its_data_set(study: Study, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    WRITERS[study.dataset](tmp_path / "data")
    config = PrepareConfig(
        study.dataset, str(tmp_path / "data"), str(tmp_path / "store"),
        reader_options=dict(study.reader_options), **study.prepare,
    )  # fmt: skip
    store = prepare(config, progress=False)
    assert applicable_methods(CompareConfig(str(store), **study.settings), SegmentStore(store))[1] == {}


def test_joined_studies_have_a_word_for_every_emotion() -> None:
    studies = EXPERIMENTS["gru-xnet"].studies
    assert set(studies["unified"].joins) == {"deap", "gameemo", "seed_iv"}
    for name, words in studies["unified"].joins.items():
        study = studies[name]
        simulated = make_reader(study.simulated, None, dict(study.simulated_options))
        assert set(words) == {*find_reader(study.dataset).classes, *simulated.classes}
        assert set(words.values()) - {None} == {"pleasant", "unpleasant"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_quick_study_is_a_smaller_one(name: str) -> None:
    for study in EXPERIMENTS[name].studies.values():
        small = quick(study)
        assert small.n_folds is not None
        assert small.metrics == study.metrics
        assert set(study.simulated_options) <= set(small.simulated_options)
        assert set(small.settings) == set(study.settings)
        if not study.llm:
            epochs = [s.settings["encoder"]["training"]["epochs"] for s in (small, study)]
            assert epochs[0] < epochs[1]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """The experiment on a fourth of the rows and one fold, by a row that can read it and one that cannot."""
    experiment = EXPERIMENTS["kaggle-gru"]
    study = replace(
        experiment.studies["table"],
        settings={**experiment.studies["table"].settings, "methods": ["k-NN", "MDM"]},
        simulated_options={"part": 4},
        n_folds=1,
    )
    made = replace(experiment, studies={"table": study})
    monkeypatch.setitem(EXPERIMENTS, "kaggle-gru", made)
    return made


def test_simulated_data_are_named_first_and_the_leak_shows(
    small: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = reproduce(ReproduceConfig("kaggle-gru", out=str(tmp_path / "out")), progress=False)
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("kaggle-gru: SIMULATED data in the data set's shape (table)")
    report = json.loads((out / "report.json").read_text())
    assert report["data"] == printed.splitlines()[0]
    protocols = report["studies"]["table"]["protocols"]
    marks = {name: protocol["mark"] for name, protocol in protocols.items()}
    assert marks == {"shuffled5": "LEAKY SPLIT", "blocks5": "subjects on both sides"}
    found = {
        name: {row["method"]: row["balanced_accuracy"] for row in protocol["results"]}["k-NN"]
        for name, protocol in protocols.items()
    }
    # a row's neighbours are in training, or are not; 107 rows: a standard error of .04 at .8
    assert found["shuffled5"] > 0.95
    assert found["shuffled5"] > found["blocks5"] + 0.1
    page = (out / "report.html").read_text()
    assert "<title>kaggle-gru on SIMULATED data</title>" in page
    assert small.leak[:30] in page
    absent = report["studies"]["table"]["not_applicable"]
    assert [line.split(":")[0] for line in absent] == ["MDM"]
    assert f"Not applicable: {absent[0]}" in printed
    assert f"Not applicable: {escape(absent[0])}" in page
    for protocol in protocols:
        assert f'href="table/{protocol}/report.html"' in page
        assert (out / "table" / protocol / "report.html").is_file()
        assert len(list((out / "table" / protocol).glob("split-*.json"))) == 1
    stamp = (out / "table" / "shuffled5" / "stage.json").stat().st_mtime_ns
    reproduce(ReproduceConfig("kaggle-gru", out=str(tmp_path / "out")), progress=False)
    assert (out / "table" / "shuffled5" / "stage.json").stat().st_mtime_ns == stamp


def test_stores_of_several_studies_are_joined_for_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = EXPERIMENTS["gru-xnet"]
    studies = {
        name: replace(
            quick(study),
            protocols=("gkf5",) if study.joins else (),
            settings={**quick(study).settings, "methods": ["majority"]},
            simulated_options={
                **study.simulated_options,
                "n_subjects": 2,
                "n_trials": 4,
                "block_seconds": 4.0,
            },
        )
        for name, study in whole.studies.items()
    }
    monkeypatch.setitem(EXPERIMENTS, "gru-xnet", replace(whole, studies=studies))
    out = reproduce(ReproduceConfig("gru-xnet", out=str(tmp_path / "out")), progress=False)
    report = json.loads((out / "report.json").read_text())
    store = SegmentStore(out / "unified" / "store")
    assert set(store.table["dataset"]) == {"deap", "gameemo", "seed_iv"}
    assert set(store.classes) == {"pleasant", "unpleasant"}
    assert len(store.specs["eeg"].channel_names) == 14
    assert report["studies"]["unified"]["reader"] == "simulated"
    assert "<h2>unified (SIMULATED" in (out / "report.html").read_text()


def test_given_data_are_read_and_nothing_is_called_simulated(
    small: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(small.studies["table"], protocols=("shuffled5",))
    monkeypatch.setitem(EXPERIMENTS, "kaggle-gru", replace(small, studies={"table": study}))
    (tmp_path / "data").mkdir()
    draw_feature_table(part=20).to_csv(tmp_path / "data" / "emotions.csv", index=False)
    config = ReproduceConfig("kaggle-gru", str(tmp_path / "data"), out=str(tmp_path / "out"))
    out = reproduce(config, progress=False)
    assert capsys.readouterr().out.splitlines()[0] == f"kaggle-gru: table: {tmp_path / 'data'}."
    assert json.loads((out / "report.json").read_text())["studies"]["table"]["reader"] == "kaggle"
    page = (out / "report.html").read_text()
    assert "SIMULATED" not in page
    assert "not in order of time" in page


def test_bad_requests_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'alexnet'.*'gru-xnet'.*'slow'.*quick.*without a root"):
        ReproduceConfig("alexnet", preset="slow", reader_options={"pairs": False})
    out = str(tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"none of the folders \['deap', 'gameemo', 'seed_iv'\]"):
        reproduce(ReproduceConfig("gru-xnet", str(tmp_path), out=out), progress=False)
    with pytest.raises(FileNotFoundError, match=r"emotions\.csv"):
        reproduce(ReproduceConfig("kaggle-gru", str(tmp_path), out=out), progress=False)
    assert not Path(out).exists()
