from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from biollm.evaluation import (
    FAMILIES,
    MethodResult,
    PredictionError,
    build_report,
    paired_difference,
    render_table,
)
from biollm.evaluation.figures import comparison_figure, confusion_figure

CLASSES = ["relax", "physical", "stress"]
PNG = b"\x89PNG\r\n\x1a\n"


def answers(skill: float, seed: int = 0, n_seeds: int = 1, unparsable: float = 0.0) -> pd.DataFrame:
    n_subjects, n_windows = 8, 15
    subject = np.repeat([f"s{n}" for n in range(n_subjects)], n_windows)
    table = pd.DataFrame({"segment": [f"w{n}" for n in range(len(subject))], "subject": subject, "fold": 0})
    table["truth"] = np.tile(CLASSES, len(subject) // len(CLASSES))
    table = pd.concat([table.assign(seed=number) for number in range(n_seeds)], ignore_index=True)
    rng = np.random.default_rng(seed)
    draw = rng.random(len(table))
    guess = pd.Series(rng.choice(CLASSES, len(table)))
    table["prediction"] = guess.where(draw > skill, table["truth"]).astype(object)
    table.loc[rng.random(len(table)) < unparsable, "prediction"] = None
    return table


def make_results() -> dict[str, MethodResult]:
    results = [
        MethodResult("majority", "majority", answers(0).assign(prediction="relax"), 0.01),
        MethodResult("extra trees", "classical", answers(0.7, 1, 2), 12.3, note="z-scored <per subject>"),
        MethodResult("CNN head", "encoder", answers(0.6, 2, 2), 190.0),
        MethodResult("LLM | <VQ> & words", "llm", answers(0.8, 3, 2), 4000.0, compare_to=("CNN head",)),
        MethodResult("LLM, generated", "llm", answers(0.5, 4, 2, unparsable=0.1), 200.0),
        MethodResult("noise tokens", "control", answers(0, 5, 2), None),
        MethodResult("SVM-RBF", "classical", answers(0.5, 6, 2), 3.0),
        MethodResult("oracle", "ceiling", answers(0.95, 7), None),
    ]
    return {result.method: result for result in results}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "report"
    data = {"title": "Simulated <set>", "classes": CLASSES, "window": np.float32(30)}
    report = build_report(
        make_results(), data, {"protocol": "GroupKFold(5)", "hash": "abc"}, folder, n_boot=200
    )
    return report, folder


def test_json_has_the_agreed_shape(written):
    report, folder = written
    assert json.loads((folder / "report.json").read_text()) == report
    assert list(report) == ["data", "split", "results", "versions"]
    first = ["method", "family", "accuracy", "balanced_accuracy", "macro_f1", "ci95", "seconds"]
    for row in report["results"]:
        assert set(first) <= set(row)
        assert row["ci95"][0] <= row["balanced_accuracy"] <= row["ci95"][1]
    assert report["split"] == {"protocol": "GroupKFold(5)", "hash": "abc"}
    assert {"python", "numpy", "torch"} <= set(report["versions"])
    assert (report["data"]["chance"], report["data"]["n_subjects"]) == (1 / 3, 8)


def test_rows_keep_their_order_with_families_together(written):
    methods = [row["method"] for row in written[0]["results"]]
    assert methods[:4] == ["majority", "extra trees", "SVM-RBF", "CNN head"]
    assert methods[-1] == "oracle"


def test_values_are_means_over_seeds_of_what_was_answered(written):
    row = next(row for row in written[0]["results"] if row["method"] == "LLM, generated")
    table = make_results()["LLM, generated"].predictions
    right = (table["prediction"] == table["truth"]).groupby([table["seed"], table["truth"]]).mean()
    assert row["balanced_accuracy"] == pytest.approx(right.mean())
    assert row["balanced_accuracy_by_seed"] == pytest.approx(right.groupby("seed").mean().tolist())
    assert row["unparsable"] == pytest.approx(table["prediction"].isna().mean())
    assert row["unparsable"] > 0
    assert np.sum(row["confusion"]) == len(table)


def test_llm_rows_are_compared_to_the_best_baseline_and_to_those_named(written):
    rows = {row["method"]: row for row in written[0]["results"]}
    pairs = rows["LLM | <VQ> & words"]["paired"]
    assert [(pair["against"], pair["best_baseline"]) for pair in pairs] == [
        ("extra trees", True),
        ("CNN head", False),
    ]
    results = make_results()
    a, b = results["LLM | <VQ> & words"].predictions, results["extra trees"].predictions
    expected = paired_difference(a, b, n_boot=200)
    assert (pairs[0]["difference"], *pairs[0]["ci95"]) == pytest.approx(tuple(expected))
    assert rows["CNN head"]["paired"] == rows["noise tokens"]["paired"] == []


def test_every_competing_row_is_tested_against_the_best(written):
    rows = {row["method"]: row for row in written[0]["results"]}
    competing = [row for row in rows.values() if row["family"] in ("classical", "encoder", "llm")]
    best = max(competing, key=lambda row: row["balanced_accuracy"])["method"]
    assert best == "LLM | <VQ> & words"
    assert {name for name, row in rows.items() if row["against_best"]} == {r["method"] for r in competing} - {
        best
    }
    results = make_results()
    for name in ("SVM-RBF", "extra trees"):
        pair = rows[name]["against_best"]
        expected = paired_difference(results[name].predictions, results[best].predictions, n_boot=200)
        assert pair["against"] == best
        assert (pair["difference"], *pair["ci95"]) == pytest.approx(tuple(expected))
        # An interval that leaves out zero has fewer than 2.5 % of the resamples on its other side.
        assert (pair["p"] < 0.06) == (pair["ci95"][1] < 0)


def test_folds_and_subjects_are_scored_by_themselves(tmp_path):
    table = answers(0.6, 1, n_seeds=2)
    table["fold"] = table["subject"].str[1:].astype(int) % 3
    results = {"CNN": MethodResult("CNN", "encoder", table, parameters=1234)}
    report = build_report(results, {"classes": CLASSES}, {}, tmp_path, n_boot=20)
    row = report["results"][0]
    right = table["prediction"] == table["truth"]
    recall = right.groupby([table["fold"], table["seed"], table["truth"]]).mean()
    assert [fold["balanced_accuracy"] for fold in row["folds"]] == pytest.approx(
        recall.groupby("fold").mean().tolist()
    )
    assert [fold["accuracy"] for fold in row["folds"]] == pytest.approx(
        right.groupby(table["fold"]).mean().tolist()
    )
    assert [(f["fold"], f["n_segments"]) for f in row["folds"]] == [(0, 45), (1, 45), (2, 30)]
    recall = right.groupby([table["subject"], table["seed"], table["truth"]]).mean().groupby("subject").mean()
    assert row["by_subject"] == pytest.approx(recall.to_dict())
    assert row["parameters"] == 1234
    assert "1,234" in render_table(report)


def test_figures_are_images_of_the_main_rows(written):
    _, folder = written
    names = sorted(os.listdir(folder / "figures"))
    assert names == [
        "comparison.png",
        "confusion_cnn_head.png",
        "confusion_extra_trees.png",
        "confusion_llm_generated.png",
        "confusion_llm_vq_words.png",
        "subjects.png",
    ]
    assert all((folder / "figures" / name).read_bytes().startswith(PNG) for name in names)
    assert sorted(os.listdir(folder)) == ["figures", "report.html", "report.json"]


class Page(HTMLParser):
    """Collects the tags of a page and fails where they are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_page_is_well_formed_self_contained_and_accessible(written):
    report, folder = written
    html = (folder / "report.html").read_text()
    page = Page()
    page.feed(html)
    assert page.open == []
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    images = [attributes for tag, attributes in page.seen if tag == "img"]
    figures = [(folder / "figures" / name).read_bytes() for name in os.listdir(folder / "figures")]
    shown = [base64.b64decode(i["src"].removeprefix("data:image/png;base64,")) for i in images]
    assert sorted(shown) == sorted(figures)
    assert all(image["alt"] for image in images)
    tags = [tag for tag, _ in page.seen]
    assert tags.count("caption") == tags.count("table") == 4
    assert all(a.get("scope") in ("col", "row", "rowgroup") for tag, a in page.seen if tag == "th")
    text = " ".join(page.text)
    for word in ("Simulated <set>", "z-scored <per subject>", "LLM | <VQ> & words", "GroupKFold(5)"):
        assert word in text
    assert all(f"{row['balanced_accuracy']:.3f}" in text for row in report["results"])


def test_text_table_has_a_line_a_method_and_equally_wide_lines(written):
    report, _ = written
    lines = [line for line in render_table(report).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(report["results"])
    assert len({len(line) for line in lines}) == 1
    # A bar inside a name must not open a new column.
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    for heading in FAMILIES.values():
        assert sum(line.startswith(f"| {heading} ") for line in lines) == 1
    assert "ECE" not in lines[0]
    assert "extra trees: z-scored <per subject>" in render_table(report)
    assert "1 h 07 min" in render_table(report)


def test_the_scale_of_the_comparison_shows_chance_and_ceiling(written):
    from biollm.evaluation.figures import comparison_figure

    report, _ = written
    (axes,) = comparison_figure(report).axes
    assert axes.get_xlim() == (0, 1)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [row["balanced_accuracy"] for row in report["results"]]
    levels = {round(line.get_xdata()[0], 6) for line in axes.lines if len(set(line.get_xdata())) == 1}
    oracle = report["results"][-1]["balanced_accuracy"]
    assert {round(1 / 3, 6), round(oracle, 6)} <= levels


def test_rows_of_another_split_are_refused_with_all_problems(tmp_path):
    results = make_results()
    trees, cnn, llm = (results[name] for name in ("extra trees", "CNN head", "LLM, generated"))
    other = trees.predictions.assign(segment=lambda table: table["segment"] + "x")
    results["extra trees"] = replace(trees, predictions=other)
    results["CNN head"] = replace(cnn, predictions=cnn.predictions.iloc[:-1])
    swapped = llm.predictions.assign(
        truth=llm.predictions["truth"].map(dict(zip(CLASSES, CLASSES[::-1], strict=True)))
    )
    results["LLM, generated"] = replace(llm, predictions=swapped)
    with pytest.raises(PredictionError) as error:
        build_report(results, {"classes": CLASSES}, {}, tmp_path / "report")
    text = str(error.value)
    assert "extra trees, seed 0: 120 segments differ from those of 'majority'" in text
    assert "CNN head, seed 1: 1 of 120 segments have no answer, such as 'w119'" in text
    assert "LLM, generated, seed 0: 80 segments differ" in text
    assert not (tmp_path / "report").exists()


def test_unknown_families_and_comparisons_are_refused(tmp_path):
    results = {
        "a": MethodResult("a", "neural", answers(0.5)),
        "b": MethodResult("b", "llm", answers(0.5), compare_to=("c",)),
    }
    with pytest.raises(
        PredictionError, match=r"a: family is 'neural'; allowed are .*\n.*compare_to names \['c'\]"
    ):
        build_report(results, {}, {}, tmp_path)


def test_a_row_declared_partial_is_marked_and_not_compared(tmp_path):
    results = make_results()
    llm = results["LLM, generated"]
    results["LLM, generated"] = replace(llm, predictions=llm.predictions.iloc[:60], partial=True)
    report = build_report(results, {"classes": CLASSES}, {}, tmp_path, n_boot=50)
    row = next(row for row in report["results"] if row["method"] == "LLM, generated")
    assert (row["n_segments"], row["n_subjects"], row["paired"]) == (60, 4, [])
    assert "partial: 60 segments of 4 subjects" in (tmp_path / "report.html").read_text()


def test_names_are_no_formulas(tmp_path):
    """Matplotlib would take these for TeX, and fail on it when all methods have been run."""
    odd = answers(0.7, 1).replace("relax", "$\\b$")
    results = {
        "$\\method$": MethodResult("$\\method$", "classical", odd.assign(subject="$" + odd["subject"] + "$"))
    }
    build_report(results, {"title": "$\\data$"}, {}, tmp_path, n_boot=20)
    assert (tmp_path / "figures" / "confusion_method.png").read_bytes().startswith(PNG)


def test_one_subject_gives_no_interval_and_valid_json(tmp_path):
    table = answers(0.5).assign(subject="s0")
    results = {name: MethodResult(name, family, table) for name, family in (("a", "llm"), ("b", "encoder"))}
    report = build_report(results, {"ceiling": 0.9}, {}, tmp_path)
    assert [row["ci95"] for row in report["results"]] == [[None, None], [None, None]]
    assert "NaN" not in (tmp_path / "report.json").read_text()
    assert "no interval: fewer than two subjects" in (tmp_path / "report.html").read_text()


def test_a_second_report_replaces_the_first(tmp_path):
    results = make_results()
    build_report(results, {"classes": CLASSES}, {}, tmp_path, n_boot=20)
    (tmp_path / "predictions.parquet").write_text("kept")
    build_report({"majority": results["majority"]}, {"classes": CLASSES}, {}, tmp_path, n_boot=20)
    assert sorted(os.listdir(tmp_path / "figures")) == ["comparison.png", "subjects.png"]
    assert (tmp_path / "predictions.parquet").read_text() == "kept"
    assert len(json.loads((tmp_path / "report.json").read_text())["results"]) == 1


def test_importing_the_package_loads_no_plotting():
    command = "import sys, biollm.evaluation; print('matplotlib' in sys.modules, 'torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("split", "words", "mark"),
    [
        ({"leaky": True, "subject_disjoint": False}, "LEAKY SPLIT: windows of the same", "LEAKY SPLIT"),
        (
            {"leaky": False, "subject_disjoint": False},
            "same subjects are trained and",
            "subjects on both sides",
        ),
        ({"leaky": False, "subject_disjoint": True}, None, None),
        ({}, None, None),
    ],
)
def test_a_split_that_does_not_keep_subjects_apart_is_marked_everywhere(tmp_path, split, words, mark):
    results = {name: result for name, result in make_results().items() if name in ("majority", "CNN head")}
    report = build_report(results, {"classes": CLASSES}, split, tmp_path, n_boot=10)
    page = (tmp_path / "report.html").read_text()
    forms = {
        "page": page,
        "table": render_table(report),
        "json": json.dumps(report["split"]),
        "comparison": comparison_figure(report).get_suptitle(),
    }
    if words is None:
        assert not [name for name, text in forms.items() if "LEAKY" in text or "same subjects" in text]
        assert 'class="warning"' not in page
        return
    assert words in forms["page"]
    assert words in forms["table"]
    assert mark in forms["comparison"]
    assert json.loads(forms["json"]) == split
    assert mark in confusion_figure(report["results"][1], CLASSES, mark).get_suptitle()
