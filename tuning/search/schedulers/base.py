"""The contract of schedulers: after every report, one decides whether the run goes on."""

from mtl_core.training.report import Report
from tuning.trainers.decisions import Decision, GoOn


class Scheduler:
    """Decides on runs, which it knows by their run ids: the same before and after a restart.

    This one stops none; others override `decide`. Calls come per run: `begin`, any number of
    `decide`, and `forget` when it is over. One that paused reports again after `next_paused` has
    named it.

    Nothing of a scheduler is stored. After a restart a new one is shown all reports in the order in
    which they came, and none of the calls of `next_paused` between them: a report of a run that
    paused tells it that the run has gone on. A run that was named and has not reported since is
    then paused once more, and may be named again.
    """

    def begin(self, run_id: str) -> None:
        """A run began, or goes on after a restart."""

    def decide(self, run_id: str, report: Report) -> Decision:
        """Takes note of a report, whose `combined` is finite; returns what becomes of the run."""
        del run_id, report
        return GoOn()

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on now, which counts as running from here on.

        Asked whenever a trainer is free, before a new point is drawn; None = none is to go on now.
        When no run is left and no point either, what is still paused ends as stopped.
        """
        return None

    def forget(self, run_id: str) -> None:
        """A run failed, or is over in another way: it reports no more. Its reports still count."""

    def describe(self) -> str:
        """Returns one line about its state, for logs."""
        return type(self).__name__
