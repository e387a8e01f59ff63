"""What an encoder is taught: classes, ratings, transitions, any of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from data_builders.recording import LABELS

__all__ = ["TARGETS", "target_sizes"]

TARGETS = LABELS


def target_sizes(targets: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Outputs that the head of each target has.

    Raises
    ------
    ValueError
        If there is no target, one is unknown, or ``emotion`` has fewer than two classes.
    """
    unknown = sorted(set(targets) - set(TARGETS))
    if unknown or not targets:
        raise ValueError(f"targets are {list(targets)}; allowed are one or more of {list(TARGETS)}.")
    if "emotion" in targets and len(classes) < 2:
        raise ValueError(
            f"the target 'emotion' has the classes {list(classes)}; allowed are two or more. "
            f"Choose targets that the data set has labels for, of {list(TARGETS)}."
        )
    return {target: len(classes) if target == "emotion" else 1 for target in targets}
