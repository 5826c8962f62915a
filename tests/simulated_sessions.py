"""Whole sessions of a study in virtual time, what comes behind the search included; see
`simulated_study`."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

from simulated_study import KilledError, SimulatedStudy, killing

from tuning.results.study_result import StudyResult
from tuning.run import session
from tuning.run.session import Session
from tuning.run.stages import finals
from tuning.study.known import KnownFacts
from tuning.trainers.messages import (
    Failed,
    Job,
    Message,
    PoolAddress,
    Reported,
    Scored,
    ScoreJob,
    TrainJob,
)
from tuning.watch.watcher import Watcher

ROWS = 200
"""What test is worth."""


class SimulatedTrainers:
    """Trainers that do jobs one after the other.

    Attributes:
        done: What was done, by all sessions: ("train" or "score", run id).
        failing: Ids of the runs that fail.
        test: Score on test of a run that was scored; None = there is no test split.
    """

    address = PoolAddress("pool", "tests")

    def __init__(self, study: SimulatedStudy) -> None:
        self.study = study
        self.done: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.test: Callable[[ScoreJob], float | None] = lambda job: 0.5
        self.tick: Callable[[], None] = lambda: None
        self.stop = study.stop

    def run(self, jobs: Sequence[Job], **_: object) -> Iterator[tuple[str, Message]]:
        """Does jobs; those that are asked for by nobody any more are not done."""
        for job in jobs:
            self.tick()
            for message in self._train(job) if isinstance(job, TrainJob) else self._score(job):
                yield job.spec.id, message
                self.tick()

    def _train(self, job: TrainJob) -> Iterator[Message]:
        if job.spec.id in self.failing:
            yield Failed("TrainingError: it failed")
            return
        before = self.study.trained
        for result in self.study.results(job.spec, job.delivered):
            self.done += [("train", job.spec.id)] * (self.study.trained - before)
            before = self.study.trained
            yield Reported(result.report, is_last=result.is_last)

    def _score(self, job: Job) -> Iterator[Message]:
        assert isinstance(job, ScoreJob)
        assert job.number is not None
        self.done.append(("score", job.spec.id))
        if job.export is not None:
            job.export.mkdir(exist_ok=True)
            (job.export / "run").write_text(job.spec.id)
        score = self.test(job)
        scores = None if score is None else {"combined": score, "intent": {"accuracy": score}}
        yield Scored(scores, 0 if score is None else ROWS)


def session_of(
    trainers: SimulatedTrainers, *, kill_at: int | None = None, watcher: Watcher | None = None
) -> StudyResult | None:
    """Runs a session; returns None when its driver was killed.

    Args:
        trainers: Those of the study.
        kill_at: The how manieth thing that it does or writes is its last; None = none.
        watcher: Told what happens.
    """
    study = trainers.study
    study.folder.study.write_text("study: {}") if not study.folder.study.exists() else None

    @contextmanager
    def start_trainers(*_: object, **__: object) -> Iterator[SimulatedTrainers]:
        yield trainers

    try:
        with ExitStack() as stack:
            trainers.tick = stack.enter_context(killing(kill_at, study.folder.journal))
            stack.enter_context(patch.object(session, "start_for", start_trainers))
            search = partial(study.drive, tick=trainers.tick)
            stack.enter_context(patch.object(session, "search", lambda parts, **_: search(parts)))
            has_model = lambda folder: folder.best.is_dir()  # noqa: E731
            stack.enter_context(patch.object(finals, "has_whole_model", has_model))
            one = Session(
                study.study, study.folder, None, known=KnownFacts(), start=time.monotonic()
            )
            return one.run(1, watcher or Watcher(), verbose=False)
    except KilledError:
        return None
