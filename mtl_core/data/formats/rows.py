"""Reading the rows of a file one by one: bad rows are told at once, empty ones may be left out."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Literal, TypeVar

from mtl_core.data.example import Example
from mtl_core.data.formats.text_files import EmptyTextError
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError

T = TypeVar("T")

_EMPTY = "empty"
"""Topic of the notes on rows that were left out."""
_MOST_TOLD = 10
"""Bad rows that an error names; whoever mends a file needs to see the kind, not every row."""


OnEmpty = Literal["error", "skip"]
"""What becomes of a row with an empty text: an error, or it is left out and counted."""


def read_rows(
    rows: Iterable[tuple[str, T]],
    make: Callable[[T, str], Example],
    *,
    on_empty: OnEmpty | None = None,
    notes: SplitNotes | None = None,
) -> list[Example]:
    """Makes an example of every row of a file; reads to the end, whatever rows are bad.

    Args:
        rows: Place (`file:line`) and content of every row. An error that it raises ends the
            reading; what is wrong with a single row is left to `make`.
        make: Makes an example of the content of a row and its place; raises `DataError` where the
            row is bad, `EmptyTextError` where its text is empty.
        on_empty: What becomes of rows with an empty text; None = an error, and no setting helps.
        notes: Hears how many rows were left out; None = nobody listens.

    Raises:
        DataError: Rows are bad, or have half a surrogate pair in them. Its lines tell the first
            ten, and how many more there are; one line tells what is wrong with every row alike.
    """
    examples: list[Example] = []
    bad = _BadRows(on_empty)
    with bad:  # An error of `rows` itself is the last one: nothing can be read behind it.
        for where, row in rows:
            with bad.at(where):
                example = make(row, where)
                check_characters(example, where)
                examples.append(example)
    bad.check(is_every=not examples)
    if notes is not None:
        note_empty(notes, bad.num_empty, bad.num_empty + len(examples))
    return examples


def join_notes(notes: SplitNotes, num_rows: int) -> None:
    """Makes one note of those of all files of a split that rows were left out.

    Args:
        notes: The notes on the split.
        num_rows: Its rows that are not left out.
    """
    counts = [note.count for note in notes.found if note.topic == _EMPTY]
    notes.found = [note for note in notes.found if note.topic != _EMPTY]
    note_empty(notes, sum(counts), sum(counts) + num_rows)


def note_empty(notes: SplitNotes, count: int, of: int) -> None:
    """Notes that rows with an empty text were left out, if there are some."""
    if count:
        text = f"{count:,} of {of:,} rows have an empty text and are left out"
        notes.add(_EMPTY, text, count=count, of=of)


class _BadRows:
    """Keeps the errors of the blocks that it stands around, until `check` raises them as one."""

    def __init__(self, on_empty: OnEmpty | None) -> None:
        self.num_empty = 0
        self._on_empty = on_empty
        self._told: list[str] = []
        self._count = 0
        self._alike: set[str] = set()
        self._place = ""

    def at(self, where: str) -> "_BadRows":
        """Returns itself, to stand around the row at `file:line`."""
        self._place = where
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, EmptyTextError):
            self.num_empty += 1
            if self._on_empty == "skip":
                return True
            if self._on_empty == "error":
                error = DataError(f"{error}; `on_empty: skip` leaves such rows out")
        if not isinstance(error, DataError):
            return False
        self._count += 1
        if self._count <= _MOST_TOLD:
            self._told += error.lines
        if len(self._alike) < 2:
            self._alike.add(self._without_place(str(error)))
        return True

    def _without_place(self, text: str) -> str:
        # An error may be of another line of the same file than its row begins in.
        file = self._place.rpartition(":")[0]
        line, _, rest = text.removeprefix(f"{file}:").partition(": ")
        return rest if line.isdecimal() else text

    def check(self, *, is_every: bool) -> None:
        """Raises the errors as one.

        Args:
            is_every: Whether no row is a good one.
        """
        more = self._count - _MOST_TOLD
        if is_every and self._count > 1 and len(self._alike) == 1:
            raise DataError(f"{self._told[0]} (so in all {self._count:,})")
        if self._count:
            raise DataError(*self._told, *([f"... and {more} more"] if more > 0 else ()))


def check_characters(example: Example, where: str) -> None:
    """Refuses halves of surrogate pairs, which JSON can hold and no tokenizer or terminal takes.

    Raises:
        DataError: A text or label of the example has one; the message begins with `where`.
    """
    texts = [*example.words, example.second]
    for value in example.labels.values():
        texts += [value] if isinstance(value, str) else ()
        texts += [x for x in value if isinstance(x, str)] if isinstance(value, tuple) else ()
    joined = " ".join(texts)
    if joined.isascii():
        return
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        found = f"\\u{ord(joined[error.start]):04x}"
        raise DataError(
            f"{where}: expected text, found half a character ({found}, one of a surrogate pair); "
            f"write the whole character, or \\ufffd for one that is lost"
        ) from error
