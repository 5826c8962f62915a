"""Finds the format of files by their content, and has them looked at."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtl_core.any_path import open_regular
from mtl_core.errors import DataError
from tuning.init.conll import conll_guess, conllu_guess, is_conllu
from tuning.init.content import Content, read_content
from tuning.init.groups import Group
from tuning.init.guess import DatasetGuess
from tuning.init.ready import clinc_guess, json_document, lines_guess, squad_guess
from tuning.init.spans import spans_guess
from tuning.init.table_roles import table_guess
from tuning.init.tables import LookedAt, csv_table, json_rows, parquet_table, row_columns

_OFFICE = {".xls", ".xlsx", ".ods", ".doc", ".docx", ".odt", ".pdf", ".numbers"}

Contents = Mapping[str, Sequence[Content]]
"""Split -> the text of its files."""


def group_guess(group: Group) -> DatasetGuess:
    """Returns the data set and tasks that the files of a group offer.

    Raises:
        DataError: They cannot be read, or hold nothing to learn from; the message says what to do.
    """
    first = group.files["train"][0]
    for path in (path for paths in group.files.values() for path in paths):
        if path.suffix.lower() in _OFFICE:
            raise DataError(f"{path}: not a format that is read here; save it as CSV, in UTF-8")
    if _begins_with(first, b"PAR1"):
        return _parquet(group, first)
    contents = {split: [read_content(p) for p in paths] for split, paths in group.files.items()}
    guess = _json(contents, first) or _columns(contents, first) or lines_guess(contents)
    if guess is None:
        raise DataError(f"{first}: the file is empty")
    return _with_encoding(guess, [c.encoding for found in contents.values() for c in found], first)


def _parquet(group: Group, first: Path) -> DatasetGuess:
    paths = [path for found in group.files.values() for path in found]
    table = parquet_table(paths)
    counts = {
        split: len(parquet_table(found).columns[0].cells) for split, found in group.files.items()
    }
    return table_guess(table, counts, str(first))


def _json(contents: Contents, first: Path) -> DatasetGuess | None:
    every = [content for found in contents.values() for content in found]
    documents = {
        split: [json_document(content) for content in found] for split, found in contents.items()
    }
    if not any(re.match(r"\s*[\[{]", content.text) for content in every):
        return None
    files = {split: [content.path for content in found] for split, found in contents.items()}
    guess = (
        squad_guess(documents) or clinc_guess(documents["train"][0], first) or spans_guess(files)
    )
    if guess is not None:
        return guess
    rows = json_rows(every)
    if rows is None:
        if documents["train"][0] is not None:
            raise DataError(
                f"{first}: JSON, but neither a list or lines of objects nor SQuAD; "
                "docs/data.md lists what is read"
            )
        return None
    counts = {split: len(json_rows(found) or ()) for split, found in contents.items()}
    table = LookedAt(row_columns(rows), {"kind": "jsonl"})
    return table_guess(table, counts, str(first))


def _columns(contents: Contents, first: Path) -> DatasetGuess | None:
    """Returns what files with columns offer; None = they have none."""
    every = [content for found in contents.values() for content in found]
    if is_conllu(every[0]):
        return conllu_guess(contents)
    guess = conll_guess(contents)
    if guess is not None:
        return guess
    table = csv_table(every)
    if table is None:
        return None
    counts = {}
    for split, found in contents.items():
        part = csv_table(found)
        counts[split] = len(part.columns[0].cells) if part else 0
    return table_guess(table, counts, str(first))


def _with_encoding(
    guess: DatasetGuess, encodings: Sequence[str | None], first: Path
) -> DatasetGuess:
    """Returns the data set with its encoding, where that has to be said.

    Raises:
        DataError: The files differ in it, or the format is UTF-8 only.
    """
    said = {encoding for encoding in encodings if encoding is not None}
    if not said:
        return guess
    encoding = min(said)
    if len({*encodings}) > 1 or not guess.takes_encoding:
        raise DataError(f"{first}: the encoding looks like {encoding}; save all files as UTF-8")
    note = (
        f"the encoding looks like {encoding}; if letters with accents come out wrong, name another"
    )
    return replace(
        guess,
        settings={**guess.settings, "encoding": encoding},
        notes=[*guess.notes, note],
    )


def _begins_with(path: Path, start: bytes) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(len(start)) == start
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
