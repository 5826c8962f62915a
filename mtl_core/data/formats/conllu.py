"""The format CoNLL-U, of Universal Dependencies."""

from pathlib import Path
from typing import Literal

from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase
from mtl_core.data.formats.conll import check_offered
from mtl_core.data.formats.conll_lines import Sentence, sentences
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U, https://universaldependencies.org/format.html."""


class Conllu(FilesBase):
    """CoNLL-U files of Universal Dependencies; columns `upos`, `xpos`, `feats`, `deprel`, ..."""

    kind: Literal["conllu"] = "conllu"

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        return conllu_examples(path, columns)


def conllu_examples(path: Path, columns: Columns) -> list[Example]:
    """Reads a CoNLL-U file; ranges (3-4) and empty nodes (3.1) are left out.

    Args:
        path: The file.
        columns: The columns to read: those of CoNLL-U hold tags, keys of comments hold labels. A
            sentence lacks a column where all its words have "_" in it.

    Raises:
        DataError: The file cannot be read, is no CoNLL-U, or lacks a column.
    """
    # The package `conllu` parses what no task uses, which takes six times as long, and its errors
    # name neither file nor line.
    found = list(sentences(path, separator="tab", comment="#"))
    keys = {key: "label" for sentence in found for key in sentence.comments}
    check_offered(path, columns, {**keys, **dict.fromkeys(CONLLU, "tags")})
    return read_rows(
        ((f"{path}:{sentence.start}", sentence) for sentence in found),
        lambda sentence, where: _example(sentence, where, path, columns),
    )


def _example(sentence: Sentence, where: str, path: Path, columns: Columns) -> Example:
    for number, row in enumerate(sentence.rows, sentence.start):
        if len(row) != len(CONLLU):
            raise DataError(
                f"{path}:{number}: expected the {len(CONLLU)} columns of CoNLL-U with tabs between "
                f"them, found {len(row)}; `kind: conll` reads other columns"
            )
    # Ids of ranges and empty nodes (3-4, 3.1) are no digits alone.
    rows = [dict(zip(CONLLU, row, strict=True)) for row in sentence.rows if row[0].isdigit()]
    if not rows:
        raise DataError(f"{where}: expected words numbered 1, 2, ...; `kind: conll` needs none")
    labels: dict[str, LabelValue] = {
        key: value for key, value in sentence.comments.items() if key in columns
    }
    for column in (name for name in CONLLU if name in columns):
        tags = tuple(row[column] for row in rows)
        # A word without features has "_", too: among others it is a tag.
        if any(tag != "_" for tag in tags):
            labels[column] = tags
    return Example(tuple(row["form"] for row in rows), labels)
