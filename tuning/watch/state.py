"""What is known of a study that runs, in one place: displays render it, `status.json` holds it."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuning.goals import Goal
from tuning.records import TrialRecord, order_of
from tuning.trainers.messages import TrainerStatus
from tuning.watch.queue import Queue
from tuning.watch.watcher import Watcher

_ENOUGH_ENDED = 3
"""Ended trials from which on their mean length stands for that of the trials to come."""

_EVALUATION = 1.1
"""An epoch takes about this many times its training, before the first has ended."""

_LEAST_SECONDS = 5.0
"""Of training, before its speed says anything: first steps are slow."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a study will still take; see `StudyState._estimate` for how it is reckoned.

    Attributes:
        seconds: From now to the end of the search.
        is_bound: Whether it is an upper bound: too few trials have ended to know how many are
            stopped early, or some are paused, so all are taken to run to their end.
    """

    seconds: float
    is_bound: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search is to do.

    Attributes:
        trials: In all; 0 before the search.
        epochs: Of a full trial.
        trainers: Trials at a time.
        goal: By what trials are compared.
    """

    trials: int = 0
    epochs: int = 0
    trainers: int = 0
    goal: Goal = field(default_factory=Goal)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A study at a moment; it stays as it is while the study goes on.

    Attributes:
        name: Of the study.
        stage: What it is doing.
        seconds: Since the command began.
        plan: The search.
        trainers: What each trainer does.
        unfinished: Trials that run or are paused, in the order in which they were begun; behind
            them other runs, such as those of the final stage.
        ranked: Trials that ended, best first.
        estimate: How long it will take; None as long as nobody can tell.
    """

    name: str
    stage: str
    seconds: float
    plan: Plan
    trainers: Sequence[TrainerStatus]
    unfinished: Sequence[TrialRecord]
    ranked: Sequence[TrialRecord]
    estimate: Estimate | None

    @property
    def goal(self) -> Goal:
        """By what trials are compared."""
        return self.plan.goal

    @property
    def trials(self) -> int:
        """Trials in all; 0 before the search."""
        return self.plan.trials

    @property
    def ended(self) -> int:
        """Trials that ended."""
        return len(self.ranked)

    @property
    def running(self) -> list[TrialRecord]:
        """Trials and other runs that run, in the order in which they were begun."""
        return [record for record in self.unfinished if record.status == "running"]

    @property
    def paused(self) -> list[TrialRecord]:
        """Trials that are paused, in the order in which they were begun."""
        return [record for record in self.unfinished if record.status == "paused"]

    @property
    def epochs(self) -> int:
        """Epochs of a full trial."""
        return self.plan.epochs

    @property
    def best(self) -> TrialRecord | None:
        """The best trial so far, also one that has not ended."""
        return self.goal.best(self._trials)

    @property
    def front(self) -> list[str]:
        """Ids of the trials that no other beats in all objectives; [] with one objective."""
        return [record.id for record in self.goal.front(self._trials)]

    @property
    def _trials(self) -> list[TrialRecord]:
        return [*self.ranked, *(record for record in self.unfinished if record.is_trial)]

    def status_of(self, record: TrialRecord) -> TrainerStatus | None:
        """Returns the status of the trainer that works on a trial."""
        return next((one for one in self.trainers if one.job == record.id), None)


class StudyState(Watcher):
    """Remembers what happened; any thread may take a snapshot.

    It comes first among the watchers of a study: displays and `status.json` read from it what they
    show, and would else be one event behind.
    """

    def __init__(self, name: str) -> None:
        """Starts the clock of the study `name`."""
        self._lock = threading.Lock()
        self._name = name
        self._start = time.monotonic()
        self._stage = ""
        self._plan = Plan()
        self._records: dict[str, TrialRecord] = {}
        self._queue = Queue()
        self._trainers: Sequence[TrainerStatus] = ()

    def rename(self, name: str) -> None:
        """Gives the study the name that its file turned out to have."""
        with self._lock:
            self._name = name

    def stage(self, text: str) -> None:
        """Notes the stage."""
        with self._lock:
            self._stage, self._queue = text, Queue()

    def aimed(self, goal: Goal) -> None:
        """Notes by what trials are compared."""
        with self._lock:
            self._plan = replace(self._plan, goal=goal)

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Notes the size of the search."""
        with self._lock:
            # Without the trials that an earlier session left running: they wait until they begin.
            self._plan = Plan(trials, epochs, trainers, self._plan.goal)
            self._records = {record.id: record for record in ended}
            # Baselines may have come first.
            self._queue = Queue()
            self._stage = "searching"

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Notes the runs of a stage."""
        with self._lock:
            self._queue = Queue(tuple(run_ids), {record.id: record for record in ended})

    def began(self, record: TrialRecord) -> None:
        """Notes a running trial."""
        self._note(record)

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Notes what the trainers do."""
        with self._lock:
            self._trainers = trainers

    def reported(self, record: TrialRecord) -> None:
        """Notes a trial's newest scores."""
        self._note(record)

    def paused(self, record: TrialRecord) -> None:
        """Notes a paused trial."""
        self._note(record)

    def ended(self, record: TrialRecord) -> None:
        """Notes an ended trial."""
        self._note(record)

    def snapshot(self) -> Snapshot:
        """Returns where the study stands now."""
        # Displays ask from threads of their own, while the study writes. The estimate is made under
        # the lock as well, so that it fits the records beside it.
        with self._lock:
            records = dict(self._records)
            return Snapshot(
                name=self._name,
                stage=self._stage + self._queue.told,
                seconds=time.monotonic() - self._start,
                plan=self._plan,
                trainers=self._trainers,
                unfinished=sorted(
                    (r for r in records.values() if not r.has_ended), key=lambda r: order_of(r.id)
                )
                + self._queue.running,
                ranked=self._plan.goal.ranked(r for r in records.values() if r.has_ended),
                estimate=self._estimate(records),
            )

    def _note(self, record: TrialRecord) -> None:
        with self._lock:
            (self._records if record.is_trial else self._queue.records)[record.id] = record

    def _estimate(self, records: Mapping[str, TrialRecord]) -> Estimate | None:
        """Returns epochs left * seconds per epoch / trainers; None as long as nobody can tell.

        As a bound they are counted in rounds: all trainers wait for the longest trial of a round.
        """
        epoch_seconds = self._epoch_seconds(records)
        # Before the search nobody has said how long a run is.
        if epoch_seconds is None or not self._plan.epochs:
            return None
        if self._queue.run_ids:
            epochs = self._queue.epochs_left(self._plan.epochs, self._epochs_done)
            # No more of them at a time than there are.
            at_a_time = max(1, min(self._plan.trainers, self._queue.left))
            return Estimate(epochs * epoch_seconds / at_a_time, is_bound=False)
        if self._stage != "searching":
            return None
        # Without failed ones, which ended where they failed and not where a scheduler would.
        lengths = [r.progress for r in records.values() if r.status in ("complete", "stopped")]
        paused = [record for record in records.values() if record.status == "paused"]
        # Of paused ones nobody knows which go on: all of them may.
        is_bound = len(lengths) < _ENOUGH_ENDED or bool(paused)
        usual = float(self._plan.epochs) if is_bound else sum(lengths) / len(lengths)
        running = [record for record in records.values() if record.status == "running"]
        # A trial that runs for longer than usual has not ended yet: half an epoch, not nothing.
        rests = [max(usual - self._epochs_done(record), 0.5) for record in running]
        # Trials that have not ended; those of them that do not run wait, paused ones for the rest.
        to_end = self._plan.trials - (len(records) - len(running) - len(paused))
        waiting = to_end - len(running) - sum(self._epochs_done(one) / usual for one in paused)
        at_a_time = max(1, min(self._plan.trainers, to_end))
        # bound: the longest that runs, then ceil(waiting / at_a_time) rounds of full trials;
        # mean:  all epochs that are left, spread evenly over the trainers.
        if is_bound:
            left = max(rests, default=0.0) + math.ceil(waiting / at_a_time) * usual
        else:
            left = (sum(rests) + waiting * usual) / at_a_time
        return Estimate(left * epoch_seconds, is_bound)

    def _epoch_seconds(self, records: Mapping[str, TrialRecord]) -> float | None:
        """Returns the mean seconds per epoch; by the speed of steps before the first has ended."""
        # Reports have the time of the evaluation in them, so they are better than steps.
        every = [*records.values(), *self._queue.records.values()]
        done = sum(record.progress for record in every)
        if done:
            return sum(r.seconds for record in every for r in record.reports) / done
        found = [
            status.progress.epoch_seconds
            for status in self._trainers
            if status.progress is not None and status.progress.seconds >= _LEAST_SECONDS
        ]
        known = [seconds for seconds in found if seconds is not None]
        return _EVALUATION * sum(known) / len(known) if known else None

    def _epochs_done(self, record: TrialRecord) -> float:
        """Returns the epochs of a running trial with the fraction of the present one."""
        status = next((one for one in self._trainers if one.job == record.id), None)
        if status is None or status.progress is None:
            return record.progress
        return status.progress.share * status.progress.epochs
