"""Rows of several runs in one table: paired on the same segments, and refused where they are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from biollm.report_rows import PREDICTIONS, write_report
from biollm.tabulating import TableConfig, tabulate
from data_builders.splits import load_splits, make_splits
from data_builders.store import SegmentStore


def answers(segments: pd.DataFrame, method: str, family: str, right: float, seeds=(0,)) -> pd.DataFrame:
    """A method that is right on the first `right` of each class, and wrong on the rest."""
    classes = sorted(segments["emotion"].unique())
    rank = segments.groupby("emotion").cumcount() / segments.groupby("emotion")["segment"].transform("size")
    wrong = segments["emotion"].map(dict(zip(classes, classes[1:] + classes[:1], strict=True)))
    said = segments["emotion"].where(rank < right, wrong)
    one = pd.DataFrame(
        {"segment": segments["segment"], "subject": segments["subject"], "fold": segments["fold"]}
        | {
            "method": method,
            "family": family,
            "note": "",
            "seconds": 1.0,
            "parameters": None,
            "history": "[]",
        }
        | {"truth": segments["emotion"], "prediction": said}
        | {f"p_{name}": 0.7 * (said == name) + 0.3 / len(classes) for name in classes}
    )
    return pd.concat([one.assign(seed=seed) for seed in seeds], ignore_index=True)


@pytest.fixture(scope="module")
def runs(store, tmp_path_factory):
    """Two runs as 'compare' and 'evaluate' leave them, on the folds of one protocol."""
    opened = SegmentStore(str(store))
    splits = make_splits(opened.table, "gkf2", 0)
    tested = pd.concat(
        opened.table[split.mask(opened.table, "test")].assign(fold=split.fold) for split in splits
    )
    tested = tested[tested["emotion"].notna() & tested["on_grid"]]
    made = {
        "compared": [("LDA", "classical", 0.8), ("CNN", "encoder", 0.6), ("SVM-RBF", "classical", 0.5)],
        "evaluated": [("LDA", "classical", 0.8, (0, 1)), ("SVM-RBF", "classical", 0.4),
                      ("LLM on codes", "llm", 0.9, (0, 1))],
    }  # fmt: skip
    root = tmp_path_factory.mktemp("runs")
    for name, rows in made.items():
        (root / name).mkdir()
        for split in splits:
            split.save(root / name / f"split-{split.fold}.json")
        predictions = pd.concat([answers(tested, *row) for row in rows], ignore_index=True)
        write_report(predictions, opened, splits, root / name, "subject", "test")
    return root


@pytest.fixture
def table(store, runs, tmp_path):
    def make(*rows, runs=(runs / "compared", runs / "evaluated")) -> dict:
        names, out = [str(run) for run in runs], str(tmp_path / "out")
        folder = tabulate(TableConfig(names, str(store), out, list(rows) or ["all"]), progress=False)
        return json.loads((folder / "report.json").read_text())

    return make


def changed(run: Path, to: Path, group: str, key: str, value) -> Path:
    """A copy of a run whose report says something else."""
    shutil.copytree(run, to)
    report = json.loads((to / "report.json").read_text())
    report[group][key] = value
    (to / "report.json").write_text(json.dumps(report))
    return to


def test_rows_of_both_runs_stand_in_one_table_once(table):
    rows = {row["method"]: row for row in table()["results"]}
    expected = {"LDA", "CNN", "SVM-RBF", "SVM-RBF (evaluated)", "LLM on codes", "LLM on codes, ensemble"}
    assert set(rows) == expected
    for name, right in (("SVM-RBF", 0.5), ("SVM-RBF (evaluated)", 0.4)):
        assert rows[name]["balanced_accuracy"] == pytest.approx(right, abs=0.05)


def test_runs_whose_folders_have_one_name_keep_their_rows(table, runs, tmp_path):
    folders = [runs / "compared", tmp_path / "a" / "run", tmp_path / "b" / "run"]
    for folder in folders[1:]:
        shutil.copytree(runs / "evaluated", folder)
    predictions = pd.read_parquet(folders[2] / PREDICTIONS)
    predictions.loc[predictions["method"] == "SVM-RBF", "prediction"] = predictions["truth"].iloc[0]
    predictions.to_parquet(folders[2] / PREDICTIONS)
    rows = {row["method"] for row in table("classical", runs=folders)["results"]}
    assert rows == {"LDA", "SVM-RBF", *(f"SVM-RBF ({folder})" for folder in folders[1:])}


def test_a_row_that_has_the_name_of_another_stays(table, runs, tmp_path):
    """A table of tables: its "SVM-RBF (evaluated)" is another's name for its own SVM."""
    first, second = tmp_path / "first", tmp_path / "evaluated"
    shutil.copytree(runs / "compared", first)
    predictions = pd.read_parquet(first / PREDICTIONS)
    svm = predictions[predictions["method"] == "SVM-RBF"]
    others = svm.assign(method="SVM-RBF (evaluated)", prediction=svm["truth"])
    pd.concat([predictions, others]).to_parquet(first / PREDICTIONS)
    shutil.copytree(runs / "evaluated", second)
    rows = {row["method"]: row for row in table(runs=[first, second])["results"]}
    assert rows["SVM-RBF (evaluated)"]["balanced_accuracy"] == 1
    assert rows[f"SVM-RBF ({second})"]["balanced_accuracy"] == pytest.approx(0.4, abs=0.05)


