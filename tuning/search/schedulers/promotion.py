"""Promotion: runs pause at every rung, and go on when they are among the best that came there."""

from collections.abc import Callable, Iterator, Mapping

from mtl_core.training.report import Report
from tuning.records import order_of
from tuning.search.schedulers.base import Extent
from tuning.search.schedulers.rungs import SLACK, Rungs


def best_first(standing: Mapping[str, Report]) -> list[str]:
    """Returns the run ids of a rung, the best first; of equals the one that was begun first."""
    return sorted(standing, key=lambda run_id: (-standing[run_id].combined, order_of(run_id)))


def promotion_doubts(factor: float, extent: Extent) -> Iterator[str]:
    """Yields why no trial would go on from a rung."""
    if extent.trials < factor:
        yield (
            f"study.scheduler.reduction_factor is {factor:g}, and study.trials is {extent.trials}: "
            f"no trial goes on from the first rung but the default recipe"
        )


class Promotion:
    """Who waits on which rung, and who goes on next (Li et al. 2020, algorithm 2).

    https://arxiv.org/abs/1810.05934: of the runs that stand on a rung, those of the best
    1 / factor may go on which have not yet. Higher rungs come first, and on a rung the best run.

    Who waits, and who may go on, follows from the reports alone, whatever their order: a run that
    has reported beyond a rung went on from it, and one whose last report stands on a rung waits
    there. What a restart forgets is who was promoted but has not reported since: such a run waits
    again, and goes on at once if it is still among the best.
    """

    def __init__(
        self,
        levels: tuple[float, ...],
        factor: float,
        ranking: Callable[[Mapping[str, Report]], list[str]] = best_first,
    ) -> None:
        """Starts without any run.

        Args:
            levels: The rungs, in epochs, rising; see `rung_levels`.
            factor: One run in so many goes on from a rung; above 1.
            ranking: Returns the run ids of a rung, the best first.
        """
        self.rungs = Rungs(levels)
        self.waiting: dict[str, int] = {}
        """Run id -> the rung that it waits on."""
        self._factor = factor
        self._ranking = ranking

    def place(self, run_id: str, report: Report) -> int | None:
        """Takes note of a report; returns the rung, from 0, that its run came to and waits on."""
        if self.rungs.is_new(run_id, report):
            # Whoever comes further does not wait: it was promoted, before a restart for instance.
            self.waiting.pop(run_id, None)
        rung = self.rungs.place(run_id, report)
        if rung is not None:
            self.waiting[run_id] = rung
        return rung

    def next(self, *, below: int | None = None) -> str | None:
        """Returns the run that goes on next, which waits no longer; None when none may.

        Args:
            below: Runs on this rung, from 0, and on higher ones stay. None = on none.
        """
        rungs = range(len(self.rungs) if below is None else min(below, len(self.rungs)))
        for rung in reversed(rungs):
            standing = self.rungs[rung]
            for run_id in self._ranking(standing)[: int(len(standing) / self._factor + SLACK)]:
                if self.waiting.get(run_id) == rung:
                    del self.waiting[run_id]
                    return run_id
        return None

    def last(self) -> str | None:
        """Returns the best run of the highest rung of which the best waits, which waits no longer.

        For the end of a search, when nobody comes any more by whom others would be promoted: so at
        least one run of each rung goes on, as in the synchronous form.
        """
        for rung in reversed(range(len(self.rungs))):
            best = self._ranking(self.rungs[rung])[:1]
            if best and self.waiting.get(best[0]) == rung:
                del self.waiting[best[0]]
                return best[0]
        return None

    def drop(self, run_id: str) -> None:
        """Lets a run wait no longer, since it is gone; where it stands it stays."""
        self.waiting.pop(run_id, None)
