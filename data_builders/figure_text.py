"""Figures whose texts stand as they are: class names and ids are no formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_plain"]


def save_plain(figure: Figure, target: Any, **options: Any) -> None:
    """Save a figure without reading what stands between two dollar signs as TeX.

    Parameters
    ----------
    figure : Figure
    target : path or binary file
    **options
        Of `Figure.savefig`.
    """
    import matplotlib
    from matplotlib.text import Text

    # Labels of ticks are made while the figure is drawn: the setting reaches those, the loop all others.
    with matplotlib.rc_context({"text.parse_math": False}):
        for text in figure.findobj(Text):
            text.set_parse_math(False)
        figure.savefig(target, **options)
