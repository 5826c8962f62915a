"""The lines of CoNLL files: sentences of rows with columns, comments in front of them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from mtl_core.data.formats.text_files import read_lines, words_with_tags
from mtl_core.errors import DataError

Separator = Literal["whitespace", "tab", "comma"]
"""What stands between columns; fields of `comma` may be quoted as in CSV."""
_DOCUMENT = "-DOCSTART-"
"""The word of a line that begins a document, and is no sentence."""


@dataclass(slots=True)
class Sentence:
    """The lines of a sentence.

    Attributes:
        start: Number of its first line of words, from 1; the others follow without a gap.
        rows: Its words' fields; of a file that is right as many for each.
        comments: Key -> value of its `# key = value` lines.
    """

    start: int = 0
    rows: list[Sequence[str]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


def check_width(
    sentence: Sentence,
    path: Path,
    places: Mapping[str, int],
    separator: Separator,
    encoding: str | None = None,
) -> None:
    """Refuses rows of a sentence that lack a column, or differ in their number of fields.

    Args:
        sentence: The sentence.
        path: Its file.
        places: Column name -> its number from 0, or from the end when negative.
        separator: What the lines were cut at.
        encoding: How the file is written; see `read_text`.

    Raises:
        DataError: A row is not as it should be; the message says what cuts it better.
    """
    width = len(sentence.rows[0])

    def better(number: int, widths: range) -> str:
        return _better(read_lines(path, encoding)[number - 1], separator, widths)

    for number, row in enumerate(sentence.rows, sentence.start):
        if len(row) != width:
            raise DataError(
                f"{path}:{number}: expected {width} columns, as in the lines before, found "
                f"{len(row)}{better(number, range(width, width + 1))}"
            )
    for column, place in places.items():
        if not -width <= place < width:
            wide = range(place + 1 if place >= 0 else -place, 100)
            numbers = {1: "1 column, 0", 2: "2 columns, 0 and 1"}
            found = numbers.get(width, f"{width} columns, 0 to {width - 1}")
            raise DataError(
                f"{path}:{sentence.start}: there is no column {place} for '{column}'; its line has "
                f"{found}{better(sentence.start, wide)}"
            )


def sentences(
    path: Path, *, separator: Separator, comment: str | None, encoding: str | None = None
) -> Iterator[Sentence]:
    """Yields the sentences of a file; -DOCSTART- lines end them, and are left out.

    Args:
        path: The file; empty lines end sentences.
        separator: What stands between fields.
        comment: What comments start with, see `_is_comment`; only lines before the first word of
            a sentence are comments. None = there are none.
        encoding: How it is written; see `read_text`.

    Raises:
        DataError: The file cannot be read.
    """
    sentence = Sentence()
    lines = read_lines(path, encoding)
    width = _width(lines, comment, separator) if comment else 0
    # The empty line that is added ends the last sentence, whether or not the file has one.
    for number, line in enumerate([*lines, ""], start=1):
        is_row = bool(line.strip())
        if (
            is_row
            and comment
            and not sentence.rows
            and _is_comment(line, comment, separator, width)
        ):
            key, equals, value = line[len(comment) :].partition("=")
            if equals:
                sentence.comments[key.strip()] = value.strip()
            continue
        fields = fields_of(line, separator) if is_row else ()
        if not fields or _DOCUMENT in fields:
            if sentence.rows:
                yield sentence
                sentence = Sentence()
            continue
        # Comments stand before: the place of an error in a row is counted from here.
        sentence.start = sentence.start or number
        sentence.rows.append(fields)


def fields_of(line: str, separator: Separator) -> Sequence[str]:
    """Returns the fields of a line that is not empty."""
    if separator == "tab":
        return line.split("\t")
    if separator == "whitespace":
        return words_with_tags(line)
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return [line]  # told as a row of another width


def _better(line: str, separator: Separator, widths: range) -> str:
    """Returns the end of an error: the separator by which a line has one of the widths, or ""."""
    for other in get_args(Separator):
        if other != separator and len(fields_of(line, other)) in widths:
            return f"; with `separator: {other}` it has {len(fields_of(line, other))}"
    return ""


def _width(lines: Sequence[str], comment: str, separator: Separator) -> int:
    """Returns the number of fields of the first line that can only be a row; 0 without any."""
    rows = (
        fields_of(line, separator)
        for line in lines
        if line.strip() and not line.startswith(comment)
    )
    return next((len(fields) for fields in rows if _DOCUMENT not in fields), 0)


def _is_comment(line: str, comment: str, separator: Separator, width: int) -> bool:
    """Returns whether a line in front of a sentence is a comment.

    A word may begin with the sign, too, as hashtags do: a line is a row all the same where it has
    as many fields as the rows of the file (of a file that has no other rows: where tabs or commas
    part it). Between white space a row does not read `# key = value`.
    """
    if not line.startswith(comment):
        return False
    fields = fields_of(line, separator)
    if separator != "whitespace":
        return len(fields) == 1 or (width > 0 and len(fields) != width)
    # `# key = value` or `#key = value`; also `# key=value` when the sign stands alone.
    is_setting = "=" in fields or (fields[0] == comment and "=" in "".join(fields[1:2]))
    return len(fields) != width or is_setting
