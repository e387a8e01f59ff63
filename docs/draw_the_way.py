"""python docs/draw_the_way.py

Draws docs/the_way.png: from a recording to an answer, with the command of each stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from PIL import Image

from data_builders.readers import READERS
from data_builders.recording import Recording
from encoders.vocabulary import bin_token, code_token

PICTURE = Path(__file__).with_name("the_way.png")
WIDTH, HEIGHT = 1650, 756  # px
DPI = 175  # shown 9.4 inches wide, the type has its nominal size
TEXT, TITLE = 11, 12  # pt
TOP, BOTTOM = 66, 602  # of the cards, px
LINE = 31  # px from one line of text to the next

INK, GREY, RULE, CARD = "#1f2933", "#52606d", "#c5ced8", "#f5f7fa"
TRAINED, FROZEN = "#e69f00", "#d9e2ec"
# Okabe and Ito's colour-blind-safe set, darkened where it carries text.
COLOURS = {"emg": "#b84a00", "eeg": "#0067a8", "ecg": "#a33f78", "gsr": "#007a5a"}
LABELS = {"emg": "EMG", "eeg": "EEG", "ecg": "ECG", "gsr": "GSR"}

# Modality -> channel, seconds into the block, seconds shown, width of the line in pt.
EXCERPTS = {
    "emg": ("zygomaticus", 4.0, 3.5, 0.7),
    "eeg": ("AF3", 0.0, 2.0, 1.2),
    "ecg": ("ecg", 0.0, 3.0, 1.5),
    "gsr": ("gsr", 5.0, 14.0, 1.8),
}
TOKENS = {
    "emg": code_token("emg", "vq", 31),
    "eeg": code_token("eeg", "vq", 7),
    "ecg": code_token("ecg", "vq", 12),
    "gsr": code_token("gsr", "vq", 58),
}
BIN = bin_token("gsr_scr_rate", 7)
METHODS = ("majority", "SVM-RBF", "extra trees", "CNN", "TCN", "BiLSTM", "LLM")
GUARD = "Subject-disjoint split before everything, the same for every method; check_leaks fails the run."


def main() -> None:
    """Draw the picture and save it beside this file."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.axis("off")
    draw_recordings(ax, 22, 240)
    draw_tokens(ax, 286, 360)
    draw_conversation(ax, 670, 352)
    draw_model(ax, 1046, 262)
    draw_answer(ax, 1332, 296)
    for right in (262, 646, 1022, 1308):
        arrow(ax, (right + 2, 240), (right + 22, 240))
    box(ax, 22, HEIGHT - 70, WIDTH - 44, 48, "#e8f1f8", "#9fc3de")
    text(ax, WIDTH / 2, HEIGHT - 46, GUARD, ha="center", color="#004b7a")
    save(figure)


