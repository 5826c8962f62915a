"""Whole sessions of a study of two tasks with baselines: no Ray, no training, no data.

Trainers know what workers are told of each study, and make up its scores.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from simulated_study import KilledError
from tune_calls import search_in_order

from mtl_core.study_file import override
from mtl_core.training.report import Report
from tuning.results.study_result import StudyResult
from tuning.run import company as company_module
from tuning.run import session
from tuning.run.company import Company
from tuning.run.session import Session
from tuning.run.stages import finals
from tuning.run.stages.search import SearchParts
from tuning.study.alone import alone_studies, kept_study
from tuning.study.companions import AloneStudy
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.known import KnownFacts
from tuning.trainers.messages import (
    Failed,
    Job,
    Message,
    PoolAddress,
    Reported,
    Scored,
    TrainJob,
    TrialSpec,
)
from tuning.trainers.worker import WorkerSettings
from tuning.watch.watcher import Watcher

ROWS = 500
"""What test is worth."""

NAMES = {"intent": "accuracy", "slots": "f1"}
"""Task -> its main score."""

Learn = Callable[[str, str, Mapping[str, object]], float]
"""The score of a task, of the name of its study ("" = all tasks together) and the overrides."""


def learn(task: str, study: str, overrides: Mapping[str, object]) -> float:
    """Together intents are better than alone, and slots are worse; other seeds change little."""
    gain = {"intent": 0.1, "slots": -0.1}[task] if study == "" else 0.0
    trial = 0.01 if overrides.get("optimizer.head_lr") else 0.0
    return 0.7 + gain + trial + 0.001 * int(str(overrides.get("seed", 0)))


class MadeUpTrainers:
    """Trainers that do jobs one after the other; for one session after the other.

    Attributes:
        done: What was done, by all sessions: "train" or "score", and the key of the run.
        failing: Names of the studies whose runs fail.
        kill_at: The how manieth message is the last; None = none.
    """

    address = PoolAddress("pool", "tests")

    def __init__(self, learn: Learn = learn) -> None:
        self.learn = learn
        self.done: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.kill_at: int | None = None
        self.settings: WorkerSettings | None = None
        self.looks: list[Callable[[], None]] = []
        self.trained: dict[str, int] = {}
        self.messages = 0

    def check(self) -> None:
        """What happens while something is waited for."""
        self.looks.pop(0)()

    def stop(self, key: str, delivered: int) -> None:
        """Nothing runs beside."""

    def statuses(self) -> None:
        """Nobody asks."""

    def run(self, jobs: Sequence[Job], **_: object) -> Iterator[tuple[str, Message]]:
        for job in jobs:
            for message in self.train(job) if isinstance(job, TrainJob) else self._score(job):
                yield job.spec.id, message

    def train(self, job: TrainJob) -> Iterator[Message]:
        spec = job.spec
        if spec.study.name in self.failing:
            yield Failed("TrainingError: it failed")
            return
        epochs = 2
        for number in range(1, epochs + 1):
            # As a checkpoint has it: what was trained before is not trained again.
            if number > self.trained.get(spec.key, 0):
                self._tick()
                self.done.append((f"train {number}", spec.key))
                self.trained[spec.key] = number
            if number > job.delivered or number == epochs:
                yield Reported(self._report(spec, number), is_last=number == epochs)

    def _score(self, job: Any) -> Iterator[Message]:
        self._tick()
        self.done.append(("score", job.spec.key))
        if job.export is not None:
            job.export.mkdir(exist_ok=True)
        scores = self.test(job.spec)
        objective = self.settings.studies[job.spec.study.name].of(job.spec).objective
        found = {task: {NAMES[task]: one} for task, one in scores.items()}
        yield Scored({"combined": objective.combine(scores, 0.5), **found}, ROWS)

    def test(self, spec: TrialSpec) -> dict[str, float]:
        """The scores of a run on test: those on dev."""
        return {task: found[NAMES[task]] for task, found in self._report(spec, 2).dev.items()}

    def _tick(self) -> None:
        self.messages += 1
        if self.messages == self.kill_at:
            raise KilledError

    def _report(self, spec: TrialSpec, number: int) -> Report:
        terms = self.settings.studies[spec.study.name].of(spec)
        run = override(terms.run, spec.overrides)
        scores = {
            task: self.learn(task, spec.study.name, spec.overrides) - 0.01 * (2 - number)
            for task in run["tasks"]
        }
        combined = terms.objective.combine(scores, 0.5)
        return Report(
            epoch=number, number=number, progress=float(number), step=number, losses={}, weights={},
            learning_rates={}, dev={task: {NAMES[task]: one} for task, one in scores.items()},
            joint_accuracy=0.5, combined=combined, best_combined=combined, best_number=number,
            seconds=1.0, sentences_per_second=1.0,
        )  # fmt: skip


SPACE = {
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "tasks.slots.weight": {"range": [0.5, 2.0]},
}
"""What is searched where a test says nothing else."""


def study_of(storage: Path, *, search: Mapping[str, object] = SPACE, **study: object) -> StudyFile:
    """A study of intents and slots, whose data are never read."""
    tasks = {
        "intent": {"kind": "classification", "dataset": "sample", "column": "intent"},
        "slots": {"kind": "tagging", "dataset": "sample", "column": "slots"},
    }
    section = {
        "name": "both", "storage": str(storage), "trials": 2, "scheduler": {"kind": "none"},
        "sampler": {"kind": "random"}, "baselines": "tuned", **study,
    }  # fmt: skip
    run = {"datasets": {"sample": {"kind": "sample"}}, "tasks": tasks, "training": {"epochs": 2}}
    return StudyFile.model_validate({"run": run, "search": search, "study": section})


def alone_of(study: StudyFile) -> tuple[AloneStudy, ...]:
    """The studies of its tasks alone, as if their data had been read."""
    return tuple(
        AloneStudy(task, kept_study(alone, {}), {}, None, KnownFacts())
        for task, alone in alone_studies(study).items()
    )


def session_of(
    study: StudyFile,
    trainers: MadeUpTrainers,
    *,
    watcher: Watcher | None = None,
    has_reports: bool = False,
) -> StudyResult | None:
    """Runs a session; returns None when its driver was killed.

    Args:
        study: The study.
        trainers: Work for it.
        watcher: Told what happens.
        has_reports: Whether reports are written, which takes long.
    """

    @contextmanager
    def start_trainers(settings: WorkerSettings, *_: object, **__: object) -> Iterator[Any]:
        trainers.settings = settings
        yield trainers

    def search(parts: SearchParts, **_: object) -> None:
        search_in_order(parts, trainers.train)

    try:
        with ExitStack() as stack:
            stack.enter_context(patch.object(company_module, "start_trainers", start_trainers))
            stack.enter_context(patch.object(session, "search", search))
            if not has_reports:
                stack.enter_context(patch.object(session, "write_reports", lambda *_: None))
            has_model = lambda folder: folder.best.is_dir()  # noqa: E731
            stack.enter_context(patch.object(finals, "has_whole_model", has_model))
            folder = stack.enter_context(StudyFolder.opened(study, {}))
            start, company = time.monotonic(), Company(alone=alone_of(study))
            one = Session(study, folder, None, company, known=KnownFacts(), start=start)
            stack.enter_context(closing(one))
            return one.run(1, watcher or Watcher(), verbose=False)
    except KilledError:
        return None
