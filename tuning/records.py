"""The record of a trial, and the rules by which trials are named, ordered and ranked."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mtl_core.training.decoded import Decoded, Taken
from mtl_core.training.report import Report, best_report

Value = str | int | float | bool | None
"""A sampled scalar."""

Status = Literal["running", "paused", "complete", "stopped", "failed", "interrupted"]
"""`paused` = waits until the scheduler lets it go on; `stopped` = ended early by the scheduler;
`complete` = ran all its epochs; `interrupted` = its driver is gone, and the study goes on with
it."""

ENDED: tuple[Status, ...] = ("complete", "stopped", "failed")
"""The statuses of trials that never go on."""


EndedBy = Literal["trials", "hours", "total_epochs", "patience", "sampler"]
"""What ended a search: a limit in the `study` section, or a sampler that has no more points."""

DEFAULT_ID = "0000"
"""Run id of trial 0, the study file's own recipe."""


DECODED = "+decoding"
"""Behind the run id of a trial: its model as it is decoded with settings that were found for it."""


def run_id_of(number: int) -> str:
    """Returns the run id of a trial, for instance "0007" of the one with number 7."""
    return f"{number:04d}"


def number_of(run_id: str) -> int:
    """Returns the number of the trial with this run id.

    Raises:
        ValueError: It is the run id of something else.
    """
    return int(run_id)


def is_trial_id(run_id: str) -> bool:
    """Returns whether a run id is that of a trial.

    Runs that are none have ids with a "/", for instance "final/0007/seed-1".
    """
    return "/" not in run_id


def called(run_id: str) -> str:
    """Returns "trial 0007", or "run final/0007/seed-1" of a run that is no trial."""
    return f"{'trial' if is_trial_id(run_id) else 'run'} {run_id}"


def order_of(run_id: str) -> tuple[int, str]:
    """Returns a key that sorts run ids, trials in the order in which they were begun."""
    # After "9999" comes "10000", which as a text alone would stand before it.
    return len(run_id), run_id


Recipe = tuple[Mapping[str, object], Mapping[str, Value]]
"""What a trial is trained with: overrides, and the parameters that it is shown with."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """That a trial went on from the checkpoint of another.

    Attributes:
        number: Its last report before that.
        donor: Run id of the other.
        before: What it was trained with up to there.
    """

    number: int
    donor: str
    before: Recipe


def present_recipe(
    drawn: Recipe, told: Iterable[Mapping[str, Any]]
) -> tuple[Recipe, tuple[TakenOver, ...]]:
    """Returns what a trial is trained with now, and what it has taken over.

    Args:
        drawn: What it began with.
        told: What the journal tells of each time, oldest first: number, donor, and the overrides
            and parameters from there on.
    """
    recipe, found = drawn, []
    for one in told:
        found.append(TakenOver(one["number"], one["donor"], recipe))
        recipe = one["overrides"], one["parameters"]
    return recipe, tuple(found)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study, or another run of it that is recorded alike.

    Attributes:
        id: Run id, for instance "0007"; see `is_trial_id` for runs that are no trials.
        status: Where the trial stands.
        parameters: Dotted key of `run` -> value in effect. A key of a section that this trial did
            not choose (conditional space) is absent.
        overrides: What replays the trial: dotted key -> value, sections as {"kind": ..., ...}.
        reports: All of them, oldest first.
        seconds: Wall time of what they report.
        error: Last line of the traceback of a failed trial.
        taken_over: From which trials it took over a checkpoint, oldest first; parameters and
            overrides are those since the last time.
    """

    id: str
    status: Status
    parameters: dict[str, Value]
    overrides: dict[str, object]
    reports: tuple[Report, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    taken_over: tuple[TakenOver, ...] = ()

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial of the search; else a run of a later stage."""
        return is_trial_id(self.id)

    @property
    def has_ended(self) -> bool:
        """Whether it never goes on."""
        return self.status in ENDED

    @property
    def progress(self) -> float:
        """Epochs that it has run, as far as it has reported."""
        return self.reports[-1].progress if self.reports else 0.0

    @property
    def best(self) -> Report | None:
        """The report with the highest `combined` on all of dev; see `best_report`."""
        return best_report(self.reports)

    @property
    def best_on_sample(self) -> Report | None:
        """The best report on a sample of dev; says nothing beside scores on all of it."""
        return best_report(self.reports, is_sample=True)

    @property
    def decoded(self) -> Decoded | None:
        """What was found on its model without training; None = nothing was searched."""
        return self.reports[-1].decoded if self.reports else None

    @property
    def taken(self) -> Taken | None:
        """The settings of decoding that took the place of its recipe's own, if any did."""
        return self.decoded.taken if self.decoded is not None else None

    @property
    def scored_as(self) -> str:
        """What its scores on test are known by: those with its recipe's own settings by its id."""
        return self.id if self.taken is None else f"{self.id}{DECODED}"

    @property
    def as_trained(self) -> "TrialRecord":
        """The same trial with its recipe's own settings of decoding."""
        if self.decoded is None:
            return self
        *before, last = self.reports
        return replace(self, reports=(*before, replace(last, decoded=None)))

    @property
    def recipe(self) -> Recipe:
        """What it is trained with."""
        return self.overrides, self.parameters

    @property
    def best_recipe(self) -> Recipe:
        """What it was trained with up to its best report, which is the present recipe mostly."""
        number = self.best.number if self.best is not None else math.inf
        earlier = (one.before for one in self.taken_over if number <= one.number)
        return next(earlier, self.recipe)


def rank(record: TrialRecord) -> tuple[bool, bool, float, tuple[int, str]]:
    """Returns a key that sorts trials, the best first, failed ones last, the earlier of equals.

    A trial that was scored on a sample of dev alone stands behind all that were scored on all of
    it, whatever the numbers: few rows may flatter it.
    """
    best = record.best or record.best_on_sample
    score = best.combined if best is not None else -math.inf
    # Keys sort from low to high, so the score is negated; the run id decides between equals, alike
    # in every session.
    return record.status == "failed", record.best is None, -score, order_of(record.id)


def keys_of_all(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Returns the keys of all mappings, each once, in order of first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