def save(figure: Figure) -> None:
    """Write the picture with a palette, at a third of the size."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


def draw_recordings(ax: Axes, x: float, width: float) -> None:
    """Four traces of a simulated subject who is afraid."""
    stage(ax, x, width, "1  Recordings", "biollm prepare")
    recording = READERS["simulated"]().read("S01")
    for row, modality in enumerate(EXCERPTS):
        y = TOP + 8 + row * 131
        text(ax, x + 16, y + 20, LABELS[modality], color=COLOURS[modality], weight="bold")
        place = (x + 16, y + 42, width - 32, 70)
        trace(ax, excerpt(recording, modality), place, COLOURS[modality], EXCERPTS[modality][3])


def draw_tokens(ax: Axes, x: float, width: float) -> None:
    """Encoder, codebook, and the names of the tokens that come out."""
    stage(ax, x, width, "2  Signal tokens", "biollm train-encoder")
    y = TOP + 28
    corners = [(x + 22, y), (x + 150, y + 26), (x + 150, y + 104), (x + 22, y + 130)]
    ax.add_patch(Polygon(corners, facecolor="#dcebf5", edgecolor="#7fb0d1", lw=1.2, joinstyle="round"))
    text(ax, x + 86, y + 65, "encoder", ha="center")
    arrow(ax, (x + 158, y + 65), (x + 188, y + 65))
    draw_codebook(ax, x + 200, y - 1)
    text(ax, x + 266, y + 156, "codebook", ha="center")
    arrow(ax, (x + 266, y + 180), (x + 266, y + 214))
    for row, (modality, token) in enumerate(TOKENS.items()):
        pill(ax, x + 14, y + 224 + row * 48, width - 28, token, COLOURS[modality])
    text(ax, x + width / 2, y + 432, "or features in bins:", ha="center", color=GREY)
    pill(ax, x + 14, y + 451, width - 28, BIN, COLOURS["gsr"])


def draw_codebook(ax: Axes, x: float, y: float) -> None:
    """A grid of entries with one chosen for each modality."""
    chosen = {(1, 0): "emg", (4, 1): "eeg", (2, 3): "ecg", (4, 5): "gsr"}
    for column in range(6):
        for row in range(6):
            modality = chosen.get((column, row))
            colour = COLOURS[modality] if modality else FROZEN
            ax.add_patch(Rectangle((x + column * 22, y + row * 22), 18, 18, facecolor=colour))


def draw_conversation(ax: Axes, x: float, width: float) -> None:
    """A training conversation in ShareGPT's format."""
    stage(ax, x, width, "3  Conversation", "biollm build")
    left, inner = x + 14, width - 28
    text(ax, left + 4, TOP + 28, "user", color=GREY, weight="bold")
    text(ax, left + inner - 4, TOP + 28, "ShareGPT", color=GREY, ha="right")
    box(ax, left, TOP + 50, inner, 284, "white", RULE)
    text(ax, left + 10, TOP + 80, "Which emotion does")
    text(ax, left + 10, TOP + 80 + LINE, "this recording show?")
    for row, (modality, token) in enumerate(TOKENS.items()):
        text(ax, left + 10, TOP + 172 + row * 42, f"{token}…", color=COLOURS[modality], family="monospace")
    text(ax, left + 4, TOP + 382, "assistant", color=GREY, weight="bold")
    box(ax, left, TOP + 404, inner, 104, "#e8f1f8", "#9fc3de")
    text(ax, left + 10, TOP + 440, "The recording")
    text(ax, left + 10, TOP + 440 + LINE, "shows fear.")


def draw_model(ax: Axes, x: float, width: float) -> None:
    """A frozen 4-bit base with low-rank adapters at its layers."""
    stage(ax, x, width, "4  LLM + LoRA", "biollm finetune")
    left, block = x + 18, 138
    for row in range(4):
        y = TOP + 28 + row * 74
        box(ax, left, y, block, 48, FROZEN, "#9fb3c8")
        ax.plot([left + block, left + block + 18], [y + 24] * 2, color=GREY, lw=1.3)
        draw_adapter(ax, left + block + 18, y)
        if row:
            ax.plot([left + block / 2] * 2, [y - 26, y], color=GREY, lw=1.3)
    legend = [(FROZEN, "frozen:", "4-bit base"), (TRAINED, "trained: LoRA,", "signal tokens")]
    for row, (colour, *lines) in enumerate(legend):
        y = TOP + 366 + row * 84
        ax.add_patch(Rectangle((x + 14, y - 9), 18, 18, facecolor=colour, edgecolor=GREY, lw=0.6))
        for number, line in enumerate(lines):
            text(ax, x + 42, y + number * LINE, line)


def draw_adapter(ax: Axes, x: float, y: float) -> None:
    """The two thin matrices of LoRA: down to the rank and up again."""
    down = [(x, y + 2), (x + 32, y + 15), (x + 32, y + 33), (x, y + 46)]
    up = [(x + 70 - (px - x), py) for px, py in down]
    for corners in (down, up):
        ax.add_patch(Polygon(corners, facecolor=TRAINED, edgecolor="#8a5f00", lw=1, joinstyle="round"))


def draw_answer(ax: Axes, x: float, width: float) -> None:
    """The chat's answer with label probabilities, and the table that it is judged in."""
    table = TOP + 294
    stage(ax, x, width, "5  Answer", "biollm evaluate", top=table)
    box(ax, x, TOP, width, 230, CARD, RULE)
    draw_probabilities(ax, x, width)
    command(ax, x, TOP + 238, width, "biollm chat")
    draw_table(ax, x, table, width)


