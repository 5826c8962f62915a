"""Tags of other schemes than IOB2 in formats that have a setting for it, and none by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.schemes import Scheme, TagError, TagReader
from mtl_core.errors import DataError, did_you_mean

Schemes = Mapping[str, Scheme]
"""Column name -> how its tags are written."""


def with_iob2(
    rows: Sequence[tuple[str, Example]], schemes: Schemes, columns: Columns, where: str
) -> list[Example]:
    """Returns the rows of a file with the tags of some columns in IOB2.

    Args:
        rows: Place and example of every row.
        schemes: How columns are written; the others stay as they are.
        columns: The columns that were read.
        where: The file, for messages.

    Raises:
        DataError: A column is not read as tags, or a tag is not of its scheme.
    """
    tagged = [column for column, kind in columns.items() if kind == TagsColumn.kind]
    for column in schemes:
        if column not in tagged:
            raise DataError(
                f"{where}: schemes: no task reads tags from a column '{column}'; columns of tags: "
                f"{', '.join(tagged) or 'none'}.{did_you_mean(column, tagged)}"
            )
    examples = [example for _, example in rows]
    if not schemes:
        return examples
    readers = {column: _reader(column, scheme, examples) for column, scheme in schemes.items()}
    return read_rows(rows, lambda example, where: _converted(example, where, readers))


def _reader(column: str, scheme: Scheme, examples: Sequence[Example]) -> TagReader:
    return TagReader.over({tag for row in examples for tag in _tags(row, column)}, scheme, column)


def _converted(example: Example, where: str, readers: Mapping[str, TagReader]) -> Example:
    labels = dict(example.labels)
    for column in readers.keys() & labels.keys():
        try:
            labels[column] = readers[column].read(_tags(example, column))
        except TagError as error:
            place = f"{where}: column '{column}', word {error.position + 1}"
            raise DataError(f"{place}: {error}") from error
    return replace(example, labels=labels)


def _tags(example: Example, column: str) -> tuple[str, ...]:
    tags = example.labels.get(column, ())
    assert isinstance(tags, tuple)
    return tuple(map(str, tags))
