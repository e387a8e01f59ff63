"""``biollm check``: what is wrong with a file of ShareGPT conversations, and what would be trained on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from biollm.conversation_checks import OWN_RULES, Place, Repeats, SignalTokens, row_rules, sequence_faults
from biollm.conversation_statistics import Findings, Statistics
from biollm.preview import Examples, terminal_preview, write_html_preview
from biollm.training_sequences import TrainingSequence, training_sequences
from data_builders._sharegpt_files import raw_rows, shards
from data_builders._sharegpt_rules import Fault, Roles, row_faults
from data_builders.sharegpt import ShareGPTError
from data_builders.trainer_rules import TRAINER_RULES

__all__ = ["CheckConfig", "check_conversations"]

BATCH = 256


@dataclass
class CheckConfig:
    """Conversations -> all that is wrong with them, and a preview of what is trained on."""

    path: str = field(
        default="runs/conversations",
        metadata={
            "help": "a .jsonl, .jsonl.zst, .json or .parquet file, a folder of them, or what 'build' wrote"
        },
    )
    model_name_or_path: str = field(
        default="nano", metadata={"help": "whose tokenizer and chat template: nano, a hub id or a folder"}
    )
    max_length: int = field(default=1024, metadata={"help": "tokens that fit when fine-tuning"})
    trainer: str = field(
        default=OWN_RULES,
        metadata={"help": f"whose rules hold for the rows: {', '.join((OWN_RULES, *TRAINER_RULES))}"},
    )
    human_role: str | None = field(
        default=None, metadata={"help": "name of the asking role; default: as built, or human"}
    )
    gpt_role: str | None = field(
        default=None, metadata={"help": "name of the answering role; default: as built, or gpt"}
    )
    html: str | None = field(
        default=None, metadata={"help": "file to write the preview to, as one HTML page"}
    )
    n_preview: int = field(default=3, metadata={"help": "rows in the preview, of different tasks first"})
    colour: bool = field(default=False, metadata={"help": "colour also where the output is no terminal"})
    limit: int = field(default=5, metadata={"help": "problems shown of each kind; all are counted"})

    def __post_init__(self) -> None:
        if self.trainer not in (OWN_RULES, *TRAINER_RULES):
            allowed = [OWN_RULES, *TRAINER_RULES]
            raise ValueError(f"CheckConfig: trainer is {self.trainer!r}; allowed are {allowed}.")
        for name, least in (("max_length", 1), ("n_preview", 0), ("limit", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"CheckConfig: {name} is {getattr(self, name)}; allowed is {least} or more.")


def check_conversations(config: CheckConfig, progress: bool = True) -> dict[str, Any]:
    """Check a file or folder of conversations, and print what it holds and a preview.

    Rows go through one by one; a few hundred bytes are kept of each.

    Returns
    -------
    dict
        Counts of rows by task, label, source and part, of tokens, and of notes by kind.

    Raises
    ------
    ShareGPTError
        If anything is wrong: the count of each kind of problem, and its first ones with file, row and key.
    """
    check = _Check(config)
    check.run(progress)
    report, shown = check.report(), check.examples.chosen()
    print(report)
    if shown:
        print("\n" + terminal_preview(shown, config.colour or sys.stdout.isatty()))
    verdict = "\n".join(check.verdict())
    if config.html:
        page = write_html_preview(config.html, config.path, f"{verdict}\n\n{report}", shown)
        print(f"\npreview: {page}")
    if check.problems.total:
        raise ShareGPTError(verdict)
    print(f"\n{verdict}")
    return check.statistics.summary() | {"notes": dict(check.notes.counts)}


@dataclass(frozen=True)
class _Source:
    """The files of a check, and what is known of them beside what they hold."""

    files: list[Path]
    roles: Roles
    signal_tokens: list[str]


def _source(config: CheckConfig) -> _Source:
    """Roles and signal tokens are those of the build that the files belong to, if they do to one."""
    path = Path(config.path).absolute()
    built = next((folder for folder in (path, *path.parents[:2]) if _is_built(folder)), None)
    if built is None:
        return _Source(shards(path), Roles(config.human_role or "human", config.gpt_role or "gpt"), [])
    from biollm.building import read_card
    from encoders.signal_tokenizer import SignalTokenizer

    card = read_card(built)
    tokens = SignalTokenizer.from_pretrained(built / "signal_tokenizer").vocabulary(card["sources"])[0]
    roles = Roles(config.human_role or card["roles"]["human"], config.gpt_role or card["roles"]["gpt"])
    return _Source(shards(built / card["file"] if path == built else path), roles, tokens)


def _is_built(folder: Path) -> bool:
    return (folder / "card.json").is_file() and (folder / "signal_tokenizer").is_dir()


class _Check:
    """One pass over the rows."""

    def __init__(self, config: CheckConfig) -> None:
        self.config, self.source = config, _source(config)
        self.problems, self.notes = Findings(config.limit), Findings(config.limit)
        self.statistics, self.repeats = Statistics(), Repeats()
        self.examples = Examples(config.n_preview)
        self.rules = row_rules(config.trainer, self.source.roles)
        self.tokenizer = self._load_tokenizer()
        self.signal_tokens = SignalTokens(self.tokenizer)
        self.n_rows = 0

    def _load_tokenizer(self) -> Any:
        """The base's tokenizer with the tokens that fine-tuning adds, or None where its template is unfit."""
        from biollm.base_model import add_tokens, load_text_tokenizer

        try:
            tokenizer = load_text_tokenizer(self.config.model_name_or_path)
        except ValueError as error:
            self.problems.add("chat template", f"{error} No tokens are counted.")
            return None
        add_tokens(tokenizer, self.source.signal_tokens)
        return tokenizer

    def run(self, progress: bool) -> None:
        rows = self._conversations(progress)
        while batch := list(islice(rows, BATCH)):
            for place, row in batch:
                self.statistics.add_row(row)
                self.signal_tokens.add(row)
                if first := self.repeats.before(place, row):
                    self.notes.add("repeated conversation", f"{place}: the same text as {first}.")
            if self.tokenizer:
                self._add_sequences(batch)
        for fault in (*self.rules.file_faults(), *self.signal_tokens.faults()):
            self._add(self.config.path, fault)
        if not self.n_rows:
            self.problems.add("no rows", f"{self.config.path}: got no rows; allowed is one or more.")

    def _conversations(self, progress: bool) -> Iterator[tuple[Place, dict[str, Any]]]:
        """The rows that fine-tuning can read; what is wrong with the others is noted on the way."""
        for place, row, problem in _rows(self.source.files, progress):
            self.n_rows += 1
            if problem:
                self.problems.add("unreadable", f"{place}: {problem}")
                continue
            if isinstance(row, Mapping):
                row = {key: value for key, value in row.items() if value is not None}
            for fault in self.rules.faults(place, row):
                self._add(place, fault)
            if not any(row_faults(row, self.source.roles)):
                yield place, row

    def _add(self, where: object, fault: Fault) -> None:
        (self.notes if fault.note else self.problems).add(fault.kind, f"{where}: {fault.text}")

    def _add_sequences(self, batch: Sequence[tuple[Place, dict[str, Any]]]) -> None:
        from jinja2 import TemplateError

        rows, max_length = [row for _, row in batch], self.config.max_length
        try:
            of_rows = training_sequences(rows, self.tokenizer, self.source.roles, max_length)
        except TemplateError as error:
            if len(batch) == 1:
                self.problems.add("chat template", f"{batch[0][0]}: the chat template refuses it: {error}")
            else:
                for one in batch:
                    self._add_sequences([one])
            return
        for (place, row), sequences in zip(batch, of_rows, strict=True):
            self._add_row_sequences(place, row, sequences)

    def _add_row_sequences(
        self, place: Place, row: dict[str, Any], sequences: Sequence[TrainingSequence]
    ) -> None:
        self.statistics.add_sequences(row, sequences)
        faults = list(sequence_faults(sequences, self.config.max_length))
        for fault in faults:
            self._add(place, fault)
        kinds = [fault.kind for fault in faults if not fault.note]
        self.examples.add(kinds[0] if kinds else str(row.get("task", "")), str(place), sequences)

    def report(self) -> str:
        n_files, n_read = len(self.source.files), self.statistics.n_rows
        lines = [f"{self.config.path}: {self.n_rows} rows in {n_files} file{'s' * (n_files != 1)}"]
        if n_read < self.n_rows:
            left_out = self.n_rows - n_read
            lines.append(f"{left_out} of them 'biollm finetune' cannot train on; they are left out below")
        lines += self.statistics.lines(self.config.max_length)
        if self.notes.total:
            lines += ["notes:", *(f"  {line}" for line in self.notes.lines())]
        if self.config.trainer != OWN_RULES:
            rules = TRAINER_RULES[self.config.trainer](self.source.roles)
            path = Path(self.config.path)
            settings = rules.settings(path.name if path.is_file() else "train").splitlines()
            lines += [f"settings of {rules.title}:", *(f"  {line}" for line in settings)]
        return "\n".join(lines)

    def verdict(self) -> list[str]:
        if not self.problems.total:
            return [f"{self.config.path}: no problems by the rules of {self.config.trainer}"]
        count = f"{self.problems.total} problem{'s' * (self.problems.total != 1)}"
        return [f"{self.config.path}: {count} in {self.n_rows} rows", *self.problems.lines()]


def _rows(files: Sequence[Path], progress: bool) -> Iterator[tuple[Place, Any, str | None]]:
    from tqdm import tqdm

    # Without a terminal there is no bar.
    with tqdm(desc="rows", unit="row", disable=None if progress else True, leave=False) as bar:
        for file in files:
            for number, row, problem in raw_rows(file):
                bar.update()
                yield Place(file, number), row, problem
