from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from biollm.evaluation import MethodResult, PredictionError, bootstrap_ci, build_report, render_table
from biollm.evaluation.figures import comparison_figure, subjects_figure
from biollm.evaluation.learning_curves import curves_figure, mean_history

CLASSES = ["relax", "stress"]


def answers(noise: float, seed: int = 0, n_seeds: int = 1) -> pd.DataFrame:
    """Ratings, transitions and classes of eight subjects; a tenth of the segments has no rating."""
    rng = np.random.default_rng(7)
    subject = np.repeat([f"s{n}" for n in range(8)], 16)
    table = pd.DataFrame({"segment": [f"w{n}" for n in range(len(subject))], "subject": subject})
    table["fold"] = np.arange(8).repeat(16) % 4
    for name in ("valence", "arousal"):
        ratings = rng.integers(1, 10, len(table)).astype(float)
        table[f"{name}_truth"] = np.where(rng.random(len(table)) < 0.1, np.nan, ratings)
    table["transition_truth"] = (rng.random(len(table)) < 0.3).astype(float)
    table["truth"] = np.where(rng.random(len(table)) < 0.5, *CLASSES)
    rng = np.random.default_rng(seed)
    runs = []
    for number in range(n_seeds):
        run = table.assign(seed=number)
        for name in ("valence", "arousal"):
            run[name] = run[f"{name}_truth"].fillna(5) + rng.normal(0, noise, len(run))
        run["transition"] = 0.6 * run["transition_truth"] + 0.4 * rng.random(len(run))
        run["prediction"] = np.where(rng.random(len(run)) < 0.8, run["truth"], CLASSES[0])
        runs.append(run)
    return pd.concat(runs, ignore_index=True)


def histories(n_runs: int = 4) -> list[list[dict[str, float]]]:
    """Run k stops after 4 + 2 k epochs."""
    return [
        [{"epoch": e + 1, "train_loss": 1 / (e + 1) + k, "loss": 2.0, "ccc": 0.1 * k, "best": 0.3}
         for e in range(4 + 2 * k)]
        for k in range(n_runs)
    ]  # fmt: skip


def make_results() -> dict[str, MethodResult]:
    constant = answers(0).assign(valence=5.0, arousal=5.0, transition=0.0)
    results = [
        MethodResult("mean", "majority", constant, 0.1),
        MethodResult("ridge", "classical", answers(2.0, 1, 2), 2.0, parameters=34),
        MethodResult("LSTM", "encoder", answers(1.0, 2, 2), 90.0, parameters=50_123, histories=histories()),
        MethodResult("LLM", "llm", answers(3.0, 3), 900.0, parameters=1_235_814_400),
    ]
    return {result.method: result for result in results}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratings") / "report"
    report = build_report(make_results(), {"classes": []}, {"leaky": True}, folder, n_boot=100)
    return report, folder


def test_without_classes_rows_are_ranked_by_the_mean_concordance(written):
    report, _ = written
    assert (report["data"]["primary"], report["data"]["chance"], report["data"]["classes"]) == ("ccc", 0, [])
    for row, result in zip(report["results"], make_results().values(), strict=True):
        assert "balanced_accuracy" not in row
        assert row["ccc"] == pytest.approx((row["valence_ccc"] + row["arousal_ccc"]) / 2)
        expected = bootstrap_ci(result.predictions, "ccc", 100, classes=())
        assert row["ci95"] == row["intervals"]["ccc"] == pytest.approx(list(expected))
    assert {r["method"]: (r["against_best"] or {}).get("against") for r in report["results"]} == {
        "mean": None,
        "ridge": "LSTM",
        "LSTM": None,
        "LLM": "LSTM",
    }
    assert report["results"][3]["paired"][0]["best_baseline"]