def draw_probabilities(ax: Axes, x: float, width: float) -> None:
    """Bars without numbers: they show the form of an answer, not a result."""
    shares = {"fear": 1.0, "anxiety": 0.36, "anger": 0.18, "happiness": 0.08}
    text(ax, x + 14, TOP + 27, "“… shows fear.”", weight="bold")
    for row, (label, share) in enumerate(shares.items()):
        y = TOP + 66 + row * LINE
        text(ax, x + 14, y, label)
        colour = COLOURS["eeg"] if row == 0 else "#9fb3c8"
        ax.add_patch(Rectangle((x + 166, y - 9), share * (width - 182), 18, facecolor=colour))
    text(ax, x + 14, TOP + 70 + 4 * LINE, "(illustration)", color=GREY, style="italic")


def draw_table(ax: Axes, x: float, y: float, width: float) -> None:
    """The methods of the same table on the same split, their cells left empty."""
    pitch = 34
    for row, method in enumerate(METHODS):
        middle = y + 19 + row * pitch
        text(ax, x + 14, middle, method, weight="bold" if method == "LLM" else "normal")
        for column in range(2):
            ax.add_patch(Rectangle((x + 182 + column * 54, middle - 6), 42, 12, facecolor=FROZEN))
        if row:
            ax.plot([x + 12, x + width - 12], [middle - pitch / 2] * 2, color=RULE, lw=0.8)


def stage(ax: Axes, x: float, width: float, title: str, run: str, top: float = TOP) -> None:
    """Title, card and command of a stage."""
    text(ax, x + 2, 44, title, size=TITLE, weight="bold")
    box(ax, x, top, width, BOTTOM - top, CARD, RULE)
    command(ax, x, BOTTOM + 8, width, run)


def command(ax: Axes, x: float, y: float, width: float, run: str) -> None:
    """A command as on a terminal."""
    box(ax, x, y, width, 46, INK, INK, radius=8)
    text(ax, x + width / 2, y + 23, run, ha="center", color="white", family="monospace")


def pill(ax: Axes, x: float, y: float, width: float, token: str, colour: str) -> None:
    """A token's name in its modality's colour."""
    box(ax, x, y, width, 42, "white", colour)
    text(ax, x + width / 2, y + 21, token, ha="center", color=colour, family="monospace")


def excerpt(recording: Recording, modality: str) -> np.ndarray:
    """A part of the first block of fear, shape (n_samples,)."""
    channel, offset, seconds, _ = EXCERPTS[modality]
    block = next(b for b in recording.blocks if b.labels["emotion"] == "fear")
    signal = recording.signals[modality]
    first, last = (round((block.start + s) * signal.sampling_rate) for s in (offset, offset + seconds))
    return signal.data[signal.channel_names.index(channel), first:last]


def trace(
    ax: Axes, data: np.ndarray, place: tuple[float, float, float, float], colour: str, lw: float
) -> None:
    """A signal that fills a place of x, y, width and height."""
    x, y, width, height = place
    scaled = (data - data.min()) / np.ptp(data)
    ax.plot(np.linspace(x, x + width, len(data)), y + height * (1 - scaled), color=colour, lw=lw)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow that the eye follows from stage to stage."""
    style = "-|>,head_length=5,head_width=3.5"
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle=style, shrinkA=0, shrinkB=0, color=GREY, lw=1.8))


def box(
    ax: Axes, x: float, y: float, width: float, height: float, face: str, edge: str, radius: float = 12
) -> None:
    """A rectangle with round corners."""
    style = f"round,pad=0,rounding_size={radius}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=face, edgecolor=edge, lw=1))


def text(ax: Axes, x: float, y: float, words: str, **options: Any) -> None:
    """Words whose middle is at the height y."""
    style: dict[str, Any] = {"size": TEXT, "color": INK, "va": "center_baseline"} | options
    ax.text(x, y, words, **style)


if __name__ == "__main__":
    main()
