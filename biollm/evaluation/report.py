"""From prediction sets to ``report.json``, ``report.html`` and figures, all rows on one split."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from biollm.evaluation.drawing import figure_png
from biollm.evaluation.figures import comparison_figure, confusion_figure, subjects_figure
from biollm.evaluation.learning_curves import curves_figure
from biollm.evaluation.page import render_page
from biollm.evaluation.predictions import classes_of
from biollm.evaluation.results import MethodResult, check_results, primary_metric, reference_result
from biollm.evaluation.rows import method_rows
from biollm.evaluation.table import main_rows, split_mark
from data_builders.provenance import library_versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["build_report", "json_values", "write_report"]

PACKAGES = ("biollm", "torch", "transformers", "trl", "peft", "bitsandbytes", "scikit-learn", "numpy")


def build_report(
    results: Mapping[str, MethodResult],
    data: Mapping[str, Any],
    split: Mapping[str, Any],
    out_dir: str | Path,
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Score all methods and write the report.

    Parameters
    ----------
    results : mapping of str to MethodResult
        In the order of the table; rows of one family are brought together.
    data : mapping
        About the data; ``classes`` sets the classes and their order (none: only ratings and transitions are
        scored), ``title`` or ``dataset`` the title, ``ceiling`` the best that is possible in the metric
        that the rows are ranked by.
    split : mapping
        About the split, for example its protocol and hash; with ``leaky`` true or ``subject_disjoint``
        false the page, the table and the figures' titles say so.
    out_dir : str or Path
        Gets ``report.json``, ``report.html`` and ``figures/*.png``.
    n_boot, seed : int
        Of the bootstrap over subjects.

    Returns
    -------
    dict
        What ``report.json`` holds: ``data``, ``split``, ``results``, ``versions``.

    Raises
    ------
    PredictionError
        With all problems of all methods, such as answers to other segments than the others'.

    Notes
    -----
    ``data`` gets ``classes``, ``n_subjects``, ``n_segments``, ``primary`` (the metric of the ranking:
    balanced_accuracy; without classes ccc, or else transition_f1) and its ``chance``.

    ``results`` has one row a method. A metric that cannot be computed from its answers is no key of it; a
    value that is not known is null.

    ==========================================  ======================================================
    ``method, family, note, partial``           as in `MethodResult`
    ``balanced_accuracy, macro_f1, accuracy,    of classes; pooled over subjects, mean over seeds
    macro_precision, macro_recall``
    ``ccc, mae, rmse``                          means over the ratings that are answered
    ``valence_ccc, ..., arousal_rmse``          of each rating
    ``transition_f1``                           at a probability of 0.5
    ``transition_average_precision``            without intervals
    ``intervals``                               metric -> 95 % interval over subjects
    ``ci95``                                    that of the primary metric
    ``ece, unparsable``                         calibration error, share of answers without a class
    ``per_class, confusion``                    recall, precision, F1, support; counts over all seeds
    ``seeds, <primary>_by_seed``                the primary metric of each seed
    ``by_subject``                              subject -> primary metric, mean over seeds
    ``folds``                                   ``fold, n_segments`` and all metrics of each fold
    ``n_segments, n_subjects``                  that were answered
    ``seconds, parameters``                     as in `MethodResult`
    ``history``                                 see `mean_history`; null without histories
    ``paired``                                  ``against, best_baseline, difference, ci95``: differences to
                                                the methods that the row names, of LLM rows to the best
                                                baseline
    ``against_best``                            ``against, difference, ci95, p``: classical, encoder and LLM
                                                rows against the best of them; null for that one
    ==========================================  ======================================================
    """
    methods = sorted(results.values(), key=_family_order(results))
    named = sorted({c for m in methods for c in classes_of(m.predictions)})
    classes = tuple(data.get("classes", named))
    check_results(methods, classes)
    primary = primary_metric(methods, classes)
    answers = reference_result(methods).predictions
    about = {
        "classes": classes,
        "primary": primary,
        "chance": _chance(primary, classes, answers),
        "n_subjects": answers["subject"].nunique(),
        "n_segments": answers["segment"].nunique(),
    }
    rows = method_rows(methods, classes, primary, n_boot, seed)
    report = json_values(
        {"data": {**data, **about}, "split": dict(split), "results": rows, "versions": _versions()}
    )
    write_report(report, out_dir)
    return report


def write_report(report: Mapping[str, Any], out_dir: str | Path) -> None:
    """Write a report's figures, page and JSON, each atomically and the JSON last."""
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {name: figure_png(figure) for name, figure in _figures(report)}
    _replace_folder(folder / "figures", {f"{name}.png": image for name, image in figures.items()})
    _replace_file(folder / "report.html", render_page(report, figures))
    _replace_file(folder / "report.json", json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False))


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    yield "comparison", comparison_figure(report)
    yield "subjects", subjects_figure(report)
    trained = [row for row in report["results"] if row["history"]]
    if trained:
        yield "learning_curves", curves_figure(trained, split_mark(report))
    taken: set[str] = set()
    for row in main_rows(report) if report["data"]["classes"] else ():
        name = "confusion_" + re.sub(r"[^a-z0-9]+", "_", row["method"].lower()).strip("_")[:80]
        while name in taken:
            name += "_"
        taken.add(name)
        yield name, confusion_figure(row, report["data"]["classes"], split_mark(report))


def _chance(primary: str, classes: tuple[str, ...], answers: pd.DataFrame) -> float:
    """The primary metric of answers that know nothing; of transitions, of always saying yes."""
    if primary == "transition_f1":
        share = float(answers["transition_truth"].mean())
        return 2 * share / (1 + share)
    return 1 / len(classes) if classes else 0.0


def _family_order(results: Mapping[str, MethodResult]) -> Any:
    order = list(dict.fromkeys(result.family for result in results.values()))
    return lambda result: order.index(result.family)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **library_versions(PACKAGES)}


def json_values(value: Any) -> Any:
    """JSON's own types only; NaN, which JSON lacks, becomes None."""
    if isinstance(value, Mapping):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [json_values(item) for item in value]
    if isinstance(value, np.generic):
        return json_values(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _replace_file(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, content in files.items():
        (partial / name).write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