def test_values_of_ratings_and_transitions_are_those_of_the_answers(written):
    row = written[0]["results"][1]
    table = make_results()["ridge"].predictions
    known = table.dropna(subset=["valence_truth"])
    error = (known["valence"] - known["valence_truth"]).abs().groupby(known["seed"]).mean()
    assert row["valence_mae"] == pytest.approx(error.mean())
    by_fold = (known["valence"] - known["valence_truth"]).abs().groupby([known["fold"], known["seed"]]).mean()
    assert [f["valence_mae"] for f in row["folds"]] == pytest.approx(by_fold.groupby("fold").mean().tolist())
    assert row["transition_f1"] == row["transition_average_precision"] == 1
    constant = written[0]["results"][0]
    # A constant is scored as knowing nothing; as null it would drop out of every mean.
    assert constant["ccc"] == pytest.approx(0, abs=1e-12)
    assert constant["transition_f1"] == 0


def test_the_report_of_ratings_has_its_forms(written):
    report, folder = written
    assert json.loads((folder / "report.json").read_text()) == report
    assert sorted(os.listdir(folder / "figures")) == ["comparison.png", "learning_curves.png", "subjects.png"]
    page = (folder / "report.html").read_text()
    for words in (
        "<h2>Ratings</h2>",
        "<h2>Transitions</h2>",
        "<h2>Learning curves</h2>",
        "LEAKY SPLIT",
        "1.24 G",
    ):
        assert words in page
    for words in ("<h2>Classes</h2>", "<h2>Confusion matrices</h2>", "balanced accuracy"):
        assert words not in page
    header = next(line for line in render_table(report).splitlines() if line.startswith("|"))
    names = [name.strip() for name in header.split("|")[2:-1]]
    expected = [
        "method",
        "CCC",
        "95 % interval",
        "MAE",
        "RMSE",
        "transition F1",
        "to best",
        "parameters",
        "time",
    ]
    assert names == expected


def test_figures_show_every_subject_and_what_concordance_can_be(written):
    report, _ = written
    worst = [{**row, "ccc": -0.35, "ci95": [-0.4, -0.3]} for row in report["results"][:1]]
    (axes,) = comparison_figure({**report, "results": [*worst, *report["results"][1:]]}).axes
    assert axes.get_xlim() == (-0.4, 1)
    figure = subjects_figure(report)
    assert figure.get_suptitle().startswith("LEAKY SPLIT")
    for dots, row in zip(figure.axes[0].collections, report["results"], strict=True):
        values = np.sort(list(row["by_subject"].values()))
        np.testing.assert_array_equal(np.sort(dots.get_offsets()[:, 0]), values)


def test_dots_of_equal_subjects_stand_apart(tmp_path):
    results = {"mean": make_results()["mean"]}
    report = build_report(results, {"classes": []}, {}, tmp_path, n_boot=10)
    (dots,) = subjects_figure(report).axes[0].collections
    heights = np.sort(dots.get_offsets()[:, 1])
    assert len(heights) == 8
    assert np.diff(heights).min() > 0.05
    assert heights[-1] - heights[0] < 0.8


def test_the_mean_history_ends_where_half_of_the_trainings_have():
    history = mean_history([*histories(), []])
    assert history["n_runs"] == 4
    assert history["epoch"] == list(range(1, 9))
    assert history["n"] == [4] * 4 + [3] * 2 + [2] * 2
    assert set(history["curves"]) == {"train_loss", "loss", "ccc"}
    assert history["curves"]["ccc"]["mean"] == pytest.approx([0.15] * 4 + [0.2] * 2 + [0.25] * 2)
    assert history["curves"]["ccc"]["sd"][-1] == pytest.approx(0.05)
    assert mean_history([[], []]) is None


def test_learning_curves_have_a_pair_of_panels_a_method(written):
    report, _ = written
    (row,) = [row for row in report["results"] if row["history"]]
    figure = curves_figure([row, {**row, "method": "TCN"}], "LEAKY SPLIT")
    losses = [axes for axes in figure.axes if axes.get_ylabel() == "loss"]
    assert [axes.get_title() for axes in losses] == ["LSTM\n4 trainings", "TCN\n4 trainings"]
    assert "LEAKY SPLIT" in figure.get_suptitle()
    lines = {tuple(line.get_ydata()) for line in losses[0].lines}
    assert lines == {tuple(row["history"]["curves"][name]["mean"]) for name in ("train_loss", "loss")}


