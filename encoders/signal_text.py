"""How the tokens of a segment are written as text: in brackets, as known words, or as digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from encoders.vocabulary import bracket

__all__ = ["digits", "single_sources", "spell", "write"]

Groups = Mapping[str, Sequence[str]]


def single_sources(sources: Sequence[str]) -> list[str]:
    """``["codes", "codes+bins"]`` -> ``["codes", "bins"]``."""
    return list(dict.fromkeys(part for source in sources for part in source.split("+")))


def write(groups: Groups, found: Mapping[str, np.ndarray], spelling: Mapping[str, str]) -> list[str]:
    """Texts of segments: each group's tokens between its brackets.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        By the name in the brackets, its tokens.
    found : mapping of str to ndarray of int, shape (n_segments, n)
        By group, positions of tokens; one of -1 leaves nothing.
    spelling : mapping of str to str
        What is written for a token, where not the token itself.
    """
    texts = [""] * len(next(iter(found.values())))
    for name, tokens in groups.items():
        spelled = [spelling.get(token, token) for token in tokens]
        start, end = (spelling.get(token, token) for token in (bracket(name), bracket(name, close=True)))
        for i, row in enumerate(found[name].tolist()):
            texts[i] += start + "".join([spelled[k] for k in row if k >= 0]) + end
    return texts


def spell(groups: Groups, words: Sequence[str]) -> dict[str, str]:
    """A word of an LLM's vocabulary for each token, and a line with its name for each group.

    Raises
    ------
    ValueError
        If there are fewer words than tokens.
    """
    tokens = [token for group in groups.values() for token in group]
    if len(words) < len(tokens):
        raise ValueError(
            f"{sorted(groups)} have {len(tokens)} signal tokens, and the LLM's vocabulary has {len(words)} "
            "words to spell them; take fewer codes or bins, or the signal mode 'tokens'."
        )
    spelling = dict(zip(tokens, words, strict=False))
    for name in groups:
        spelling |= {bracket(name): f"{name}:", bracket(name, close=True): "\n"}
    return spelling


def digits(values: np.ndarray, measured: bool = False) -> list[str]:
    """Numbers with two decimals, or four digits where they are measured in units; "nan" where undefined.

    Parameters
    ----------
    values : ndarray, shape (n_segments, n)
    measured : bool

    Returns
    -------
    list of str, one a row
    """
    form = ".4g" if measured else ".2f"
    return [" ".join(f"{value:{form}}" for value in row) for row in values]
