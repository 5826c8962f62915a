"""How much is written while a run trains: decoding costs far more than reading a text."""

from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class Writing:
    """How a task writes texts, and for how many examples.

    Attributes:
        decoding: How the next token is chosen.
        generate: How much is written while a run trains.
        examples: For how many labelled examples of each data set an evaluation has texts written;
            None = for all.
    """

    decoding: Decoding
    generate: Generate
    examples: int | None = None

    def for_report(self, number: int, *, is_last: bool) -> "Writing":
        """Returns what is written for a report of a run; the first has number 1."""
        is_due = is_last or (number - 1) % self.generate.every == 0
        return replace(self, examples=self.generate.rows if is_due else 0)
