"""What a model predicts for one text: plain values that print and become JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass

from mtl_core.printable import one_line, printable_json, quoted
from mtl_core.scores import only_finite


@dataclass(frozen=True, slots=True)
class TextView:
    """A text with the places of its words, as the predictor read it.

    Attributes:
        text: The text as it was given.
        words: For every word its first character and the one behind its last.
        second: The second sentence of a pair, or the context of a question.
    """

    text: str
    words: Sequence[tuple[int, int]]
    second: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A predicted label and its probability."""

    label: str
    probability: float

    def __str__(self) -> str:
        return f"{one_line(self.label)} ({self.probability:.3f})"


@dataclass(frozen=True, slots=True)
class Span:
    """A tagged piece of the text: `text[start:end]`, in characters of the original."""

    type: str
    start: int
    end: int
    text: str

    def __str__(self) -> str:
        return f"{one_line(self.type)}={quoted(self.text)} [{self.start}:{self.end}]"


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """An answer found in the context, `context[start:end]`, and its share of all answers there."""

    text: str
    start: int
    end: int
    probability: float

    def __str__(self) -> str:
        return f"{quoted(self.text)} [{self.start}:{self.end}] ({self.probability:.3f})"


Output = Label | tuple[Label, ...] | tuple[Span, ...] | FoundAnswer | float | str | None
"""Of classification, multilabel, tagging, question answering, regression and tasks that write.

None stands for a text without words, a question without an answer in its context, and where the
text lacks the second part or the features that the task was trained with.
"""


def to_plain(output: Output) -> object:
    """Returns the output as plain values for JSON."""
    if isinstance(output, tuple):
        return [asdict(item) for item in output]
    return asdict(output) if is_dataclass(output) else output


def to_text(output: Output) -> str:
    """Returns the output as text for people; "-" when there is none."""
    if isinstance(output, tuple):
        return ", ".join(map(str, output)) or "-"
    if isinstance(output, float):
        return f"{output:.4g}"
    if isinstance(output, str):
        return one_line(output)
    return "-" if output is None else str(output)


def to_cell(value: object) -> str:
    """Returns a plain value as a cell: text as it is, nothing as "", all else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return printable_json(json.dumps(only_finite(value), ensure_ascii=False, allow_nan=False))


def named_cells(keys: Mapping[str, str], output: Output) -> dict[str, str]:
    """Returns parts of an output as cells: ending of a column -> key of the part in JSON."""
    plain = to_plain(output)
    parts = plain if isinstance(plain, dict) else {}
    return {ending: to_cell(parts.get(key)) for ending, key in keys.items()}
