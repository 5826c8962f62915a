"""Asynchronous successive halving; Ray is imported when one is built."""

import logging
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core.section import Section
from tuning.search.schedulers.base import Scheduler

logger = logging.getLogger(__name__)


class AshaSection(Section):
    """Asynchronous successive halving: the worse trials end early (Li et al. 2020).

    https://arxiv.org/abs/1810.05934, in the stopping form of Ray Tune: at every rung a trial goes
    on if it belongs to the best 1 / reduction_factor of those that have come this far.
    """

    kind: Literal["asha"] = "asha"
    grace_epochs: PositiveInt = 1
    """Epochs that every trial runs; the first rung."""
    reduction_factor: Annotated[float, Field(gt=1)] = 3.0
    """Rungs lie this factor apart, and about one trial in so many passes each."""

    def build(self, max_epochs: int) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        # Imported here: study files are also read where no study is run, and Ray takes seconds.
        from ray.tune.schedulers import AsyncHyperBandScheduler

        from tuning.search.schedulers.ray_scheduler import RayScheduler
        from tuning.trainers.tune_values import METRIC, TIME

        if self.grace_epochs >= max_epochs:
            message = "scheduler asha stops no trial: grace_epochs is %d, and trials run %d epochs"
            logger.warning(message, self.grace_epochs, max_epochs)
        halving = AsyncHyperBandScheduler(
            time_attr=TIME,
            metric=METRIC,
            mode="max",
            # Ray refuses a first rung beyond the end; here it only means that none is stopped.
            max_t=max(max_epochs, self.grace_epochs),
            grace_period=self.grace_epochs,
            reduction_factor=self.reduction_factor,
            # A trial ends by itself after its last epoch; stopping it there would call it stopped.
            stop_last_trials=False,
        )
        return RayScheduler(halving)
