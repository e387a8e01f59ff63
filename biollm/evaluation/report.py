"""From prediction sets to ``report.json``, ``report.html`` and figures, all rows on one split."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biollm.evaluation.bootstrap import bootstrap_values, counted_difference, interval, mean_metric
from biollm.evaluation.figures import comparison_figure, confusion_figure, figure_png
from biollm.evaluation.metrics import (
    METRICS,
    Counts,
    PredictionError,
    check_predictions,
    classes_of,
    count_confusions,
    expected_calibration_error,
    per_class,
)
from biollm.evaluation.page import render_page
from biollm.evaluation.table import FAMILIES, main_rows, split_mark

__all__ = ["MethodResult", "build_report", "write_report"]

BASELINES = ("classical", "encoder")
PACKAGES = ("biollm", "torch", "transformers", "trl", "peft", "bitsandbytes", "scikit-learn", "numpy")


@dataclass(frozen=True)
class MethodResult:
    """The answers of one row of the table.

    Parameters
    ----------
    method : str
        The row's name, for example ``"LLM on VQ tokens, likelihood"``.
    family : str
        One of `FAMILIES`: majority, classical, encoder, llm, control, ceiling.
    predictions : DataFrame
        A prediction set, see `biollm.evaluation.metrics`.
    seconds : float or None
        What fitting and answering took.
    note : str
        What a reader must know, for example that a normalisation is transductive.
    compare_to : tuple of str
        Methods to give the paired difference to; LLM rows are also compared to the best baseline.
    partial : bool
        Declares that not every seed answered all segments; such a row is marked in the report and gets
        no paired differences.
    """

    method: str
    family: str
    predictions: pd.DataFrame
    seconds: float | None = None
    note: str = ""
    compare_to: tuple[str, ...] = ()
    partial: bool = False


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
        About the data; ``classes`` sets the classes and their order, ``title`` or ``dataset`` the title,
        ``ceiling`` the best balanced accuracy that is possible.
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
    """
    methods = sorted(results.values(), key=_family_order(results))
    classes = tuple(data.get("classes") or sorted({c for m in methods for c in classes_of(m.predictions)}))
    _check(methods, classes)
    counts = {m.method: count_confusions(m.predictions, classes) for m in methods}
    rows = [_row(m, counts[m.method], n_boot, seed) for m in methods]
    _add_paired(rows, methods, counts, n_boot, seed)
    reference = _reference(methods).predictions
    about = {
        "classes": classes,
        "chance": 1 / len(classes),
        "n_subjects": reference["subject"].nunique(),
        "n_segments": reference["segment"].nunique(),
    }
    report = _plain(
        {"data": {**data, **about}, "split": dict(split), "results": rows, "versions": _versions()}
    )
    write_report(report, out_dir)
    return report


def write_report(report: Mapping[str, Any], out_dir: str | Path) -> None:
    """Write a report's figures, page and JSON, each atomically and the JSON last."""
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"comparison": figure_png(comparison_figure(report))}
    for row in main_rows(report):
        name = "confusion_" + re.sub(r"[^a-z0-9]+", "_", row["method"].lower()).strip("_")[:80]
        while name in figures:
            name += "_"
        figures[name] = figure_png(confusion_figure(row, report["data"]["classes"], split_mark(report)))
    _replace_folder(folder / "figures", {f"{name}.png": image for name, image in figures.items()})
    _replace_file(folder / "report.html", render_page(report, figures))
    _replace_file(folder / "report.json", json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False))


def _row(result: MethodResult, counts: Counts, n_boot: int, seed: int) -> dict[str, Any]:
    confusion = counts.confusions.sum(axis=(0, 1))
    intervals = {name: interval(bootstrap_values(counts, name, n_boot, seed)) for name in METRICS}
    by_seed = METRICS["balanced_accuracy"](counts.confusions.sum(axis=1))
    return {
        "method": result.method,
        "family": result.family,
        **{name: mean_metric(counts, name) for name in METRICS},
        "ci95": intervals["balanced_accuracy"],
        "seconds": result.seconds,
        "intervals": intervals,
        "ece": expected_calibration_error(result.predictions, counts.classes),
        "unparsable": float(confusion[:, -1].sum() / confusion.sum()),
        "seeds": counts.seeds,
        "balanced_accuracy_by_seed": by_seed,
        "n_segments": result.predictions["segment"].nunique(),
        "n_subjects": len(counts.subjects),
        "per_class": per_class(confusion, counts.classes),
        "confusion": confusion.astype(int),
        "note": result.note,
        "partial": result.partial,
        "paired": [],
    }


