"""The format of CoNLL columns: one word per line, an empty line between sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase
from mtl_core.data.formats.conll_lines import Sentence, Separator, check_width, sentences
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.formats.text_files import Encoding
from mtl_core.data.notes import SplitNotes
from mtl_core.data.schemes import Scheme, TagError, TagReader
from mtl_core.errors import DataError, did_you_mean

_HINT = " `columns: {COLUMN: NUMBER}` gives the number of a column of tags, from 0."


class Conll(FilesBase):
    """Columns with one word per line and an empty line between sentences.

    Lines `# key = value` before a sentence are columns too, with one label per sentence. A line
    that starts with the sign of comments is a row all the same, of a hashtag for instance, where it
    has as many columns as the rows of the file and (but for tabs) does not read `# key = value`.
    """

    kind: Literal["conll"] = "conll"
    columns: dict[str, int] = Field(default_factory=dict)
    """Name of a column of tags -> its number, from 0, or from the end when negative."""
    words: int = 0
    """Number of the column of the words."""
    schemes: dict[str, Scheme] = Field(default_factory=dict)
    """Scheme of a column's tags, where not IOB2 or IOBES (BILOU, BMES), which tell themselves.

    `iob1`; `io` = neighbouring equal tags are one span; `plain` = tags mark no spans.
    """
    separator: Separator = "whitespace"
    """What stands between columns; `comma` as in CSV, with quotes."""
    comment: str | None = Field(default="#", min_length=1)
    """What comments in front of a sentence start with; null = there are none."""
    encoding: Encoding = "utf-8"
    """How the files are written, such as latin-1, where no byte-order mark says so."""

    @model_validator(mode="after")
    def _check_schemes(self) -> "Conll":
        for column in self.schemes:
            if column not in self.columns:
                raise ValueError(
                    f"schemes: there is no column '{column}'; columns: "
                    f"{', '.join(self.columns) or 'none'}.{did_you_mean(column, self.columns)}"
                )
        return self

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        layout = ConllLayout(
            self.columns, self.words, self.schemes, self.separator, self.comment, self.encoding
        )
        return conll_examples(path, columns, layout)


@dataclass(frozen=True, slots=True)
class ConllLayout:
    """How a file of CoNLL columns is written.

    Attributes:
        places: Name of a column of tags -> its number from 0, or from the end when negative.
        words: Number of the column of the words.
        schemes: Column name -> scheme of its tags; default: IOB2, or IOBES where only that fits.
        separator: What stands between fields.
        comment: What comments start with; None = there are none.
        encoding: How the text is written, where no byte-order mark says so.
    """

    places: Mapping[str, int]
    words: int
    schemes: Mapping[str, Scheme]
    separator: Separator
    comment: str | None
    encoding: str


def conll_examples(path: Path, columns: Columns, layout: ConllLayout) -> list[Example]:
    """Reads a file of CoNLL columns.

    Args:
        path: The file.
        columns: The columns to read: those of `layout.places` hold tags, keys of comments labels.
        layout: How the file is written.

    Raises:
        DataError: The file cannot be read, a column is not there, or a tag is not of its scheme.
    """
    found = list(
        sentences(
            path, separator=layout.separator, comment=layout.comment, encoding=layout.encoding
        )
    )
    # Which keys comments have, only the whole file tells.
    keys = {key: "label" for sentence in found for key in sentence.comments}
    offered = {**keys, **dict.fromkeys([*layout.places, "words"], "tags")}
    check_offered(path, columns, offered, hint=_HINT)
    readers = {name: _reader(found, name, layout) for name in layout.places if name in columns}
    return read_rows(
        ((f"{path}:{sentence.start}", sentence) for sentence in found),
        lambda sentence, where: _example(sentence, path, columns, layout, readers),
    )


def _example(
    sentence: Sentence,
    path: Path,
    columns: Columns,
    layout: ConllLayout,
    readers: Mapping[str, TagReader],
) -> Example:
    places = {name: layout.places[name] for name in readers}
    check_width(
        sentence, path, {"words": layout.words, **places}, layout.separator, layout.encoding
    )
    labels: dict[str, LabelValue] = {
        name: value for name, value in sentence.comments.items() if name in columns
    }
    for name, reader in readers.items():
        try:
            labels[name] = reader.read([row[places[name]] for row in sentence.rows])
        except TagError as error:
            raise DataError(f"{path}:{sentence.start + error.position}: {error}") from error
    words = tuple(row[layout.words] for row in sentence.rows)
    if "" in words:
        raise DataError(f"{path}:{sentence.start + words.index('')}: there is no word")
    return Example(words, labels)


def _reader(found: Sequence[Sentence], column: str, layout: ConllLayout) -> TagReader:
    """Returns the reader of a column, for all tags that it has in the file."""
    place = layout.places[column]
    # Rows that are too short are told with their lines, later.
    tags = {row[place] for one in found for row in one.rows if -len(row) <= place < len(row)}
    return TagReader.over(tags, layout.schemes.get(column), column)


def check_offered(
    path: Path, columns: Columns, offered: Mapping[str, str], *, hint: str = ""
) -> None:
    """Refuses columns that a file does not have, or that hold something else.

    Args:
        path: The file.
        columns: The columns that tasks ask for.
        offered: The columns that the file has.
        hint: What the error on a missing column says at its end; COLUMN stands for its name.

    Raises:
        DataError: A column is not offered, or is of another kind.
    """
    for column, kind in columns.items():
        if column not in offered:
            raise DataError(
                f"{path}: there is no column '{column}'; columns found: {', '.join(offered)}."
                f"{did_you_mean(column, offered) or hint.replace('COLUMN', column)}"
            )
        if offered[column] != kind:
            raise DataError(
                f"{path}: column '{column}' holds {COLUMNS[offered[column]].holds}, which the "
                "task's kind cannot use"
            )
