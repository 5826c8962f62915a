"""A study in virtual time: the real searcher, scheduler and records; no Ray, and no training.

What Tune does with them is done in its order, and trainers are a few numbers. A driver may be
killed between any two things that it does or writes; another one goes on with the folder, as
`mtl tune` does.
"""

import heapq
import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from optuna.trial import FrozenTrial
from trials import report

from mtl_core.training.donors import DONOR
from mtl_core.training.report import Report
from tuning.run import session
from tuning.run.session import Session
from tuning.run.stages import scoring
from tuning.run.stages.search import SearchParts, begin, end
from tuning.search._optuna import Journal
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.known import KnownFacts
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import TrialConfig, TrialResult
from tuning.watch.watcher import Watcher

SPACE = {
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "optimizer.weight_decay": {"range": [0.0, 0.1]},
}
"""What is searched where a test says nothing else."""

TASKS = {"intent": {"kind": "classification", "dataset": "sample", "column": "intent"}}
"""What is trained where a test says nothing else."""

Learn = Callable[[float, Mapping[str, object]], float]
"""The score after an epoch, of that before it and the overrides that it was trained with."""


def learn(score: float, overrides: Mapping[str, object]) -> float:
    """Comes a step nearer to 1, the larger the nearer the learning rate of the heads is to 1e-3."""
    rate = float(str(overrides.get("optimizer.head_lr", 3e-4)))
    return score + (1 - score) * 0.4 * math.exp(-((math.log10(rate) + 3) ** 2))


class KilledError(BaseException):
    """The driver is gone."""


class SimulatedStudy:
    """A study folder and what is done in it; each call of `run` is another driver."""

    def __init__(
        self,
        storage: Path,
        *,
        scheduler: Mapping[str, object],
        trials: int = 8,
        epochs: int = 9,
        trainers: int = 1,
        per_epoch: int = 1,
        learn: Learn = learn,
        **study: object,
    ) -> None:
        self.study = study_file(storage, scheduler, trials=trials, epochs=epochs, **study)
        # Not `StudyFolder.opened`: to read the study file again takes longer than all the rest.
        self.folder = StudyFolder(self.study.folder)
        self.folder.trials.mkdir(parents=True, exist_ok=True)
        self.trainers = trainers
        self.per_epoch = per_epoch
        self.learn = learn
        self.trained = 0
        """Reports that trainers have made, those that were lost included."""
        self.stopped: list[tuple[str, int]] = []
        """(run id, reports) of the runs that were taken from their trainer, in this order."""
        self.handed_out: list[tuple[str, int]] = []
        """(run id, reports that were known) of the runs that trainers were given."""

    def run(self, *, kill_at: int | None = None) -> bool:
        """Goes on to the end of the search; returns False when the driver was killed before.

        Args:
            kill_at: The how manieth thing that it does or writes is its last; None = none.
        """
        try:
            with killing(kill_at, self.folder.journal) as tick:
                self.drive(self._opened().parts(self, Watcher()), tick)
        except KilledError:
            return False
        return True

    @property
    def journal(self) -> list[FrozenTrial]:
        """The trials as Optuna has them."""
        return self._opened().optuna_study.get_trials(deepcopy=False)

    @property
    def history(self) -> History:
        """The trials as their folder has them."""
        return self._opened().history

    def told(self) -> list[tuple[object, ...]]:
        """What journal and folder tell of each trial, times aside."""
        history = self.history
        return [
            (trial.state, trial.values, trial.params, trial.intermediate_values, trial.user_attrs,
             record.status, record.overrides, record.parameters, record.reports)
            for trial, record in zip(self.journal, history, strict=True)
        ]  # fmt: skip

    # What a logbook and a searcher want of the real trainers.
    address = PoolAddress("pool", "tests")

    def stop(self, run_id: str, delivered: int) -> None:
        """Takes note of it."""
        self.stopped.append((run_id, delivered))

    def _opened(self) -> Session:
        return Session(self.study, self.folder, None, known=KnownFacts(), start=time.monotonic())

    def drive(self, parts: SearchParts, tick: Callable[[], None]) -> None:
        begin(parts)
        running: list[tuple[float, int, SimpleNamespace, Iterator[TrialResult]]] = []
        now, names = 0.0, count()

        def wait(trial: SimpleNamespace, results: Iterator[TrialResult]) -> None:
            seconds = random.Random(f"{trial.run_id} {trial.known}").uniform(1, 2)
            trial.known += 1
            heapq.heappush(running, (now + seconds, trial.number, trial, results))

        while True:
            while len(running) < self.trainers:
                number = next(names)
                config = parts.searcher.suggest(str(number))
                tick()
                if not isinstance(config, dict):
                    break
                trial = self._begun(parts, number, config)
                tick()
                wait(trial, self.results(trial.spec, trial.known))
            if not running:
                assert config == parts.searcher.FINISHED
                break
            now, _, trial, results = heapq.heappop(running)
            if self._goes_on(parts, trial, next(results), tick):
                wait(trial, results)
        end(parts)

    def _begun(self, parts: SearchParts, number: int, config: dict) -> SimpleNamespace:
        found = TrialConfig.of(config)
        trial = SimpleNamespace(
            trial_id=str(number), number=number, config=config, last_result={}, spec=found.spec,
            run_id=found.spec.id, known=found.delivered, local_path=str(self.folder.path / "none"),
        )  # fmt: skip
        self.handed_out.append((trial.run_id, trial.known))
        parts.scheduler.on_trial_add(None, trial)
        parts.logbook.on_trial_start(0, [], trial)
        return trial

    def _goes_on(
        self, parts: SearchParts, trial: SimpleNamespace, told: TrialResult, tick: Callable
    ) -> bool:
        """Passes a report on, in the order of Tune; returns whether the trial goes on."""
        result = told.for_tune()
        goes_on = not told.is_last  # Tune asks for no decision when a trial says that it is done.
        if goes_on:
            goes_on = parts.scheduler.on_trial_result(None, trial, result) == "CONTINUE"
            tick()
        if goes_on:
            parts.searcher.on_trial_result(trial.trial_id, result)
            tick()
        trial.last_result = result
        parts.logbook.on_trial_result(0, [], trial, result)
        tick()
        if not goes_on:
            parts.scheduler.on_trial_complete(None, trial, result)
            parts.searcher.on_trial_complete(trial.trial_id, result)
            tick()
            parts.logbook.on_trial_complete(0, [], trial)
            tick()
        return goes_on

    def results(self, spec: TrialSpec, delivered: int) -> Iterator[TrialResult]:
        """What a trainer makes of a run: its checkpoint holds the score and all reports so far."""
        state, donor = spec.checkpoint / "state.pt", spec.checkpoint / DONOR
        kept = json.loads(state.read_text()) if state.exists() else {"score": 0.0, "reports": []}
        if donor.exists():
            other = json.loads(donor.read_text())
            assert len(other["reports"]) == len(kept["reports"]) == delivered
            kept["score"] = other["score"]
            donor.unlink()
        score, reports = kept["score"], tuple(Report.from_json(one) for one in kept["reports"])
        last = self.study.epochs_of(spec.overrides) * self.per_epoch
        for number in range(1, last + 1):
            if number > len(reports):
                score = self.learn(score, spec.overrides)
                self.trained += 1
                reports = (*reports, next_report(reports, score, self.per_epoch))
                state.parent.mkdir(parents=True, exist_ok=True)
                told = [one.to_json() for one in reports]
                # Another file in its place, as `write_state` does: a donor's has a second name.
                state.unlink(missing_ok=True)
                state.write_text(json.dumps({"score": score, "reports": told}))
            if number > delivered or number == last:
                yield TrialResult(reports[number - 1], is_last=number == last)


