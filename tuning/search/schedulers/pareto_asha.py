"""The section of asynchronous successive halving for several objectives at once."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from tuning.search.schedulers.asha import Form
from tuning.search.schedulers.base import Extent, Scheduler, SchedulerBase, Values, combined_alone
from tuning.search.schedulers.promotion import promotion_doubts
from tuning.search.schedulers.rungs import grace_doubts, rung_levels


class ParetoAshaSection(SchedulerBase):
    """Successive halving by fronts, for several objectives (Schmucker et al. 2021).

    https://arxiv.org/abs/2106.12639: at every rung the best 1 / reduction_factor of the trials that
    have come this far go on, by how many fronts stand before theirs (as NSGA-II sorts), and within
    a front by how far from their neighbours they stand (crowding distance). With one objective it
    is ASHA.
    """

    kind: Literal["pareto_asha"] = "pareto_asha"
    form: Form = "stopping"
    """`stopping` = at a rung a trial goes on at once, or ends for good; `promoting` = it pauses
    there, and goes on when it is among the best that came there, also much later."""
    grace_epochs: Annotated[float, Field(gt=0)] = 1.0
    """Epochs that every trial runs; the first rung."""
    reduction_factor: Annotated[float, Field(ge=1.1)] = 3.0
    """Rungs lie this factor apart, and about one trial in so many passes each."""

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        # Imported here: study files are also read where no study is run.
        from tuning.search.schedulers.front_halving import (
            FrontsFirst,
            PromotingParetoAsha,
            StoppingParetoAsha,
        )

        levels = rung_levels(self.grace_epochs, self.reduction_factor, max_epochs)
        made = PromotingParetoAsha if self.form == "promoting" else StoppingParetoAsha
        return made(levels, self.reduction_factor, FrontsFirst(values))

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would end early, or none go on."""
        yield from grace_doubts(self.grace_epochs, extent)
        if self.form == "promoting":
            yield from promotion_doubts(self.reduction_factor, extent)
