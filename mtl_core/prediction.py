"""What a predictor is given and returns: texts, and a `Prediction` for each."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from mtl_core.data.example import Example
from mtl_core.data.formats.text_files import with_whole_characters
from mtl_core.data.layouts.base import Layout
from mtl_core.data.messages import Message, messages_in
from mtl_core.data.words import Cut
from mtl_core.errors import DataError
from mtl_core.printable import printable_json
from mtl_core.scores import only_finite
from mtl_core.tasks.outputs import Output, TextView, to_plain

GUESS = (
    "texts without spaces are cut into the longest words that training had, which is a guess; "
    "better cut them as training was, and say `words: whitespace`"
)
UNFIT = "nothing is written for texts that lack a column of the prompt; rows of a table have them"
"""What a predictor warns of: cuts of texts that nobody is sure of, and prompts without a column."""

Turns = Sequence[Mapping[str, str]]
"""A dialogue: turns, each with `role` and `content`."""

Text = str | tuple[str, str] | Turns
"""A text; with a second sentence, or the context that a question is asked about; or a dialogue."""


class OnText(Protocol):
    """Is told of a text while it is written."""

    def __call__(self, task: str, piece: str, /) -> None:
        """Takes the next piece of what a task writes; the text is all of its pieces, stripped."""


@dataclass(frozen=True, slots=True)
class Prediction(Mapping[str, Output]):
    """What a model says of one text: a mapping from task name to output.

    Attributes:
        text: The text as it was given, of a pair the first.
        text_pair: The second text of a pair, or the context of a question; "" = there was none.
        outputs: Task name -> `Label` (classification), labels (multilabel), `Span`s (tagging),
            a number (regression), `FoundAnswer` (question answering), a text (generation); None
            for a text without words, a question without an answer, and where the text lacks the
            second part, the columns or the features that the task was trained with.
    """

    text: str
    text_pair: str
    outputs: Mapping[str, Output]

    def __getitem__(self, task: str) -> Output:
        return self.outputs[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def to_json(self) -> str:
        """Returns one line of JSON: "text", "text_pair" where there is one, then a key per task."""
        texts = {"text": self.text} | ({"text_pair": self.text_pair} if self.text_pair else {})
        plain = {task: to_plain(output) for task, output in self.outputs.items()}
        line = only_finite({**texts, **plain})
        # Not ASCII alone, so that people can read it; what a terminal would obey is escaped after
        # all.
        return printable_json(json.dumps(line, ensure_ascii=False, allow_nan=False))


@dataclass(frozen=True, slots=True)
class Input:
    """What tasks read of a text; tasks with equal inputs share a pass of the encoder.

    Attributes:
        layout: How rows are made of the text.
        has_second: Whether they read its second part.
        num_features: How many dense numbers they read.
        cut: How the text is cut into words.
        names: What data sets call the text and its second part, for prompts that name columns.
    """

    layout: Layout
    has_second: bool
    num_features: int
    cut: Cut
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A text, and what was said of it so far.

    Attributes:
        text: The text as it was given.
        second: Its second part; "" = there is none.
        features: Its dense numbers, () when none were given.
        outputs: Task name -> output; None until it is known.
        messages: The turns of a dialogue, whose text is that of all of them; () = it is none.
        columns: What else stands in its row: column -> text.
    """

    text: str
    second: str
    features: tuple[float, ...]
    outputs: dict[str, Output]
    messages: tuple[Message, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        text: object,
        features: Sequence[float],
        columns: Mapping[str, object],
        outputs: dict[str, Output],
    ) -> "Row":
        """Reads what a predictor is given; half a surrogate pair becomes U+FFFD.

        Raises:
            DataError: It is neither a text nor a pair of texts nor a dialogue.
        """
        first, second, messages = _parts(text)
        texts = {
            name: with_whole_characters(str(value))
            for name, value in columns.items()
            if isinstance(value, str | int | float)
        }
        return cls(first, second, tuple(features), outputs, messages, texts)

    @property
    def has_second(self) -> bool:
        """Whether it is a pair, or a question with its context."""
        return bool(self.second.strip())

    def view(self, cut: Cut) -> TextView:
        """Returns the text with the places of its words."""
        return TextView(self.text, cut.places(self.text), self.second)

    def example(self, view: TextView, wanted: Input) -> Example:
        """Returns what is encoded of the text, as it was cut for tasks that read the same."""
        parts = (self.text, self.second if wanted.has_second else "")
        named = {
            name: part
            for names in wanted.names
            for name, part in zip(names, parts, strict=True)
            if part
        }
        return Example(
            tuple(self.text[start:end] for start, end in view.words),
            # What the task was not trained on is left out, so that rows look as they did in
            # training.
            second=self.second if wanted.has_second else "",
            features=self.features if wanted.num_features else (),
            labels={**named, **self.columns},
            text=self.text,
            messages=self.messages,
        )


def _parts(text: object) -> tuple[str, str, tuple[Message, ...]]:
    """Returns a text, its second part, "" when there is none, and the turns of a dialogue."""
    if isinstance(text, str):
        return with_whole_characters(text), "", ()
    turns = messages_in(text, "texts")
    if turns is not None:
        turns = tuple(turn._replace(text=with_whole_characters(turn.text)) for turn in turns)
        return "\n".join(turn.text for turn in turns), "", turns
    parts = text if isinstance(text, tuple | list) else ()
    match [with_whole_characters(part) for part in parts if isinstance(part, str)]:
        case [first, second] if len(parts) == 2:
            return first, second, ()
    raise DataError(
        f"texts: expected strings, pairs (text, second) of them, or dialogues, found {text!r}"
    )


def check_numbers(
    features: Sequence[Sequence[float]],
    wanted: Set[int],
    columns: Sequence[Mapping[str, object]],
    *,
    num_texts: int,
) -> None:
    """Refuses dense numbers, or rows of columns, that are not as many as there have to be.

    Args:
        features: The dense numbers of every text; () = there are none.
        wanted: How many numbers the tasks take that say something.
        columns: What else stands in the row of every text; () = nothing.
        num_texts: How many texts there are.

    Raises:
        DataError: They are not as many.
    """
    if columns and len(columns) != num_texts:
        found = len(columns)
        raise DataError(f"columns: expected a row for each of the {num_texts} texts, found {found}")
    # Features are optional as soon as one task does without them: the others then say nothing.
    if not features and (0 in wanted or not wanted):
        return
    sizes = {len(row) for row in features}
    if len(features) != num_texts or len(sizes) > 1 or not sizes <= wanted - {0}:
        allowed = " or ".join(map(str, sorted(wanted - {0}))) or "0"
        raise DataError(
            f"features: the model takes {allowed} numbers for each of the {num_texts} texts; "
            f"found {len(features)} rows of {sorted(sizes)} numbers"
        )
