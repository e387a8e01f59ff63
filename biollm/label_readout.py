"""An LLM's emotions: the question, its answers, and what they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["LabelQuestion"]


class LabelQuestion:
    """The question for the emotion, whose answers are the classes; `RatingQuestion` has the same methods."""

    target = "emotion"

    def __init__(self, artefact: Any, classes: Sequence[str]) -> None:
        self.artefact = artefact
        self.classes = classes
        self.words = artefact.card.written_classes

    def prompts(self, texts: Sequence[str], phrasing: int = 0) -> list[str]:
        return self.artefact.prompts(texts, phrasing)

    @property
    def answers(self) -> list[str]:
        return self.artefact.task.answers(self.words)

    def read(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities

    def named(self, answers: Sequence[str]) -> list[str | None]:
        """The class that each answer names; None where it names none."""
        return [self._class(answer) for answer in answers]

    def _class(self, answer: str) -> str | None:
        word = self.artefact.task.label(answer, self.words)
        return None if word is None else self.classes[self.words.index(word)]
