"""The format of SQuAD 1.1 and 2.0: questions on contexts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.cells import Cell
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase, TextRowsSection, check_columns
from mtl_core.data.formats.json_files import get_key, sound_rows
from mtl_core.data.formats.rows import OnEmpty, read_rows
from mtl_core.data.formats.text_columns import TextColumns
from mtl_core.data.formats.text_files import EmptyTextError, cut_words
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError, did_you_mean


class Squad(TextRowsSection, FilesBase):
    """Files of SQuAD 1.1 or 2.0, or its rows as on the hub; the column is `answers`."""

    kind: Literal["squad"] = "squad"

    def text_columns(self) -> TextColumns:
        """Returns the columns by the names that the format has for them."""
        return TextColumns("question", "context")

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        check_columns(str(path), columns, {AnswersColumn.kind: AnswersColumn.kind})
        return squad_examples(path, notes, on_empty=self.on_empty)


class _Asked(NamedTuple):
    """A question as it stands, and the context that it is asked about."""

    question: Any
    context: str


def squad_examples(path: Path, notes: SplitNotes, *, on_empty: OnEmpty = "error") -> list[Example]:
    """Reads a file of SQuAD 1.1 or 2.0; an empty list of answers = there is no answer.

    Args:
        path: Articles with paragraphs with questions, below the key `data`; or questions as a JSON
            list or JSON lines, each with its context, as `datasets` writes them.
        notes: Hears how many rows were left out.
        on_empty: What becomes of rows with an empty question or context.

    Raises:
        DataError: The file cannot be read, or an answer does not stand in its context.
    """
    found = [asked for where, row in sound_rows(path) for asked in _questions(row, where)]
    # Of single questions it may not be known whether they have an answer.
    if found and not any(_is_known(asked.question) for _, asked in found):
        objects = (asked.question for _, asked in found if isinstance(asked.question, dict))
        keys = {key: None for question in objects for key in question}
        raise DataError(
            f"{path}: no question has the key 'answers'; found {', '.join(keys)}."
            f"{did_you_mean('answers', keys)}"
        )
    return read_rows(found, _example, on_empty=on_empty, notes=notes)


def _questions(node: Any, where: str) -> Iterator[tuple[str, _Asked]]:
    """Yields place and question of all that stand in a file, an article or a paragraph."""
    for key in ("data", "paragraphs"):
        if isinstance(node, dict) and key in node:
            # What has `data` is the whole file, on its first line or over many.
            where = where.rpartition(":")[0] if key == "data" else where
            for number, child in enumerate(get_key(node, key, list, where)):
                yield from _questions(child, _below(where, key, number))
            return
    if not isinstance(node, dict) or not node.keys() & {"context", "qas", "question"}:
        get_key(node, "data", list, where)  # for its error
    # A row of the hub is a question that has its context itself.
    if "qas" not in node and (missing := {"question", "context"} - node.keys()):
        raise DataError(
            f"{where}: there is no key '{min(missing)}'; found {', '.join(node)}. `kind: jsonl` "
            "takes other names, by `text` and `text_pair`"
        )
    context = get_key(node, "context", str, where)
    if "qas" not in node:
        yield where, _Asked(node, context)
        return
    for number, question in enumerate(get_key(node, "qas", list, where)):
        yield _below(where, "qas", number), _Asked(question, context)


def _below(where: str, key: str, number: int) -> str:
    return f"{where}{'.' if where.endswith(']') else ': '}{key}[{number}]"


def _example(asked: _Asked, where: str) -> Example:
    # Ids are there to find a question again, and tools leave them out.
    number = asked.question.get("id") if isinstance(asked.question, dict) else None
    where = where if number is None else f"{where}, question '{number}'"
    text = get_key(asked.question, "question", str, where)
    words = cut_words(text, where)
    if not asked.context.strip():
        raise EmptyTextError(f"{where}: expected a text at 'context', found an empty one")
    if not _is_known(asked.question):
        return Example(words, second=asked.context, text=text)
    answers = asked.question.get("answers") or []
    cell = Cell(answers, f"{where}, 'answers'", None, "", asked.context)
    labels: dict[str, LabelValue] = {"answers": AnswersColumn.from_cell(cell)}
    return Example(words, labels, second=asked.context, text=text)


def _is_known(question: Any) -> bool:
    """Returns whether a question has answers, or it is known that it has none."""
    if not isinstance(question, dict):
        return False
    return question.get("answers") is not None or question.get("is_impossible") is True
