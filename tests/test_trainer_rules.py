"""ShareGPT rules of other trainers: our rows pass, and faults are found by those whose rules they break."""

from __future__ import annotations

import json

import pytest
import yaml
from made_segments import SOURCES, made_segments

from biollm.data_card import dataset_info
from data_builders.conversation_plan import plan_conversations
from data_builders.conversations import rows
from data_builders.sharegpt import Roles
from data_builders.trainer_rules import TRAINER_RULES
from prompts import TASKS, load_task

CHAT = Roles("user", "assistant")
ALL = set(TRAINER_RULES)


def make_row(roles: Roles = CHAT, n_exchanges: int = 1, **extra) -> dict:
    turns = []
    for k in range(n_exchanges):
        turns += [{"from": roles.human, "value": f"Question {k}?"}, {"from": roles.gpt, "value": f"A {k}."}]
    return {"conversations": turns, "id": "r0", **extra}


def found(row: dict, roles: Roles = CHAT, notes: bool = False) -> dict[str, list[str]]:
    """Kinds of faults (or notes) of a row, by trainer, of those that have any."""
    kinds = {
        name: [fault.kind for fault in rules(roles).faults(row) if fault.note == notes]
        for name, rules in TRAINER_RULES.items()
    }
    return {name: what for name, what in kinds.items() if what}


@pytest.fixture(scope="module")
def built():
    """A function that draws conversations of every task with given names of the roles."""
    segments = made_segments()
    tasks = {name: load_task(name) for name in TASKS}
    plan = plan_conversations(segments, tasks, dict.fromkeys(tasks, 1.0), SOURCES, n=100)

    def draw(roles: Roles) -> list[dict]:
        return list(rows(segments, tasks, plan, roles=roles))

    return draw


def test_built_rows_with_the_roles_of_chat_templates_pass_everywhere(built):
    """Those with one answer and those with several."""
    drawn = built(CHAT)
    assert {row["task"] for row in drawn} == set(TASKS)
    assert {3, 5} <= {len(row["conversations"]) for row in drawn}
    assert [row["id"] for row in drawn if found(row) or found(row, notes=True)] == []
    for rules in TRAINER_RULES.values():
        assert list(rules(CHAT).first_rows_faults(drawn[:10])) == []


@pytest.mark.parametrize("roles", [Roles(), Roles("person", "model")])
def test_built_rows_with_other_roles_pass_where_settings_can_name_them(built, roles):
    """TRL has no setting for roles: the template gets the names of the file."""
    for row in built(roles):
        assert found(row, roles) == {"trl": ["role"] * (len(row["conversations"]) - 1)}


@pytest.mark.parametrize("roles", [Roles(), CHAT, Roles("person", "model")])
def test_the_description_beside_built_rows_names_what_llama_factory_looks_for(roles):
    card = {"file_format": "jsonl", "file": "train"}
    card["roles"] = {"human": roles.human, "gpt": roles.gpt}
    written = dataset_info(card)["biollm"]
    wanted = json.loads(TRAINER_RULES["llamafactory"](roles).settings())["biollm"]
    assert written | {"tags": None} == wanted | {"tags": None}
    usual = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    given, needed = usual | written.get("tags", {}), usual | wanted.get("tags", {})
    assert [given[tag] for tag in usual] == [needed[tag] for tag in usual]
    assert written["tags"]["system_tag"] == "system"


def test_llama_factory_finds_the_system_prompt_of_built_rows_by_the_description(built):
    """As its converter does: a tag that is left out is None, and a column that is named is looked up."""
    card = {"file_format": "jsonl", "file": "train", "roles": {"human": "user", "gpt": "assistant"}}
    about = dataset_info(card)["biollm"]
    tags = about["tags"]
    for row in built(CHAT):
        first = row[about["columns"]["messages"]][0]
        assert first[tags["role_tag"]] == tags.get("system_tag")
        assert first[tags["content_tag"]]
        assert set(about["columns"].values()) <= set(row)


def without(row: dict, *indices: int) -> dict:
    turns = [turn for k, turn in enumerate(row["conversations"]) if k not in indices]
    return row | {"conversations": turns}


def unknown_role() -> dict:
    row = make_row(CHAT, 2)
    row["conversations"][2] = {"from": "narrator", "value": "It rains."}
    return row


def with_turn_key() -> dict:
    row = make_row()
    row["conversations"][1]["weight"] = 1
    return row


def with_value(value) -> dict:
    row = make_row()
    row["conversations"][1]["value"] = value
    return row


