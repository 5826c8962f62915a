"""Exports with parts lost or of other types: they are read, or told in lines with their file."""

import json
import random
from typing import Any

import pytest
from formats import WriteRows, read

from mtl_core.data.example import ColumnKind
from mtl_core.errors import DataError

SPANS: dict[str, ColumnKind] = {"spans": "tags", "mood": "label"}
ANSWERS: dict[str, ColumnKind] = {"answers": "answers"}
REGION = {"start": 0, "end": 3, "text": "Ada", "labels": ["P"]}
RESULT = [
    {"value": REGION, "type": "labels", "from_name": "label"},
    {"value": {"choices": ["a"]}, "type": "choices", "from_name": "mood"},
    {"type": "relation"},
]
TASK = {"data": {"text": "Ada met Bob"}, "annotations": [{"result": RESULT, "ground_truth": True}]}
QUESTION = {"id": 1, "question": "q", "answers": [{"text": "a", "answer_start": 0}]}
WHOLE: list[tuple[str, dict[str, ColumnKind], Any]] = [
    ("spans_json", SPANS, [TASK, TASK]),
    ("spans_json", SPANS, [["a b", {"entities": [[0, 1, "X"]], "mood": {"A": 1.0}}]] * 2),
    ("spans_json", SPANS, [{"text": "a", "label": [[0, 1, "X"]], "mood": "a", "answer": "accept"}]),
    ("spans_json", SPANS, {"classes": ["a"], "annotations": [["a", {"entities": []}], None]}),
    ("squad", ANSWERS, {"data": [{"paragraphs": [{"context": "abc", "qas": [QUESTION]}]}]}),
    ("squad", ANSWERS, [{**QUESTION, "context": "a", "answers": {"text": [], "answer_start": []}}]),
]
JUNK: list[Any] = [None, -1, True, 1.5, "", "\ud800", [], {}, [[]], [None], {"a": None}, 10**30]


def broken(value: Any, chance: random.Random, share: float) -> Any:
    """Returns a copy of a value in which a share of all parts is something else, or lost."""
    if chance.random() < share:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if chance.random() > share}
        return {key: broken(part, chance, share) for key, part in kept.items()}
    if isinstance(value, list):
        return [broken(part, chance, share) for part in value if chance.random() > share]
    return value


@pytest.mark.parametrize("seed", range(len(WHOLE)))
def test_broken_exports_are_read_or_told(write_rows: WriteRows, seed: int) -> None:
    kind, columns, whole = WHOLE[seed]
    chance = random.Random(seed)
    for number in range(150):
        content = broken(whole, chance, chance.choice([0.02, 0.1, 0.3]))
        lines = isinstance(content, list) and number % 3 == 0
        text = "\n".join(map(json.dumps, content)) if lines else json.dumps(content)
        path = write_rows(text if number % 7 else text[: chance.randrange(len(text) + 1)])
        told: tuple[str, ...] = ()
        try:
            read(path, kind, columns)
        except DataError as error:
            told = error.lines
        assert all(line.startswith((str(path), "...")) for line in told), text
