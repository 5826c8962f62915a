"""Tables with named columns: from their rows to examples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from mtl_core.data.example import Answer, ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns
from mtl_core.data.formats.table_source import TableSource
from mtl_core.data.formats.text_files import words_with_tags
from mtl_core.errors import DataError, did_you_mean
from mtl_core.section import Section

if TYPE_CHECKING:
    from datasets import Dataset

_NO_CLASS = -1
"""What hub data sets put in a column of class numbers where a row has no label."""

_ANSWER_LISTS = ("text", "answer_start")
"""Keys of the answers to a question, as SQuAD has them on the hub."""


class TableColumns(Section):
    """Base: tables with named columns."""

    text: str = "text"
    """Column of the sentence: a string, cut at white space, or a list of words."""
    text_pair: str | None = None
    """Column of the second sentence; null = sentences are single."""
    features: str | None = None
    """Column of extra dense numbers: a list, or a string with spaces; null = there are none."""
    label_separator: str = Field(default=",", min_length=1)
    """What stands between the labels of a set, where it is a string; "" = the set is empty."""

    def layout(self) -> "TableLayout":
        """Returns where the sentences stand."""
        return TableLayout(self.text, self.text_pair, self.features, self.label_separator)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where a table has its sentences.

    Attributes:
        text: Column of the sentence.
        pair: Column of the second one.
        features: Column of extra dense numbers.
        label_separator: What stands between the labels of a set.
    """

    text: str
    pair: str | None = None
    features: str | None = None
    label_separator: str = ","


def table_examples(source: TableSource, layout: TableLayout, columns: Columns) -> list[Example]:
    """Turns the rows of a table into examples.

    Args:
        source: The table.
        layout: Where the sentences stand.
        columns: The label columns that tasks use, and what they hold.

    Raises:
        DataError: A column is missing, or a row does not hold what it should.
    """
    found = source.dataset.column_names
    used = [layout.text, layout.pair, layout.features, *columns]
    for column in used:
        if column is not None and column not in found:
            raise DataError(
                f"{source.where}: there is no column '{column}'; columns found: "
                f"{', '.join(found)}.{did_you_mean(column, found)}"
            )
    names = {column: _label_names(source.dataset, column) for column in columns}
    table = source.dataset.select_columns(list(dict.fromkeys(c for c in used if c is not None)))
    examples = [
        _example(row, f"{source.where}: row {number}", layout, columns, names)
        for number, row in enumerate(table, start=1)
    ]
    _check_features(source.where, layout, examples)
    return examples


def _example(
    row: Mapping[str, object],
    where: str,
    layout: TableLayout,
    columns: Columns,
    names: Mapping[str, Sequence[str] | None],
) -> Example:
    text = row[layout.text]
    if isinstance(text, str) and "tags" in columns.values():
        text = words_with_tags(text)
    words = tuple(str(word) for word in _cells(text))
    if not words:
        raise DataError(f"{where}: empty sentence in column '{layout.text}'")
    second = "" if layout.pair is None else _text(row[layout.pair])
    if layout.pair is not None and not second.strip():
        raise DataError(f"{where}: empty sentence in column '{layout.pair}'")
    labels: dict[str, LabelValue] = {}
    for column, kind in columns.items():
        value, place = row[column], f"{where}: column '{column}'"
        if _is_missing(value, kind) or (names[column] is not None and value == _NO_CLASS):
            continue
        if kind == "answers":
            labels[column] = _answers(value, second, place)
        else:
            labels[column] = _label_value(value, kind, names[column], layout, place)
        tags = labels[column]
        if kind == "tags" and isinstance(tags, tuple) and len(tags) != len(words):
            raise DataError(
                f"{where}: expected {len(words)} tags in column '{column}', one per word of "
                f"'{layout.text}', found {len(tags)}"
            )
    features: tuple[float, ...] = ()
    if layout.features is not None:
        place = f"{where}: column '{layout.features}'"
        features = tuple(_number(cell, place) for cell in _cells(row[layout.features]))
    return Example(words, labels, second, features)


def _is_missing(value: object, kind: ColumnKind) -> bool:
    """Returns whether a row has no label; an empty cell or list is one where sets are asked for."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return kind != "labels" and (value == [] or (isinstance(value, str) and not value.strip()))


def _text(value: object) -> str:
    """Returns a string as it stands, since answers count its characters; or words as one."""
    return value if isinstance(value, str) else " ".join(str(word) for word in _cells(value))


def _label_value(
    value: object, kind: ColumnKind, names: Sequence[str] | None, layout: TableLayout, where: str
) -> LabelValue:
    if kind == "label":
        return _label(value, names, where)
    if kind == "number":
        return _number(value, where)
    if kind == "labels" and isinstance(value, str):
        parts = (part.strip() for part in value.split(layout.label_separator))
        return tuple(part for part in parts if part)
    if kind == "labels" and not isinstance(value, Sequence):
        return (_label(value, names, where),)
    return tuple(_label(cell, names, where) for cell in _cells(value))


def _answers(value: object, context: str, where: str) -> tuple[Answer, ...]:
    """Returns answers in the layout that SQuAD has on the hub: lists of texts and starts."""
    lists = [value.get(key) if isinstance(value, Mapping) else None for key in _ANSWER_LISTS]
    texts, starts = (cells if isinstance(cells, list) else [None] for cells in lists)
    if len(texts) != len(starts) or None in (*texts, *starts):
        raise DataError(
            f"{where}: expected an object with the lists {' and '.join(_ANSWER_LISTS)}, of one "
            f"length; found {str(value)[:40]}"
        )
    if not context:
        raise DataError(f"{where}: answers need `text_pair`, the column of the contexts")
    pairs = zip(texts, starts, strict=True)
    answers = tuple(Answer(str(text), int(start)) for text, start in pairs)
    for answer in answers:
        answer.check(context, where)
    return answers


def _number(value: object, where: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: expected a number, found '{value}'")
    return number


def _check_features(where: str, layout: TableLayout, examples: Sequence[Example]) -> None:
    for number, example in enumerate(examples, start=1):
        size = len(examples[0].features)
        if len(example.features) != size:
            raise DataError(
                f"{where}: row {number}: expected {size} numbers in column '{layout.features}', "
                f"as in the first row, found {len(example.features)}"
            )


def _cells(value: object) -> tuple[object, ...]:
    """Returns the items of a list, or the words of a string."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(value) if isinstance(value, Sequence) else ()


def _label_names(dataset: "Dataset", column: str) -> Sequence[str] | None:
    """Returns the names behind a column of class numbers (also inside a list), else None."""
    feature = dataset.features[column]
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def _label(value: object, names: Sequence[str] | None, where: str) -> str:
    if value is None or isinstance(value, list | dict):
        found = "null" if value is None else str(value)[:40]
        raise DataError(f"{where}: expected one label, found {found}")
    if names is not None and isinstance(value, int):
        return names[value]
    if isinstance(value, float) and value.is_integer():
        # A column of class numbers becomes one of floats as soon as a row lacks its label.
        return str(int(value))
    return str(value)