def next_report(before: tuple[Report, ...], score: float, per_epoch: int = 1) -> Report:
    """The report behind those of `before`."""
    made = report(len(before) + 1, score, per_epoch=per_epoch)
    best = max((*before, made), key=lambda one: one.combined)
    return replace(made, best_combined=best.combined, best_number=best.number)


def study_file(
    storage: Path,
    scheduler: Mapping[str, object],
    *,
    trials: int,
    epochs: int,
    search: Mapping[str, object] = SPACE,
    sampler: Mapping[str, object] | None = None,
    tasks: Mapping[str, object] = TASKS,
    **study: object,
) -> StudyFile:
    """A study of the sample corpus, whose data are never read."""
    section = {
        "name": "simulated",
        "storage": str(storage),
        "trials": trials,
        "scheduler": scheduler,
        "sampler": sampler or {"kind": "random"},
        **study,
    }
    run = {
        "datasets": {"sample": {"kind": "sample"}},
        "tasks": tasks,
        "training": {"epochs": epochs},
    }
    return StudyFile.model_validate({"run": run, "search": search, "study": section})


@contextmanager
def killing(at: int | None, journal: Path) -> Iterator[Callable[[], None]]:
    """Raises a `KilledError` at the how manieth call of what it gives, and of what writes.

    What writes calls it before, in the middle of what it appends to a file, and behind it.
    """
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if done == at:
            raise KilledError

    def ticking(method: Callable, appended: Callable[..., Path] | None) -> Callable:
        def wrapped(*arguments: Any, **settings: Any) -> object:
            tick()
            path = appended(*arguments) if appended else None
            before = path.stat().st_size if path and path.exists() else 0
            found = method(*arguments, **settings)
            if path and done + 1 == at:
                os.truncate(path, (before + path.stat().st_size) // 2)
            tick()
            tick()
            return found

        return wrapped

    with ExitStack() as stack:
        for owner, name, appended in (
            (Journal, "append_logs", lambda *_: journal),
            (StudyFolder, "begin_run", None),
            (StudyFolder, "add_report", lambda folder, run_id, _: folder.reports(run_id)),
            (StudyFolder, "drop_state", None),
            (session, "hand_over", None),
            (scoring, "write_scoring", None),
            (session, "write_result", None),
            (session, "write_reports", None),
        ):
            method = ticking(getattr(owner, name), appended)
            stack.enter_context(patch.object(owner, name, method))
        yield tick
