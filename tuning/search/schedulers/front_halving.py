"""Asynchronous successive halving for several objectives: who goes on, front by front."""

from collections.abc import Callable, Mapping

import numpy as np

from mtl_core.training.report import Report
from tuning.fronts import Values as Points
from tuning.fronts import crowding, front_ranks
from tuning.records import order_of
from tuning.search.schedulers.base import Scheduler, Values
from tuning.search.schedulers.promotion import Promotion
from tuning.search.schedulers.rungs import SLACK, Rungs
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop


class FrontsFirst:
    """Ranks the runs of a rung: front by front, those of a front by their crowding distance."""

    def __init__(self, values: Values, spacing: Callable[[Points], Points] = crowding) -> None:
        """Compares values.

        Args:
            values: Returns what is compared of a report, higher is better.
            spacing: Returns of the points of a front by how much each is to go on before others.
        """
        self._values = values
        self._spacing = spacing

    def keys(self, standing: Mapping[str, Report]) -> dict[str, tuple[int, float]]:
        """Returns run id -> a key, of which the lower one goes on first; equal ones are tied."""
        # In the order of their ids: of equal points the one that was begun first is the first.
        ids = sorted(standing, key=order_of)
        if not ids:
            return {}
        points = np.array([self._values(standing[run_id]) for run_id in ids])
        ranks, spaces = front_ranks(points), np.zeros(len(ids))
        for rank in range(ranks.max() + 1):
            spaces[ranks == rank] = self._spacing(points[ranks == rank])
        pairs = zip(ranks.tolist(), (-spaces).tolist(), strict=True)
        return dict(zip(ids, pairs, strict=True))

    def __call__(self, standing: Mapping[str, Report]) -> list[str]:
        """Returns the run ids of a rung, the best first; of tied ones the one begun first."""
        keys = self.keys(standing)
        return sorted(keys, key=lambda run_id: (keys[run_id], order_of(run_id)))


class StoppingParetoAsha(Scheduler):
    """Stops a run at a rung unless fewer than 1 / factor of those that came there are better.

    The first run of a rung goes on, and nobody waits.
    """

    def __init__(self, levels: tuple[float, ...], factor: float, ranking: FrontsFirst) -> None:
        """Starts without any run; see `rung_levels`."""
        self._rungs = Rungs(levels)
        self._factor = factor
        self._ranking = ranking

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Stop` for a run that comes to a rung and is not among the best there."""
        rung = self._rungs.place(run_id, report)
        if rung is None:
            return GoOn()
        keys = self._ranking.keys(self._rungs[rung])
        better = sum(key < keys[run_id] for key in keys.values())
        # Tied ones go on, as in ASHA: the ends of a front are all at its end.
        going = max(1, int(len(keys) / self._factor + SLACK))
        return GoOn() if better < going else Stop()

    def describe(self) -> str:
        """Returns how many runs stand on each rung."""
        return self._rungs.describe()


class PromotingParetoAsha(Scheduler):
    """Pauses runs at every rung, and lets the best 1 / factor of a rung go on; see `Promotion`."""

    def __init__(self, levels: tuple[float, ...], factor: float, ranking: FrontsFirst) -> None:
        """Starts without any run; see `rung_levels`."""
        self._promotion = Promotion(levels, factor, ranking)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Pause` for a run that comes to a rung."""
        return GoOn() if self._promotion.place(run_id, report) is None else Pause()

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on next: of the highest rung where one may, the best."""
        return self._promotion.next()

    def forget(self, run_id: str) -> None:
        """Lets a run wait no longer."""
        self._promotion.drop(run_id)

    def describe(self) -> str:
        """Returns how many runs stand on each rung, and how many wait."""
        return f"{self._promotion.rungs.describe()}; {len(self._promotion.waiting)} wait"
