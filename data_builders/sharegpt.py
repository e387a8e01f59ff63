"""ShareGPT conversations on disk, as JSONL (plain or zstd) or Parquet, checked whenever written or read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_builders._sharegpt_files import (
    checked_suffix,
    jsonl_to_parquet,
    opened_jsonl,
    raw_rows,
    row_unit,
    shards,
)
from data_builders._sharegpt_rules import (
    DEFAULT_ROLES,
    MAX_PROBLEMS,
    SYSTEM,
    FileCheck,
    Roles,
    ShareGPTError,
    row_problems,
    short,
)

__all__ = [
    "Roles",
    "ShareGPTError",
    "check_token_lengths",
    "iter_sharegpt",
    "read_sharegpt",
    "render_token_lengths",
    "to_messages",
    "to_prompt_completions",
    "token_length_report",
    "token_lengths",
    "write_sharegpt",
]

BATCH = 1024


def write_sharegpt(rows: Iterable[Mapping[str, Any]], path: str | Path, roles: Roles = DEFAULT_ROLES) -> int:
    """Check rows one by one and write them to one file, which appears only when all are valid.

    Parameters
    ----------
    rows : iterable of dict
        ``{"conversations": [{"from": ..., "value": ...}, ...], "id": str}`` and any further keys with text,
        numbers, booleans or None. Keys with None are left out. A system prompt is the first turn, from
        "system".
    path : str or Path
        Ends with ``.jsonl``, ``.jsonl.zst`` or ``.parquet``.
    roles : Roles
        The names in the rows' ``from`` fields.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    ShareGPTError
        With the problems of all rows; nothing is written then.
    """
    path = checked_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    check = FileCheck(path, "row", roles)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    # Parquet needs the types of all columns before its first row, so its rows wait in a JSONL file.
    staged = partial.with_suffix(".staged") if path.suffix == ".parquet" else partial
    try:
        with opened_jsonl(staged, path.suffix == ".zst") as file:
            for number, row in enumerate(rows, start=1):
                plain = _without_none(row)
                if check.accepts(number, plain):
                    file.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
        check.finish()
        if path.suffix == ".parquet":
            jsonl_to_parquet(staged, partial, check.kinds)
        os.replace(partial, path)
    finally:
        staged.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return check.n_rows


def iter_sharegpt(path: str | Path, roles: Roles = DEFAULT_ROLES) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, or of all shards in a folder, up to the first problem.

    Keys with None are left out.

    Raises
    ------
    ShareGPTError
        After the last row, if any row had a problem: with all of them, each with file, line and key.
    """
    files = shards(path)
    check = FileCheck(files[0], row_unit(files[0]), roles)
    for file in files:
        check.path = file
        for number, row, problem in raw_rows(file):
            if problem:
                check.add(number, problem)
                continue
            plain = _without_none(row) if isinstance(row, Mapping) else row
            if check.accepts(number, plain) and not check.n_problems:
                yield plain
    check.finish()


def read_sharegpt(path: str | Path, roles: Roles = DEFAULT_ROLES) -> list[dict[str, Any]]:
    """Read all rows of a file or of a folder of shards; see `iter_sharegpt`."""
    return list(iter_sharegpt(path, roles))


def to_messages(row: Mapping[str, Any], roles: Roles = DEFAULT_ROLES) -> list[dict[str, str]]:
    """Turn a row into chat messages with the roles that chat templates know.

    The system prompt is the first turn, or, in files from elsewhere, under the key ``system``.

    Returns
    -------
    list of dict
        ``{"role": "system" | "user" | "assistant", "content": str}``, the system prompt first if any.

    Raises
    ------
    ShareGPTError
        If the row is not valid: a template would drop a turn of an unknown role silently.
    """
    problems = list(row_problems(row, roles))
    if problems:
        raise ShareGPTError("\n".join([f"row {short(row.get('id'))} is not valid:", *problems]))
    names = {SYSTEM: "system", roles.human: "user", roles.gpt: "assistant"}
    turns = [(names[turn["from"]], turn["value"]) for turn in row["conversations"]]
    if row.get(SYSTEM) is not None:
        turns.insert(0, ("system", row[SYSTEM]))
    return [{"role": role, "content": text} for role, text in turns]


