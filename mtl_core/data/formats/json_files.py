"""JSON files: SQuAD, character spans, and splits of [text, label] pairs as CLINC150 has them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.data.example import Answer, Example, LabelValue
from mtl_core.data.formats.spans import CharSpan, Overlaps, spans_to_tags
from mtl_core.data.formats.text_files import cut_words, read_json, read_lines, read_text
from mtl_core.errors import DataError


def squad_examples(path: Path) -> list[Example]:
    """Reads a file of SQuAD 1.1 or 2.0; an empty list of answers = there is no answer.

    Raises:
        DataError: It cannot be read, or an answer does not stand in its context.
    """
    examples = []
    for article_number, article in enumerate(_get(read_json(path), "data", list, str(path))):
        where = f"{path}: data[{article_number}]"
        for number, paragraph in enumerate(_get(article, "paragraphs", list, where)):
            place = f"{where}.paragraphs[{number}]"
            context = _get(paragraph, "context", str, place)
            questions = _get(paragraph, "qas", list, place)
            examples += [_question(question, context, place) for question in questions]
    return examples


@dataclass(frozen=True, slots=True)
class SpanKeys:
    """Where the parts of a row stand; keys are joined by dots where objects stand in objects.

    Attributes:
        text: Key of the text.
        spans: Key of the list of spans; a row without it has none.
        start: Key, in a span, of its first character; missing = 0.
        end: Key, in a span, of the character behind it.
        label: Key, in a span, of its type.
    """

    text: str
    spans: str
    start: str
    end: str
    label: str


def span_examples(
    path: Path, columns: Sequence[str], keys: SpanKeys, *, overlaps: Overlaps
) -> list[Example]:
    """Reads a JSON list, or JSON lines, of texts with character spans.

    Args:
        path: The file.
        columns: The columns to read: `spans` for the tags, others are keys of labels.
        keys: Where the parts of a row stand.
        overlaps: What becomes of spans that take the same word.

    Raises:
        DataError: It cannot be read, or a span does not stand in its text.
    """
    examples = []
    for where, row in _rows(path):
        text = _need(row, keys.text, str, where)
        labels: dict[str, LabelValue] = {}
        for column in columns:
            value = _find(row, column)
            if column == "spans":
                found = _find(row, keys.spans)
                found = [] if found is None else _need(row, keys.spans, list, where)
                spans = [_span(span, keys, where) for span in found]
                try:
                    labels["spans"] = spans_to_tags(text, spans, overlaps=overlaps)
                except ValueError as error:
                    raise DataError(f"{where}: {error}") from error
            elif value is not None:
                labels[column] = str(value)
        examples.append(Example(cut_words(text, where), labels))
    missing = [c for c in columns if examples and not any(c in e.labels for e in examples)]
    if missing:
        raise DataError(f"{path}: there is no key '{missing[0]}' in any row")
    return examples


def clinc_examples(path: Path, split: str, *, out_of_scope: bool) -> list[Example]:
    """Reads a split of a file {split: [[text, label], ...]}.

    Args:
        path: The file.
        split: The key of the split.
        out_of_scope: Whether the rows of `oos_<split>` come with it.

    Raises:
        DataError: It cannot be read, or lacks the split.
    """
    content = read_json(path)
    examples = []
    for key in (split, f"oos_{split}") if out_of_scope else (split,):
        for number, row in enumerate(_get(content, key, list, str(path))):
            where = f"{path}: {key}[{number}]"
            if not isinstance(row, list) or [type(cell) for cell in row] != [str, str]:
                raise DataError(f"{where}: expected [text, label], found {_short(row)}")
            examples.append(Example(cut_words(row[0], where), {"intent": row[1]}))
    return examples


def _question(question: Any, context: str, place: str) -> Example:
    where = f"{place}, question '{_get(question, 'id', str, place)}'"
    words = cut_words(_get(question, "question", str, where), where)
    if question.get("answers") is None:
        return Example(words, second=context)
    answers = []
    for answer in _get(question, "answers", list, where):
        text, start = _get(answer, "text", str, where), _get(answer, "answer_start", int, where)
        answers.append(Answer(text, start))
        answers[-1].check(context, where)
    return Example(words, {"answers": tuple(answers)}, second=context)


def _span(span: Any, keys: SpanKeys, where: str) -> CharSpan:
    start = _find(span, keys.start)
    if start is not None and not isinstance(start, int):
        raise DataError(
            f"{where}: expected a whole number at '{keys.start}', found {_short(start)}"
        )
    return CharSpan(start or 0, _need(span, keys.end, int, where),
                    _need(span, keys.label, str, where))  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields place and row of a JSON list or of JSON lines."""
    if read_text(path).lstrip()[:1] == "[":
        for number, row in enumerate(read_json(path)):
            yield f"{path}: row {number + 1}", row
        return
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON: {error.msg}") from error


def _find(row: Any, key: str) -> Any:
    """Returns what stands behind a dotted key; None when it is not there."""
    for part in key.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _need(row: Any, key: str, kind: type, where: str) -> Any:
    value = _find(row, key)
    if not isinstance(value, kind):
        raise DataError(f"{where}: expected a {_NAMES[kind]} at '{key}', found {_short(value)}")
    return value


def _get(row: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(row, dict) or key not in row:
        found = ", ".join(row) if isinstance(row, dict) else _short(row)
        raise DataError(f"{where}: there is no key '{key}'; found {found}")
    if not isinstance(row[key], kind):
        raise DataError(f"{where}: expected a {_NAMES[kind]} at '{key}', found {_short(row[key])}")
    return row[key]


_NAMES: dict[type, str] = {str: "string", int: "whole number", list: "list"}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}..."
