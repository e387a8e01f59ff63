"""python docs/draw_the_way.py

Draws docs/the_way.png: from a recording to an answer, with the command of each stage.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from data_builders.readers import READERS
from data_builders.recording import Recording
from encoders.vocabulary import bin_token, code_token

PICTURE = Path(__file__).with_name("the_way.png")
WIDTH, HEIGHT = 1640, 706  # px
DPI = 175  # a page of 9.4 inches then shows the type at its nominal size
SMALL, TEXT, TITLE = 11, 11, 12  # pt
TOP, BOTTOM = 72, 530  # of the cards, px
LINE = 31  # px from one line of text to the next

INK, GREY, RULE, CARD = "#1f2933", "#52606d", "#c5ced8", "#f5f7fa"
TRAINED, FROZEN = "#e69f00", "#d9e2ec"
# Okabe and Ito's colour-blind-safe set, darkened where it carries text.
COLOURS = {"emg": "#b84a00", "eeg": "#0067a8", "ecg": "#a33f78", "gsr": "#007a5a"}
LABELS = {"emg": "EMG", "eeg": "EEG", "ecg": "ECG", "gsr": "GSR"}

# Modality -> channel, seconds into the block, seconds shown.
EXCERPTS = {
    "emg": ("zygomaticus", 4.0, 3.5),
    "eeg": ("AF3", 0.0, 3.0),
    "ecg": ("ecg", 0.0, 3.6),
    "gsr": ("gsr", 5.0, 14.5),
}
TOKENS = {
    "emg": code_token("emg", "vq", 31),
    "eeg": code_token("eeg", "vq", 7),
    "ecg": code_token("ecg", "vq", 12),
    "gsr": bin_token("gsr_scr_rate", 7),
}
METHODS = ("majority", "SVM-RBF", "extra trees", "CNN", "TCN", "LSTM", "LLM")
GUARD = "Subject-disjoint split before everything; check_leaks fails the run."


def main() -> None:
    """Draw the picture and save it beside this file."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.axis("off")
    box(ax, 3, 3, WIDTH - 6, HEIGHT - 6, "white", RULE, radius=18)

    draw_recordings(ax, 24, 254)
    draw_tokens(ax, 302, 344)
    draw_conversation(ax, 670, 344)
    draw_model(ax, 1038, 258)
    draw_answer(ax, 1320, 296)
    for right in (278, 646, 1014, 1296):
        arrow(ax, (right + 2, 290), (right + 23, 290))
    box(ax, 24, HEIGHT - 72, WIDTH - 48, 48, "#e8f1f8", "#9fc3de")
    text(ax, WIDTH / 2, HEIGHT - 48, GUARD, ha="center", color="#004b7a")
    figure.savefig(PICTURE, dpi=DPI, transparent=True, metadata={"Software": None}, pil_kwargs={"optimize": True})


def draw_recordings(ax: Axes, x: float, width: float) -> None:
    """Four traces of a simulated subject who is afraid."""
    stage(ax, x, width, "1  Recordings", "biollm prepare")
    recording = READERS["simulated"]().read("S01")
    for row, modality in enumerate(EXCERPTS):
        y = TOP + 8 + row * 112
        text(ax, x + 16, y + 18, LABELS[modality], color=COLOURS[modality], weight="bold")
        trace(ax, excerpt(recording, modality), (x + 16, y + 36, width - 32, 62), COLOURS[modality])


def draw_tokens(ax: Axes, x: float, width: float) -> None:
    """Encoder, codebook, and the names of the tokens that come out."""
    stage(ax, x, width, "2  Signal tokens", "biollm train-encoder")
    y = TOP + 24
    corners = [(x + 22, y), (x + 140, y + 28), (x + 140, y + 92), (x + 22, y + 120)]
    ax.add_patch(Polygon(corners, facecolor="#dcebf5", edgecolor="#7fb0d1", lw=1.2, joinstyle="round"))
    text(ax, x + 81, y + 60, "encoder", ha="center")
    arrow(ax, (x + 146, y + 60), (x + 180, y + 60))
    draw_codebook(ax, x + 190, y)
    text(ax, x + width / 2 + 84, y + 146, "codebook", ha="center")
    arrow(ax, (x + width / 2, y + 172), (x + width / 2, y + 206))
    for row, (modality, token) in enumerate(TOKENS.items()):
        pill(ax, x + 14, y + 218 + row * 51, width - 28, token, COLOURS[modality])