def to_prompt_completions(
    row: Mapping[str, Any], roles: Roles = DEFAULT_ROLES
) -> list[dict[str, list[dict[str, str]]]]:
    """Split a row into TRL's conversational prompts and completions, one pair an answer.

    Each answer is the completion of all that was said before it. Trained so, the loss covers every answer
    once and nothing else, on any chat template: masks of several answers in one row need templates that mark
    them.
    """
    messages = to_messages(row, roles)
    answers = [k for k, message in enumerate(messages) if message["role"] == "assistant"]
    return [{"prompt": messages[:k], "completion": [messages[k]]} for k in answers]


def token_lengths(
    rows: Iterable[Mapping[str, Any]], tokenizer: Any, roles: Roles = DEFAULT_ROLES
) -> np.ndarray:
    """Count the tokens of each row under a tokenizer and its chat template.

    Parameters
    ----------
    rows : iterable of dict
    tokenizer : transformers.PreTrainedTokenizerBase
        With a chat template.

    Returns
    -------
    ndarray, shape (n_rows,), int64
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ShareGPTError(
            f"the tokenizer {short(getattr(tokenizer, 'name_or_path', ''))} has no chat template; set "
            "tokenizer.chat_template, or take the tokenizer of an instruction-tuned model."
        )
    messages = [to_messages(row, roles) for row in rows]
    lengths: list[int] = []
    for start in range(0, len(messages), BATCH):
        batch = tokenizer.apply_chat_template(
            messages[start : start + BATCH], tokenize=True, return_dict=True
        )
        lengths += [len(ids) for ids in batch["input_ids"]]
    return np.array(lengths, dtype=np.int64)


def token_length_report(lengths: np.ndarray, max_length: int | None) -> dict[str, Any]:
    """Summarise token lengths and count the rows that training would cut.

    Parameters
    ----------
    lengths : ndarray, shape (n_rows,)
    max_length : int or None
        The trainer's limit in tokens; None cuts nothing.

    Returns
    -------
    dict
        ``n_rows``, ``min``, ``median``, ``p95``, ``max``, ``max_length``, ``n_over``.
    """
    lengths = np.asarray(lengths)
    if lengths.size == 0:
        raise ShareGPTError("there are no rows to count tokens of; build conversations first.")
    return {
        "n_rows": int(lengths.size),
        "min": int(lengths.min()),
        "median": float(np.median(lengths)),
        "p95": float(np.percentile(lengths, 95)),
        "max": int(lengths.max()),
        "max_length": max_length,
        "n_over": 0 if max_length is None else int((lengths > max_length).sum()),
    }


def render_token_lengths(report: Mapping[str, Any]) -> str:
    """Say a `token_length_report` in two lines of text."""
    summary = "tokens a row: min {min}, median {median:.0f}, 95 % up to {p95:.0f}, max {max} ({n_rows} rows)"
    if report["max_length"] is None:
        verdict = "no max_length: no row is cut"
    elif report["n_over"] == 0:
        verdict = "all rows fit into max_length {max_length}"
    else:
        verdict = "{n_over} of {n_rows} rows are over max_length {max_length} and would lose their answer"
    return f"{summary}\n{verdict}".format(**report)


def check_token_lengths(
    rows: Iterable[Mapping[str, Any]], lengths: np.ndarray, max_length: int | None
) -> dict[str, Any]:
    """Return the `token_length_report`, or fail before training does harm by cutting off answers.

    Raises
    ------
    ShareGPTError
        If any row is longer than `max_length`; names the rows and the length that would do.
    """
    report = token_length_report(lengths, max_length)
    if max_length is None or not report["n_over"]:
        return report
    pairs = zip(rows, lengths, strict=True)
    over = [f"  row {row.get('id')!r}: {n} tokens" for row, n in pairs if n > max_length]
    more = [f"  and {len(over) - MAX_PROBLEMS} more"] if len(over) > MAX_PROBLEMS else []
    advice = f"Set max_length to {report['max']} or more, or shorten the prompts or the token sequences."
    raise ShareGPTError("\n".join([render_token_lengths(report), *over[:MAX_PROBLEMS], *more, advice]))


def _without_none(row: Mapping[str, Any]) -> dict[str, Any]:
    """Drop keys without a value, as Parquet cannot tell them from missing ones, and unpack NumPy scalars."""
    items = ((key, value.item() if isinstance(value, np.generic) else value) for key, value in row.items())
    return {key: value for key, value in items if value is not None}
