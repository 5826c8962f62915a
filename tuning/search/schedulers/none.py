"""No trial ends early."""

from typing import Literal

from tuning.search.schedulers.base import Scheduler, SchedulerBase


class NoSchedulerSection(SchedulerBase):
    """Every trial runs all its epochs."""

    kind: Literal["none"] = "none"

    def build(self, max_epochs: int) -> Scheduler:
        """Returns the scheduler of a study, which needs no number of epochs."""
        del max_epochs
        return Scheduler()
