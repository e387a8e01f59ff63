"""Conversations as the trainer gets them: token ids, and which of them are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data_builders.sharegpt import Roles, to_prompt_completions

__all__ = ["Piece", "TrainingSequence", "training_sequences"]

State = Literal["prompt", "trained", "cut"]


@dataclass(frozen=True)
class Piece:
    """A token, the text that it stands for, and what training does with it."""

    token: int
    text: str
    state: State


@dataclass(frozen=True)
class TrainingSequence:
    """One answer with all that was said before it.

    Parameters
    ----------
    text : str
        By the chat template.
    ids : list of int
        All tokens, before any is cut.
    offsets : list of (int, int)
        Where each token starts and ends in the text.
    start : int
        The first token of the answer.
    n_prompt : int
        Tokens of the prompt alone, as it is when the tuned model answers. More than `start` where the
        template or the tokenizer makes something else of its end once an answer follows.
    n_kept : int
        Tokens that the trainer's ``max_length`` leaves.
    dropped : tuple of str
        Roles with a turn whose words the chat template leaves out.
    """

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]
    start: int
    n_prompt: int
    n_kept: int
    dropped: tuple[str, ...] = ()

    @property
    def n_trained(self) -> int:
        return max(self.n_kept - self.start, 0)

    @property
    def is_cut(self) -> bool:
        return self.n_kept < len(self.ids)

    def state(self, position: int) -> State:
        if position >= self.n_kept:
            return "cut"
        return "trained" if position >= self.start else "prompt"

    def pieces(self) -> Iterator[Piece]:
        """The tokens with their text.

        Characters between two tokens belong to the second; of a character that several tokens share, the
        first has it and the text of the others is empty.
        """
        begin = 0
        for position, (token, (_, end)) in enumerate(zip(self.ids, self.offsets, strict=True)):
            end = len(self.text) if position + 1 == len(self.ids) else end
            yield Piece(token, self.text[begin:end], self.state(position))
            begin = max(begin, end)


def training_sequences(
    rows: Sequence[Mapping[str, Any]], tokenizer: Any, roles: Roles, max_length: int | None
) -> list[list[TrainingSequence]]:
    """What is trained on of some rows: of each row, one sequence an answer.

    The same steps as in TRL's ``SFTTrainer`` for conversational prompts and completions with its defaults:
    the answer starts where the tokens of prompt and conversation part, and the end beyond `max_length` is
    cut. A sequence without a trained token is left out by the trainer, and is returned here.

    Parameters
    ----------
    rows : sequence of dict
        Valid ShareGPT rows.
    tokenizer : transformers.PreTrainedTokenizerFast
        With a chat template, and with the signal tokens.
    roles : Roles
    max_length : int or None
        Tokens of a sequence; None cuts nothing.

    Raises
    ------
    jinja2.TemplateError
        If the chat template refuses a conversation.
    """
    from trl.data_utils import common_prefix_length

    pairs = [to_prompt_completions(row, roles) for row in rows]
    flat = [pair for of_row in pairs for pair in of_row]
    prompts = [pair["prompt"] for pair in flat]
    wholes = [pair["prompt"] + pair["completion"] for pair in flat]
    texts = _rendered(tokenizer, wholes)
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    before = tokenizer(_rendered(tokenizer, prompts, True), add_special_tokens=False)["input_ids"]
    sequences = (
        TrainingSequence(
            text,
            ids,
            offsets,
            common_prefix_length(prompt, ids),
            len(prompt),
            len(ids) if max_length is None else min(len(ids), max_length),
            _dropped(messages, text),
        )
        for text, ids, offsets, prompt, messages in zip(
            texts, encoded["input_ids"], encoded["offset_mapping"], before, wholes, strict=True
        )
    )
    return [[next(sequences) for _ in of_row] for of_row in pairs]


def _rendered(tokenizer: Any, conversations: list, add_generation_prompt: bool = False) -> list[str]:
    if not conversations:
        return []
    return tokenizer.apply_chat_template(
        conversations, tokenize=False, add_generation_prompt=add_generation_prompt
    )


def _dropped(messages: list[dict[str, str]], text: str) -> tuple[str, ...]:
    return tuple(m["role"] for m in messages if m["content"].strip() not in text)
