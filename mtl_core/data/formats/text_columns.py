"""How a table of texts looks: the names of its columns, and how a CSV file is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_DELIMITERS = ",;\t|"
"""What parts the columns of nearly all files; not a space or a colon, which stand in names."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        delimiter: What stands between cells; one character.
        quote: What cells are quoted by; None = nothing, a quote is text.
        header: Names of the columns; None = the first line has them.
        encoding: How its text is written, where no byte-order mark says so.
    """

    delimiter: str = ","
    quote: str | None = '"'
    header: Sequence[str] | None = None
    encoding: str = "utf-8"

    def other_delimiter(self, names: Sequence[str]) -> str | None:
        """Returns what parts the columns of a header that was read as a single one, if anything."""
        if self.header is not None or len(names) != 1:
            return None
        counts = Counter(mark for mark in names[0] if mark in _DELIMITERS)
        return max(counts, key=counts.__getitem__, default=None)


@dataclass(frozen=True, slots=True)
class TextColumns:
    """How a table of texts to predict looks, when it looks like a data set.

    Attributes:
        text: Column of the text.
        pair: Column of the second text.
        features: Column of the dense numbers.
        dialect: How a CSV file is written; None = as its suffix says.
    """

    text: str = "text"
    pair: str = "text_pair"
    features: str = "features"
    dialect: Dialect | None = None
