"""Training sequences to look at: coloured in a terminal, or as one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from biollm.training_sequences import Piece, TrainingSequence

__all__ = ["Examples", "Shown", "terminal_preview", "write_html_preview"]

ANSI = {"prompt": "\033[90m", "trained": "\033[1;32m", "cut": "\033[9;31m"}
RESET = "\033[0m"
PLAIN = {"prompt": ("", ""), "trained": ("⟦", "⟧"), "cut": ("⟪cut: ", "⟫")}
LEGEND = {
    "prompt": "read, not trained",
    "trained": "trained",
    "cut": "cut off by max_length",
}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --back: #fff; --box: #f6f7f9; --text: #1c1e21; --grey: #5f6670;
  --line: #d5d9df; --trained: #b9ecc4; --trained-text: #0b3d1a; --cut: #f7c9c6; --cut-text: #7a1712; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #16181b; --box: #1f2226; --text: #e6e8ea;
  --grey: #9aa2ac; --line: #3a3f46; --trained: #1d5a2e; --trained-text: #d9f7e0; --cut: #6a221d;
  --cut-text: #fbdedb; }} }}
body {{ margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1rem; margin: 2rem 0 .4rem; overflow-wrap: anywhere; }}
pre {{ font: 13.5px/1.75 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem;
  margin: 0; }}
.prompt {{ color: var(--grey); }}
.trained {{ background: var(--trained); color: var(--trained-text); }}
.cut {{ background: var(--cut); color: var(--cut-text); text-decoration: line-through; }}
section pre:hover span {{ box-shadow: inset -1px 0 var(--grey); }}
pre span:hover {{ outline: 2px solid currentColor; border-radius: 2px; }}
.end {{ opacity: .6; }}
p.legend span {{ padding: .1rem .4rem; border-radius: 3px; margin-right: .8rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p class="legend">{legend}</p>
<p>Point at a text to see where its tokens end, and at a token for its id; · is a token that shares a
character with the one before.</p>
<pre>{summary}</pre>
{sections}
</body>
</html>
"""


class Shown(NamedTuple):
    """A sequence of a preview, and where it is from."""

    where: str
    sequence: TrainingSequence


class Examples:
    """Keeps the first rows of each of the first kinds that come, and chooses some of all kinds."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.kept: dict[str, list[list[Shown]]] = {}

    def add(self, kind: str, where: str, sequences: Sequence[TrainingSequence]) -> None:
        rows = self.kept.setdefault(kind, []) if len(self.kept) < self.n else self.kept.get(kind, [])
        if kind in self.kept and len(rows) < self.n:
            rows.append([Shown(where, sequence) for sequence in sequences])

    def chosen(self) -> list[Shown]:
        """The sequences of `n` rows: one of each kind, then a second one, and so on."""
        turns = (row for rows in zip_longest(*self.kept.values()) for row in rows if row)
        return [shown for row in islice(turns, self.n) for shown in row]


def terminal_preview(shown: Sequence[Shown], colour: bool) -> str:
    """The sequences as text: by colour, or with ⟦ ⟧ around what is trained."""
    return "\n\n".join(f"{_title(each)}\n{_marked(each.sequence, colour)}" for each in shown)


def _title(shown: Shown) -> str:
    sequence = shown.sequence
    cut = f", the last {len(sequence.ids) - sequence.n_kept} cut off" if sequence.is_cut else ""
    return f"{shown.where}: {sequence.n_trained} of {len(sequence.ids)} tokens are trained{cut}"


def _marked(sequence: TrainingSequence, colour: bool) -> str:
    parts = []
    for state, pieces in groupby(sequence.pieces(), key=lambda piece: piece.state):
        text = _visible("".join(piece.text for piece in pieces))
        left, right = (ANSI[state], RESET) if colour else PLAIN[state]
        # Line by line: pagers forget a colour at the end of a line.
        parts.append(f"{right}\n{left}".join(text.split("\n")) if colour else text)
        parts[-1] = f"{left}{parts[-1]}{right}"
    return "".join(parts)


def _visible(text: str) -> str:
    """Control characters spelled out: the text of a file must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def write_html_preview(path: str | Path, title: str, summary: str, shown: Iterable[Shown]) -> Path:
    """Write sequences as one HTML file without scripts, which loads nothing.

    Parameters
    ----------
    path : str or Path
    title, summary : str
        Plain text.
    shown : iterable of Shown
    """
    path = Path(path)
    legend = "".join(f'<span class="{state}">{escape(text)}</span>' for state, text in LEGEND.items())
    page = PAGE.format(
        title=escape(_visible(title)),
        legend=legend,
        summary=escape(_visible(summary)),
        sections="\n".join(_section(each) for each in shown),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
    return path


def _section(shown: Shown) -> str:
    tokens = "".join(_token(piece) for piece in shown.sequence.pieces())
    return f"<section>\n<h2>{escape(_visible(_title(shown)))}</h2>\n<pre>{tokens}</pre>\n</section>"


def _token(piece: Piece) -> str:
    # A line break is shown too: it is a token like others, and may be trained.
    text = escape(_visible(piece.text)).replace("\n", '<i class="end">↵</i>\n') or '<i class="end">·</i>'
    hint = escape(f"token {piece.token} · {LEGEND[piece.state]}", quote=True)
    return f'<span class="{piece.state}" title="{hint}">{text}</span>'
