"""What goes beside built conversations: a data card, LLaMA-Factory's description, and a figure of lengths."""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biollm.base_model import add_tokens, load_text_tokenizer
from data_builders._sharegpt_rules import SYSTEM
from data_builders.catalogue import describe_reader
from data_builders.conversation_plan import Plan
from data_builders.engines import ENGINES
from data_builders.figure_text import save_plain
from data_builders.readers import READERS
from data_builders.sharegpt import Roles, iter_sharegpt, token_length_report, token_lengths
from data_builders.store import JOINED
from data_builders.tokenized import TokenizedSegments
from data_builders.trainer_rules import TRAINER_RULES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "conversation_counts",
    "conversation_lengths",
    "dataset_info",
    "length_figure",
    "token_rates",
    "write_data_card",
]

FIGURE = "token_lengths.png"
SIGNAL_TOKENS = "signal_tokens.txt"
LICENCES = {"MIT": "mit", "CC0 1.0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0", "ODC-By 1.0": "odc-by"}
"""As the catalogue writes them -> the identifiers of the Hugging Face hub; all others are "other" there."""
SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}
SAMPLED = 512
"""Segments whose texts' tokens are counted."""
SHARDS_A_PROCESS = 3
"""Fewer are counted sooner than another process has started."""
BARS = 12
LISTED = 100
"""Subjects that the card lists one by one at most."""


def conversation_counts(plan: Plan, segments: TokenizedSegments) -> dict[str, dict[str, int]]:
    """Conversations of a plan by task, source, part, label and subject; a pair counts for its second one."""
    last = np.where(plan.segments[:, 1] >= 0, plan.segments[:, 1], plan.segments[:, 0])
    counts = {
        "task": _counted(plan.tasks, plan.task),
        "source": _counted(plan.sources, plan.source),
    }
    for name, column in (("part", "part"), ("label", "emotion"), ("subject", "subject")):
        found = Counter(value or "none" for value in segments.column(column)[last])
        counts[name] = dict(sorted(found.items()))
    return counts


def _counted(names: Sequence[str], index: np.ndarray) -> dict[str, int]:
    return {name: int(n) for name, n in zip(names, np.bincount(index, minlength=len(names)), strict=True)}


