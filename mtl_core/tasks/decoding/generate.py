"""How much is written while a run trains: decoding costs far more than reading a text."""

from dataclasses import dataclass

from pydantic import Field

from mtl_core.section import Section
from mtl_core.tasks.decoding.base import Decoding


class Generate(Section):
    """Bounds what is written for the reports of a run; final scores are of all texts.

    Scores that need no written text, such as perplexity, are always over all of dev.
    """

    rows: int | None = Field(default=100, ge=1)
    """Examples of dev that texts are written for, the same in every report; null = all."""
    every: int = Field(default=1, ge=1)
    """Texts are written for the first report of a run, each n-th after it, and the last.

    Reports between have the scores of the texts before, and none of them is a run's best.
    """

    def is_due(self, number: int, *, is_last: bool) -> bool:
        """Returns whether texts are written for a report; the first has number 1."""
        return is_last or (number - 1) % self.every == 0


@dataclass(frozen=True, slots=True)
class Writing:
    """What a task that writes says of how its texts are written.

    Attributes:
        decoding: How the next token is chosen.
        generate: How much is written while a run trains.
    """

    decoding: Decoding
    generate: Generate
