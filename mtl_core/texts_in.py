"""Files of texts for a predictor, read row by row, so that they may be of any size."""

import codecs
import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core.data.columns.cells import items_of, number_of
from mtl_core.data.formats.text_columns import Dialect, TextColumns
from mtl_core.data.formats.text_files import LONGEST, marked_encoding, parse_json
from mtl_core.data.messages import messages_in
from mtl_core.errors import DataError, did_you_mean
from mtl_core.text_streams import BLOCK, decoded_lines, open_texts

if TYPE_CHECKING:
    from mtl_core.prediction import Text, Turns
    from mtl_core.predictor import Predictor

CSV = {".csv": ",", ".tsv": "\t"}
"""Suffixes of tables -> what parts their columns."""
JSON_LINES = (".jsonl", ".ndjson")

_HALVES = re.compile("[\ud800-\udfff]")
"""What JSON can hold, and no tokenizer takes."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text to predict.

    Attributes:
        text: The text, a pair of texts, or a dialogue.
        features: Its dense numbers.
        columns: The whole row that it stands in; None = it came without columns.
    """

    text: "Text"
    features: tuple[float, ...] = ()
    columns: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns of a table a model reads.

    Attributes:
        trained: What the model's data sets call them.
        takes_pairs: Whether the model reads pairs.
        takes_features: Whether it reads dense numbers.
        text: The column to take for the text; None = the one that a data set names.
        pair: The one for the second text.
        features: The one for the numbers.
    """

    trained: Sequence[TextColumns]
    takes_pairs: bool
    takes_features: bool
    text: str | None = None
    pair: str | None = None
    features: str | None = None

    @classmethod
    def of(
        cls,
        predictor: "Predictor",
        *,
        text: str | None = None,
        pair: str | None = None,
        features: str | None = None,
    ) -> "ColumnChoice":
        """Returns the choice for a model, with the columns that a user names.

        Raises:
            DataError: A column is named for what the model does not read.
        """
        trained = [section.text_columns() for section in predictor.config.datasets.values()]
        sizes = {predictor.model.num_features[task] for task in predictor.outputs_of()}
        if pair is not None and not predictor.takes_pairs:
            raise DataError("--text-pair: the model was trained on single texts, without pairs")
        if features is not None and sizes == {0}:
            raise DataError("--features: the model was trained without features")
        return cls(
            [*trained, TextColumns()], predictor.takes_pairs, sizes != {0}, text, pair, features
        )

    def finds_text(self, found: Collection[str]) -> bool:
        """Returns whether a column with the text is among those of a file."""
        names = [self.text] if self.text is not None else [one.text for one in self.trained]
        return any(name in found for name in names)

    def among(self, found: Sequence[str], where: str) -> tuple[str, str | None, str | None]:
        """Returns the columns of text, second text and features; None = there is none.

        Raises:
            DataError: There is no column with the text, or none of a name that the user gave.
        """
        for option, name in (
            ("--text", self.text), ("--text-pair", self.pair), ("--features", self.features)
        ):  # fmt: skip
            if name is not None and name not in found:
                raise DataError(
                    f"{where}: {option}: there is no column '{name}'; columns found: "
                    f"{', '.join(found)}.{did_you_mean(name, found)}"
                )
        usual = next((one for one in self.trained if one.text in found), None)
        if usual is None and self.text is None:
            names = list(dict.fromkeys(one.text for one in self.trained))
            raise DataError(
                f"{where}: there is no column '{names[0]}'; columns found: {', '.join(found)}; "
                f"--text names the column of the text.{did_you_mean(names[0], found)}"
            )
        usual = usual or self.trained[0]
        pair = self.pair or (usual.pair if self.takes_pairs and usual.pair in found else None)
        numbers = self.features or (
            usual.features if self.takes_features and usual.features in found else None
        )
        return self.text or usual.text, pair, numbers


def is_table(path: Path) -> bool:
    """Returns whether a file has columns, by its suffix."""
    return path.suffix.lower() in (*CSV, *JSON_LINES)


def read_table(path: Path, choice: ColumnChoice) -> Iterator[TextRow]:
    """Yields the rows of a CSV, TSV or JSON-lines file, by its suffix.

    Raises:
        DataError: The file cannot be read, lacks a column, or has a row that does not fit.
    """
    suffix = path.suffix.lower()
    rows = _csv_rows(path, choice) if suffix in CSV else _json_rows(path)
    names: tuple[str, str | None, str | None] | None = None
    for where, row in rows:
        names = names or choice.among(list(row), str(path))
        yield _text_row(row, names, where)
    if names is None:
        raise DataError(f"{path}: expected rows, found none")


def _csv_rows(path: Path, choice: ColumnChoice) -> Iterator[tuple[str, dict[str, object]]]:
    with open_texts(path) as file:
        head = file.peek(BLOCK)[:BLOCK]
        dialect = _dialect(head, choice, Dialect(CSV[path.suffix.lower()]))
        lines = decoded_lines(file, str(path), dialect.encoding)
        yield from _cells(path, lines, dialect, choice)


def _cells(
    path: Path, lines: Iterable[str], dialect: Dialect, choice: ColumnChoice
) -> Iterator[tuple[str, dict[str, object]]]:
    rows = _reader(lines, dialect)
    try:
        names = list(dialect.header or next(rows, []))
        if not names:
            raise DataError(f"{path}: expected a header with the column names, found none")
        _check_names(names, path)
        other = None if choice.finds_text(names) else dialect.other_delimiter(names)
        if other is not None:
            raise DataError(
                f"{path}: its columns are parted by {other!r}; a {path.suffix} file has "
                f"{dialect.delimiter!r}, or what the training data had: make a copy with that"
            )
        for row in rows:
            if row and len(row) != len(names):
                raise DataError(
                    f"{path}:{rows.line_num}: expected {len(names)} columns ({', '.join(names)}), "
                    f"found {len(row)}"
                )
            if row:  # Empty lines are no rows.
                yield f"{path}:{rows.line_num}", dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not CSV: {error}") from error


def _reader(lines: Iterable[str], dialect: Dialect) -> Any:
    csv.field_size_limit(LONGEST)  # of the whole process; its default is less than a line may have
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or '"',
        # For a reader QUOTE_MINIMAL means: quotes are read as quotes; QUOTE_NONE: as text.
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )


def _dialect(head: bytes, choice: ColumnChoice, usual: Dialect) -> Dialect:
    """Returns how a file is written: as a data set of the model, if its first line fits."""
    trained = [one.dialect for one in choice.trained if one.dialect is not None]
    # Text of another encoding is never by chance that of UTF-8, unless it is ASCII.
    marked = marked_encoding(head) or (
        "utf-8" if not head.isascii() and _is_begun(head, "utf-8") else None
    )
    for dialect in (*trained, usual):
        encoding = marked or dialect.encoding
        try:
            # The head may end within a character.
            text = codecs.getincrementaldecoder(encoding)().decode(head)
            cells: list[str] = next(_reader([text.partition("\n")[0]], dialect), [])
        except (UnicodeError, csv.Error):  # Also of a header that has line feeds in quotes.
            continue
        is_headed = dialect.header is None and choice.finds_text(cells)
        if is_headed or (dialect.header is not None and len(cells) == len(dialect.header)):
            return replace(dialect, encoding=encoding)
    return replace(usual, encoding=marked or usual.encoding)


def _is_begun(head: bytes, encoding: str) -> bool:
    """Returns whether a file may be in an encoding; the head of it may end within a character."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return False
    return True


