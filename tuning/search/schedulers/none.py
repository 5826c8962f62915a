"""No trial ends early."""

from typing import Literal

from tuning.search.schedulers.base import Scheduler, SchedulerBase, Values, combined_alone


class NoSchedulerSection(SchedulerBase):
    """Every trial runs all its epochs."""

    kind: Literal["none"] = "none"

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study, which needs no number of epochs."""
        del max_epochs, values
        return Scheduler()