def write_data_card(
    folder: Path,
    card: Mapping[str, Any],
    segments: TokenizedSegments,
    tokens: Sequence[str],
    max_length: int | None,
    where: tuple[int, str, str | None] = (1, "local", None),
) -> np.ndarray:
    """Write ``README.md``, ``dataset_info.json``, the signal tokens and the figure of token lengths.

    Parameters
    ----------
    folder : Path
        With the shards in the folder that the card names.
    card : mapping
        Of `biollm.building`.
    segments : TokenizedSegments
    tokens : sequence of str
        Signal tokens that the model's tokenizer gets.
    max_length : int or None
        Of the fine-tuning to come.
    where : (int, str, str or None)
        Jobs, engine and address, as `data_builders.engines` takes them.

    Returns
    -------
    ndarray, shape (n_conversations,)
        Tokens of the conversations, in no order.
    """
    model = card["model_name_or_path"]
    tokenizer = load_text_tokenizer(model)
    add_tokens(tokenizer, tokens)
    lengths = conversation_lengths(folder / card["file"], card["roles"], tokenizer, where)
    report = token_length_report(lengths, max_length)
    save_plain(length_figure(lengths, model, max_length), folder / FIGURE, dpi=150)
    rates = token_rates(segments, tokenizer)
    (folder / "README.md").write_text(_readme(card, report, lengths, rates, len(tokens)), encoding="utf-8")
    if tokens:
        (folder / SIGNAL_TOKENS).write_text("\n".join(tokens) + "\n", encoding="utf-8")
    about = dataset_info(card)
    if about is not None:
        (folder / "dataset_info.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return lengths


def conversation_lengths(
    folder: Path, roles: Mapping[str, str], tokenizer: Any, where: tuple[int, str, str | None]
) -> np.ndarray:
    """Tokens of each conversation in a folder of shards, in no order.

    Each process is sent the tokenizer: to load it would bring torch with it, a second and 200 MiB in each.
    """
    jobs, engine, address = where
    pickled = pickle.dumps(tokenizer)
    tasks = [(str(file), roles, pickled) for file in sorted(folder.iterdir())]
    jobs = min(jobs, -(-len(tasks) // SHARDS_A_PROCESS))
    return np.concatenate(list(ENGINES[engine](_shard_lengths, tasks, jobs, address)))


def _shard_lengths(task: tuple[str, Mapping[str, str], bytes]) -> np.ndarray:
    file, names, pickled = task
    roles = Roles(**names)
    return token_lengths(iter_sharegpt(file, roles), _unpickled(pickled), roles)


@lru_cache(1)
def _unpickled(pickled: bytes) -> Any:
    """A large vocabulary takes half a second: once in each process."""
    return pickle.loads(pickled)


def token_rates(segments: TokenizedSegments, tokenizer: Any) -> dict[str, dict[str, float]]:
    """By source the mean number of tokens of a segment, and of a second of signal, in the plain texts."""
    usable = np.flatnonzero(segments.column("unusable") == "")
    rows = usable[np.linspace(0, len(usable) - 1, min(SAMPLED, len(usable))).round().astype(int)]
    seconds = segments.column("duration")[rows]
    rates = {}
    for source in segments.sources:
        texts = [segments.text(row, source) for row in rows.tolist()]
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        n_tokens = np.array([len(one) for one in ids])
        rates[source] = {"a segment": float(n_tokens.mean()), "a second": float((n_tokens / seconds).mean())}
    return rates


def dataset_info(card: Mapping[str, Any]) -> dict[str, Any] | None:
    """LLaMA-Factory's ``dataset_info.json``; None for a format that its loader does not know."""
    if card["file_format"] not in ("jsonl", "parquet"):
        return None
    tags = {"role_tag": "from", "content_tag": "value"}
    tags |= {"user_tag": card["roles"]["human"], "assistant_tag": card["roles"]["gpt"], "system_tag": SYSTEM}
    return {
        "biollm": {
            "file_name": card["file"],
            "formatting": "sharegpt",
            "columns": {"messages": "conversations"},
            "tags": tags,
        }
    }


def length_figure(lengths: np.ndarray, model: str, max_length: int | None) -> Figure:
    """Histogram of the tokens of a conversation, with the trainer's limit where it is near."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    counts, edges = _histogram(lengths)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color="#0072b2", edgecolor="white")
    if max_length is not None and max_length < 1.5 * lengths.max():
        axes.axvline(max_length, color="#d55e00")
        axes.annotate(f" max_length {max_length}", (max_length, counts.max()), color="#d55e00", va="top")
    axes.set_xlabel(f"tokens of a conversation, tokenizer of {Path(model).name}")
    axes.set_ylabel("conversations")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _histogram(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of bins of whole tokens and one width."""
    low, high = int(lengths.min()), int(lengths.max())
    width = max(1, -(-(high - low + 1) // BARS))
    edges = np.arange(low, high + 1 + width, width)
    return np.histogram(lengths, bins=edges)[0], edges


def _readme(
    card: Mapping[str, Any],
    report: Mapping[str, Any],
    lengths: np.ndarray,
    rates: Mapping[str, Mapping[str, float]],
    n_tokens: int,
) -> str:
    about, store = _source(card["store"]), card["store"]
    parts = [
        _front_matter(card, about["licence"], report["n_rows"]),
        f"# Conversations about {about['title']}",
        f"{report['n_rows']:,} conversations in which {', '.join(store['modalities'])} are written as "
        f"{card['signal_mode']} ({', '.join(card['sources'])}). Made by `biollm build`.",
        "## Source",
        _table(("what", "value"), [(k, v) for k, v in about.items() if v]),
        _table(("what made it", "value"), _provenance(card).items()),
        "## Conversations",
        *(_table((name, "conversations"), counts.items()) for name, counts in _shown(card["counts"])),
        "## Length",
        f"Under the tokenizer of `{card['model_name_or_path']}` with the signal tokens: "
        f"{report['min']} to {report['max']}, median {report['median']:.0f}, 95 % up to {report['p95']:.0f}; "
        f"{report['n_over']} are longer than {report['max_length']}.",
        f"![token lengths]({FIGURE})",
        _length_table(lengths),
        _table(
            ("source", "tokens a segment", "tokens a second of signal"),
            [(name, f"{rate['a segment']:.1f}", f"{rate['a second']:.2f}") for name, rate in rates.items()],
        ),
        "## Use",
        _usage(card, n_tokens),
        "Answers come from labels and measurements, evidence and probabilities from the encoder; no person "
        "wrote them. Not a medical device.",
    ]
    return "\n\n".join(parts) + "\n"


def _source(store: Mapping[str, Any]) -> dict[str, str]:
    """What is known of a store's data set, or of all that it was joined of."""
    datasets = dict.fromkeys(store.get(JOINED, {"": store["dataset"]}).values())
    found = [describe_reader(name) if name in READERS else UNKNOWN | {"title": name} for name in datasets]
    each = {key: dict.fromkeys(str(one[key]) for one in found) for key in UNKNOWN}
    return {key: "; ".join(filter(None, values)) for key, values in each.items()}


UNKNOWN = {"title": "", "licence": "unknown", "citation": "", "url": ""}


def _front_matter(card: Mapping[str, Any], licence: str, n: int) -> str:
    identifier = LICENCES.get(licence, "unknown" if licence == "unknown" else "other")
    name = [f"license_name: {re.sub('[^a-z0-9]+', '-', licence.lower()).strip('-')}"]
    size = next((size for limit, size in SIZES.items() if n < limit), "n>10M")
    return "\n".join([
        "---",
        f"license: {identifier}",
        *(name if identifier == "other" else []),
        "task_categories: [text-generation, question-answering]",
        *([f"language: [{card['language']}]"] if len(card["language"]) == 2 else []),
        f"size_categories: ['{size}']",
        "tags: [biosignals, biollm]",
        "configs:",
        "- config_name: default",
        f"  data_files: [{{split: train, path: '{card['file']}/*.{card['file_format']}'}}]",
        "---",
    ])  # fmt: skip


def _provenance(card: Mapping[str, Any]) -> dict[str, Any]:
    store = card["store"]
    return {
        "store": f"`{store['key']}`, content `{store['hash']}`",
        "split": f"{card['split_protocol']}, `{card['split_hash']}`; its test part is not in here",
        "tasks": ", ".join(f"{name} {weight:g}" for name, weight in card["tasks"].items()),
        "classes": ", ".join(card["classes"]),
        "window": f"{store['window_seconds']:g} s",
        "augmented copies": card["copies"],
        "seed": card["seed"],
    }


def _shown(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, Mapping[str, Any]]]:
    """All counts; those of many subjects in three numbers."""
    shown = dict(counts)
    numbers = list(counts["subject"].values())
    if len(numbers) > LISTED:
        shown["subject"] = {f"{len(numbers)} subjects, fewest": min(numbers), "most": max(numbers)}
    return list(shown.items())


def _length_table(lengths: np.ndarray) -> str:
    counts, edges = _histogram(lengths)
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return _table(("tokens", "conversations"), [(f"{a} to {b - 1}", n) for a, b, n in spans])


def _usage(card: Mapping[str, Any], n_tokens: int) -> str:
    human, gpt = card["roles"]["human"], card["roles"]["gpt"]
    lines = [
        f"ShareGPT rows: `conversations` with `from` ({SYSTEM} first, then {human}, {gpt}) and `value`, and "
        "what each row is about."
    ]
    if n_tokens:
        lines += [
            f"The signal is written in {n_tokens} tokens that no LLM knows (`{SIGNAL_TOKENS}`, one a line). "
            "`biollm finetune` adds and trains them. Elsewhere they are to be added first and their rows "
            "trained too, or each falls into many pieces:",
            *(f"- {rules.title}: {rules.new_tokens}." for rules in TRAINER_RULES.values()),
            "",
        ]
    if dataset_info(card) is None:
        lines.append(
            "LLaMA-Factory's loader tells formats by the suffix and does not know `.zst`, so there is no "
            "`dataset_info.json`: build with `--file_format jsonl` or `parquet` for it."
        )
    else:
        lines.append("For LLaMA-Factory give this folder as `dataset_dir` and `biollm` as `dataset`.")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)
