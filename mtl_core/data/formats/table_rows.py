"""From the rows of tables with named columns to examples; shared by CSV, JSONL, Parquet, hub."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import Field

from mtl_core.data.columns.cells import Cell, items_of, list_in, number_of, short_of
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns, TextRowsSection
from mtl_core.data.formats.rows import OnEmpty, read_rows
from mtl_core.data.formats.table_source import Row, TableSource
from mtl_core.data.formats.tag_schemes import Schemes, with_iob2
from mtl_core.data.formats.text_columns import TextColumns
from mtl_core.data.formats.text_files import EmptyTextError, words_with_tags
from mtl_core.data.messages import messages_in
from mtl_core.data.notes import SplitNotes
from mtl_core.data.schemes import Scheme
from mtl_core.errors import DataError, did_you_mean

_NO_CLASS = -1
"""What hub data sets put in a column of class numbers where a row has no label."""


class TableColumns(TextRowsSection):
    """Base of the sections of tables: which columns hold what."""

    text: str = "text"
    """Column of the sentence: a string, cut at white space, or a list of words."""
    text_pair: str | None = None
    """Column of the second sentence; null = sentences are single."""
    features: str | None = None
    """Column of extra dense numbers: a list, or a string with spaces; null = there are none."""
    label_separator: str = Field(default=",", min_length=1)
    """What stands between the labels of a set, where it is a string; "" = the set is empty."""
    schemes: dict[str, Scheme] = Field(default_factory=dict)
    """Scheme of a column's tags, where not IOB2: `iob1`, `iobes` (BILOU, BMES) or `io`."""

    def named_columns(self) -> TextColumns:
        """Returns the columns of texts by their names here."""
        usual = TextColumns()
        return TextColumns(self.text, self.text_pair or usual.pair, self.features or usual.features)

    def layout(self) -> "TableLayout":
        """Returns where the sentences stand."""
        return TableLayout(
            self.text, self.text_pair, self.features, self.label_separator, self.schemes
        )


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where a table has its sentences.

    Attributes:
        text: Column of the sentence.
        pair: Column of the second one.
        features: Column of extra dense numbers.
        label_separator: What stands between the labels of a set.
        schemes: How columns of tags are written, where not as IOB2.
    """

    text: str
    pair: str | None = None
    features: str | None = None
    label_separator: str = ","
    schemes: Schemes = field(default_factory=dict)

    def used(self, columns: Columns) -> tuple[str, ...]:
        """Returns the columns of a table that are read, each once."""
        every = (self.text, self.pair, self.features, *columns)
        return tuple(dict.fromkeys(column for column in every if column is not None))


def table_examples(
    source: TableSource,
    layout: TableLayout,
    columns: Columns,
    notes: SplitNotes,
    *,
    on_empty: OnEmpty = "error",
) -> list[Example]:
    """Turns the rows of a table into examples.

    Args:
        source: The table.
        layout: Where the sentences stand.
        columns: The label columns that tasks use, and what they hold.
        notes: Hears how many rows were left out.
        on_empty: What becomes of rows with an empty text.

    Raises:
        DataError: A column is missing, there are no rows, or rows do not hold what they should.
    """
    found = source.columns
    missing = [column for column in layout.used(columns) if column not in found]
    # Where no row could be read there are no columns either, and the rows say why.
    if found and missing:
        raise DataError(
            f"{source.where}: there is no column '{missing[0]}'; columns found: "
            f"{', '.join(found)}.{did_you_mean(missing[0], found)}"
        )
    make = _Maker(source, layout, columns)
    examples = read_rows(source.rows, make, on_empty=on_empty, notes=notes)
    if not make.num_rows:
        raise DataError(f"{source.where}: expected rows, found none")
    rows = list(zip(make.places, examples, strict=True))
    return with_iob2(rows, layout.schemes, columns, source.where)


class _Maker:
    """Makes examples of the rows of a table, one after the other."""

    def __init__(self, source: TableSource, layout: TableLayout, columns: Columns) -> None:
        self.num_rows = 0
        self.places: list[str] = []
        self._source = source
        self._layout = layout
        self._columns = columns
        # Tags are counted by word.
        self._has_tags = any(COLUMNS[kind].is_per_word for kind in columns.values())
        self._num_features: int | None = None

    def __call__(self, row: Row, where: str) -> Example:
        self.num_rows += 1
        if isinstance(row, DataError):
            raise row
        layout = self._layout
        place = f"{where}: column '{layout.text}'"
        messages = messages_in(row[layout.text], place) or ()
        text = "\n".join(turn.text for turn in messages) or row[layout.text]
        words = self._words(text, place)
        if not words:
            raise EmptyTextError(f"{where}: empty sentence in column '{layout.text}'")
        second = "" if layout.pair is None else _text(row[layout.pair], where, layout.pair)
        if layout.pair is not None and not second.strip():
            raise EmptyTextError(f"{where}: empty sentence in column '{layout.pair}'")
        labels = self._labels(row, where, words, second)
        features = self._features(row, where)
        self.places.append(where)
        running = self._running(text, words)
        return Example(words, labels, second, features, running, messages=messages)

    def _running(self, text: object, words: Sequence[str]) -> str:
        """Returns the text as it stands; "" where it came as a list of words, or with tags."""
        is_running = isinstance(text, str) and not self._has_tags and text.split() == list(words)
        return str(text) if is_running else ""

    def _words(self, value: object, where: str) -> tuple[str, ...]:
        if isinstance(value, str) and value.lstrip()[:1] == "[":
            value = _words_in(value, where, is_list_expected=self._has_tags)
        if isinstance(value, list | tuple):
            return tuple(_word(item, where) for item in value)
        text = _word(value, where)
        # `str.split` also cuts at U+00A0 and its like, which stand inside words that have tags.
        return words_with_tags(text) if self._has_tags else tuple(text.split())

    def _labels(
        self, row: Mapping[str, object], where: str, words: Sequence[str], second: str
    ) -> dict[str, LabelValue]:
        labels: dict[str, LabelValue] = {}
        for column, kind in self._columns.items():
            value, names = row[column], self._source.names.get(column)
            # A label that is missing is absent, so that the row trains and scores other tasks.
            if _is_missing(value, kind) or (names is not None and value == _NO_CLASS):
                continue
            place, separator = f"{where}: column '{column}'", self._layout.label_separator
            cell = Cell(value, place, names, separator, second, self._source.is_text)
            tags = labels[column] = COLUMNS[kind].from_cell(cell)
            if COLUMNS[kind].is_per_word and isinstance(tags, tuple) and len(tags) != len(words):
                raise DataError(
                    f"{where}: expected {len(words)} tags in column '{column}', one per word of "
                    f"'{self._layout.text}', found {len(tags)}"
                )
        return labels

    def _features(self, row: Mapping[str, object], where: str) -> tuple[float, ...]:
        column = self._layout.features
        if column is None:
            return ()
        place, value = f"{where}: column '{column}'", row[column]
        is_one = isinstance(value, int | float | Decimal)
        items = (value,) if is_one else items_of(value, place)
        found = tuple(number_of(item, place) for item in items)
        # They become one array, (rows, features).
        if self._num_features is None:
            self._num_features = len(found)
        if len(found) != self._num_features:
            raise DataError(
                f"{where}: expected {self._num_features} numbers in column '{column}', as in the "
                f"rows before, found {len(found)}"
            )
        return found


def _is_missing(value: object, kind: ColumnKind) -> bool:
    """Returns whether a row has no label; for sets of labels an empty cell or list is a label."""
    # A cell that is missing is null, or NaN where the table went through pandas.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    is_empty = value == [] or (isinstance(value, str) and value.strip() in ("", "[]"))
    return is_empty and not COLUMNS[kind].may_be_empty


def _words_in(text: str, where: str, *, is_list_expected: bool) -> object:
    """Returns the words of a list that is written as text; the text itself where it is none."""
    try:
        items = list_in(text, where)
    except DataError:
        # Running text may stand in brackets, but where words have tags they are a list.
        if is_list_expected:
            raise
        return text
    return text if not items or not all(isinstance(item, str) for item in items) else items


def _text(value: object, where: str, column: str) -> str:
    """Returns a string as it stands, since answers count its characters; or words as one."""
    place = f"{where}: column '{column}'"
    if isinstance(value, list | tuple):
        return " ".join(_word(item, place) for item in value)
    return _word(value, place)


def _word(value: object, where: str) -> str:
    """Returns what stands in a cell of text, or a word of it: a number or date as it is written."""
    # NaN is what pandas makes of a cell that is missing.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 text (byte 0x{value[error.start]:02x})") from error
    if isinstance(value, list | tuple | dict):
        raise DataError(f"{where}: expected a text, found {short_of(value)}")
    return str(value)
