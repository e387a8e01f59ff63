"""From the predictions of all jobs to the rows of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biollm.evaluation import MethodResult, build_report
from biollm.evaluation.predictions import NUMBERS
from data_builders.preparing import make_reader
from data_builders.readers import READERS
from data_builders.splits import Split
from data_builders.store import SegmentStore

__all__ = ["COMPARED", "ORDER", "PREDICTIONS", "ceiling_rows", "ensembles", "gathered", "write_report"]

PREDICTIONS = "predictions.parquet"
"""Name of the file with the answers that a report is made of."""
NORMALISED = {
    "subject": "normalised by subject (transductive)",
    "recording": "normalised by recording (transductive)",
    "baseline": "relative to a causal baseline",
    "none": "not normalised by subject",
}


def write_report(
    predictions: pd.DataFrame,
    store: SegmentStore,
    splits: list[Split],
    folder: Path,
    normalisation: str,
    part: str,
    order: Sequence[str] = (),
    about_data: Mapping[str, Any] | None = None,
    about_split: Mapping[str, Any] | None = None,
    compared: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write ``report.json``, ``report.html``, figures, and the answers of all jobs, of which they are made.

    Parameters
    ----------
    predictions : DataFrame
        What `prediction_table` gives, of all methods, folds and seeds.
    store, splits
        What they were made with.
    folder : Path
    normalisation, part : str
        How the signals were normalised, and which part was scored.
    order : sequence of str
        Of the rows, by default `ORDER`; any others follow by name.
    about_data, about_split : mapping, optional
        More to say of the data and of the split.
    compared : mapping of str to sequence of str, optional
        LLM row -> rows that it is paired with, besides the best baseline; by default `COMPARED`.
    """
    predictions.to_parquet(folder / PREDICTIONS)
    if "truth" in predictions:
        # A segment with an emotion beyond the classes is scored by its ratings alone.
        known = predictions["truth"].isin(store.classes)
        predictions = predictions.assign(truth=predictions["truth"].where(known, None))
    further = [*ensembles(predictions, store.classes), *ceiling_rows(store, predictions)]
    predictions = pd.concat([predictions, *further], ignore_index=True)
    names = _in_order(set(predictions["method"]), order or ORDER)
    pairs = COMPARED if compared is None else compared
    results = {name: _result(name, predictions, set(names), store.classes, pairs) for name in names}
    data = store.describe() | {"normalisation": normalisation, "scored_part": part}
    data["classes"] = list(store.classes) if "truth" in predictions else []
    data["title"] = f"{store.about['dataset']}, {NORMALISED[normalisation]}"
    seeds = sorted(int(seed) for seed in predictions["seed"].unique())
    split = {"protocol": splits[0].protocol, "subject_disjoint": splits[0].subject_disjoint,
             "leaky": splits[0].leaky, "hashes": [s.hash for s in splits], "seeds": seeds}  # fmt: skip
    build_report(results, {**data, **(about_data or {})}, {**split, **(about_split or {})}, folder)


def _result(
    method: str,
    predictions: pd.DataFrame,
    methods: set[str],
    classes: tuple[str, ...],
    compared: Mapping[str, Sequence[str]],
) -> MethodResult:
    rows = predictions[predictions["method"] == method]
    jobs = rows.groupby(["fold", "seed"]).first()
    answers = [f"p_{name}" for name in classes] + [n for n in NUMBERS if n in rows]
    absent = [name for name in answers if name in rows and rows[name].isna().all()]
    kept = rows.drop(columns=[*ABOUT, *absent], errors="ignore")
    plain, suffix = method.removesuffix(ENSEMBLE), ENSEMBLE if method.endswith(ENSEMBLE) else ""
    others = [other + suffix if other + suffix in methods else other for other in compared.get(plain, ())]
    counted = jobs["parameters"].dropna()
    return MethodResult(
        method,
        rows["family"].iloc[0],
        kept,
        float(jobs["seconds"].mean()),
        _note(jobs["note"]),
        tuple(name for name in others if name in methods),
        parameters=int(counted.iloc[0]) if len(counted) else None,
        histories=[history for text in jobs["history"] if (history := json.loads(text))],
    )


def _note(notes: pd.Series) -> str:
    """The note of all fits, one a fold and seed, or the commonest ones with their shares."""
    counts = notes.value_counts()
    if len(counts) == 1:
        return str(counts.index[0])
    common = [f"{note or 'nothing to note'} ({n} of {len(notes)} fits)" for note, n in counts.head(2).items()]
    return "; ".join(common)


COMPARED = {
    "LLM on codes": ("encoder of the tokens", "encoder + extra trees"),
    "LLM on bins": ("extra trees",),
    "LLM on codes and bins": ("encoder of the tokens", "encoder + extra trees"),
    "LLM on codes+bins": ("encoder of the tokens", "encoder + extra trees"),
    "LLM on codes+bins and codes": ("encoder of the tokens", "encoder + extra trees"),
}
"""LLM rows get the paired difference to what reads the same source, or more, without an LLM."""

ABOUT = ("method", "family", "note", "seconds", "parameters", "history")

