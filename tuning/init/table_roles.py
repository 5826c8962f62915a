"""Which column of a table is the text, which are labels, and what tasks that makes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.errors import DataError
from tuning.init.columns import Column
from tuning.init.groups import split_named
from tuning.init.guess import DatasetGuess, TaskGuess, counted, latin_share, rows_of, shown
from tuning.init.label_tasks import flag_columns, flags_task, have_blanks, label_task
from tuning.init.tables import LookedAt
from tuning.init.tags import marks_of, tag_lists

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
_WORD_NAMES = ("word", "words", "token", "form")
_SAID = ("iob1", "iobes", "io")
"""Schemes that tables have to name."""


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
    tags = {column.name: lists for column, lists in _tag_columns(others, texts.text)}
    tasks = _tasks(others, texts, tags, notes)
    settings |= _label_settings(others, tags, notes)
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


def _label_settings(
    columns: Sequence[Column], tags: Mapping[str, list[list[str]]], notes: list[str]
) -> dict[str, object]:
    """Returns the settings by which labels are read; notes what is done to them."""
    settings: dict[str, object] = {}
    schemes = {name: marks for name, rows in tags.items() if (marks := marks_of(rows)) in _SAID}
    if schemes:
        settings["schemes"] = schemes
    separators = {column.separator for column in columns if column.holds == "labels"} - {"", ","}
    if separators:
        settings["label_separator"] = min(separators)
    if have_blanks(columns):
        settings["labels"] = {"strip": True}
        notes.append("blanks around labels are taken off")
    return settings


def _tasks(
    columns: Sequence[Column],
    texts: _Texts,
    tags: Mapping[str, list[list[str]]],
    notes: list[str],
) -> list[TaskGuess]:
    """Returns the tasks on columns; notes which were left out."""
    flags = flag_columns([column for column in columns if column.name not in tags])
    tasks = [flags_task(flags)] if flags else []
    for column in (column for column in columns if column not in flags):
        task = _task(column, texts, tags.get(column.name))
        if column.holds == "label" and all(map(split_named, column.counts)):
            # A data set has its splits in files of their own.
            notes.append(f"left out: {shown(column.name)} (splits: a file for each is needed)")
        elif task is None:
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
    _check_rows(by_name, where)
    texts = [column for column in columns if column.holds in ("text", "words")]
    # In a small or odd file the texts may look like labels or ids; then the name decides.
    named = [by_name[name] for name in _TEXT_NAMES if name in by_name]
    texts += [
        c for c in named if c not in texts and c.holds in ("label", "id", "labels", "constant")
    ]
    for others in ("label", "id"):
        spelt = [column for column in columns if column.holds == others and not column.numbers]
        # Of labels and texts that come again and again, texts are the longer ones.
        texts = texts or [column for column in spelt if others == "id" or column.mean_words >= 2]
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


def _check_rows(by_name: Mapping[str, Column], where: str) -> None:
    """Refuses tables with a word per row."""
    words = [by_name[name] for name in _WORD_NAMES if name in by_name]
    is_cut = any(word.holds != "words" and word.mean_words < 1.1 for word in words)
    if is_cut and not any(column.holds == "text" for column in by_name.values()):
        raise DataError(
            f"{where}: this looks like a word per row (column '{shown(words[0].name)}'); lines of "
            "word and tag with empty lines between sentences are read by `kind: conll`"
        )


def _tag_columns(
    columns: Iterable[Column], text: Column
) -> Iterator[tuple[Column, list[list[str]]]]:
    """Yields the columns that have a tag for each word of the text, and their tags."""
    for column in columns:
        lists = tag_lists(column, text)
        if lists:
            yield column, lists


def _task(column: Column, texts: _Texts, tags: list[list[str]] | None) -> TaskGuess | None:
    if tags is not None:
        return _tagging(column.name, tags)
    if column.holds == "answers" and texts.pair is not None:
        seen = f"answers to {len(column.filled):,} questions"
        settings = {"kind": "question_answering", "column": column.name}
        return TaskGuess("answer", settings, seen, is_alone=True)
    return label_task(column)


def _tagging(name: str, tags: list[list[str]]) -> TaskGuess:
    counts = counted(Counter(tag for row in tags for tag in row))
    marks = marks_of(tags)
    plain: dict[str, object] = {"scheme": "plain"} if marks in ("plain", "bare") else {}
    seen = f"a tag for each word ({counts})" + ("; plain: they mark no spans" if plain else "")
    return TaskGuess(name, {"kind": "tagging", "column": name, **plain}, seen)


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
        case "text" | "words":
            return f"more texts; `text_pair: {shown(column.name)}` reads them with the text"
        case _:
            return "no kind of task reads it"


def _masked() -> TaskGuess:
    seen = "no labels: words are masked and guessed; of use beside tasks with labels"
    return TaskGuess("words", {"kind": "masked_lm"}, seen, is_auxiliary=True)


def _lengths(text: Column) -> list[int]:
    return [len(cell) if isinstance(cell, list) else len(str(cell).split()) for cell in text.filled]
