"""What a run folder holds beside the signal tokenizer: weights, history, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data_builders.figure_text import save_plain
from data_builders.places import write_whole
from encoders.signal_encoder import SignalEncoder
from prompts.words import RATINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BEST", "LAST", "draw_results", "write_training"]

BEST = Path("checkpoints", "best.safetensors")
LAST = Path("checkpoints", "last.pt")
FIGURES = "figures"
Answers = Mapping[str, np.ndarray]
Scores = Mapping[str, dict[str, Any]]


def write_training(folder: Path, encoder: SignalEncoder, title: str) -> None:
    """Write a fitted network's weights, its history, and the figures that need no test part."""
    from safetensors.torch import save_file

    from encoders.architecture_figure import architecture_figure
    from encoders.run_figures import learning_figure

    (folder / BEST).parent.mkdir(exist_ok=True)
    weights = encoder.network_.state_dict().items()
    save_file({name: value.contiguous().cpu() for name, value in weights}, folder / BEST)
    write_whole(folder / "history.json", json.dumps(encoder.history_, indent=1))
    n_models = len(encoder.models_)
    for k, model in enumerate(encoder.models_, 1):
        history = [row for row in encoder.history_ if row.get("encoder", 1) == k]
        number, mark = ("", "") if n_models == 1 else (f"_{k}", f", {k} of {n_models}")
        _save(learning_figure(history, title + mark), folder, f"learning_curves{number}")
        _save(architecture_figure(model, title + mark), folder, f"architecture{number}")


def draw_results(
    folder: Path,
    title: str,
    table: pd.DataFrame,
    answers: Answers,
    scores: Scores,
    embedding: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Draw what was answered on the test part; a figure that has nothing to show is left out.

    Parameters
    ----------
    folder : Path
        The run folder.
    title : str
    table : DataFrame, n_segments rows
        With labels and subjects.
    answers, scores : mapping by target
        As `SignalEncoder.predict` and `encoders.run_results.score_answers` give them.
    embedding : ndarray, shape (n_segments, n)
    classes : sequence of str
    """
    from encoders import run_figures as draw

    labelled = [target for target in scores if scores[target]["n"]]
    mark = f"{title}: {len(table)} test segments of {table['subject'].nunique()} subjects"
    if "emotion" in labelled:
        found = scores["emotion"]
        accuracy = f"{title}: balanced accuracy {found['balanced_accuracy']:.3f} on the test part"
        _save(draw.confusion_figure(found["confusion"], classes, accuracy), folder, "confusion_matrix")
    curves = _curves(table, answers, classes)
    if curves:
        _save(draw.roc_figure(curves, mark), folder, "roc")
    ratings = {name: table[name].notna().to_numpy() for name in RATINGS if name in labelled}
    if ratings:
        truth = {name: table[name].to_numpy(float)[known] for name, known in ratings.items()}
        values = {name: answers[name][known] for name, known in ratings.items()}
        _save(draw.ratings_figure(truth, values, scores, mark), folder, "ratings")
    if len(table) > 1 and embedding.shape[1] > 1:
        _save(draw.embedding_figure(embedding, table, labelled[0], mark), folder, "embedding")


def _save(figure: Figure, folder: Path, name: str) -> None:
    (folder / FIGURES).mkdir(exist_ok=True)
    save_plain(figure, folder / FIGURES / f"{name}.png", facecolor="white")


def _curves(
    table: pd.DataFrame, answers: Answers, classes: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Truth and score of each class and of transitions, where the test part has both values."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if "emotion" in answers:
        known = table["emotion"].isin(classes).to_numpy()
        truth = table["emotion"].to_numpy()[known]
        for name, scores in zip(classes, answers["emotion"][known].T, strict=True):
            found[name] = truth == name, scores
    if "transition" in answers:
        known = table["transition"].notna().to_numpy()
        found["transition"] = table["transition"].to_numpy(float)[known] > 0.5, answers["transition"][known]
    return {name: pair for name, pair in found.items() if 0 < pair[0].sum() < len(pair[0])}
