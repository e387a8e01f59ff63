"""What TRL, LLaMA-Factory, Axolotl and Unsloth take as ShareGPT rows, and what they do with other ones."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from data_builders._sharegpt_rules import DEFAULT_ROLES, SYSTEM, Fault, Roles, short, system_turns

__all__ = ["TRAINER_RULES", "Axolotl", "LlamaFactory", "TrainerRules", "Trl", "Unsloth"]

SIDES = ("user", "assistant", "system", "tool")


class TrainerRules(ABC):
    """The rules of one trainer.

    Parameters
    ----------
    roles : Roles
        The names of the two sides in the rows, which the trainer is told of where it can be; see `settings`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    known: ClassVar[Mapping[str, str]]
    """Names of roles that are understood without settings, and what they become."""
    new_tokens: ClassVar[str]
    """How it takes tokens that the LLM does not know, and trains their rows."""

    def __init__(self, roles: Roles = DEFAULT_ROLES) -> None:
        self.roles = roles
        self.names = {**self.known, roles.human: "user", roles.gpt: "assistant"}

    def faults(self, row: Any) -> Iterator[Fault]:
        """What the trainer refuses, drops or leaves out of a row."""
        faults = list(_unreadable(row))
        yield from faults or self._row_faults(row, row["conversations"])

    def first_rows_faults(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
        """What the trainer refuses by the first ten rows of a file, each without faults of its own."""
        yield from ()

    @abstractmethod
    def settings(self, path: str = "train") -> str:
        """What the trainer's configuration has to say for rows with these roles, in a file or folder."""

    @abstractmethod
    def _row_faults(self, row: Mapping[str, Any], turns: list[Mapping[str, Any]]) -> Iterator[Fault]: ...

    def _unknown_roles(self, turns: list[Mapping[str, Any]], effect: str) -> Iterator[Fault]:
        for index, turn in enumerate(turns):
            if turn["from"] not in self.names:
                where = f"key 'conversations[{index}].from'"
                allowed = ", ".join(map(repr, self.names))
                yield Fault("role", f"{where}: got {short(turn['from'])}; allowed are {allowed}. {effect}")

    def _has_answer(self, turns: list[Mapping[str, Any]]) -> bool:
        return any(self.names.get(turn["from"]) == "assistant" for turn in turns)


class LlamaFactory(TrainerRules):
    """LLaMA-Factory, ``formatting: sharegpt``.

    After a first turn of the system, turns at odd places (the first, the third, ...) are of the user or an
    observation, those at even places of the assistant or a function call, and their number is even. A row
    that differs is skipped with a warning. The turn of the system is told by its tag and comes before the
    column, which is read where it is named; an empty system prompt is replaced by that of the LLM's template.

    References
    ----------
    github.com/hiyouga/LLaMA-Factory: data/README.md; src/llamafactory/data/converter.py
    (SharegptDatasetConverter), parser.py (DatasetAttr), template.py (Template._encode),
    processor/supervised.py (SupervisedDatasetProcessor), loader.py.
    """

    name = "llamafactory"
    title = "LLaMA-Factory"
    new_tokens = (
        "`add_tokens`, with commas between them, `resize_vocab: true` and "
        "`additional_target: embed_tokens,lm_head`"
    )
    known: ClassVar[Mapping[str, str]] = {
        "human": "user", "observation": "user", "gpt": "assistant", "function_call": "assistant",
        "system": "system",
    }  # fmt: skip

    def __init__(self, roles: Roles = DEFAULT_ROLES) -> None:
        super().__init__(roles)
        # The names in its tags take the place of the usual ones.
        side = {roles.human: "user", roles.gpt: "assistant"}
        rest = {name: role for name, role in self.known.items() if name not in ("human", "gpt")}
        self.names = rest | side

    def _row_faults(self, row: Mapping[str, Any], turns: list[Mapping[str, Any]]) -> Iterator[Fault]:
        first = system_turns(turns)
        if (turns[0]["value"] if first else row.get(SYSTEM)) == "":
            where = "conversations[0].value" if first else "system"
            text = f"key {where!r}: got ''; the default system prompt of the LLM's template takes its place."
            yield Fault("system", text + " Fill it in or leave it out.")
        yield from _unread_system(row, 'unless the columns of the settings hold "system": "system"')
        yield from self._order_faults(turns, first)
        n_turns = len(turns) - first
        if n_turns % 2 or not n_turns:
            text = f"key 'conversations': got {n_turns} turns beside the system's; allowed is an even number."
            yield Fault("odd turns", text + " The row is skipped. Add the answer or drop the question.")

    def _order_faults(self, turns: list[Mapping[str, Any]], start: int) -> Iterator[Fault]:
        for index, turn in enumerate(turns[start:]):
            side = ("user", "assistant")[index % 2]
            if self.names.get(turn["from"]) != side:
                allowed = " or ".join(repr(name) for name, role in self.names.items() if role == side)
                yield Fault(
                    "role",
                    f"key 'conversations[{index + start}].from': got {short(turn['from'])}; allowed here is "
                    f"{allowed}. The row is skipped.",
                )
                return

    def settings(self, path: str = "train") -> str:
        """The entry of ``dataset_info.json``: a tag that is left out has no value, a column must be there."""
        entry: dict[str, Any] = {"file_name": path, "formatting": "sharegpt"}
        entry["columns"] = {"messages": "conversations"}
        if self.roles != DEFAULT_ROLES:
            entry["tags"] = {
                "role_tag": "from", "content_tag": "value", "user_tag": self.roles.human,
                "assistant_tag": self.roles.gpt, "system_tag": "system", "observation_tag": "observation",
                "function_tag": "function_call",
            }  # fmt: skip
        return json.dumps({"biollm": entry}, indent=2)


class Axolotl(TrainerRules):
    """Axolotl, ``type: chat_template``.

    Roles that it does not know reach the chat template under their own names and are not trained. Turns of
    the assistant are trained; a row without a trained token is dropped, a last turn that is not trained is
    warned of as a fault of the data, and an empty turn is not trained. The key ``system`` is read where the
    first turn is not the system's. The order of turns is left to the chat template.

    References
    ----------
    github.com/axolotl-ai-cloud/axolotl: docs/dataset-formats/conversation.qmd;
    src/axolotl/prompt_strategies/chat_template.py (ChatTemplatePrompter.__init__,
    ChatTemplateStrategy._tokenize_single_prompt, find_turn, get_conversation_thread);
    src/axolotl/utils/trainer.py (drop_no_trainable_tokens).
    """

    name = "axolotl"
    title = "Axolotl"
    new_tokens = "`tokens`, a list, and `lora_modules_to_save: [embed_tokens, lm_head]`"
    known: ClassVar[Mapping[str, str]] = {
        "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
        "tool": "tool",
    }  # fmt: skip

    def _row_faults(self, row: Mapping[str, Any], turns: list[Mapping[str, Any]]) -> Iterator[Fault]:
        effect = "It reaches the chat template under this name, and is not trained. Rename it, or set roles."
        yield from self._unknown_roles(turns, effect)
        if not self._has_answer(turns):
            text = (
                "key 'conversations': got no turn of the assistant; the row trains no token and is dropped."
            )
            yield Fault("no answer", text)
        elif self.names.get(turns[-1]["from"]) != "assistant":
            text = f"key 'conversations': the last of {len(turns)} turns is no answer, and is not trained."
            yield Fault("odd turns", text + " Add the answer or drop the question.")
        for index, turn in enumerate(turns):
            if self.names.get(turn["from"]) == "assistant" and not turn["value"]:
                text = f"key 'conversations[{index}].value': got ''; an empty answer is not trained."
                yield Fault("no text", text)

    def settings(self, path: str = "train") -> str:
        """The entry of ``datasets:`` in its YAML file; ``roles`` replaces its own table of names."""
        lines = [
            "datasets:",
            f"  - path: {path}",
            "    type: chat_template",
            "    field_messages: conversations",
            "    message_property_mappings: {role: from, content: value}",
        ]
        if self.names != self.known:
            sides = {side: [n for n, role in self.names.items() if role == side] for side in SIDES}
            lines.append(f"    roles: {json.dumps(sides)}")
        return "\n".join(lines)


class Unsloth(TrainerRules):
    """Unsloth, ``standardize_data_formats`` (once ``standardize_sharegpt``) and ``train_on_responses_only``.

    Turns have two keys with text; of these, that with fewer different values in the first ten rows is
    taken for the role. An unknown role ends the run. The key ``system`` is not read, only a turn of the
    system. A row without an answer is removed. The order of turns is left to the chat template.

    References
    ----------
    github.com/unslothai/unsloth: unsloth/chat_templates.py; github.com/unslothai/unsloth-zoo:
    unsloth_zoo/dataset_utils.py (standardize_data_formats, train_on_responses_only).
    """

    name = "unsloth"
    title = "Unsloth"
    new_tokens = (
        "`add_new_tokens(model, tokenizer, new_tokens)`, and `embed_tokens` and `lm_head` among "
        "`modules_to_save`"
    )
    known: ClassVar[Mapping[str, str]] = {
        "human": "user", "user": "user", "input": "user", "gpt": "assistant", "assistant": "assistant",
        "output": "assistant", "system": "system",
    }  # fmt: skip

    def _row_faults(self, row: Mapping[str, Any], turns: list[Mapping[str, Any]]) -> Iterator[Fault]:
        yield from self._unknown_roles(turns, "The run ends with an error. Rename it.")
        for index, turn in enumerate(turns):
            if len(turn) != 2:
                keys = short(list(turn))
                text = f"key 'conversations[{index}]': got the keys {keys}; allowed are two: 'from', 'value'."
                yield Fault("keys of a turn", text + " The run ends with an error.")
        if not self._has_answer(turns):
            yield Fault("no answer", "key 'conversations': got no answer; the row is removed.")
        yield from _unread_system(row)

    def first_rows_faults(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
        turns = [turn for row in rows[:10] for turn in row["conversations"]]
        roles, texts = ({turn[key] for turn in turns} for key in ("from", "value"))
        if len(roles) >= len(texts):
            yield Fault(
                "few texts",
                f"the first {len(rows[:10])} rows have {len(texts)} different texts and {len(roles)} roles; "
                "with no more texts than roles, texts are taken for roles. Put different rows first.",
            )

    def settings(self, path: str = "train") -> str:
        """The calls; the aliases name roles that it does not know."""
        given = [
            f"aliases_for_{side}=[{name!r}]"
            for side, name in (("user", self.roles.human), ("assistant", self.roles.gpt))
            if name not in self.known
        ]
        return f"dataset = standardize_data_formats({', '.join(['dataset', *given])})"


class Trl(TrainerRules):
    """TRL's ``SFTTrainer`` on the rows as they are, without the mapping that ``biollm finetune`` does first.

    It renames the keys of the turns only: the chat template gets the roles by the names of the file, and
    many templates drop a role that they do not know. The key ``system`` is not read. All tokens are trained,
    unless ``assistant_only_loss`` is set, which wants renamed keys. The order is left to the template.

    References
    ----------
    github.com/huggingface/trl: trl/data_utils.py (maybe_convert_to_chatml), trl/trainer/sft_trainer.py
    (SFTTrainer._prepare_dataset), docs/source/dataset_formats.md.
    """

    name = "trl"
    title = "TRL"
    new_tokens = (
        "`tokenizer.add_tokens`, `model.resize_token_embeddings`, and PEFT's `trainable_token_indices`"
    )
    known: ClassVar[Mapping[str, str]] = {
        "user": "user", "assistant": "assistant", "system": "system", "tool": "tool",
    }  # fmt: skip

    def __init__(self, roles: Roles = DEFAULT_ROLES) -> None:
        super().__init__(roles)
        self.names = dict(self.known)

    def _row_faults(self, row: Mapping[str, Any], turns: list[Mapping[str, Any]]) -> Iterator[Fault]:
        effect = (
            "The chat template gets this name, and drops the turn or writes a role that the LLM does not "
            "know. Use 'user' and 'assistant', or train with 'biollm finetune', which renames them."
        )
        yield from self._unknown_roles(turns, effect)
        if not any(turn["from"] in (self.roles.gpt, "assistant") for turn in turns):
            yield Fault("no answer", "key 'conversations': got no answer; the question is trained instead.")
        yield from _unread_system(row)

    def settings(self, path: str = "train") -> str:
        """What keeps questions out of the loss: the trainer looks for messages before it renames the keys."""
        dataset = 'dataset = dataset.map(maybe_convert_to_chatml, remove_columns="conversations")'
        return f"{dataset}\nSFTConfig(assistant_only_loss=True)  # on templates with {{% generation %}} marks"


TRAINER_RULES: dict[str, type[TrainerRules]] = {
    rules.name: rules for rules in (LlamaFactory, Axolotl, Unsloth, Trl)
}


def _unreadable(row: Any) -> Iterator[Fault]:
    """What no trainer reads: each ends with an error."""
    turns = row.get("conversations") if isinstance(row, Mapping) else None
    if not isinstance(turns, list) or not turns:
        got = short(row if turns is None else turns)
        yield Fault("no turns", f"key 'conversations': got {got}; allowed is a list of turns.")
        return
    for index, turn in enumerate(turns):
        for key in ("from", "value"):
            value = turn.get(key) if isinstance(turn, Mapping) else None
            if not isinstance(value, str):
                where = f"key 'conversations[{index}].{key}'"
                yield Fault("no text", f"{where}: got {short(value)}; allowed is text. Fill it in.")


def _unread_system(row: Mapping[str, Any], unless: str = "") -> Iterator[Fault]:
    if row.get(SYSTEM) and not system_turns(row["conversations"]):
        text = (
            f"key 'system': got {short(row[SYSTEM])}, which is not read{unless and f' {unless}'}: the row is "
            "trained without it. For this trainer, put it into a first turn from 'system'."
        )
        yield Fault("system is not read", text, note=True)
