"""The format of CoNLL columns: one word per line, an empty line between sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase
from mtl_core.data.formats.spans import Scheme, to_iob2
from mtl_core.data.formats.text_files import read_lines, words_with_tags
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError, did_you_mean

Separator = Literal["whitespace", "tab"]


class Conll(FilesBase):
    """Columns with one word per line and an empty line between sentences.

    Lines `# key = value` before a sentence are columns too, with one label per sentence. A line
    that starts with the sign of comments is a row all the same, of a hashtag for instance, where it
    has as many columns as the rows of the file (with tabs: any tab) and does not read
    `# key = value`.
    """

    kind: Literal["conll"] = "conll"
    columns: dict[str, int] = Field(default_factory=dict)
    """Name of a column of tags -> its number, from 0, or from the end when negative."""
    words: int = 0
    """Number of the column of the words."""
    schemes: dict[str, Scheme] = Field(default_factory=dict)
    """How a column's tags are written, when not as IOB2: `iob1`, `iobes` (BILOU), `plain`."""
    separator: Separator = "whitespace"
    """What stands between columns."""
    comment: str | None = Field(default="#", min_length=1)
    """What comments in front of a sentence start with; null = there are none."""

    @model_validator(mode="after")
    def _check_schemes(self) -> "Conll":
        for column in self.schemes:
            if column not in self.columns:
                raise ValueError(
                    f"schemes: there is no column '{column}'; columns: "
                    f"{', '.join(self.columns) or 'none'}.{did_you_mean(column, self.columns)}"
                )
        return self

    def read_split(self, source: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        return conll_examples(
            Path(source),
            columns,
            places={**self.columns, "words": self.words},
            schemes=self.schemes,
            separator=self.separator,
            comment=self.comment,
        )


def conll_examples(
    path: Path,
    columns: Columns,
    *,
    places: Mapping[str, int],
    schemes: Mapping[str, Scheme],
    separator: Separator,
    comment: str | None,
) -> list[Example]:
    """Reads a file of CoNLL columns.

    Args:
        path: The file.
        columns: The columns to read: those of `places` hold tags, keys of comments hold labels.
        places: Column name -> its number from 0, or from the end when negative; `words` is there.
        schemes: Column name -> scheme of its tags; default: IOB2.
        separator: What stands between fields.
        comment: What comments start with.

    Raises:
        DataError: The file cannot be read, a column is not there, or a tag is not of its scheme.
    """
    examples = []
    keys: set[str] = set()
    for sentence in sentences(path, separator=separator, comment=comment):
        _check_width(path, sentence, columns, places)
        labels: dict[str, LabelValue] = {}
        for column in columns:
            if column in places:
                tags = [row[places[column]] for row in sentence.rows]
                scheme = schemes.get(column, "iob2")
                labels[column] = _checked(tags, scheme, path, sentence.start)
            elif column in sentence.comments:
                labels[column] = sentence.comments[column]
        keys |= sentence.comments.keys()
        examples.append(Example(tuple(row[places["words"]] for row in sentence.rows), labels))
    # At the end: only the whole file tells which keys its comments have.
    check_offered(path, columns, {**dict.fromkeys(places, "tags"), **dict.fromkeys(keys, "label")})
    return examples


def _check_width(
    path: Path, sentence: "Sentence", columns: Columns, places: Mapping[str, int]
) -> None:
    # The first row stands for all: `sentences` refuses rows of different width.
    width = len(sentence.rows[0])
    for column in ("words", *(name for name in columns if name in places)):
        if not -width <= places[column] < width:
            raise DataError(
                f"{path}:{sentence.start}: there is no column {places[column]} for "
                f"'{column}'; found {width} columns, counted from 0"
            )


def _checked(tags: list[str], scheme: Scheme, path: Path, start: int) -> tuple[str, ...]:
    try:
        return to_iob2(tags, scheme)
    except ValueError as error:
        # `to_iob2` knows no lines: its message begins with the position in the sentence.
        position, _, reason = str(error).partition(": ")
        raise DataError(f"{path}:{start + int(position)}: {reason}") from error


@dataclass(slots=True)
class Sentence:
    """The lines of a sentence.

    Attributes:
        start: Number of its first line of words, from 1.
        rows: Its words' fields.
        comments: Key -> value of its `# key = value` lines.
    """

    start: int = 0
    rows: list[Sequence[str]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


def sentences(path: Path, *, separator: Separator, comment: str | None) -> Iterator[Sentence]:
    """Yields the sentences of a file; -DOCSTART- lines are left out.

    Args:
        path: The file; empty lines end sentences.
        separator: What stands between fields.
        comment: What comments start with, see `_is_comment`; only lines before the first word of
            a sentence are comments. None = there are none.

    Raises:
        DataError: The file cannot be read, or lines of a sentence differ in their number of fields.
    """
    sentence = Sentence()
    lines = read_lines(path)
    # Of tab-separated files each line says by itself what it is.
    width = _width(lines, comment) if comment and separator == "whitespace" else 0
    # The empty line that is added ends the last sentence, whether or not the file has one.
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if sentence.rows:
                yield sentence
                sentence = Sentence()
            continue
        if comment and not sentence.rows and _is_comment(line, comment, separator, width):
            key, equals, value = line[len(comment) :].partition("=")
            if equals:
                sentence.comments[key.strip()] = value.strip()
            continue
        fields: Sequence[str] = line.split("\t") if separator == "tab" else words_with_tags(line)
        if fields[0] == "-DOCSTART-":
            continue
        if sentence.rows and len(fields) != len(sentence.rows[0]):
            raise DataError(
                f"{path}:{number}: expected {len(sentence.rows[0])} columns, as in the lines "
                f"before, found {len(fields)}"
            )
        # Comments stand before: the place of an error in a tag is counted from here.
        sentence.start = sentence.start or number
        sentence.rows.append(fields)


def _width(lines: Sequence[str], comment: str) -> int:
    """Returns the number of fields of the first line that can only be a row; 0 without any."""
    rows = (
        words_with_tags(line) for line in lines if line.strip() and not line.startswith(comment)
    )
    return next((len(fields) for fields in rows if fields[0] != "-DOCSTART-"), 0)


def _is_comment(line: str, comment: str, separator: Separator, width: int) -> bool:
    """Returns whether a line in front of a sentence is a comment.

    A word may begin with the sign, too, as hashtags do: with tabs every line that has one is a
    row, with white space every line that has as many fields as the rows of the file and does not
    read `# key = value`.
    """
    if not line.startswith(comment):
        return False
    if separator == "tab":
        return "\t" not in line
    fields = words_with_tags(line)
    # `# key = value` or `#key = value`; also `# key=value` when the sign stands alone.
    is_setting = "=" in fields or (fields[0] == comment and "=" in "".join(fields[1:2]))
    return len(fields) != width or is_setting


def check_offered(path: Path, columns: Columns, offered: Mapping[str, str]) -> None:
    """Refuses columns that a file does not have, or that hold something else.

    Raises:
        DataError: A column is not offered, or is of another kind.
    """
    for column, kind in columns.items():
        if column not in offered:
            raise DataError(
                f"{path}: there is no column '{column}'; columns found: {', '.join(offered)}."
                f"{did_you_mean(column, offered)}"
            )
        if offered[column] != kind:
            raise DataError(
                f"{path}: column '{column}' holds {COLUMNS[offered[column]].holds}, which the "
                "task's kind cannot use"
            )
