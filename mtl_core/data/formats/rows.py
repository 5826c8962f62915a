"""Reading the rows of a file one by one: all bad rows are told at once, the first ten in full."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from mtl_core.data.example import Example
from mtl_core.errors import DataError

T = TypeVar("T")

_MOST_TOLD = 10
"""Bad rows that an error names; whoever mends a file needs to see the kind, not every row."""


def read_rows(rows: Iterable[tuple[str, T]], make: Callable[[T, str], Example]) -> list[Example]:
    """Makes an example of every row of a file; reads to the end, whatever rows are bad.

    Args:
        rows: Place (`file:line`) and content of every row. An error that it raises ends the
            reading; what is wrong with a single row is left to `make`.
        make: Makes an example of the content of a row and its place; raises `DataError` where the
            row is bad.

    Raises:
        DataError: Rows are bad, or have half a surrogate pair in them. Its lines tell the first
            ten, and how many more there are.
    """
    examples: list[Example] = []
    told: list[str] = []
    count = 0
    try:
        for where, row in rows:
            try:
                examples.append(make(row, where))
                check_characters(examples[-1], where)
            except DataError as error:
                count += 1
                if count <= _MOST_TOLD:
                    told += error.lines
    except DataError as error:
        # Of `rows` itself: nothing can be read behind it.
        count, told = count + 1, [*told, *error.lines]
    if count > len(told):
        told.append(f"... and {count - len(told)} more")
    if told:
        raise DataError(*told)
    return examples


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
