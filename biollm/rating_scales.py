"""Ratings as points of a scale: where they lie by the training ratings, and which tasks teach them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from data_builders.tokenized import TokenizedSegments
from encoders.bins import QuantileBins
from prompts import Task
from prompts.tasks import AffectTask
from prompts.words import RATINGS

__all__ = ["AFFECT", "N_POINTS", "RatingScale", "check_rated", "fit_scales", "on_scales", "scales_card"]

AFFECT = "affect"
"""The task that asks for ratings."""
N_POINTS = 9


@dataclass(frozen=True)
class RatingScale:
    """A scale of whole numbers for a rating.

    Parameters
    ----------
    edges : list of float
        Ratings between the points, ascending; a rating on an edge belongs to the point above it.
    centres : list of float
        What each point stands for: the mean of the training ratings there.
    """

    edges: list[float]
    centres: list[float]


def fit_scale(ratings: np.ndarray, n_points: int) -> RatingScale:
    """Points that hold equally many ratings; fewer points where too many ratings are equal.

    Parameters
    ----------
    ratings : ndarray, shape (n_segments,)
        Of training segments.
    n_points : int
    """
    bins = QuantileBins(n_points).fit(ratings[:, None])
    points = bins.transform(ratings[:, None])[:, 0]
    centres = [float(ratings[points == point].mean()) for point in range(bins.n_bins_[0])]
    return RatingScale(bins.edges_[0].tolist(), centres)


def check_rated(where: str, table: pd.DataFrame, points: Collection[str]) -> None:
    """Refuse segments that are rated too little for the task of ratings.

    Parameters
    ----------
    where : str
        The store.
    table : DataFrame
        Of the segments that scales are fitted to or, where there is no scale, that are learned from.
    points : collection of str
        Ratings that get a scale.

    Raises
    ------
    ValueError
        If one of those has fewer than two values or, where there is none, no segment is rated at all.
    """
    values = table[list(points or RATINGS)].nunique()
    few = values < (2 if points else 1)
    if few.any() if points else few.all():
        raise ValueError(
            f"{where}: {len(table)} segments have {values[few].to_dict()} different ratings, too few for the "
            f"task {AFFECT!r}. Leave the task or the rating out, or take a store with ratings ('biollm data "
            "info' says what one holds)."
        )


def fit_scales(segments: TokenizedSegments, n_points: Mapping[str, int]) -> dict[str, RatingScale]:
    """The scale of each rating, by the segments of the train part alone.

    Raises
    ------
    ValueError
        If the training segments have fewer than two different values of a rating, or too many equal ones
        for two points.
    """
    trained = (segments.column("part") == "train") & (segments.column("unusable") == "")
    scales = {}
    for rating, n in n_points.items():
        ratings = segments.column(rating).astype(float)[trained]
        ratings = ratings[np.isfinite(ratings)]
        if len(np.unique(ratings)) < 2:
            raise ValueError(
                f"rating_points: {trained.sum()} training segments have {len(np.unique(ratings))} different "
                f"values of {rating}; two or more are needed. Leave {rating} out, or take another store."
            )
        scales[rating] = fit_scale(ratings, n)
        if len(scales[rating].centres) < 2:
            raise ValueError(
                f"rating_points: of {n} points of {rating} one is left, since most training ratings are "
                f"{ratings.min():g}. Give more points, or leave {rating} out."
            )
    return scales


def on_scales(
    tasks: Mapping[str, Task], weights: Mapping[str, float], scales: Mapping[str, RatingScale]
) -> tuple[dict[str, Task], dict[str, float]]:
    """Tasks and weights with one task a rating that has a scale, in place of the one that asks for both."""
    if not scales:
        return dict(tasks), dict(weights)
    affect = cast(AffectTask, tasks[AFFECT])
    rated = {rating: affect.on_scale(rating, scale.edges) for rating, scale in scales.items()}
    shares = dict.fromkeys(rated, weights[AFFECT] / len(rated))
    return (
        {name: task for name, task in tasks.items() if name != AFFECT} | rated,
        {name: weight for name, weight in weights.items() if name != AFFECT} | shares,
    )


def scales_card(tasks: Mapping[str, Task], scales: Mapping[str, RatingScale]) -> dict[str, Any]:
    """What a card says of the ratings that are taught; empty where none is on a scale."""
    if not scales:
        return {}
    return {"task": tasks[AFFECT].fields(), "scales": {name: asdict(scale) for name, scale in scales.items()}}
