"""An example: one text as words, with its labels, as every format returns it."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mtl_core.data.messages import Message
from mtl_core.errors import DataError

ColumnKind = str
"""The `kind` of a column class of `mtl_core.data.columns`, by which readers say what they have."""


class Answer(NamedTuple):
    """A right answer to a question: `context[start : start + len(text)]`."""

    text: str
    start: int

    def check(self, context: str, where: str) -> None:
        """Checks that the answer stands in its context.

        Args:
            context: The context.
            where: Place of the answer in the data; the error begins with it.

        Raises:
            DataError: The text of the answer does not stand there, or is empty.
        """
        # The start is checked apart, as a negative one would count from the end of the context.
        found = context[self.start : self.start + len(self.text)]
        if not self.text or self.start < 0 or found != self.text:
            places = [match.start() for match in re.finditer(re.escape(self.text), context)]
            nearest = min(places, key=lambda place: abs(place - self.start), default=None)
            where_else = "nowhere in it" if nearest is None else f"nearest at character {nearest}"
            raise DataError(
                f"{where}: the answer '{self.text}' does not stand at character {self.start} of "
                f"the context; found '{found}', and the answer stands {where_else}"
            )


class CharSpan(NamedTuple):
    """A labelled piece of a text: `text[start:end]`."""

    start: int
    end: int
    label: str


LabelValue = str | float | tuple[str, ...] | tuple[Answer, ...]
"""Label or text; number; a tag per word, a set of labels, replies; answers, none = no answer."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text and its labels, as read from a file.

    Attributes:
        words: The words of the sentence or question; tags are given per word.
        labels: Column name -> value, of the type that its kind of column asks for; a column that
            this row lacks is absent, and the row then trains and scores the other tasks only.
        second: The second sentence of a pair, or the context that a question is asked about.
        features: Extra dense numbers of the sentence, as many in every row.
        text: The running text that the words were cut from; "" = the file has words.
        spans: Column name -> labelled spans of that text, none of which overlap. `cut_texts` makes
            tags of them.
        misfits: How many spans end inside a word. Behind the tags of the words stands one for each.
        messages: The turns of a dialogue, whose words are those of all of them; () = it is none.
    """

    words: tuple[str, ...]
    labels: dict[str, LabelValue] = field(default_factory=dict)
    second: str = ""
    features: tuple[float, ...] = ()
    # Not compared: rows are equal that have the same words.
    text: str = field(default="", compare=False)
    spans: dict[str, tuple[CharSpan, ...]] = field(default_factory=dict)
    misfits: int = 0
    messages: tuple[Message, ...] = ()
