"""A genetic algorithm for many objectives."""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.doubts import conditional_doubts, startup_doubts
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.seeded import Draw


class Nsga3Section(SamplerBase):
    """NSGA-III: as `nsga2`, kept apart along directions of the objectives (Deb and Jain 2014).

    https://doi.org/10.1109/TEVC.2013.2281535, as `optuna.samplers.NSGAIIISampler` has it. For four
    objectives or more. Keys inside of a choice of sections are drawn at random.
    """

    uses_priors: ClassVar[bool] = True
    kind: Literal["nsga3"] = "nsga3"
    population_size: Annotated[int, Field(ge=2)] = 20
    """Trials of a generation; the first one is drawn at random. Failed trials do not count."""
    divisions: PositiveInt = 3
    """Parts of each axis between the directions: the more, the finer the front is covered."""

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says what is drawn at random."""
        yield from startup_doubts(self.kind, self.population_size, trials)
        yield from conditional_doubts(self.kind, space)

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler."""
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.NSGAIIISampler(
                population_size=self.population_size,
                dividing_parameter=self.divisions,
                seed=draw.seed,
            )