def draw_codebook(ax: Axes, x: float, y: float) -> None:
    """A grid of entries with one chosen for each modality."""
    chosen = {(1, 0): "emg", (4, 1): "eeg", (2, 3): "ecg", (5, 4): "gsr"}
    for column in range(6):
        for row in range(5):
            modality = chosen.get((column, row))
            colour = COLOURS[modality] if modality else FROZEN
            ax.add_patch(Rectangle((x + column * 22, y + 5 + row * 22), 18, 18, facecolor=colour))


def draw_conversation(ax: Axes, x: float, width: float) -> None:
    """A training conversation in ShareGPT's format."""
    stage(ax, x, width, "3  ShareGPT conversation", "biollm build")
    left, inner = x + 14, width - 28
    text(ax, left + 4, TOP + 26, "human", color=GREY, weight="bold")
    box(ax, left, TOP + 46, inner, 236, "white", RULE)
    text(ax, left + 14, TOP + 72, "Which emotion does")
    text(ax, left + 14, TOP + 72 + LINE, "this recording show?")
    for row, (modality, token) in enumerate(TOKENS.items()):
        y = TOP + 150 + row * 34
        text(ax, left + 8, y, token, color=COLOURS[modality], family="monospace")
    text(ax, left + 4, TOP + 322, "gpt", color=GREY, weight="bold")
    box(ax, left, TOP + 342, inner, 88, "#e8f1f8", "#9fc3de")
    text(ax, left + 14, TOP + 370, "The recording")
    text(ax, left + 14, TOP + 370 + LINE, "shows fear.")


def draw_model(ax: Axes, x: float, width: float) -> None:
    """A frozen 4-bit base with low-rank adapters at its layers."""
    stage(ax, x, width, "4  LLM", "biollm finetune")
    left, block = x + 18, 134
    for row in range(4):
        y = TOP + 26 + row * 66
        box(ax, left, y, block, 48, FROZEN, "#9fb3c8")
        ax.plot([left + block, left + block + 18], [y + 24] * 2, color=GREY, lw=1.3)
        draw_adapter(ax, left + block + 18, y)
        if row:
            ax.plot([left + block / 2] * 2, [y - 18, y], color=GREY, lw=1.3)
    legend = [(FROZEN, "4-bit base,", "frozen"), (TRAINED, "LoRA and signal", "tokens, trained")]
    for row, (colour, *lines) in enumerate(legend):
        y = TOP + 310 + row * 74
        ax.add_patch(Rectangle((x + 14, y - 9), 18, 18, facecolor=colour, edgecolor=GREY, lw=0.6))
        for number, line in enumerate(lines):
            text(ax, x + 42, y + number * LINE, line, size=SMALL)


def draw_adapter(ax: Axes, x: float, y: float) -> None:
    """The two thin matrices of LoRA: down to the rank and up again."""
    down = [(x, y + 2), (x + 32, y + 15), (x + 32, y + 33), (x, y + 46)]
    up = [(x + 70 - (px - x), py) for px, py in down]
    for corners in (down, up):
        ax.add_patch(Polygon(corners, facecolor=TRAINED, edgecolor="#8a5f00", lw=1, joinstyle="round"))


def draw_answer(ax: Axes, x: float, width: float) -> None:
    """The chat's answer with label probabilities, and the table that it is judged in."""
    text(ax, x + 2, 44, "5  Answer and test", size=TITLE, weight="bold")
    box(ax, x, TOP, width, 218, CARD, RULE)
    draw_probabilities(ax, x, width)
    command(ax, x, TOP + 226, width, "biollm chat")
    box(ax, x, TOP + 282, width, BOTTOM - TOP - 282, CARD, RULE)
    draw_table(ax, x, TOP + 282, width)
    command(ax, x, BOTTOM + 16, width, "biollm evaluate")


