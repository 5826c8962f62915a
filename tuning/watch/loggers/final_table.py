"""The final scores of a study as a table, for services: a row per recipe, split and score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FinalRow:
    """A score of a recipe.

    Attributes:
        recipe: Id of its trial, see `FinalRecipe.id`; of a baseline the folder of its study.
        role: "best", "second", "default" or "alone", of a task alone; "" of any other.
        split: "dev" or "test".
        score: Flat name, such as "combined" or "intent/accuracy".
        value: The score; with a final stage the mean over runs with several seeds.
        low: Low end of its 95 % interval; NaN without a final stage.
        high: High end of it.
        runs: How many runs it is the mean of.
    """

    recipe: str
    role: str
    split: str
    score: str
    value: float
    low: float = math.nan
    high: float = math.nan
    runs: int = 1


COLUMNS = FinalRow.__slots__
"""The columns of the table."""


@dataclass(frozen=True, slots=True)
class FinalTable:
    """The final scores of a study.

    Attributes:
        status: How it ended: "complete", or "failed" when no trial reached a score.
        rows: The best recipe first.
    """

    status: str
    rows: tuple[FinalRow, ...]

    @property
    def cells(self) -> list[list[str | float | int | None]]:
        """The rows as plain values in the order of `COLUMNS`; None where there is no number."""
        return [
            [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]
            for cells in ([getattr(row, name) for name in COLUMNS] for row in self.rows)
        ]

    @property
    def metrics(self) -> Mapping[str, float]:
        """Name -> finite number: "test/..." of the best, "default/test/...", "alone/test/..."."""
        prefixes = {"best": "", "default": "default/", "alone": "alone/"}
        return {
            f"{prefixes[row.role]}{row.split}/{row.score}": row.value
            for row in self.rows
            if row.role in prefixes and math.isfinite(row.value)
        }
