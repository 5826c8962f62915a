"""The reference of study files names every key, as it is."""

import inspect
import re
import types
import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import docs.reference as reference
from tuning.study.config import StudyFile


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """All sections that a study file may hold, found through the types of the fields."""
    seen: set[type[BaseModel]] = set()
    waiting: list[object] = [model]
    while waiting:
        found = waiting.pop()
        if isinstance(found, type) and issubclass(found, BaseModel):
            if found not in seen:
                seen.add(found)
                yield found
                waiting += typing.get_type_hints(found, include_extras=True).values()
        elif typing.get_origin(found) is not None or isinstance(found, types.UnionType):
            waiting += typing.get_args(found)
        elif isinstance(found, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
            waiting.append(found.__value__)


def test_the_page_is_what_the_schema_says() -> None:
    """Written anew by `python docs/reference.py --page`."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()


def test_no_key_is_missing() -> None:
    page = reference.page()
    rows = re.findall(r"^\| (?:\*\*)?`(\w+)`", page, re.MULTILINE)
    fields = [
        field.alias or name
        for section in sections(StudyFile)
        # The base of tasks stands for kinds of one's own, which have keys of their own.
        if section is not StudyFile and not inspect.isabstract(section)
        for name, field in section.model_fields.items()
        if typing.get_origin(field.annotation) is not typing.ClassVar
    ]
    missing = {name for name in fields if name not in rows}
    assert missing == set()
    # By number as well: a name such as `kind` stands in most sections.
    assert len(rows) == len(fields)


@pytest.mark.parametrize(
    "row",
    [
        "| `label_smoothing` | number, at least 0, below 1 | `0.0` |",
        "| `layer_decay` | number, above 0, at most 1 | `1.0` |",
        "| **`column`** |",
        "<https://arxiv.org/abs/2110.14048>",
    ],
)
def test_rows_have_type_range_default_and_paper(row: str) -> None:
    assert row in reference.page()
