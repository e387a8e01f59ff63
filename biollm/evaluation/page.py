"""A report as one HTML file that needs no network: table, figures, details."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from biollm.evaluation.page_tables import detail_tables, main_table, paired_table
from biollm.evaluation.table import METRIC_WORDS, format_interval, main_rows, primary_of, split_warning

__all__ = ["render_page"]

OTHER_FIGURES = ("comparison", "subjects", "learning_curves")
STYLE = """
:root { color-scheme: light; --ink: #1f2328; --muted: #59636e; --line: #d9dee3; --tint: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 44rem; margin: .5rem 0; }
.muted, caption, figcaption { color: var(--muted); font-size: .9rem; }
.finding { background: var(--tint); border-left: 4px solid #d55e00; padding: .6rem .9rem; max-width: none; }
.warning { border: 2px solid #b00020; color: #b00020; padding: .6rem .9rem;
  font-weight: 600; max-width: none; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; width: 100%; }
caption { text-align: left; padding: .25rem 0 .5rem; }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 10rem; padding-left: 0; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; white-space: normal; }
tbody tr { border-bottom: 1px solid var(--line); }
tbody th { font-weight: 400; }
tr.family { border-bottom: 0; }
tr.family th { font-size: .78rem; font-weight: 600; letter-spacing: .04em; text-transform: uppercase;
  color: var(--muted); padding-top: .9rem; padding-bottom: .1rem; }
td.best { font-weight: 700; }
td.name { white-space: normal; min-width: 18rem; }
.note { display: block; color: var(--muted); font-size: .85rem; }
figure { margin: 1rem 0; }
img { max-width: min(100%, 58rem); height: auto; display: block; }
.wide img { min-width: 34rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(var(--cell), 100%), 1fr)); }
.grid figure { margin: 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .25rem 1rem; margin: .5rem 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { main { padding: 1.25rem .9rem 3rem; } h1 { font-size: 1.4rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
@media print { .scroll { overflow: visible; } .wide img { min-width: 0; } }
"""


def render_page(report: Mapping[str, Any], figures: Mapping[str, bytes]) -> str:
    """The page's HTML.

    Parameters
    ----------
    report : mapping
        What `biollm.evaluation.build_report` returns.
    figures : mapping of str to bytes
        PNG files: ``comparison``, ``subjects``, ``learning_curves`` where there are histories, and any others
        are the confusion matrices of `main_rows`, in order.
    """
    data = report["data"]
    title = str(data.get("title") or data.get("dataset") or data.get("name") or "biollm report")
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="muted">{escape(_subtitle(data))}</p>',
        *(f'<p class="warning">{escape(text)}</p>' for text in filter(None, [split_warning(report)])),
        *(f'<p class="finding">{escape(text)}</p>' for text in _findings(report)),
        "<h2>All methods on the same split</h2>",
        _scroll(main_table(report), "Table of all methods"),
        _scroll(_figure(figures["comparison"], _comparison_words(report)), "Figure of all methods", "wide"),
        *_table_section("Paired differences", paired_table(report)),
        "<h2>Subjects</h2>",
        _scroll(_figure(figures["subjects"], _subject_words(report)), "Figure of the subjects", "wide"),
        *(part for name, table in detail_tables(report) for part in _table_section(name, table)),
        *_matrix_section(report, figures),
        *_curve_section(report, figures),
        "<h2>Data</h2>",
        _definitions(data),
        "<h2>Split</h2>",
        _definitions(report["split"]),
        "<h2>Versions</h2>",
        _definitions(report["versions"]),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _subtitle(data: Mapping[str, Any]) -> str:
    about = f"{data['n_subjects']} subjects, {data['n_segments']} segments"
    classes = f", {len(data['classes'])} classes: {', '.join(data['classes'])}"
    return about + (classes if data["classes"] else "")


def _findings(report: Mapping[str, Any]) -> list[str]:
    """The one number that decides: the best LLM row over the best baseline."""
    rows, primary = [row for row in report["results"] if row["family"] == "llm"], primary_of(report)
    best = max(rows, key=lambda row: row[primary], default=None)
    if best is None:
        return []
    return [
        f"Best LLM row, {best['method']}: {METRIC_WORDS[primary]} {best[primary]:.3f}, "
        f"{pair['difference']:+.3f} ({_interval_words(pair['ci95'])}) "
        f"against the best baseline, {pair['against']}."
        for pair in best["paired"]
        if pair["best_baseline"]
    ]


def _interval_words(ci95: list[float | None]) -> str:
    text = format_interval(ci95, signed=True)
    return f"95 % interval {text}" if text else "no interval: fewer than two subjects"


def _table_section(heading: str, table: str) -> list[str]:
    return [f"<h2>{heading}</h2>", _scroll(table, f"Table: {heading}")] if table else []


def _matrix_section(report: Mapping[str, Any], figures: Mapping[str, bytes]) -> list[str]:
    images = [image for name, image in figures.items() if name not in OTHER_FIGURES]
    if not images:
        return []
    matrices = [
        _figure(image, f"Confusion matrix of {row['method']}", _confusion_words(row))
        for row, image in zip(main_rows(report), images, strict=True)
    ]
    # As wide as the numbers in the cells need to be read.
    width = max(18, 3 * len(report["data"]["classes"]))
    grid = f'<div class="grid" style="--cell: {width}rem">{"".join(matrices)}</div>'
    return ["<h2>Confusion matrices</h2>", grid]


def _curve_section(report: Mapping[str, Any], figures: Mapping[str, bytes]) -> list[str]:
    if "learning_curves" not in figures:
        return []
    names = [row["method"] for row in report["results"] if row["history"]]
    caption = "A curve ends where fewer than half of the trainings still run."
    figure = _figure(figures["learning_curves"], f"Learning curves of {', '.join(names)}", caption)
    return ["<h2>Learning curves</h2>", _scroll(figure, "Figure of the learning curves", "wide")]


def _scroll(content: str, label: str, extra: str = "") -> str:
    classes = f"scroll {extra}".strip()
    return f'<div class="{classes}" role="region" aria-label="{escape(label)}" tabindex="0">{content}</div>'


def _figure(image: bytes, words: str, caption: str = "") -> str:
    source = f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escape(words)}">{text}</figure>'


def _comparison_words(report: Mapping[str, Any]) -> str:
    primary, chance = primary_of(report), report["data"]["chance"]
    values = "; ".join(f"{row['method']} {row[primary]:.3f}" for row in report["results"])
    return f"Bars of {METRIC_WORDS[primary]} with 95 % intervals and chance at {chance:.3f}: {values}"


def _subject_words(report: Mapping[str, Any]) -> str:
    return f"A dot a subject for each method, at the subject's {METRIC_WORDS[primary_of(report)]}"


def _confusion_words(row: Mapping[str, Any]) -> str:
    unparsable = f", {row['unparsable']:.1%} unparsable" if row["unparsable"] else ""
    return f"macro-F1 {row['macro_f1']:.3f}, accuracy {row['accuracy']:.3f}{unparsable}"


def _definitions(values: Mapping[str, Any]) -> str:
    items = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(_words(v))}</dd>" for k, v in values.items())
    return f"<dl>{items}</dl>"


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(_words, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
