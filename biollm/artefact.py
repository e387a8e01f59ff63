"""The artefact: one folder with all that chat, evaluation and serving need, beside the base model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from biollm.base_model import (
    add_signal_tokens,
    fingerprint,
    initial_vectors,
    load_base_model,
    load_text_tokenizer,
)
from biollm.finetune_config import FinetuneConfig
from biollm.model_card import model_card
from biollm.readout import chat_prompts
from data_builders.provenance import library_versions
from data_builders.stage import content_hash, folder_hash
from encoders.signal_tokenizer import SignalTokenizer
from prompts import task_from_fields

__all__ = ["Artefact", "ArtefactCard", "check_base", "load_artefact", "read_card", "save_artefact"]

CARD = "artefact.json"
LIBRARIES = ("accelerate", "bitsandbytes", "biollm", "peft", "torch", "transformers", "trl")


class ArtefactError(ValueError):
    """A part of an artefact, or the base it is loaded on, is not the one it was made with."""


@dataclass
class ArtefactCard:
    """What ``artefact.json`` says."""

    model_name_or_path: str
    load_in_4bit: bool
    base_fingerprint: str
    text_tokenizer_hash: str
    signal_tokenizer_hash: str
    task: dict
    classes: list[str]
    label_words: dict[str, str]
    sources: list[str]
    signal_tokens: list[str]
    token_init: str
    token_seed: int
    split_hash: str
    split_protocol: str
    store: dict
    tasks: list[str]  # that it was taught, of all stages
    dialogue: str  # system prompt of dialogues; "" where no stage taught them
    ratings: dict  # task and scales of those that it was taught, {} where there are none
    versions: dict

    @classmethod
    def from_build(
        cls, about: dict, config: FinetuneConfig, before: ArtefactCard | None = None
    ) -> ArtefactCard:
        """From the card of the conversations that it is trained on; hashes come when it is saved.

        Parameters
        ----------
        about : dict
        config : FinetuneConfig
        before : ArtefactCard, optional
            Of the stage that this one goes on from.

        Raises
        ------
        ValueError
            If the card lacks what is needed.
        """
        names = ("base_fingerprint", "task", "classes", "label_words", "sources", "signal_tokens",
                 "token_init", "token_seed", "split_hash", "split_protocol", "store", "dialogue",
                 "ratings")  # fmt: skip
        missing = [name for name in (*names, "tasks") if name not in about]
        if missing:
            raise ValueError(
                f"{config.dataset_path}: its card lacks {missing}; it was built by another version of "
                "biollm. Build the conversations again with 'biollm build'."
            )
        said, tasks = {name: about[name] for name in names}, about["tasks"]
        if before:
            said |= {name: said[name] or getattr(before, name) for name in ("dialogue", "ratings")}
            tasks = [*before.tasks, *tasks]
        return cls(config.model_name_or_path, config.load_in_4bit, text_tokenizer_hash="",
                   signal_tokenizer_hash="", tasks=list(dict.fromkeys(tasks)),
                   versions=library_versions(LIBRARIES), **said)  # fmt: skip

    @property
    def written_classes(self) -> list[str]:
        """The classes as they are written in prompts and answers, in their order."""
        return [self.label_words.get(name, name) for name in self.classes]

    def check_taught(self, task: str, who: str) -> None:
        """Refuse to ask for what was not taught.

        Raises
        ------
        ArtefactError
            With the tasks that were.
        """
        if task not in self.tasks:
            raise ArtefactError(
                f"the artefact was taught {self.tasks}; {who} asks for {task!r}. Name it in --tasks of "
                "'biollm build' and fine-tune on those conversations."
            )


@dataclass
class Artefact:
    """A loaded artefact.

    Attributes
    ----------
    model : PeftModel, in eval mode
    tokenizer : PreTrainedTokenizerBase
        The base's, with the signal tokens.
    signal_tokenizer : SignalTokenizer
    task : EmotionTask
    card : ArtefactCard
    """

    model: Any
    tokenizer: Any
    signal_tokenizer: SignalTokenizer
    task: Any
    card: ArtefactCard

    def prompts(self, texts: Sequence[str], phrasing: int = 0) -> list[str]:
        """Prompts that ask for the state behind signal texts, in a phrasing of the task."""
        asked = [self.task.question(phrasing, text) for text in texts]
        return chat_prompts(self.tokenizer, self.task.instruction(self.card.written_classes), asked)

    def chat_prompt(self, text: str, question: str, before: Sequence[tuple[str, str]] = ()) -> str:
        """Prompt of a question in words of one's own.

        Parameters
        ----------
        text : str
            The signal; it stands below the first question of a dialogue.
        question : str
        before : sequence of (question, answer)
            What was said about the same text. An artefact that was taught no dialogues hears each question
            by itself, as it learned them.
        """
        if not self.card.dialogue:
            system, before = self.task.instruction(self.card.written_classes), ()
        else:
            system = self.card.dialogue
        (first, answer), *others = *before, (question, "")
        turns = [(self.task.ask(first, text), answer), *others]
        return chat_prompts(self.tokenizer, system, [turns[-1][0]], turns[:-1])[0]


def save_artefact(
    folder: Path, model: Any, tokenizer: Any, signal_tokenizer: Path, card: ArtefactCard
) -> None:
    """Write adapter, tokenizers, card and a model card into an existing folder."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.copytree(signal_tokenizer, folder / "signal_tokenizer", dirs_exist_ok=True)
    card.text_tokenizer_hash = _tokenizer_hash(tokenizer)
    card.signal_tokenizer_hash = folder_hash(folder / "signal_tokenizer")
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1))
    trained = bool(model.peft_config["default"].trainable_token_indices)
    (folder / "README.md").write_text(model_card(card, trained), encoding="utf-8")


