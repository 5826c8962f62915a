"""A study in virtual time: made-up scores, real costs, and the study's own scheduler."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtl_core.training.report import Report
from tuning.records import run_id_of
from tuning.search.schedulers.base import Scheduler
from tuning.trainers.decisions import Pause, Stop


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trial costs.

    Attributes:
        epochs: Its epochs.
        setup: Seconds before its first step.
        epoch: Seconds of an epoch.
    """

    epochs: int
    setup: float
    epoch: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study took.

    Attributes:
        epochs: Of all trials.
        seconds: From its first trial to the end of its last.
        paused: Most trials that were paused at a time.
    """

    epochs: float
    seconds: float
    paused: int


@dataclass(slots=True)
class _Trial:
    id: str
    cost: Cost
    score: float
    reports: int = 0


@dataclass(slots=True)
class VirtualStudy:
    """Runs trials on trainers that are always busy; `run` is called once.

    Attributes:
        scheduler: Decides after each report.
        costs: Of each trial; the first is never stopped.
        trainers: Trials at a time.
        reports_per_epoch: Reports of an epoch.
    """

    scheduler: Scheduler
    costs: Sequence[Cost]
    trainers: int
    reports_per_epoch: int = 1
    _paused: dict[str, _Trial] = field(default_factory=dict)
    _most_paused: int = 0

    def run(self, generator: np.random.Generator, *, drift: float) -> Spent:
        """Returns what the study takes when scores are drawn at random.

        A trial keeps its rank from its first report on: what it costs to tell trials apart that
        change ranks is not in it.

        Args:
            generator: Draws the scores: normal, of deviation 1.
            drift: By how much the last trial is better than the first, in the mean: how much the
                sampler learns.
        """
        scores = generator.normal(size=len(self.costs))
        scores += drift * np.arange(len(self.costs)) / len(self.costs)
        trials = zip(self.costs, scores, strict=True)
        waiting = [_Trial(run_id_of(n), cost, float(s)) for n, (cost, s) in enumerate(trials)][::-1]
        running: list[tuple[float, str, _Trial]] = []
        now = epochs = 0.0
        while True:
            while len(running) < self.trainers and (trial := self._next(waiting, running)):
                heapq.heappush(
                    running, (now + trial.cost.setup + self._part(trial), trial.id, trial)
                )
            if not running:
                return Spent(epochs, now, self._most_paused)
            now, _, trial = heapq.heappop(running)
            epochs += 1 / self.reports_per_epoch
            if self._goes_on(trial):
                heapq.heappush(running, (now + self._part(trial), trial.id, trial))

    def _part(self, trial: _Trial) -> float:
        return trial.cost.epoch / self.reports_per_epoch

    def _next(self, waiting: list[_Trial], running: Sequence[object]) -> _Trial | None:
        """Returns the trial for a free trainer; those that were paused first, as a rule."""
        # In the order of `OptunaSearcher.suggest`: a scheduler may count on it.
        begins_first = bool(waiting) and self.scheduler.waits_for_all
        named = None if begins_first else self.scheduler.next_paused()
        if named is None and not waiting and not running:
            named = self.scheduler.last_paused()
        if named is not None:
            return self._paused.pop(named)
        if not waiting:
            return None
        trial = waiting.pop()
        self.scheduler.begin(trial.id)
        return trial

    def _goes_on(self, trial: _Trial) -> bool:
        trial.reports += 1
        progress = trial.reports / self.reports_per_epoch
        # Also of a last report, and of the recipe that always runs on: others are measured by them.
        decision = self.scheduler.decide(trial.id, _report(trial, progress))
        is_last = progress >= trial.cost.epochs
        wants_pause = isinstance(decision, Pause)
        # As `StudyScheduler` has it: where every run goes on in time, that recipe pauses as well.
        is_kept = trial.id == run_id_of(0) and not (wants_pause and self.scheduler.waits_for_all)
        if wants_pause and not is_kept and not is_last:
            self._paused[trial.id] = trial
            self._most_paused = max(self._most_paused, len(self._paused))
            return False
        goes_on = not is_last and (is_kept or not isinstance(decision, Stop))
        if wants_pause or not goes_on:
            self.scheduler.forget(trial.id)  # Nobody is to wait for it.
        return goes_on


def _report(trial: _Trial, progress: float) -> Report:
    """Returns a report with the score of a trial; curves that rise alike have the same ranks."""
    return Report(
        epoch=max(1, int(np.ceil(progress))),
        number=trial.reports,
        progress=progress,
        step=trial.reports,
        losses={},
        weights={},
        learning_rates={},
        dev={"task": {"score": trial.score}},
        joint_accuracy=trial.score,
        combined=trial.score,
        best_combined=trial.score,
        best_number=trial.reports,
        seconds=0.0,
        sentences_per_second=0.0,
    )
