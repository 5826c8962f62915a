"""Where a model errs on dev, task by task: counts of labels, what is taken for what, worst rows.

Kept in the folder of a model, as JSON of bounded size; rows of test are never in it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.model_folder import ERRORS
from mtl_core.number_types import KEPT, Count, Score


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """How often a label was there, was given, and both.

    Attributes:
        label: Its name; of spans their type.
        gold: How often it is right.
        guessed: How often the model gave it.
        right: How often it gave it where it is right.
    """

    __pydantic_config__ = KEPT

    label: str
    gold: Count
    guessed: Count
    right: Count

    @property
    def wrong(self) -> int:
        """How often it was missed, and how often it was given where it is not right."""
        # Misses and wrong guesses: (gold - right) + (guessed - right).
        return self.gold + self.guessed - 2 * self.right

    @property
    def precision(self) -> float:
        """Share of what was given that is right; NaN when it was never given."""
        return self.right / self.guessed if self.guessed else math.nan

    @property
    def recall(self) -> float:
        """Share of what is right that was given; NaN when it is never right."""
        return self.right / self.gold if self.gold else math.nan


@dataclass(frozen=True, slots=True)
class Confused:
    """How often one label was given in the place of another.

    Attributes:
        gold: What is right; None = nothing is there.
        guess: What was given; None = nothing was.
        count: How often.
        note: What else is wrong, such as the borders of a span.
    """

    __pydantic_config__ = KEPT

    gold: str | None
    guess: str | None
    count: Count
    note: str = ""


@dataclass(frozen=True, slots=True)
class RangeErrors:
    """How far numbers are off whose right values lie in a range.

    Attributes:
        low: The range begins here; None = at the lowest number.
        high: It ends before this; None = with the highest number.
        rows: Rows in it.
        mean: Mean of guess minus right number: above 0 where guesses are too high.
        mean_absolute: Mean distance between them.
    """

    __pydantic_config__ = KEPT

    low: float | None
    high: float | None
    rows: Count
    mean: Score
    mean_absolute: Score


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that the model gets wrong.

    Attributes:
        example: Number of the example in its split, from 1.
        text: What the model read, made of its sub-words: cut where the row is cut. Of two parts
            the second stands behind " | ".
        gold: What is right. Of spans and sets of labels what the guess lacks.
        guess: What the model says. Of spans and sets of labels what is not right.
        value: How wrong it is, see `TaskErrors.measure`.
        dataset: Key of its data set.
    """

    __pydantic_config__ = KEPT

    example: Count
    text: str
    gold: str
    guess: str
    value: Score
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class LabelTables:
    """Errors by label.

    Attributes:
        unit: What is counted, such as "label" or "type of spans".
        each: The labels, those with the most errors first.
        confused: What was given in the place of what, the most frequent first. Of spans each one
            that was missed is counted once, and each one that was given where nothing is.
        num_labels: How many labels there are, those included that are not kept.
        num_confused: Likewise.
    """

    __pydantic_config__ = KEPT

    unit: str
    each: tuple[LabelErrors, ...]
    confused: tuple[Confused, ...]
    num_labels: Count
    num_confused: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskErrors:
    """Where a model errs in a task.

    Attributes:
        rows: How many things were looked at.
        unit: What they are: "rows", "questions", "texts".
        wrong: How many of them are not wholly right; None = they are near or far, not right or
            wrong.
        measure: What `value` of a row is; higher = worse.
        worst: The worst rows, the worst first; only such as are wrong.
        labels: Errors by label; None = there are no labels.
        ranges: Errors of numbers, by ranges of the right ones.
    """

    __pydantic_config__ = KEPT

    rows: Count
    unit: str
    measure: str
    wrong: Count | None = None
    worst: tuple[WrongRow, ...] = ()
    labels: LabelTables | None = None
    ranges: tuple[RangeErrors, ...] = ()


Errors = Mapping[str, TaskErrors]
"""Task name -> where the model errs in it; kinds of tasks that do not tell are missing."""

NO_ERRORS: Errors = MappingProxyType({})
"""Of a model that was saved without."""


def write_errors(folder: Path, errors: Errors) -> None:
    """Writes the file of a model folder; where no task tells there is none."""
    if errors:
        write_json(folder / ERRORS, {task: asdict(found) for task, found in errors.items()})


def read_errors(folder: Path) -> Errors:
    """Returns where a model errs, as it was kept; {} where it was not.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = "it is for people alone: remove it, and the report has no errors of the model"
    return read_kept(folder / ERRORS, dict[str, TaskErrors], remedy=remedy) or {}
