"""Dialogues in the forms that files have them, and what is said of those that are none."""

import json
from pathlib import Path
from typing import Any

import pytest
from formats import read

from mtl_core.data.messages import Message, messages_in
from mtl_core.errors import DataError

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "a room ?"},
    {"role": "assistant", "content": "how many people ?"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "done ."},
]
READ = tuple(Message(turn["role"], turn["content"]) for turn in TURNS)
SHAREGPT = [
    {"from": {"user": "human", "assistant": "gpt"}.get(role, role), "value": text}
    for role, text in READ
]
LISTS = {"role": [turn.role for turn in READ], "content": [turn.text for turn in READ]}


@pytest.mark.parametrize("value", [TURNS, SHAREGPT, LISTS, json.dumps(TURNS), str(TURNS)], ids=str)
def test_every_form_of_a_dialogue_is_the_same_dialogue(value: Any) -> None:
    assert messages_in(value, "file:1") == READ


@pytest.mark.parametrize("value", ["[{] is text", '[{"a": 1}]', [], [1], [{"a": 1}], None, 3])
def test_what_is_no_dialogue_is_none(value: Any) -> None:
    assert messages_in(value, "file:1") is None


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (
            {"role": "asistant", "content": "x"},
            "file:1: message 2: there is no role 'asistant'; allowed: system, user, assistant, "
            "tool. Did you mean 'assistant'?",
        ),
        (
            {"role": "assistant", "content": None},
            "file:1: message 2 (assistant): expected a text, found none",
        ),
        ({"role": "user", "content": " "}, "file:1: message 2 (user): expected a text, found none"),
        (
            {"role": "user", "content": ["a"]},
            "file:1: message 2 (user): expected a text, found ['a']",
        ),
        ("hello", "file:1: message 2: expected an object with role and content, found hello"),
    ],
)
def test_a_turn_that_cannot_be_read_is_told(turn: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        messages_in([TURNS[1], turn], "file:1")
    assert str(error.value) == message


def test_a_table_of_dialogues_has_turns_words_and_replies(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": TURNS}) + "\n")
    [row] = read(path, "jsonl", {"messages": "target"}, text="messages")
    assert row.messages == READ
    assert row.words == tuple(" ".join(turn.text for turn in READ).split())
    assert row.text == "\n".join(turn.text for turn in READ)
    assert row.labels == {"messages": ("how many people ?", "done .")}


def test_a_dialogue_without_replies_teaches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": TURNS[:2]}) + "\n")
    with pytest.raises(DataError, match="with turns of the role assistant, which are what is "):
        read(path, "jsonl", {"messages": "target"}, text="messages")