CEILING = "ceiling (oracle)"
LLM, FLOATS = "LLM on ", "LLM on floats"
CONTROL = ("encoder of the tokens", "extra trees")
ENSEMBLE = ", ensemble"
ORDER = (
    "majority",
    "ridge",
    "SVM-RBF",
    "extra trees",
    "CNN",
    "TCN",
    "BiLSTM",
    "encoder of the tokens",
    "encoder + extra trees",
    "LLM on floats",
    "LLM on codes",
    "LLM on codes, generated",
    "LLM on bins",
    "LLM on codes and bins",
    "LLM on codes+bins",
    "LLM on codes+bins, generated",
    "LLM on codes+bins and codes",
    "LLM, shuffled labels",
    "LLM, noise for signal",
)

MATCHED = (
    "matched control: the mean of the head that reads the codes and of extra trees on all features, of which "
    "bins show some, without an LLM"
)


def gathered(folder: Path, classes: tuple[str, ...]) -> pd.DataFrame:
    """Predictions of all jobs of an evaluation, with the rows that average others."""
    frames = [pd.read_parquet(path) for path in sorted((folder / "jobs").glob("*.parquet"))]
    return pd.concat([*frames, *_averages(pd.concat(frames), classes)], ignore_index=True)


def _in_order(found: set[str], order: Sequence[str]) -> list[str]:
    """The ceiling first, known rows in their order, then any others by name."""
    order = [CEILING, *(name for name in order if name != CEILING)]
    order = [name for plain in order for name in (plain, plain + ENSEMBLE)]
    return [name for name in order if name in found] + sorted(found - set(order))


def _averages(predictions: pd.DataFrame, classes: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """The mean of an LLM's prompts, and its matched control: the same sources without an LLM."""
    keys = ["segment", "fold", "seed"]
    by_method = {str(name): rows.set_index(keys) for name, rows in predictions.groupby("method", sort=False)}
    prompts = [name for name in by_method if name.startswith(LLM) and "," not in name and name != FLOATS]
    if len(prompts) > 1:
        frames = [by_method[name] for name in prompts]
        # The LLM is tuned on all of its prompts at once.
        about = {"family": "llm", "note": "mean likelihood of the prompts", "seconds": frames[0]["seconds"]}
        method = LLM + " and ".join(name.removeprefix(LLM) for name in prompts)
        yield _mean(frames, classes, about | {"method": method})
    if by_method.keys() >= set(CONTROL):
        # One of the two may have been run with the first seed alone.
        shared = by_method[CONTROL[0]].index.intersection(by_method[CONTROL[1]].index)
        frames = [by_method[name].loc[shared] for name in CONTROL]
        seconds = frames[0]["seconds"] + frames[1]["seconds"]
        about = {"family": "encoder", "note": MATCHED, "seconds": seconds}
        yield _mean(frames, classes, about | {"method": "encoder + extra trees"})


def ensembles(predictions: pd.DataFrame, classes: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """The mean of all seeds of a network or an LLM; of an LLM's further read-outs, behind a comma, none."""
    trained = predictions[predictions["family"].isin(("encoder", "llm"))]
    for method, rows in trained.groupby("method", sort=False):
        seeds = [frame.set_index(["segment", "fold"]) for _, frame in rows.groupby("seed")]
        if len(seeds) > 1 and ("," not in str(method) or (rows["family"] == "encoder").all()):
            seconds = sum(frame["seconds"] for frame in seeds)
            about = {"note": f"mean of {len(seeds)} seeds, each fitted by itself", "seconds": seconds}
            yield _mean(seeds, classes, about | {"method": f"{method}{ENSEMBLE}"})


def _mean(frames: Sequence[pd.DataFrame], classes: tuple[str, ...], about: Mapping[str, Any]) -> pd.DataFrame:
    """The mean of some methods' probabilities and ratings, as a method of its own."""
    first = frames[0]
    columns = [name for name in (*(f"p_{name}" for name in classes), *NUMBERS) if name in first]
    mean = sum(frame.loc[first.index, columns] for frame in frames) / len(frames)
    fields = {**about, "parameters": np.nan, "history": "[]"}
    if "prediction" in first:
        probable = mean[[f"p_{name}" for name in classes]].to_numpy().argmax(1)
        fields["prediction"] = np.asarray(classes)[probable]
    return first.assign(**{name: mean[name] for name in columns}, **fields).reset_index()


def ceiling_rows(store: SegmentStore, predictions: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """What an oracle reaches that sees the simulation's true parameters; nothing for real data."""
    if "truth" not in predictions or not hasattr(READERS.get(store.about["dataset"]), "oracle"):
        return
    reader: Any = make_reader(store.about["dataset"], store.about["root"], store.about["reader_options"])
    rows = predictions[predictions["method"] == predictions["method"].iloc[0]]
    rows = rows.drop(columns=[name for name in NUMBERS if name in rows])
    table = rows[["segment"]].merge(store.table, on="segment")
    posterior = reader.oracle(table)
    frame = rows.reset_index(drop=True).assign(
        prediction=np.asarray(store.classes)[posterior.argmax(1)],
        method=CEILING,
        family="ceiling",
        note="sees the simulation's true parameters",
        seconds=0.0,
        parameters=np.nan,
        history="[]",
    )
    for k, name in enumerate(store.classes):
        frame[f"p_{name}"] = posterior[:, k]
    yield frame
