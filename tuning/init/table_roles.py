"""Which column of a table is the text, which are labels, and what tasks that makes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.errors import DataError
from tuning.init.columns import Column
from tuning.init.guess import DatasetGuess, TaskGuess, counted, latin_share, rows_of, shown
from tuning.init.tables import LookedAt
from tuning.init.tags import has_span_tags, tag_lists

_TEXT_NAMES = (
    "text", "sentence", "utterance", "content", "review", "body", "comment", "message", "tweet",
    "post", "document", "description", "question", "query", "premise", "sentence1", "text_a",
    "text1", "question1", "title", "headline", "summary",
)  # fmt: skip
"""Names that columns of texts often have, the likeliest first."""
_PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"), ("text_a", "text_b"), ("text1", "text2"),
    ("question1", "question2"), ("question", "context"), ("question", "passage"),
    ("question", "answer"), ("question", "sentence"), ("query", "document"), ("query", "passage"),
    ("title", "description"), ("title", "text"), ("title", "body"), ("title", "content"),
    ("title", "abstract"), ("headline", "body"), ("subject", "body"),
)  # fmt: skip
"""Names of columns that are read as a pair."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """The columns that are read as text."""

    text: Column
    pair: Column | None


def table_guess(table: LookedAt, rows: Mapping[str, int], where: str) -> DatasetGuess:
    """Returns the data set and tasks that a table offers.

    Args:
        table: Its columns, those of all splits.
        rows: Split -> number of its rows.
        where: The file, for messages.

    Raises:
        DataError: No column holds texts.
    """
    texts = _choose_texts(table.columns, where)
    settings = {**table.settings, "text": texts.text.name}
    notes = list(table.notes)
    if texts.pair is not None:
        settings["text_pair"] = texts.pair.name
        notes.append(f"{texts.text.name} and {texts.pair.name} are read as a pair")
    others = [column for column in table.columns if column not in (texts.text, texts.pair)]
    tasks = _tasks(others, texts, notes)
    separators = {column.separator for column in others if column.holds == "labels"} - {"", ","}
    if separators:
        settings["label_separator"] = min(separators)
    empty = len(texts.text.cells) - len(texts.text.filled)
    if empty:
        settings["on_empty"] = "skip"
        notes.append(f"{rows_of(empty)} without a text, passed over")
    return DatasetGuess(
        settings,
        tasks or [_masked()],
        rows,
        _lengths(texts.text),
        latin_share(texts.text.texts),
        notes,
        takes_encoding=table.takes_encoding,
    )


def _tasks(columns: Sequence[Column], texts: _Texts, notes: list[str]) -> list[TaskGuess]:
    """Returns the tasks on columns; notes which were left out."""
    tags = {column.name: lists for column, lists in _tag_columns(columns, texts.text)}
    tasks: list[TaskGuess] = []
    for column in columns:
        task = _task(column, texts, tags.get(column.name))
        if task is None:
            notes.append(f"left out: {shown(column.name)} ({_why_not(column)})")
        else:
            tasks.append(task)
    # Questions are asked of pieces of their contexts, which no other task can use.
    alone = [task for task in tasks if task.is_alone]
    if alone:
        left = [task for task in tasks if task not in alone]
        notes += [f"left out: {shown(task.name)} (questions stand alone)" for task in left]
    return alone or tasks


def _choose_texts(columns: Sequence[Column], where: str) -> _Texts:
    """Returns the column of the texts, and that of the second ones where there are pairs."""
    by_name = {column.name.strip().lower(): column for column in columns}
    texts = [column for column in columns if column.holds in ("text", "words")]
    # In a small or odd file the texts may look like labels or ids; then the name decides.
    named = [by_name[name] for name in _TEXT_NAMES if name in by_name]
    texts += [c for c in named if c not in texts and c.holds in ("label", "id", "labels")]
    if not texts:
        texts = [column for column in columns if column.holds == "id" and not column.numbers]
    if not texts:
        names = ", ".join(shown(column.name) for column in columns)
        raise DataError(
            f"{where}: no column of texts was found (columns: {names}); write the study file by "
            "hand, see docs/data.md"
        )
    found = {name: column for name, column in by_name.items() if column in texts}
    for first, second in _PAIRS:
        if first in found and second in found:
            return _Texts(found[first], found[second])
    best = next((column for column in named if column in texts), None)
    return _Texts(best or max(texts, key=lambda column: column.mean_words), None)


def _tag_columns(
    columns: Iterable[Column], text: Column
) -> Iterator[tuple[Column, list[list[str]]]]:
    """Yields the columns that have a tag for each word of the text, and their tags."""
    for column in columns:
        lists = tag_lists(column, text)
        if lists:
            yield column, lists


def _task(column: Column, texts: _Texts, tags: list[list[str]] | None) -> TaskGuess | None:
    name = column.name
    if tags is not None:
        is_bio = has_span_tags(tag for row in tags for tag in row)
        scheme: dict[str, object] = {} if is_bio else {"scheme": "plain"}
        counts = counted(_counts(tags))
        seen = f"a tag for each word ({counts})" + ("" if is_bio else "; plain: not spans in BIO")
        return TaskGuess(name, {"kind": "tagging", "column": name, **scheme}, seen)
    match column.holds:
        case "label":
            seen = f"{len(column.counts):,} labels: {counted(column.counts)}"
            other = "; as numbers: kind regression" if column.numbers and not column.names else ""
            return TaskGuess(name, {"kind": "classification", "column": name}, seen + other)
        case "labels":
            seen = f"sets of {len(column.counts):,} labels: {counted(column.counts)}"
            return TaskGuess(name, {"kind": "multilabel", "column": name}, seen)
        case "number":
            low, high = min(column.numbers), max(column.numbers)
            seen = f"numbers from {low:g} to {high:g}; as classes: kind classification"
            return TaskGuess(name, {"kind": "regression", "column": name}, seen)
        case "answers" if texts.pair is not None:
            seen = f"answers to {len(column.filled):,} questions"
            return TaskGuess(
                "answer", {"kind": "question_answering", "column": name}, seen, is_alone=True
            )
        case _:
            return None


def _counts(tags: Iterable[Iterable[str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in tags:
        for tag in row:
            counts[tag] = counts.get(tag, 0) + 1
    return counts


def _why_not(column: Column) -> str:
    """Returns why a column became no task."""
    match column.holds:
        case "nothing":
            return "it is empty"
        case "constant":
            return f"always {shown(column.texts[0])}"
        case "id":
            return "another value in each row"
        case "date":
            return "dates"
        case "numbers":
            return f"lists of numbers; `features: {shown(column.name)}` shows them to the model"
        case "multi-hot":
            return "a 0 or 1 for each label; the file needs a column with the names"
        case "text" | "words":
            return f"more texts; `text_pair: {shown(column.name)}` reads them with the text"
        case _:
            return "no kind of task reads it"


def _masked() -> TaskGuess:
    seen = "no labels: words are masked and guessed; of use beside tasks with labels"
    return TaskGuess("words", {"kind": "masked_lm"}, seen, is_auxiliary=True)


def _lengths(text: Column) -> list[int]:
    return [len(cell) if isinstance(cell, list) else len(str(cell).split()) for cell in text.filled]