def _add_paired(
    rows: list[dict[str, Any]],
    methods: list[MethodResult],
    counts: Mapping[str, Counts],
    n_boot: int,
    seed: int,
) -> None:
    whole = {m.method for m in methods if not m.partial}
    baselines = [row for row in rows if row["family"] in BASELINES and row["method"] in whole]
    best = max(baselines, key=lambda row: row["balanced_accuracy"], default=None)
    for row, result in zip(rows, methods, strict=True):
        against = list(result.compare_to)
        if result.family == "llm" and best is not None and best["method"] not in against:
            against.insert(0, best["method"])
        for other in against if result.method in whole else ():
            if other in whole:
                args = counts[result.method], counts[other], "balanced_accuracy", n_boot, seed
                value, low, high = counted_difference(*args)
                is_best = best is not None and other == best["method"]
                row["paired"].append(
                    {"against": other, "best_baseline": is_best, "difference": value, "ci95": (low, high)}
                )


def _check(methods: list[MethodResult], classes: tuple[str, ...]) -> None:
    problems: list[str] = [] if methods else ["there are no results; evaluate at least one method."]
    names = [m.method for m in methods]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            f"{name}: the name is given to {names.count(name)} methods; name each one differently."
        )
    for result in methods:
        problems += _result_problems(result, names, classes)
    if not problems:
        reference = _reference(methods)
        problems += [p for result in methods for p in _coverage_problems(result, reference)]
    if problems:
        raise PredictionError("\n".join(problems))


def _result_problems(result: MethodResult, names: list[str], classes: tuple[str, ...]) -> Iterator[str]:
    if result.family not in FAMILIES:
        yield f"{result.method}: family is {result.family!r}; allowed are {list(FAMILIES)}."
    unknown = [name for name in result.compare_to if name not in names]
    if unknown:
        yield f"{result.method}: compare_to names {unknown}; allowed are the methods {names}."
    try:
        check_predictions(result.predictions, classes, result.method)
    except PredictionError as error:
        yield str(error)


def _coverage_problems(result: MethodResult, reference: MethodResult) -> Iterator[str]:
    """Every row of the table must answer the same segments, with the same truth and subjects."""
    keys = ["segment", "subject", "truth"]
    wanted = pd.MultiIndex.from_frame(reference.predictions[keys].drop_duplicates())
    for seed, answers in result.predictions.groupby("seed"):
        got = pd.MultiIndex.from_frame(answers[keys].drop_duplicates())
        strange, absent = got.difference(wanted), wanted.difference(got)
        where = f"{result.method}, seed {seed}"
        if len(strange):
            yield (
                f"{where}: {len(strange)} segments differ from those of {reference.method!r}, for example "
                f"(segment, subject, truth) = {tuple(strange[0])}. Score all methods on the same split."
            )
        elif len(absent) and not result.partial:
            yield (
                f"{where}: {len(absent)} of {len(wanted)} segments have no answer, such as {absent[0][0]!r}. "
                "Answer all, or declare the row with partial=True."
            )


def _reference(methods: list[MethodResult]) -> MethodResult:
    """The first method that answered the most segments."""
    return max(methods, key=lambda m: (not m.partial, m.predictions["segment"].nunique()))


def _family_order(results: Mapping[str, MethodResult]) -> Any:
    order = list(dict.fromkeys(result.family for result in results.values()))
    return lambda result: order.index(result.family)


def _versions() -> dict[str, str]:
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    known = {name: installed[name] for name in PACKAGES if name in installed}
    return {"python": platform.python_version(), **known}


def _plain(value: Any) -> Any:
    """JSON's own types only; NaN, which JSON lacks, becomes None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
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
