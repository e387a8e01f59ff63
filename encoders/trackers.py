"""Trackers that a training's metrics are logged to: by name, those of Accelerate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["tracker_problems"]


def tracker_problems(names: Sequence[str]) -> Iterator[str]:
    """What keeps metrics from being logged: Accelerate would leave a tracker that is not installed out."""
    if not names:
        return
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import LoggerType

    known = sorted(set(LoggerType.list()) - {"all"})
    installed = sorted(str(name) for name in get_available_trackers())
    for name in names:
        if name not in known:
            yield f"report_to: got {name!r}; allowed are {known}, of which {installed} are installed."
        elif name not in installed:
            yield f"report_to: {name!r} is not installed, only {installed}; install it with pip."
