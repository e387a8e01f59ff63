"""Diagram of a model: what it is made of, drawn by walking it, with shapes and parameter counts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from encoders.run_figures import INK, MUTED, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from encoders.model import SignalModel

__all__ = ["architecture_figure", "model_boxes"]

Box = tuple[str, str, int]
"""Heading, text below it, and a colour of the palette."""
WIDTH, GAP = 3.0, 0.45  # of a box and between boxes, in columns and rows of the drawing
LETTERS, LINES = 34, 4  # that fit into a box
HEADING, LINE = 0.23, 0.165  # heights of text, in rows
COLOURS = {"input": 6, "network": 0, "quantizer": 4, "pooling": 2, "joined": 3, "head": 1}


def model_boxes(model: SignalModel) -> tuple[list[list[Box]], list[Box], list[Box]]:
    """What a model consists of.

    Returns
    -------
    streams : list of list of Box
        For each stream, what it goes through, from its samples on.
    shared : list of Box
        What the joined streams go through.
    heads : list of Box
    """
    streams = [_stream_boxes(model, spec) for spec in model.streams]
    n_joined = sum(model.dims.values())
    shared: list[Box] = [("joined", f"{n_joined} values", COLOURS["joined"])]
    if len(model.heads.fusion):
        widths = [layer.out_features for layer in model.heads.fusion if hasattr(layer, "out_features")]
        arrows = " → ".join(map(str, (n_joined, *widths)))
        shared.append(("fusion", f"{arrows}\n{_count(model.heads.fusion)}", COLOURS["joined"]))
    heads = [
        (f"head: {target}", f"{head.out_features} outputs\n{_count(head)}", COLOURS["head"])
        for target, head in model.heads.outputs.items()
    ]
    return streams, shared, heads


def architecture_figure(model: SignalModel, title: str) -> Figure:
    """Boxes from the streams at the top to the heads at the bottom."""
    streams, shared, heads = model_boxes(model)
    n_columns = max(len(streams), len(heads))
    n_rows = max(map(len, streams)) + len(shared) + 1
    figure = new_figure(max(4.2, 0.4 + 2.9 * n_columns), 0.6 + 1.15 * n_rows, f"{title}: {_count(model)}")
    axes = figure.subplots()
    axes.set(xlim=(0, n_columns * (WIDTH + GAP)), ylim=(n_rows * (1 + GAP) - GAP + 0.05, -0.05))
    axes.axis("off")
    ends = [_column(axes, boxes, _middle(k, len(streams), n_columns), 0) for k, boxes in enumerate(streams)]
    row = max(map(len, streams))
    x = n_columns * (WIDTH + GAP) / 2
    for box in shared:
        top = _draw(axes, box, x, row)
        for end in ends:
            _arrow(axes, end, top)
        ends, row = [(x, top[1] + 1)], row + 1
    for k, box in enumerate(heads):
        _arrow(axes, ends[0], _draw(axes, box, _middle(k, len(heads), n_columns), row))
    return figure


def _stream_boxes(model: SignalModel, spec: Any) -> list[Box]:
    name, network = spec.name, model.encoders[spec.name]
    shape = f"{spec.n_channels} × {spec.n_samples} samples\n{spec.sampling_rate:g} Hz"
    parts = ", ".join(f"{part} {_size(child):,}" for part, child in network.named_children() if _size(child))
    inside = textwrap.wrap(parts, LETTERS, max_lines=LINES - 2, placeholder=" …")
    about = [f"{spec.n_frames} frames × {model.dims[name]}", _count(network), *inside]
    boxes: list[Box] = [
        (f"stream: {name}", shape, COLOURS["input"]),
        (type(network).__name__, "\n".join(about), COLOURS["network"]),
    ]
    if name in model.quantizers:
        quantizer = model.quantizers[name]
        codes = f"{quantizer.codebook_size} codes × {quantizer.codebook_dim}"
        boxes.append((type(quantizer).__name__, f"{codes}\n{_count(quantizer)}", COLOURS["quantizer"]))
    pooling = model.poolings[name]
    about = [f"{spec.n_frames} × {model.dims[name]} → {model.dims[name]}", _count(pooling)]
    boxes.append((type(pooling).__name__, "\n".join(about), COLOURS["pooling"]))
    return boxes


def _size(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _count(module: Any) -> str:
    return f"{_size(module):,} parameters"


def _middle(k: int, n: int, n_columns: int) -> float:
    """x of the k-th of n boxes that are spread over all columns."""
    return (k + 0.5) * n_columns / n * (WIDTH + GAP)


def _column(axes: Axes, boxes: list[Box], x: float, row: int) -> tuple[float, float]:
    """Draw boxes below each other; where the last one ends."""
    top = (x, 0.0)
    for k, box in enumerate(boxes):
        end, top = (x, top[1] + 1), _draw(axes, box, x, row + k)
        if k:
            _arrow(axes, end, top)
    return x, top[1] + 1


def _draw(axes: Axes, box: Box, x: float, row: int) -> tuple[float, float]:
    """Draw a box of height 1 in a row; the middle of its upper edge."""
    from matplotlib.patches import FancyBboxPatch

    heading, text, colour = box
    y = row * (1 + GAP)
    patch = FancyBboxPatch(
        (x - WIDTH / 2, y), WIDTH, 1.0, boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=PALETTE[colour] + "1a", edgecolor=PALETTE[colour], linewidth=1.2,
    )  # fmt: skip
    axes.add_patch(patch)
    heading = textwrap.shorten(heading, LETTERS - 6, placeholder="…")
    lines = [textwrap.shorten(line, LETTERS, placeholder="…") for line in text.split("\n")]
    top = y + 0.5 - (LINE * len(lines) + HEADING) / 2
    axes.text(x, top, heading, ha="center", va="top", fontsize=9, fontweight="bold", color=INK)
    for k, line in enumerate(lines):
        axes.text(x, top + HEADING + k * LINE, line, ha="center", va="top", fontsize=7.5, color=INK)
    return x, y


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