def _check_names(names: Sequence[str], path: Path) -> None:
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise DataError(
            f"{path}: two columns are named '{twice[0]}'; columns found: {', '.join(names)}"
        )


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    with open_texts(path) as file:
        encoding = marked_encoding(file.peek(4)[:4]) or "utf-8"
        for number, line in enumerate(decoded_lines(file, str(path), encoding), start=1):
            if not line.strip():
                continue
            row = parse_json(line, str(path), number)
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected an object, found {line.strip()[:40]}")
            yield f"{path}:{number}", row


def _text_row(
    row: Mapping[str, object], names: tuple[str, str | None, str | None], where: str
) -> TextRow:
    text, pair, features = names
    first = _first(row, text, where)
    numbers: Iterable[object] = ()
    place = f"{where}: column '{features}'"
    value = None if features is None else row.get(features)
    if value is not None:
        numbers = [value] if isinstance(value, int | float) else items_of(value, place)
    return TextRow(
        (first, _text(row, pair, where)) if pair is not None and isinstance(first, str) else first,
        tuple(number_of(item, place) for item in numbers),
        row,
    )


def _first(row: Mapping[str, object], column: str, where: str) -> "str | Turns":
    """Returns the text of a cell, or the dialogue that stands in it."""
    turns = messages_in(row.get(column), f"{where}: column '{column}'")
    if turns is None:
        return _text(row, column, where)
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _text(row: Mapping[str, object], column: str, where: str) -> str:
    """Returns the text of a cell; "" where it is null, and of a list of words the words."""
    if column not in row:
        raise DataError(f"{where}: the row lacks '{column}'; it has {', '.join(row)}")
    value = row[column]
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        value = " ".join(value)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where}: column '{column}': expected a text, found {str(value)[:40]}")
    text = value or ""
    if (half := _HALVES.search(text)) is not None:
        raise DataError(
            f"{where}: column '{column}': half of a surrogate pair, U+{ord(half[0]):04X}"
        )
    return text
