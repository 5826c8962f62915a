"""Every point of a grid, once."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core.errors import ConfigError
from tuning.records import Value
from tuning.search.samplers.base import SamplerBase
from tuning.space.grid import every_point
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from tuning.search.samplers.past import Look
    from tuning.search.samplers.seeded import Draw

_MOST_POINTS = 10_000


class GridSection(SamplerBase):
    """Every combination of values once, in random order; then the study ends.

    Of a choice and of a range with steps all values, of any other range `points` of them. What
    stands inside of a choice of sections is varied where that section is chosen. Points that were
    given (trial 0, points to try first) are not repeated. Not Optuna's `GridSampler`, which knows
    of no sections.
    """

    kind: Literal["grid"] = "grid"
    points: Annotated[int, Field(ge=2)] | None = None
    """Values of each range without steps, evenly spaced on its scale, both ends included."""

    def look(self, space: Space) -> "Look":
        """Returns what is shown: all trials, whose points are not repeated."""
        del space
        return list

    def check(self, space: Space) -> None:
        """Asks for a grid that is not too large.

        Raises:
            ConfigError: It has more points than anybody can try, or a range without any.
        """
        for one in space.parameters if self.points is None else ():
            if one.domain.count is None:
                raise ConfigError(
                    f"points: expected a number of at least 2, since search.{one.name} is a range "
                    "without steps"
                )
        if len(self.every_point(space)) > _MOST_POINTS:
            raise ConfigError(
                f"kind: the grid has more than {_MOST_POINTS:,} points; expected fewer: lower "
                "points, or take keys or values out of search"
            )

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says so when points are left out."""
        count = len(self.every_point(space))
        if trials < count:
            yield (
                f"study.sampler: the grid has {count} points, and study.trials is {trials}: the "
                "others are not tried"
            )

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns the sampler."""
        import numpy as np

        from tuning.search.samplers.planned import PlannedSampler

        def plan(study: "Study", trial: "FrozenTrial") -> Mapping[str, Value]:
            others = study.get_trials(deepcopy=False)
            tried = [one.params for one in others if one.number != trial.number]
            points = self.every_point(draw.space)
            # The seed of the study: all its trials go by one order.
            order = np.random.default_rng(draw.study_seed).permutation(len(points))
            return next((points[at] for at in order if points[at] not in tried), {})

        return PlannedSampler(plan, draw.seed)

    def every_point(self, space: Space) -> list[dict[str, Value]]:
        """Returns the grid, without what is beyond its largest size."""
        return list(islice(every_point(space, self.points), _MOST_POINTS + 1))
