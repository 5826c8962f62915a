"""Asynchronous HyperBand: brackets of successive halving, some of which stop later than others."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.training.report import Report
from tuning.records import number_of
from tuning.search.schedulers.asha import Form, asha
from tuning.search.schedulers.base import Extent, Scheduler, SchedulerBase, Values, combined_alone
from tuning.search.schedulers.promotion import promotion_doubts
from tuning.search.schedulers.rungs import SLACK, grace_doubts, rung_levels
from tuning.trainers.decisions import Decision


class HyperbandSection(SchedulerBase):
    """HyperBand (Li et al. 2018) with brackets of asynchronous successive halving (Li et al. 2020).

    https://arxiv.org/abs/1603.06560, https://arxiv.org/abs/1810.05934: trials are dealt to brackets
    that begin to stop at grace_epochs, reduction_factor times that, and so on; those of the last
    one all run to their end. So a trial that begins slowly has a chance; that costs more epochs.
    """

    kind: Literal["hyperband"] = "hyperband"
    form: Form = "stopping"
    """As in `asha`, of every bracket."""
    grace_epochs: Annotated[float, Field(gt=0)] = 1.0
    """Epochs that every trial runs; the first rung of the first bracket."""
    reduction_factor: Annotated[float, Field(ge=1.1)] = 3.0
    """Rungs lie this factor apart, and about one trial in so many passes each."""

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        del values
        factor = self.reduction_factor
        # Also one at the end itself, where the last bracket would begin to stop. One that lies just
        # below the end makes no bracket of its own, as in the paper.
        starts = len(rung_levels(self.grace_epochs, factor, max_epochs * (1 + 2 * SLACK)))
        levels = rung_levels(self.grace_epochs, factor, max_epochs)
        brackets = [asha(self.form, levels[start:], factor) for start in range(max(starts, 1))]
        return Hyperband(brackets, bracket_sizes(len(brackets), factor))

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would end early, or none go on."""
        yield from grace_doubts(self.grace_epochs, extent)
        if self.form == "promoting":
            yield from promotion_doubts(self.reduction_factor, extent)


def bracket_sizes(brackets: int, factor: float) -> list[int]:
    """Returns how many trials HyperBand gives to each bracket, the one that stops first leading.

    Line 2 of algorithm 1 of Li et al. (2018), with the budget B = (s_max + 1) R:
    n = ceil((s_max + 1) / (s + 1) * factor^s) for s = s_max, ..., 0.
    """
    return [ceil(brackets / (s + 1) * factor**s) for s in reversed(range(brackets))]


def deal(sizes: Sequence[int], count: int) -> list[int]:
    """Returns the brackets of trials 0, 1, ...: each time the one furthest behind its share.

    After any number of trials each bracket has its share of them, give or take one, where the paper
    fills one bracket after the other: a search may end at any time.

    Args:
        sizes: In which proportion brackets get trials.
        count: Of how many trials.
    """
    dealt, has = [], [0] * len(sizes)
    for number in range(count):
        due = (number + 1) / sum(sizes)
        # The first of equals.
        dealt.append(max(range(len(sizes)), key=lambda one: due * sizes[one] - has[one]))
        has[dealt[-1]] += 1
    return dealt


class Hyperband(Scheduler):
    """Deals runs to brackets by their number, and lets the scheduler of its bracket decide on each.

    A run is in the same bracket before and after a restart; all else is as in its brackets.
    """

    def __init__(self, brackets: Sequence[Scheduler], sizes: Sequence[int]) -> None:
        """Starts without any run.

        Args:
            brackets: A scheduler for each.
            sizes: In which proportion they get runs.
        """
        self._brackets = brackets
        self._sizes = sizes
        self._dealt: list[int] = []

    def begin(self, run_id: str) -> None:
        """Makes the run known in its bracket."""
        self._of(run_id).begin(run_id)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns what its bracket decides."""
        return self._of(run_id).decide(run_id, report)

    def next_paused(self) -> str | None:
        """Returns the next one of the first bracket that has one."""
        found = (bracket.next_paused() for bracket in self._brackets)
        return next((run_id for run_id in found if run_id is not None), None)

    def last_paused(self) -> str | None:
        """Returns the last one of the first bracket that has one."""
        found = (bracket.last_paused() for bracket in self._brackets)
        return next((run_id for run_id in found if run_id is not None), None)

    def forget(self, run_id: str) -> None:
        """Passes on that the run is gone."""
        self._of(run_id).forget(run_id)

    def describe(self) -> str:
        """Returns where each bracket stands."""
        return " | ".join(bracket.describe() for bracket in self._brackets)

    def _of(self, run_id: str) -> Scheduler:
        number = number_of(run_id)
        if number >= len(self._dealt):
            self._dealt = deal(self._sizes, 2 * number + 1)
        return self._brackets[self._dealt[number]]
