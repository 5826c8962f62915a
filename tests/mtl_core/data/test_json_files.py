"""Rows of JSON files: a list, lines or one object, and what is told of broken ones."""

import json
from typing import Any

import pytest
from formats import WriteRows

from mtl_core.data.formats.json_files import json_rows, sound_rows
from mtl_core.errors import DataError

ROWS: list[Any] = [{"a": 1}, ["x", {"b": None}], {"c": [1, {"d": "\u2028"}]}]
DEEP = "[" * 100_000
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        LINES,
        f"\n{LINES}\n\n",
        LINES.replace("\n", "\r\n"),
    ],
    ids=["list", "list over lines", "lines", "blank lines", "Windows"],
)
def test_rows_of_lists_and_of_lines_are_the_same(write_rows: WriteRows, content: str) -> None:
    assert [row for _, row in json_rows(write_rows(content))] == ROWS


@pytest.mark.parametrize("row", ROWS[:2])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_value_is_a_row(write_rows: WriteRows, row: Any, indent: int | None) -> None:
    assert [found for _, found in json_rows(write_rows(json.dumps(row, indent=indent)))] == [row]


def test_an_empty_file_has_no_rows(write_rows: WriteRows) -> None:
    assert json_rows(write_rows("\n \n")) == json_rows(write_rows("[]")) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": \n{"a": 1}\n{"a"}\n', ["1: not JSON", "3: not JSON"]),
        ('{"a": 1}\nno\n' + DEEP, ["2: not JSON", "3: not usable JSON: nested too deeply"]),
        ('{"a": 1}\n[' + "9" * 5000 + "]", ["2: not usable JSON: a number has too many digits"]),
        ('[\n{"a": 1},\n{"a": \n]', ["4: not JSON"]),
        ('{\n "a": 1,\n "b": [}\n', ["3: not JSON"]),
        ("text,label\na,b\n", ["1: not JSON"]),
        ("{}\n" + "x\n" * 12, [*(f"{line}: not JSON" for line in range(2, 12)), "... and 2 more"]),
    ],
    ids=["lines", "deep", "digits", "list", "object", "CSV", "many"],
)  # fmt: skip
def test_broken_rows_are_told_with_their_lines(
    write_rows: WriteRows, content: str, told: list[str]
) -> None:
    path = write_rows(content)
    with pytest.raises(DataError) as error:
        sound_rows(path)
    found = [line.removeprefix(f"{path}:") for line in error.value.lines]
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))
