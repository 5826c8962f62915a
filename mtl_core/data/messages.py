"""Dialogues: the turns of a conversation, in the forms that data sets for chat models have them."""

import ast
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from mtl_core.errors import DataError, did_you_mean

WRITES = "assistant"
"""The role whose turns a model writes."""
_ROLES = ("system", "user", WRITES, "tool")
_KEYS = (("role", "content"), ("from", "value"))
"""What the two parts of a turn are called: as in most data sets, and as in those of ShareGPT."""
_NAMES = {"human": "user", "gpt": WRITES}
"""What ShareGPT calls the roles."""
_LIST = re.compile(r"\s*\[\s*\{")


class Message(NamedTuple):
    """A turn of a dialogue.

    Attributes:
        role: Who says it: `system` (an instruction), `user`, `assistant` or `tool`.
        text: What is said.
    """

    role: str
    text: str


def messages_in(value: object, where: str) -> tuple[Message, ...] | None:
    """Returns the turns of a dialogue; None = the value is none.

    Args:
        value: A list of objects {role, content} or {from, value}, also one that is written as text;
            or an object of two lists.
        where: What errors begin with.

    Raises:
        DataError: It is a dialogue, and a turn of it has no text, or a role that is not known.
    """
    if isinstance(value, str):
        value = _written_list(value)
    if isinstance(value, Mapping):
        value = _turns_of(value)
    # By the first one, so that a list of other things is none.
    if not isinstance(value, list | tuple) or not value or _keys_of(value[0]) is None:
        return None
    return tuple(
        _message(item, f"{where}: message {number}") for number, item in enumerate(value, start=1)
    )


def _written_list(text: str) -> object:
    """Returns the list that a cell of CSV writes, as JSON or as pandas prints it; else None."""
    if not _LIST.match(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _turns_of(value: Mapping[str, object]) -> object:
    """Returns the turns of an object of lists, as `datasets` once wrote lists of objects."""
    for role, text in _KEYS:
        roles, texts = value.get(role), value.get(text)
        if isinstance(roles, list) and isinstance(texts, list) and len(roles) == len(texts):
            return [{role: one, text: other} for one, other in zip(roles, texts, strict=True)]
    return None


def _keys_of(item: object) -> tuple[str, str] | None:
    """Returns what role and text are called in a turn; None = it is no turn."""
    is_turn = isinstance(item, Mapping)
    return next((keys for keys in _KEYS if is_turn and set(keys) <= set(item)), None)  # type: ignore[call-overload]


def _message(item: Mapping[str, object], where: str) -> Message:
    keys = _keys_of(item)
    if keys is None:
        raise DataError(
            f"{where}: expected an object with role and content, found {str(item)[:40]}"
        )
    role, text = item[keys[0]], item[keys[1]]
    role = _NAMES.get(role, role) if isinstance(role, str) else str(role)
    if role not in _ROLES:
        raise DataError(
            f"{where}: there is no role '{role}'; allowed: {', '.join(_ROLES)}."
            f"{did_you_mean(role, _ROLES)}"
        )
    if not isinstance(text, str) or not text.strip():
        found = "none" if text is None or isinstance(text, str) else str(text)[:40]
        raise DataError(f"{where} ({role}): expected a text, found {found}")
    return Message(role, text)
