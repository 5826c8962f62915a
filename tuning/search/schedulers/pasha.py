"""PASHA: successive halving whose top rung rises only while it still changes the ranking."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.training.report import Report
from tuning.search.schedulers.base import Extent, Scheduler, SchedulerBase, Values, combined_alone
from tuning.search.schedulers.promotion import Promotion, promotion_doubts
from tuning.search.schedulers.rungs import grace_doubts, rung_levels
from tuning.trainers.decisions import Decision, GoOn, Pause

Curve = dict[float, float]
"""Progress in epochs, rising -> combined score."""

PERCENTILE = 90
"""Of the differences between runs that only noise tells apart; N in section 4.2 of the paper."""


class PashaSection(SchedulerBase):
    """PASHA: ASHA in the promoting form with a top rung that rises as needed (Bohdal et al. 2023).

    https://arxiv.org/abs/2207.06940: trials run up to the second rung, and further only as long as
    the ranking on the top rung is another one than on the rung below. Scores that differ by no more
    than the noise of the curves do not count as ranked.
    """

    kind: Literal["pasha"] = "pasha"
    grace_epochs: Annotated[float, Field(gt=0)] = 1.0
    """Epochs that every trial runs; the first rung."""
    reduction_factor: Annotated[float, Field(ge=1.1)] = 3.0
    """Rungs lie this factor apart, and about one trial in so many passes each."""

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        del values
        levels = rung_levels(self.grace_epochs, self.reduction_factor, max_epochs)
        return Pasha(levels, self.reduction_factor)

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would end early, or none go on."""
        yield from grace_doubts(self.grace_epochs, extent)
        yield from promotion_doubts(self.reduction_factor, extent)


class Pasha(Scheduler):
    """Pauses runs at every rung, and promotes those below the top rung; see `Promotion`.

    The top rung is the second one at first. It rises by one (algorithm 1 of the paper) when a run
    comes to it that changes the ranking of the rung below; above the last rung, runs go to their
    end. How high it is hangs on the order of the reports. After a restart they are replayed in the
    order in which they came, and it is where it was.
    """

    def __init__(self, levels: tuple[float, ...], factor: float) -> None:
        """Starts without any run; see `rung_levels`."""
        self._promotion = Promotion(levels, factor)
        self._curves: dict[str, Curve] = {}
        self._top = 1
        """The top rung, from 0; the number of rungs where runs go to their end."""
        self._noise = 0.0

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Pause` for a run that comes to a rung."""
        self._curves.setdefault(run_id, {})[report.progress] = report.combined
        rung = self._promotion.place(run_id, report)
        if rung is None:
            return GoOn()
        if rung == self._top and self._is_reranked():
            self._top += 1
        return Pause()

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on next: of the highest rung where one may, the best."""
        return self._promotion.next(below=self._top)

    def last_paused(self) -> str | None:
        """Returns the best run of the highest rung of which the best is paused."""
        return self._promotion.last()

    def forget(self, run_id: str) -> None:
        """Lets a run wait no longer."""
        self._promotion.drop(run_id)

    def describe(self) -> str:
        """Returns where runs stand, and up to where they go."""
        levels = self._promotion.rungs.levels
        top = f"{levels[self._top]:g} epochs" if self._top < len(levels) else "their end"
        waiting, standing = len(self._promotion.waiting), self._promotion.rungs.describe()
        return f"{standing}; {waiting} wait; runs go to {top}; noise {self._noise:.4g}"

    def _is_reranked(self) -> bool:
        """Returns whether the top rung ranks runs otherwise than the rung below did."""
        rungs = self._promotion.rungs
        start = rungs.levels[self._top - 1]
        curves = [curve for curve in self._curves.values() if max(curve) > start]
        measured = noise_of(curves, start)
        if measured is not None:
            self._noise = measured
        above, below = rungs[self._top], rungs[self._top - 1]
        return not same_ranking(_values(above), _values(below), self._noise)


def same_ranking(above: Mapping[str, float], below: Mapping[str, float], noise: float) -> bool:
    """Returns whether runs are ranked alike on two rungs, differences up to `noise` aside.

    Soft ranking (section 4.1 of the paper): whoever has a place on the upper rung must have been
    within `noise`, on the lower one, of the run that had this place there.

    Args:
        above: Run id -> score on the upper rung.
        below: The same on the lower rung; those who do not stand on the upper one do not count.
        noise: At least 0.
    """
    both = [run_id for run_id in above if run_id in below]
    # Equals on the upper rung keep the order of the lower one.
    ranked = sorted(both, key=lambda run_id: (-above[run_id], -below[run_id]))
    before = sorted((below[run_id] for run_id in both), reverse=True)
    return all(
        abs(below[run_id] - value) <= noise for run_id, value in zip(ranked, before, strict=True)
    )


def noise_of(curves: list[Curve], start: float) -> float | None:
    """Returns how far apart scores may lie that only noise tells apart; None if nothing says.

    Section 4.2 of the paper: two curves that cross and cross back have no order of their own. Of
    the distances of such pairs, where both were seen last, it is the 90th percentile.

    Args:
        curves: Of runs that came beyond `start`.
        start: Pairs count that were both seen beyond these epochs.
    """
    pairs = combinations(curves, 2)
    found = (_crossed_back(one, other, start) for one, other in pairs)
    distances = [distance for distance in found if distance is not None]
    import numpy as np

    return float(np.percentile(distances, PERCENTILE)) if distances else None


def _crossed_back(one: Curve, other: Curve, start: float) -> float | None:
    """Returns how far apart two curves are where both were seen last, beyond `start`.

    None unless their order there was once reversed, and the same before that.
    """
    last, has_turned = 0.0, False
    for progress in reversed(one):
        if progress not in other:
            continue
        gap = one[progress] - other[progress]
        if last == 0:
            if gap == 0 or progress <= start:
                return None
            last = gap
        elif gap * last < 0:
            has_turned = True
        elif gap * last > 0 and has_turned:
            return abs(last)
    return None


def _values(standing: Mapping[str, Report]) -> dict[str, float]:
    return {run_id: report.combined for run_id, report in standing.items()}
