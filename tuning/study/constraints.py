"""Limits of a study: what a trial has to keep within to be the best."""

from collections.abc import Collection, Iterator, Mapping

from pydantic import Field, PositiveFloat, PositiveInt

from mtl_core.section import Section
from mtl_core.training.objectives.base import Floor, unknown_task
from tuning.goals import FLOORS


class Constraints(Section):
    """What a trial has to keep within; the best is chosen among those that do.

    Samplers that can use constraints (`tpe`, `gp`, `nsga2`, `nsga3`) are told by how much each was
    missed. A trial that misses one is never stopped for that, and stands in all tables.
    """

    parameters: PositiveInt | None = None
    """Most parameters of the whole model, heads and adapters included."""
    trained_parameters: PositiveInt | None = None
    """Most parameters that train, in the epoch in which they are most."""
    ms_per_sentence: PositiveFloat | None = None
    """Most milliseconds of a prediction, the median over batches of dev on the machine of the
    trial; other machines, and others who use it, give other numbers."""
    floors: dict[str, Floor] = Field(default_factory=dict)
    """Task -> least main score on dev."""

    @property
    def limits(self) -> Mapping[str, float]:
        """What is limited -> its limit, as `tuning.goals` has it."""
        plain = self.model_dump(exclude={"floors"}, exclude_none=True)
        return plain | {f"{FLOORS}.{task}": floor for task, floor in self.floors.items()}

    def problems(self, tasks: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yields what does not go with the tasks of a run: the key below it, and a sentence."""
        for name in self.floors:
            if name not in tasks:
                yield ("floors", name), unknown_task(name, tasks)
