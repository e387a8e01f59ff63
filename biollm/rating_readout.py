"""An LLM's ratings: the mean over the points of a scale, each by its likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from biollm.rating_scales import RatingScale
from biollm.readout import chat_prompts
from prompts import task_from_fields
from prompts.tasks import AffectTask

__all__ = ["RatingQuestion", "fit_sharpness", "rating_questions"]

HIGHEST = 10.0
"""Sharpness at most, where all that was learned from is read rightly."""
TINY = 1e-12


class RatingQuestion:
    """A question for a rating, whose answers are the points of its scale.

    The rating that is read is the expected one: each point's mean training rating by its likelihood, as
    G-Eval weights scores (Liu et al. 2023). How sharply is fitted by `calibrate`: an LLM that has seen few
    ratings is less sure of all of them than it is right.

    Parameters
    ----------
    artefact : Artefact
    target : {"valence", "arousal"}
    scale : RatingScale

    Attributes
    ----------
    sharpness : float
        Power of the likelihoods, 1 until it is fitted.
    """

    def __init__(self, artefact: Any, target: str, scale: RatingScale) -> None:
        self.artefact = artefact
        self.target = target
        self.centres = np.array(scale.centres)
        self.sharpness = 1.0
        task = cast(AffectTask, task_from_fields(artefact.card.ratings["task"]))
        self.task = task.on_scale(target, scale.edges)

    def prompts(self, texts: Sequence[str], phrasing: int = 0) -> list[str]:
        """Prompts that ask for the rating of signal texts."""
        asked = [self.task.question(phrasing, text) for text in texts]
        return chat_prompts(self.artefact.tokenizer, self.task.instruction(), asked)

    @property
    def answers(self) -> list[str]:
        """What is written for each point."""
        return self.task.answers()

    def calibrate(self, probabilities: np.ndarray, ratings: np.ndarray) -> None:
        """Fit the sharpness on segments that the LLM has learned from.

        Parameters
        ----------
        probabilities : ndarray, shape (n, n_points)
        ratings : ndarray, shape (n,)
            As they were given.
        """
        points = np.searchsorted(self.task.edges, ratings, side="right")
        self.sharpness = fit_sharpness(probabilities, points)

    def read(self, probabilities: np.ndarray) -> np.ndarray:
        """Expected ratings, shape (n,), of probabilities of the points, shape (n, n_points)."""
        return softmax(self.sharpness * _logs(probabilities), axis=1) @ self.centres

    def named(self, answers: Sequence[str]) -> np.ndarray:
        """The rating that each answer names, shape (n,); the mean of the scale where it names none."""
        points = [self.task.point(answer) for answer in answers]
        unread = float(self.centres.mean())
        return np.array([unread if point is None else self.centres[point - 1] for point in points])


def fit_sharpness(probabilities: np.ndarray, points: np.ndarray) -> float:
    """The power of some probabilities by which the true points are likeliest (Guo et al. 2017: temperature).

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_points)
    points : ndarray of int, shape (n,)
        The true ones, from 0.
    """
    logs, rows = _logs(probabilities), np.arange(len(points))

    def loss(power: float) -> float:
        return float(-log_softmax(power * logs, axis=1)[rows, points].mean())

    return float(minimize_scalar(loss, bounds=(0.0, HIGHEST), method="bounded").x)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, TINY))


def rating_questions(artefact: Any, targets: Sequence[str]) -> list[RatingQuestion]:
    """A question for each rating.

    Raises
    ------
    ValueError
        If the artefact was not taught one of them.
    """
    scales = artefact.card.ratings.get("scales", {})
    absent = [target for target in targets if target not in scales]
    if absent:
        raise ValueError(
            f"the artefact was taught the ratings {list(scales)} as points of a scale, not {absent}; build "
            "its conversations with the task affect and rating_points of each."
        )
    return [RatingQuestion(artefact, target, RatingScale(**scales[target])) for target in targets]