def draw_probabilities(ax: Axes, x: float, width: float) -> None:
    """Bars without numbers: they show the form of an answer, not a result."""
    shares = {"fear": 0.62, "anxiety": 0.22, "anger": 0.11, "happiness": 0.05}
    text(ax, x + 14, TOP + 26, "“shows fear.”", weight="bold")
    for row, (label, share) in enumerate(shares.items()):
        y = TOP + 64 + row * LINE
        text(ax, x + 14, y, label)
        colour = "#0067a8" if row == 0 else "#9fb3c8"
        ax.add_patch(Rectangle((x + 162, y - 9), share / 0.62 * (width - 178), 18, facecolor=colour))
    text(ax, x + 14, TOP + 64 + 4 * LINE + 4, "(illustration)", color=GREY, style="italic")


def draw_table(ax: Axes, x: float, y: float, width: float) -> None:
    """Names of the methods, two a row, on the same split."""
    for row, methods in enumerate((METHODS[:2], METHODS[2:4], METHODS[4:6], METHODS[6:])):
        for column, method in enumerate(methods):
            text(ax, x + 14 + column * 160, y + 26 + row * 40, method)


def stage(ax: Axes, x: float, width: float, title: str, run: str) -> None:
    """Title, card and command of a stage."""
    text(ax, x + 2, 44, title, size=TITLE, weight="bold")
    box(ax, x, TOP, width, BOTTOM - TOP, CARD, RULE)
    command(ax, x, BOTTOM + 16, width, run)


def command(ax: Axes, x: float, y: float, width: float, run: str) -> None:
    """A command as on a terminal."""
    box(ax, x, y, width, 46, INK, INK, radius=8)
    text(ax, x + width / 2, y + 23, run, ha="center", color="white", family="monospace")


def pill(ax: Axes, x: float, y: float, width: float, token: str, colour: str) -> None:
    """A token's name in its modality's colour."""
    box(ax, x, y, width, 43, "white", colour)
    text(ax, x + width / 2, y + 21, token, ha="center", color=colour, family="monospace")


def excerpt(recording: Recording, modality: str) -> np.ndarray:
    """A part of the first block of fear, shape (n_samples,)."""
    channel, offset, seconds = EXCERPTS[modality]
    block = next(b for b in recording.blocks if b.labels["emotion"] == "fear")
    signal = recording.signals[modality]
    first, last = (round((block.start + s) * signal.sampling_rate) for s in (offset, offset + seconds))
    return signal.data[signal.channel_names.index(channel), first:last]


def trace(ax: Axes, data: np.ndarray, place: tuple[float, float, float, float], colour: str) -> None:
    """A signal that fills a place of x, y, width and height."""
    x, y, width, height = place
    scaled = (data - data.min()) / np.ptp(data)
    line_width = 1.8 if len(data) < 600 else 0.7
    ax.plot(np.linspace(x, x + width, len(data)), y + height * (1 - scaled), color=colour, lw=line_width)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow that the eye follows from stage to stage."""
    style = "-|>,head_length=5,head_width=3.5"
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle=style, shrinkA=0, shrinkB=0, color=GREY, lw=1.8)
    )


def box(
    ax: Axes, x: float, y: float, width: float, height: float, face: str, edge: str, radius: float = 12
) -> None:
    """A rectangle with round corners."""
    style = f"round,pad=0,rounding_size={radius}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=face, edgecolor=edge, lw=1))


def text(ax: Axes, x: float, y: float, words: str, **options) -> None:
    """Words whose middle is at the height y."""
    ax.text(x, y, words, **({"size": TEXT, "color": INK, "va": "center_baseline"} | options))


if __name__ == "__main__":
    main()
