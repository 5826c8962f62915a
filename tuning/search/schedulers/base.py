"""The contract of schedulers: after every report, one decides whether the run goes on."""

from mtl_core.training.report import Report
from tuning.trainers.decisions import Decision, GoOn


class Scheduler:
    """Decides on runs, which it knows by their run ids: the same before and after a restart.

    This one stops none; others override `decide`. Calls come per run: `begin`, any number of
    `decide`, and `forget` if it failed. After a restart, a run begins again.
    """

    def begin(self, run_id: str) -> None:
        """A run began, or goes on after a restart."""

    def decide(self, run_id: str, report: Report) -> Decision:
        """Takes note of a report, whose `combined` is finite; returns what becomes of the run."""
        del run_id, report
        return GoOn()

    def forget(self, run_id: str) -> None:
        """A run failed, or was taken away before it ran; its reports still count."""

    def describe(self) -> str:
        """Returns one line about its state, for logs."""
        return type(self).__name__
