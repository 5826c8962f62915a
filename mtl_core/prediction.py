"""What a predictor is given and returns: texts, and a `Prediction` for each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout
from mtl_core.data.words import Cut
from mtl_core.printable import printable_json
from mtl_core.scores import only_finite
from mtl_core.tasks.outputs import Output, TextView, to_plain

Text = str | tuple[str, str]
"""A text; with a second sentence, or the context that a question is asked about."""


@dataclass(frozen=True, slots=True)
class Prediction(Mapping[str, Output]):
    """What a model says of one text: a mapping from task name to output.

    Attributes:
        text: The text as it was given, of a pair the first.
        text_pair: The second text of a pair, or the context of a question; "" = there was none.
        outputs: Task name -> `Label` (classification), labels (multilabel), `Span`s (tagging),
            a number (regression), `FoundAnswer` (question answering); None for a text without
            words, a question without an answer, and where the text lacks the second part or the
            features that the task was trained with.
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
    """

    layout: Layout
    has_second: bool
    num_features: int
    cut: Cut


@dataclass(frozen=True, slots=True)
class Row:
    """A text, and what was said of it so far.

    Attributes:
        text: The text as it was given.
        second: Its second part; "" = there is none.
        features: Its dense numbers, () when none were given.
        outputs: Task name -> output; None until it is known.
    """

    text: str
    second: str
    features: tuple[float, ...]
    outputs: dict[str, Output]

    @property
    def has_second(self) -> bool:
        """Whether it is a pair, or a question with its context."""
        return bool(self.second.strip())

    def view(self, cut: Cut) -> TextView:
        """Returns the text with the places of its words."""
        return TextView(self.text, cut.places(self.text), self.second)

    def example(self, view: TextView, wanted: Input) -> Example:
        """Returns what is encoded of the text, as it was cut for tasks that read the same."""
        return Example(
            tuple(self.text[start:end] for start, end in view.words),
            # What the task was not trained on is left out, so that rows look as they did in
            # training.
            second=self.second if wanted.has_second else "",
            features=self.features if wanted.num_features else (),
        )
