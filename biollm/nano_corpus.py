"""The pretraining corpus of the nano base: a mixture of generated documents, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from biollm import nano_language, nano_reading
from biollm.nano_language import Document

# name -> generator, share of the documents
MIXTURE: dict[str, tuple[Callable[[Random], Document], float]] = {
    "state_text": (nano_language.state_text, 0.06),
    "term_text": (nano_language.term_text, 0.04),
    "docstring_text": (nano_language.docstring_text, 0.08),
    "state_chat": (nano_language.state_chat, 0.06),
    "term_chat": (nano_language.term_chat, 0.05),
    "small_talk": (nano_language.small_talk, 0.04),
    "cue_reading": (nano_reading.cue_reading, 0.14),
    "code_reading": (nano_reading.code_reading, 0.24),
    "half_reading": (nano_reading.half_reading, 0.03),
    "key_reading": (nano_reading.key_reading, 0.09),
    "majority_reading": (nano_reading.majority_reading, 0.05),
    "copying": (nano_reading.copying, 0.05),
    "level_reading": (nano_reading.level_reading, 0.03),
    "number_reading": (nano_reading.number_reading, 0.04),
}


def documents(n: int, seed: int) -> Iterator[tuple[str, Document]]:
    """Draw documents from the mixture.

    Parameters
    ----------
    n : int
        Number of documents.
    seed : int
        The same seed gives the same documents under the same versions of the docstrings' packages.

    Yields
    ------
    kind : str
        A key of `MIXTURE`.
    document : list of dict
        Messages with `role` ("system", "user", "assistant", or "text" for plain text) and `content`.
    """
    rng = Random(seed)
    kinds, weights = list(MIXTURE), [share for _, share in MIXTURE.values()]
    for _ in range(n):
        kind = rng.choices(kinds, weights)[0]
        yield kind, MIXTURE[kind][0](rng)
