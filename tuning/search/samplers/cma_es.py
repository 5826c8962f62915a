"""Evolution of a normal distribution."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mtl_core.errors import ConfigError
from tuning.records import Value
from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.doubts import conditional_doubts
from tuning.space.parameters import Parameter
from tuning.space.space import Space

if TYPE_CHECKING:
    from cmaes import CMA
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from tuning.search.samplers.seeded import Draw


class CmaEsSection(SamplerBase):
    """CMA-ES: a normal distribution follows the better half of each generation (Hansen 2016).

    https://arxiv.org/abs/1604.00772, of the package `cmaes`. It begins in the middle of every
    range. Options without an order, and what stands inside of a choice of sections, are drawn at
    random. For some hundred trials; of fewer `tpe` makes more.

    Not Optuna's `CmaEsSampler`: that one keeps its state as a pickle in the journal, which could be
    a stranger's code. Here it is made anew for each trial, of all trials with a value in their
    order: each that many are a generation.
    """

    kind: Literal["cma_es"] = "cma_es"
    population_size: Annotated[int, Field(ge=4)] | None = None
    """Trials of a generation; null = 4 + 3 ln(parameters), Hansen's choice."""
    sigma: Annotated[float, Field(gt=0, le=1)] = 1 / 6
    """Standard deviation of the first generation, as a share of each range."""
    uses_priors: ClassVar[bool] = True
    takes_several: ClassVar[bool] = False

    def check(self, space: Space) -> None:
        """Asks for something to evolve.

        Raises:
            ConfigError: No parameter has an order.
        """
        if not _evolving(space):
            raise ConfigError(
                "kind: found 'cma_es', which evolves numbers, and the space has none that every "
                "trial has; allowed here: tpe, random, gp, qmc, grid"
            )

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says so when it stays with its first generation, and what is drawn at random."""
        size = self._evolution(space, 0).population_size
        if size >= trials:
            yield (
                f"study.sampler: cma_es learns from generations of {size} trials, and study.trials "
                f"is {trials}: all of them are of the first one"
            )
        yield from conditional_doubts(self.kind, space)

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns the sampler."""
        from tuning.search.samplers.planned import PlannedSampler

        def plan(study: "Study", trial: "FrozenTrial") -> Mapping[str, Value]:
            del trial
            return self._point(draw, study)

        return PlannedSampler(plan, draw.seed)

    def _point(self, draw: "Draw", study: "Study") -> dict[str, Value]:
        """Returns a draw from the distribution that the trials so far have led to."""
        import numpy as np
        from optuna.trial import TrialState

        parameters = _evolving(draw.space)
        evolution = self._evolution(draw.space, draw.seed)
        told = [
            (
                np.array([one.domain.position(trial.params[one.name]) for one in parameters]),
                -trial.value,  # It minimises.
            )
            for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if trial.value is not None
        ]
        size = evolution.population_size
        for start in range(0, len(told) - size + 1, size):
            evolution.tell(told[start : start + size])
        found = evolution.ask()
        return {one.name: one.domain.at(float(x)) for one, x in zip(parameters, found, strict=True)}

    def _evolution(self, space: Space, seed: int) -> "CMA":
        """Returns the distribution of the first generation, over positions in [0, 1]."""
        import numpy as np
        from cmaes import CMA

        number = len(_evolving(space))
        return CMA(
            np.full(number, 0.5),
            self.sigma,
            bounds=np.tile([0.0, 1.0], (number, 1)),
            # How often a point outside of the bounds is drawn anew, before it is put on one.
            n_max_resampling=10 * number,
            seed=seed,
            population_size=self.population_size,
        )


def _evolving(space: Space) -> list[Parameter]:
    """Returns the parameters with an order that every trial has."""
    return [
        one for one in space.parameters if one.name in space.in_every_point and one.domain.has_order
    ]