def load_artefact(folder: str | Path, model_name_or_path: str | None = None) -> Artefact:
    """Load an artefact on its base.

    Parameters
    ----------
    folder : path
    model_name_or_path : str, optional
        Where the base is, if not where it was when the artefact was made.

    Raises
    ------
    ArtefactError
        If the base, the text tokenizer or the signal tokenizer is another one; both values are named.
    """
    from peft import PeftModel
    from transformers import AutoTokenizer

    folder = Path(folder)
    card, _ = read_card(folder)
    name = model_name_or_path or card.model_name_or_path
    found = folder_hash(folder / "signal_tokenizer")
    _require(f"{folder}/signal_tokenizer", "signal tokenizer", card.signal_tokenizer_hash, found)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    _require(str(folder), "text tokenizer", card.text_tokenizer_hash, _tokenizer_hash(tokenizer))
    model = load_base_model(name, card.load_in_4bit)
    _require(name, "base model", card.base_fingerprint, fingerprint(model))
    signals = SignalTokenizer.from_pretrained(folder / "signal_tokenizer")
    # Rows that were trained come with the adapter; those that were not must start as they did.
    vectors = initial_vectors(signals.vocabulary(card.sources)[1], card.token_init, card.token_seed)
    add_signal_tokens(model, load_text_tokenizer(name), card.signal_tokens, vectors, card.token_seed)
    adapted = PeftModel.from_pretrained(model, folder).eval()
    return Artefact(adapted, tokenizer, signals, task_from_fields(card.task), card)


def read_card(folder: str | Path) -> tuple[ArtefactCard, dict]:
    """An artefact's card and what its ``signal_tokenizer.json`` says, without loading either model.

    Raises
    ------
    FileNotFoundError
        If the folder holds no artefact.
    ArtefactError
        If it is one of a version with other fields.
    """
    folder = Path(folder)
    if not (folder / CARD).is_file():
        raise FileNotFoundError(f"{folder}: holds no {CARD}; 'biollm finetune' writes artefacts.")
    tokenizer = json.loads((folder / "signal_tokenizer" / "signal_tokenizer.json").read_text())
    about = json.loads((folder / CARD).read_text())
    wrong = sorted({one.name for one in fields(ArtefactCard)} ^ set(about))
    if wrong:
        raise ArtefactError(
            f"{folder / CARD}: is of another version of biollm, which differs in the fields {wrong}. Make "
            "the artefact again with 'biollm finetune'."
        )
    return ArtefactCard(**about), tokenizer


def check_base(card: ArtefactCard, model_name_or_path: str) -> None:
    """Raise ArtefactError if a base is another one than that of an artefact; both values are named."""
    model = load_base_model(model_name_or_path, card.load_in_4bit)
    _require(model_name_or_path, "base model", card.base_fingerprint, fingerprint(model))


def _require(where: str, what: str, wanted: str, found: str) -> None:
    if wanted != found:
        raise ArtefactError(f"{where}: the {what} is {found}; the artefact was made with {wanted}.")


def _tokenizer_hash(tokenizer: Any) -> str:
    """Of all that shapes ids: vocabulary, merges, normalizer, template; padding is set by each call."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    return content_hash({"backend": backend, "template": tokenizer.chat_template})