FAULTS = {
    "answer first": (without(make_row(CHAT, 2), 0), {"llamafactory"}),
    "two questions in a row": (without(make_row(CHAT, 3), 1, 5) | {}, {"llamafactory", "axolotl"}),
    "two questions before an answer": (without(make_row(CHAT, 2), 1), {"llamafactory"}),
    "unknown role": (unknown_role(), ALL),
    "empty system": (make_row(system=""), {"llamafactory"}),
    "odd count": (without(make_row(CHAT, 2), 3), {"llamafactory", "axolotl"}),
    "no answer": (without(make_row(), 1), ALL),
    "no turns": (make_row(n_exchanges=0), ALL),
    "no conversations": ({"id": "r0"}, ALL),
    "answer is null": (with_value(None), ALL),
    "answer is empty": (with_value(""), {"axolotl"}),
    "surplus turn key": (with_turn_key(), {"unsloth"}),
    "not an object": ("hello", ALL),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_exactly_the_trainers_whose_rules_it_breaks(name):
    row, trainers = FAULTS[name]
    assert set(found(row)) == trainers


def test_a_turn_of_the_system_is_read_everywhere_and_the_key_by_axolotl_alone_without_settings():
    turn = {"from": "system", "value": "You read biosignals."}
    first = make_row() | {"conversations": [turn, *make_row()["conversations"]]}
    assert found(first) == found(first, notes=True) == {}
    key = make_row(system="You read biosignals.")
    unread = {"llamafactory", "unsloth", "trl"}
    assert found(key, notes=True) == {name: ["system is not read"] for name in unread}


def test_the_system_late_in_a_conversation_is_an_unknown_role_for_llama_factory():
    row = make_row(CHAT, 2)
    row["conversations"].insert(2, {"from": "system", "value": "Be brief."})
    assert found(row)["llamafactory"] == ["role", "odd turns"]


def test_faults_name_key_value_and_effect():
    fault = next(iter(TRAINER_RULES["llamafactory"](CHAT).faults(FAULTS["answer first"][0])))
    assert "'conversations[0].from': got 'assistant'" in fault.text
    assert "'user'" in fault.text
    assert "skipped" in fault.text


def test_unsloth_tells_roles_from_texts_by_how_many_there_are():
    rules = TRAINER_RULES["unsloth"](CHAT)
    assert [fault.kind for fault in rules.first_rows_faults([make_row()] * 3)] == ["few texts"]
    assert list(rules.first_rows_faults([make_row(CHAT, 2)])) == []


@pytest.mark.parametrize("roles", [Roles(), CHAT, Roles("person", "model")])
def test_settings_are_of_the_form_that_the_trainers_read(roles):
    text = {name: rules(roles).settings() for name, rules in TRAINER_RULES.items()}
    entry = json.loads(text["llamafactory"])["biollm"]
    tags = entry.get("tags", {"user_tag": "human", "assistant_tag": "gpt"})
    assert (tags["user_tag"], tags["assistant_tag"]) == (roles.human, roles.gpt)
    [dataset] = yaml.safe_load(text["axolotl"])["datasets"]
    assert dataset["message_property_mappings"] == {"role": "from", "content": "value"}
    named = dataset.get("roles", {"user": ["human", "user"], "assistant": ["gpt", "assistant"]})
    assert roles.human in named["user"]
    assert roles.gpt in named["assistant"]
    assert ("'person'" in text["unsloth"]) == (roles.human == "person")


@pytest.mark.parametrize("name", ["llamafactory", "axolotl"])
def test_settings_name_the_file(name):
    rules = TRAINER_RULES[name](CHAT)
    assert "own.jsonl" in rules.settings("own.jsonl")
    assert "train" in rules.settings()


@pytest.mark.parametrize("name", ["unknown role", "no turns", "surplus turn key"])
def test_the_rules_of_trl_are_those_of_the_installed_one(name):
    from trl.data_utils import is_conversational, maybe_convert_to_chatml

    row = json.loads(json.dumps(FAULTS[name][0] | {"system": "You read biosignals."}))
    known = TRAINER_RULES["trl"](CHAT).names
    chat = maybe_convert_to_chatml(row)
    # Roles keep their names, and the key 'system' becomes no message.
    assert {m["role"] for m in chat["messages"]} - set(known) == (
        {"narrator"} if name == "unknown role" else set()
    )
    assert all(m["content"] != "You read biosignals." for m in chat["messages"])
    if name == "no turns":
        with pytest.raises(IndexError):
            is_conversational(chat)


def test_the_installed_trl_makes_a_message_of_the_turn_of_the_system(built):
    from trl.data_utils import maybe_convert_to_chatml

    for row in built(CHAT):
        first, *rest = (dict(turn) for turn in row["conversations"])
        messages = maybe_convert_to_chatml(json.loads(json.dumps(row)))["messages"]
        assert messages[0] == {"role": "system", "content": first["value"]}
        assert [message["role"] for message in messages[1:]] == [turn["from"] for turn in rest]
