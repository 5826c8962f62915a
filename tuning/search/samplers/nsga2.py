"""A genetic algorithm for several objectives."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.doubts import conditional_doubts, startup_doubts
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.seeded import Draw


class Nsga2Section(SamplerBase):
    """NSGA-II: crosses and mutates the trials that no other one beats (Deb et al. 2002).

    https://doi.org/10.1109/4235.996017, as `optuna.samplers.NSGAIISampler` has it. For two or three
    objectives and some hundred trials; of fewer trials `tpe` makes more. Keys inside of a choice of
    sections are drawn at random.
    """

    uses_priors: ClassVar[bool] = True
    kind: Literal["nsga2"] = "nsga2"
    population_size: Annotated[int, Field(ge=2)] = 20
    """Trials of a generation; the first one is drawn at random. Failed trials do not count."""

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says what is drawn at random."""
        yield from startup_doubts(self.kind, self.population_size, trials)
        yield from conditional_doubts(self.kind, space)

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler."""
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.population_size, seed=draw.seed)