def test_classes_and_ratings_stand_in_one_report(tmp_path):
    results = make_results()
    constant = results["mean"].predictions.drop(columns=["valence", "arousal", "transition"])
    results["mean"] = replace(results["mean"], predictions=constant.assign(prediction=CLASSES[0]))
    for name, result in results.items():
        # Half of the segments of one subject have ratings alone.
        unlabelled = result.predictions["segment"].isin([f"w{n}" for n in range(0, 16, 2)])
        table = result.predictions.assign(truth=result.predictions["truth"].mask(unlabelled, None))
        results[name] = replace(result, predictions=table)
    report = build_report(results, {"classes": CLASSES}, {}, tmp_path, n_boot=20)
    mean, ridge = report["results"][:2]
    assert report["data"]["primary"] == "balanced_accuracy"
    assert "ccc" not in mean
    assert np.sum(mean["confusion"]) == 128 - 8
    labelled = results["ridge"].predictions.dropna(subset=["truth"])
    right = labelled["prediction"] == labelled["truth"]
    assert ridge["accuracy"] == pytest.approx(right.groupby(labelled["seed"]).mean().mean())
    assert mean["n_segments"] == ridge["n_segments"] == 128
    assert ridge["ccc"] > 0.5
    header = render_table(report).splitlines()[0]
    assert "CCC" in header
    assert "balanced accuracy" in header


def test_transitions_alone_are_ranked_by_f1(tmp_path):
    columns = ["valence", "arousal", "truth", "prediction"]
    tables = {name: answers(1).drop(columns=columns) for name in ("LSTM", "TCN")}
    results = {name: MethodResult(name, "encoder", table) for name, table in tables.items()}
    report = build_report(results, {"classes": []}, {}, tmp_path, n_boot=20)
    share = tables["LSTM"]["transition_truth"].mean()
    assert report["data"]["primary"] == "transition_f1"
    assert report["data"]["chance"] == pytest.approx(2 * share / (1 + share))
    assert [row["transition_f1"] for row in report["results"]] == [1, 1]


def test_rows_that_cannot_be_ranked_or_compared_are_refused_together(tmp_path):
    results = make_results()
    ridge, lstm = results["ridge"], results["LSTM"]
    results["ridge"] = replace(ridge, predictions=ridge.predictions.drop(columns="arousal"))
    table = lstm.predictions.assign(valence_truth=lambda table: table["valence_truth"] + 1)
    results["LSTM"] = replace(lstm, predictions=table)
    with pytest.raises(PredictionError) as error:
        build_report(results, {"classes": []}, {}, tmp_path / "report")
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("ridge: does not answer ['arousal'], which rank the table")
    n_rated = answers(0)["valence_truth"].notna().sum()
    assert f"LSTM: 'valence_truth' of {n_rated} segments differs from that of 'mean'" in lines[1]
    assert not (tmp_path / "report").exists()


def test_histories_without_epochs_are_refused(tmp_path):
    result = replace(make_results()["LSTM"], histories=[[{"loss": 1.0}]])
    with pytest.raises(PredictionError, match="LSTM: an epoch of its histories has no 'epoch'"):
        build_report({"LSTM": result}, {"classes": []}, {}, tmp_path)


def test_reports_of_before_there_were_ratings_still_make_a_table(written):
    row = {"method": "extra trees", "family": "classical", "accuracy": 0.7, "balanced_accuracy": 0.6}
    row |= {"macro_f1": 0.5, "ci95": [0.5, 0.7], "seconds": 3.0, "ece": None, "unparsable": 0.0, "note": ""}
    data = {"classes": CLASSES, "chance": 0.5, "n_subjects": 8, "n_segments": 128}
    lines = render_table({"data": data, "split": {}, "results": [row]}).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "Classical", "extra trees", "0.600", "0.500 to 0.700", "0.500", "0.700", "3.0 s",
    ]  # fmt: skip
