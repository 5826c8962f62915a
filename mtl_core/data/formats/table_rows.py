"""From the rows of tables with named columns to examples; shared by CSV, JSONL, Parquet, hub."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from mtl_core.data.columns.cells import Cell, items_of, number_of
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.formats.table_source import TableSource
from mtl_core.data.formats.text_files import words_with_tags
from mtl_core.errors import DataError, did_you_mean
from mtl_core.section import Section

if TYPE_CHECKING:
    from datasets import Dataset

_NO_CLASS = -1
"""What hub data sets put in a column of class numbers where a row has no label."""


class TableColumns(Section):
    """Base of the sections of tables: which columns hold what."""

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
        DataError: A column is missing, or a row does not hold what its column should.
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
    # Only what is used is decoded: tables of the hub may hold pictures or sound beside the text.
    table = source.dataset.select_columns(list(dict.fromkeys(c for c in used if c is not None)))
    examples = read_rows(
        ((f"{source.where}: row {number}", row) for number, row in enumerate(table, start=1)),
        lambda row, where: _example(row, where, layout, columns, names),
    )
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
    # Tags are counted by word, and `str.split` would also cut at U+00A0 and its like.
    if isinstance(text, str) and any(COLUMNS[kind].is_per_word for kind in columns.values()):
        text = words_with_tags(text)
    words = tuple(str(word) for word in items_of(text))
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
        # A label that is missing is absent, so that the row trains and scores the other tasks.
        cell = Cell(value, place, names[column], layout.label_separator, second)
        tags = labels[column] = COLUMNS[kind].from_cell(cell)
        if COLUMNS[kind].is_per_word and isinstance(tags, tuple) and len(tags) != len(words):
            raise DataError(
                f"{where}: expected {len(words)} tags in column '{column}', one per word of "
                f"'{layout.text}', found {len(tags)}"
            )
    features: tuple[float, ...] = ()
    if layout.features is not None:
        place = f"{where}: column '{layout.features}'"
        features = tuple(number_of(item, place) for item in items_of(row[layout.features]))
    return Example(words, labels, second, features)


def _is_missing(value: object, kind: ColumnKind) -> bool:
    """Returns whether a row has no label; for sets of labels an empty cell or list is a label."""
    # A cell that is missing is null, or NaN where the table went through pandas.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    is_empty = value == [] or (isinstance(value, str) and not value.strip())
    return is_empty and not COLUMNS[kind].may_be_empty


def _text(value: object) -> str:
    """Returns a string as it stands, since answers count its characters; or words as one."""
    return value if isinstance(value, str) else " ".join(str(word) for word in items_of(value))


def _check_features(where: str, layout: TableLayout, examples: Sequence[Example]) -> None:
    # They become one array, (rows, features).
    for number, example in enumerate(examples, start=1):
        size = len(examples[0].features)
        if len(example.features) != size:
            raise DataError(
                f"{where}: row {number}: expected {size} numbers in column '{layout.features}', "
                f"as in the first row, found {len(example.features)}"
            )


def _label_names(dataset: "Dataset", column: str) -> Sequence[str] | None:
    """Returns the names behind a column of class numbers (also inside a list), else None."""
    feature = dataset.features[column]
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)