def test_answers_that_differ_by_their_rounding_are_one_row(table, runs, tmp_path):
    shutil.copytree(runs / "compared", tmp_path / "again")
    answers = pd.read_parquet(tmp_path / "again" / PREDICTIONS)
    numbers = answers.filter(like="p_").columns
    answers.loc[answers["method"] == "LDA", numbers] += 1e-12
    answers.loc[answers["method"] == "CNN", numbers] += 1e-6
    answers.to_parquet(tmp_path / "again" / PREDICTIONS)
    methods = {row["method"] for row in table(runs=(runs / "compared", tmp_path / "again"))["results"]}
    assert methods == {"LDA", "CNN", "CNN (again)", "SVM-RBF"}


def test_an_llm_is_paired_with_the_best_baseline_of_another_run(table):
    report = table("llm", "CNN", "LDA")
    row = next(row for row in report["results"] if row["method"] == "LLM on codes")
    best = next(pair for pair in row["paired"] if pair["best_baseline"])
    assert best["against"] == "LDA"
    assert best["difference"] == pytest.approx(0.1, abs=0.05)
    names = {row["method"] for row in report["results"]}
    assert names == {"CNN", "LDA", "LLM on codes", "LLM on codes, ensemble"}


def test_the_run_that_is_named_first_keeps_the_names(table, runs):
    both = (runs / "compared", runs / "evaluated")
    names = [{row["method"] for row in table(runs=order)["results"]} for order in (both, both[::-1])]
    assert "SVM-RBF (evaluated)" in names[0] - names[1]
    assert "SVM-RBF (compared)" in names[1] - names[0]


def test_an_llm_is_paired_with_the_controls_of_its_own_run(store, table, runs, tmp_path):
    """Another run has an encoder of the tokens too, which reads something else."""
    opened = SegmentStore(str(store))
    splits = load_splits(runs / "compared")
    for name, right in (("a", 0.9), ("b", 0.4)):
        segments = pd.read_parquet(runs / "compared" / PREDICTIONS).query("method == 'LDA'")
        segments = segments.rename(columns={"truth": "emotion"})
        rows = [answers(segments, "encoder of the tokens", "encoder", right)]
        rows.append(answers(segments, "LLM on codes", "llm", right - 0.1))
        (tmp_path / name).mkdir()
        for split in splits:
            split.save(tmp_path / name / f"split-{split.fold}.json")
        write_report(pd.concat(rows, ignore_index=True), opened, splits, tmp_path / name, "subject", "test")
    rows = {row["method"]: row for row in table(runs=(tmp_path / "a", tmp_path / "b"))["results"]}
    for llm, head in (
        ("LLM on codes", "encoder of the tokens"),
        ("LLM on codes (b)", "encoder of the tokens (b)"),
    ):
        pair = next(pair for pair in rows[llm]["paired"] if pair["against"] == head)
        assert pair["difference"] == pytest.approx(-0.1, abs=0.05)


def test_unknown_rows_are_named(table):
    named = r"rows has \['trees', 'control'\]; allowed are \['all', 'classical', 'encoder', 'llm', 'LDA'"
    with pytest.raises(ValueError, match=named):
        table("all", "trees", "control")


@pytest.mark.parametrize(
    ("group", "key", "value", "named"),
    [
        ("data", "hash", "other", "the data 'other' and not"),
        ("data", "normalisation", "baseline", "the normalisation 'baseline' and not 'subject'"),
        ("data", "scored_part", "validation", "the scored part 'validation' and not 'test'"),
        ("split", "hashes", ["a"], r"the splits \['a'\] and not"),
    ],
)
def test_runs_that_cannot_be_paired_are_refused(table, runs, tmp_path, group, key, value, named):
    other = changed(runs / "evaluated", tmp_path / "other", group, key, value)
    with pytest.raises(ValueError, match=named):
        table(runs=(runs / "compared", other))


@pytest.mark.parametrize("first", [True, False])
def test_answers_for_other_targets_are_refused(table, runs, tmp_path, first):
    shutil.copytree(runs / "evaluated", tmp_path / "other")
    path = tmp_path / "other" / PREDICTIONS
    pd.read_parquet(path).assign(valence=0.0, valence_truth=0.0).to_parquet(path)
    both = (tmp_path / "other", runs / "compared")
    with pytest.raises(ValueError, match=r"different targets: \['valence', 'valence_truth'\]"):
        table(runs=both if first else both[::-1])


def test_folders_without_answers_and_lists_of_one_are_refused(table, runs, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no report.json and no predictions.parquet"):
        table(runs=(runs / "compared", tmp_path))
    with pytest.raises(ValueError, match="give two or more, each once"):
        TableConfig(["a"])
    with pytest.raises(ValueError, match="give two or more, each once"):
        TableConfig(["a", "a"])


def test_another_store_is_refused(table, runs, tmp_path):
    names = ("compared", "evaluated")
    of_other_data = [changed(runs / name, tmp_path / name, "data", "hash", "other") for name in names]
    with pytest.raises(ValueError, match=r"but .* is of other. Give the store that the runs are of"):
        table(runs=of_other_data)
