"""Looks at CoNLL files: which column holds the words, which hold tags, and how tags are written."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.data.formats.conll_lines import Sentence, Separator, sentences
from tuning.init.columns import Column
from tuning.init.content import Content
from tuning.init.guess import DatasetGuess, TaskGuess, counted, latin_share, shown
from tuning.init.label_tasks import label_task
from tuning.init.tags import Marks, marks_of

_CHUNKS = {"ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"}
_CONLLU = ("upos", "xpos")
_BLOCKS = re.compile(r"\S[ \t\r]*\n[ \t\r]*\n")
_MOST_TAGS = 300
_MOST_CLASS_NUMBERS = 40


@dataclass(frozen=True, slots=True)
class _TagColumn:
    """A column of tags.

    Attributes:
        name: What it is called.
        place: Its number from 0.
        tags: Tags by sentence.
        marks: How they mark spans.
    """

    name: str
    place: int
    tags: Sequence[Sequence[str]]
    marks: Marks

    @property
    def scheme(self) -> Marks | None:
        """The scheme that has to be said, None = the tags tell it themselves."""
        return self.marks if self.marks in ("iob1", "io", "plain") else None


def conll_guess(contents: Mapping[str, Sequence[Content]]) -> DatasetGuess | None:
    """Returns the data set and tasks of CoNLL columns; None = the files have none.

    Args:
        contents: Split -> the text of its files.
    """
    every = [content for found in contents.values() for content in found]
    if not all(_BLOCKS.search(content.text) for content in every):
        return None  # without empty lines between them there are no sentences
    for separator in ("tab", "whitespace", "comma"):
        by_split = _sentences(contents, separator)
        found = [sentence for part in by_split.values() for sentence in part]
        if len(found) > len(every) and _are_columns(found):
            return _guess(found, _counts(by_split), separator)
    return None


def is_conllu(content: Content) -> bool:
    """Returns whether a file has the ten columns of Universal Dependencies."""
    lines = [line for line in content.text.split("\n")[:2000] if line.strip()]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return bool(rows) and all(len(row) == 10 and re.match(r"\d", row[0]) for row in rows)


def conllu_guess(contents: Mapping[str, Sequence[Content]]) -> DatasetGuess:
    """Returns the data set and tasks of CoNLL-U files, given by split."""
    by_split = _sentences(contents, "tab")
    rows = _counts(by_split)
    found = [sentence for part in by_split.values() for sentence in part]
    whole = [[row for row in sentence.rows if row[0].isdecimal()] for sentence in found]
    words = [[row[1] for row in sentence] for sentence in whole]
    tasks = []
    for name, place in zip(_CONLLU, (3, 4), strict=True):
        tags = [[row[place] for row in sentence] for sentence in whole]
        counts = Counter(tag for row in tags for tag in row)
        if len(counts) > 1:
            seen = f"{len(counts):,} parts of speech: {counted(counts)}"
            settings = {"kind": "tagging", "scheme": "plain", "column": name}
            tasks.append(TaskGuess(name, settings, seen))
    labels, notes = _labels(found)
    notes.append("feats and deprel can be columns of tasks as well")
    return DatasetGuess(
        {"kind": "conllu"}, [*tasks, *labels], rows, list(map(len, words)), _latin(words), notes
    )


def _sentences(
    contents: Mapping[str, Sequence[Content]], separator: Separator
) -> dict[str, list[Sentence]]:
    # Read by the reader itself, so that what counts as a comment or a document is the same.
    return {
        split: [
            sentence
            for content in found
            for sentence in sentences(
                content.path, separator=separator, comment="#", encoding=content.encoding
            )
        ]
        for split, found in contents.items()
    }


def _counts(by_split: Mapping[str, Sequence[Sentence]]) -> dict[str, int]:
    return {split: len(found) for split, found in by_split.items()}


def _are_columns(found: Sequence[Sentence]) -> bool:
    """Returns whether sentences have rows of one width, and a column of tags."""
    widths = Counter(len(row) for sentence in found for row in sentence.rows)
    width, count = widths.most_common(1)[0]
    if width < 2 or count < 0.95 * widths.total():
        return False
    # Words have no spaces in them; cells of tables, whose rows may have empty lines between, do.
    place = _word_place(found)
    words = [row[place] for sentence in found for row in sentence.rows]
    is_words = sum(" " in word.strip() for word in words) < 0.02 * len(words)
    return is_words and len(words) > len(found) and bool(_tag_columns(found, place))


def _guess(
    found: Sequence[Sentence], rows: Mapping[str, int], separator: Separator
) -> DatasetGuess:
    place = _word_place(found)
    columns = _tag_columns(found, place)
    settings: dict[str, object] = {"kind": "conll"}
    settings["columns"] = {column.name: column.place for column in columns}
    if place:
        settings["words"] = place
    if separator != "whitespace":
        settings["separator"] = separator
    schemes = {column.name: column.scheme for column in columns if column.scheme}
    if schemes:
        settings["schemes"] = schemes
    words = [[row[place] for row in sentence.rows] for sentence in found]
    labels, notes = _labels(found)
    used = {place, *(column.place for column in columns)}
    width = len(found[0].rows[0])
    notes += [f"left out: column {number}" for number in range(width) if number not in used]
    tasks = [*map(_task, columns), *labels]
    return DatasetGuess(
        settings, tasks, rows, list(map(len, words)), _latin(words), notes, takes_encoding=True
    )


def _task(column: _TagColumn) -> TaskGuess:
    counts = Counter(tag for row in column.tags for tag in row)
    how = f", written as {column.scheme}" if column.scheme else ""
    seen = f"column {column.place} has {len(counts):,} tags{how}: {counted(counts)}"
    plain: dict[str, object] = {"scheme": "plain"} if column.marks == "plain" else {}
    return TaskGuess(column.name, {"kind": "tagging", **plain, "column": column.name}, seen)


def _word_place(found: Sequence[Sentence]) -> int:
    """Returns the column with the most different values that are no numbers of words."""
    width = min(len(row) for sentence in found for row in sentence.rows)
    best, most = 0, -1
    for place in range(width):
        kinds = len({row[place] for sentence in found for row in sentence.rows})
        # Lemmas are fewer than words; on a tie the first column has the words.
        if kinds > most and not _is_numbered(found, place):
            best, most = place, kinds
    return best


def _is_numbered(found: Sequence[Sentence], place: int) -> bool:
    """Returns whether a column counts the words of each sentence."""
    return all(
        row[place].isdecimal() and int(row[place]) in (number, number + 1)
        for sentence in found[:20]
        for number, row in enumerate(sentence.rows)
    )


def _tag_columns(found: Sequence[Sentence], words: int) -> list[_TagColumn]:
    width = min(len(row) for sentence in found for row in sentence.rows)
    rows = [row for sentence in found for row in sentence.rows]
    most = min(_MOST_TAGS, max(3, len({row[words] for row in rows}) // 2))
    columns: list[_TagColumn] = []
    for place in range(width):
        tags = [[row[place] for row in sentence.rows if len(row) > place] for sentence in found]
        kinds = {tag for row in tags for tag in row}
        if place == words or not 1 < len(kinds) <= most or _is_count(kinds):
            continue
        # What stands at every word of a sentence alike is no tag of words.
        if _is_numbered(found, place) or all(len(set(row)) == 1 for row in tags):
            continue
        marks = marks_of(tags)
        name = _name(kinds, marks)
        taken = sum(column.name.rstrip("_0123456789") == name for column in columns)
        columns.append(_TagColumn(f"{name}_{taken + 1}" if taken else name, place, tags, marks))
    return columns


def _is_count(kinds: set[str]) -> bool:
    """Returns whether a column counts, as the heads of a parse do, and has no class numbers."""
    return all(kind.isdecimal() for kind in kinds) and len(kinds) > _MOST_CLASS_NUMBERS


def _name(kinds: set[str], marks: Marks) -> str:
    if marks == "plain":
        return "tags"
    return "chunks" if {kind[2:] for kind in kinds} & _CHUNKS else "entities"


def _labels(found: Sequence[Sentence]) -> tuple[list[TaskGuess], list[str]]:
    """Returns the tasks on labels in comments, and words on comments that are none."""
    tasks, notes = [], []
    for key in dict.fromkeys(key for sentence in found for key in sentence.comments):
        column = Column(key, [sentence.comments.get(key) for sentence in found])
        task = label_task(column) if column.holds == "label" else None
        if task is not None:
            tasks.append(task)
        else:
            notes.append(f"left out: comment {shown(key)}")
    return tasks, notes


def _latin(words: Iterable[Sequence[str]]) -> float:
    return latin_share([" ".join(row) for row in words])
