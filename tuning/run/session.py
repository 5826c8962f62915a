"""The session of a study on a running cluster: its stages in their order, and its result."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from mtl_core.errors import NoScoreError, StorageError
from mtl_core.training.decoded import Tried
from mtl_core.training.donors import hand_over
from tuning.report.summary import summarise
from tuning.report.write import write_reports
from tuning.results.study_result import StudyResult
from tuning.run.company import ALONE, Company, aimed, start_for
from tuning.run.logbook import Logbook
from tuning.run.stages.baselines import BaselineStage, Crew
from tuning.run.stages.finals import Ending, Told
from tuning.run.stages.scoring import FinalSearch, result_of
from tuning.run.stages.search import SearchParts, search
from tuning.run.terms import proposer_of
from tuning.search.points import Points
from tuning.search.searcher import OptunaSearcher
from tuning.search.study_scheduler import StudyScheduler
from tuning.study.budget import Budget
from tuning.study.clock import StudyClock
from tuning.study.companions import AloneStudy
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts
from tuning.study.facts import facts_of, write_facts
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baselines
from tuning.study.history import read_history
from tuning.study.journal import open_optuna, read_order
from tuning.study.known import KnownFacts, write_known
from tuning.study.measured import read_measured
from tuning.study.recorder import Recorder
from tuning.study.result import Result, read_result, write_result
from tuning.study.scored import read_scoring
from tuning.trainers.decisions import Pause
from tuning.trainers.messages import StudyRef, TrialSpec
from tuning.trainers.trainers import Trainers
from tuning.trainers.worker import decoding_limit
from tuning.watch.watcher import Watcher


class Session:
    """One call of `tune_study` on an open study folder: made, `run` once, closed in any case."""

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        data: DataFacts | None,
        company: Company = ALONE,
        *,
        known: KnownFacts,
        start: float,
    ) -> None:
        """Reads what earlier sessions did.

        Args:
            study: The study.
            folder: Its folder, open.
            data: What is known of its data.
            company: With whom it shares trainers.
            known: What was known before its first trial.
            start: When the command began, on the monotonic clock.
        """
        self.study = study
        self.folder = folder
        self.company = aimed(company, study, read_measured(folder))
        self.facts = facts_of(study, data)
        # Before the first trial: `mtl report` asks for them while the study runs.
        write_facts(folder, self.facts)
        # Before the first trial is drawn from it, or another session could know something else.
        self.known = known
        write_known(folder, known)
        sampler = study.study.sampler.build(study.study.seed, study.space, known.known)
        goal = self.facts.goal
        self.optuna_study = open_optuna(
            folder.journal, name=study.study.name, sampler=sampler, objectives=goal.tasks
        )
        # From the start of the command: reading data and starting Ray are part of the wall time.
        self.clock = StudyClock(self.optuna_study, start=start)
        self.history = read_history(folder, self.optuna_study, self.facts.default_parameters, goal)

    @property
    def budget(self) -> Budget:
        """Says when the search has ended."""
        limits, trials = self.study.study, self.study.trials
        return Budget(limits, trials, self.history, lambda: self.clock.seconds)

    def run(self, count: int, watcher: Watcher, *, verbose: bool) -> StudyResult:
        """Does all that is left with up to `count` trainers, and writes the result.

        Raises:
            TrainingError: No trainer can work any more, or no trial reached a score.
        """
        before, baselines = read_result(self.folder), self._baselines
        ending = self._ending(before)
        left, alone = self._left(ending), baselines.left(before)
        if not left and not alone:
            # Nothing to do, so no trainers start: they take longer than all that is shown.
            seconds = before.seconds or self.clock.stop()
            return self._write(ending, watcher, lambda _: before.baselines, seconds=seconds)
        count = max(1, min(count, max(left, alone)))
        watcher.stage(f"starting {count} trainer{'s' if count > 1 else ''}")
        with start_for(self.study, self.company, count, self.folder.scratch) as trainers:
            crew = Crew(trainers, count, watcher, verbose)
            if is_first := baselines.is_first:
                # Trials are compared by what they gain over them.
                self.company = aimed(self.company, self.study, baselines.measure(crew))
                ending = self._ending(before)
            self._do(ending, crew)
            if not is_first and self.history.best is not None:
                baselines.run(crew)
        # Stopped here and not in `close`, which comes when the report is written already.
        return self._write(ending, watcher, baselines.gains, seconds=self.clock.stop())

    def work(self, crew: Crew) -> StudyResult:
        """Does all that is left with trainers that were started for another study.

        Raises:
            TrainingError: As `run`.
        """
        before = read_result(self.folder)
        ending = self._ending(before)
        if is_left := bool(self._left(ending)):
            self._do(ending, crew)
        seconds = 0.0 if is_left else before.seconds
        return self._write(
            ending, crew.watcher, lambda _: None, seconds=seconds or self.clock.stop()
        )

    def _ending(self, before: Result) -> Ending:
        scoring = read_scoring(self.folder, before)
        return Ending(self.study, self.folder, self.history, scoring, ref=self.company.ref)

    @property
    def _is_over(self) -> bool:
        """Whether the search has ended."""
        return len(self.history.ended) == len(self.history) and self.budget.over() is not None

    def _left(self, ending: Ending) -> int:
        """Returns how many runs there may be at a time; 0 = there is nothing left to do."""
        if self._is_over:
            return ending.left(self._final_search)
        # At least one: with all trials ended there is still test to score.
        return max(1, self.study.final_runs, self.study.trials - len(self.history.ended))

    def _do(self, ending: Ending, crew: Crew) -> None:
        """Searches, and does what comes behind the search."""
        self.clock.count()  # From here on work is done, and its time is the study's.
        crew.watcher.planned(
            trials=self.study.trials,
            ended=self.history.ended,
            epochs=self.study.max_epochs,
            trainers=crew.count,
        )
        if not self._is_over:
            parts = self.parts(crew.trainers, crew.watcher)
            search(parts, count=crew.count, scratch=self.folder.scratch, verbose=crew.is_verbose)
        ending.run(crew.trainers, Told(crew.watcher, self.clock), self._final_search)

    @property
    def _baselines(self) -> BaselineStage:
        return BaselineStage(self.study, self.folder, self.company, self.clock, _begin_alone)

    def close(self) -> None:
        """Notes how long the session took when it ended before it had a result."""
        # On a full disk what ended the session is told, and not that its time is lost as well.
        with suppress(StorageError):
            self.clock.note()

    def parts(self, trainers: Trainers, watcher: Watcher) -> SearchParts:
        """Returns what Tune is given of the study, where it stands now.

        Args:
            trainers: Work on the trials.
            watcher: Told what happens.
        """
        scheduler = self._scheduler()
        points = Points(
            self.optuna_study,
            self.study.space,
            total=self.study.trials,
            default_parameters=self.facts.default_parameters,
            first=(*self.study.given_points[1:], *self.known.first),
            seed=self.study.study.seed,
            goal=self.facts.goal,
        )
        points.remember({record.id: record.reports for record in self.history})
        recorder = Recorder(
            self.study.run.model_dump(mode="json"),
            self.folder,
            self.history,
            defaults=self.facts.default_parameters,
            keep_checkpoints=self.study.study.keep_checkpoints,
        )
        return SearchParts(
            OptunaSearcher(
                points,
                scheduler,
                pool=trainers.address,
                spec_of=self._spec,
                hand_over=self._hand_over,
            ),
            scheduler,
            Logbook(recorder, trainers, watcher, self.clock, scheduler),
        )

    def _spec(self, run_id: str, overrides: dict[str, object]) -> TrialSpec:
        known = tuple(self._known_decodings())
        checkpoint, ref = self.folder.checkpoint(run_id), self.company.ref
        return TrialSpec(run_id, overrides, checkpoint, known=known, study=ref)

    def _known_decodings(self) -> Sequence[Tried]:
        proposer = proposer_of(self.study)
        return [] if proposer is None else self.history.tried_on_models(proposer.searched)

    @property
    def _final_search(self) -> FinalSearch | None:
        """What is searched on the best model, where its own trial did not: it was stopped, say."""
        proposer = proposer_of(self.study)
        if proposer is None:
            return None
        trained = sum(record.seconds for record in self.history)
        # What searches of the same on the models of trials have left of the share of the study.
        spent = self.history.searched_s(proposer.searched)
        seconds = max(0.0, decoding_limit(trained) - spent)
        return FinalSearch(proposer.searched, tuple(self._known_decodings()), seconds)

    def _hand_over(self, donor: str, run_id: str, *, reports: int) -> None:
        folder = self.folder
        hand_over(folder.state(donor), folder.checkpoint(run_id), donor, reports=reports)

    def _scheduler(self) -> StudyScheduler:
        section, values = self.study.study.scheduler, self.facts.goal.values
        scheduler = StudyScheduler(section.build(self.study.max_epochs, values), self.budget)
        # As if it had seen all that was reported before; else the first trials after a restart
        # would be compared with nothing, and nobody would know which of those left are paused.
        scheduler.replay(
            self.history,
            read_order(self.folder.journal),
            epochs_of=lambda record: self.study.epochs_of(record.overrides),
        )
        for record in self.history:
            if not record.has_ended and isinstance(scheduler.decision_on(record.id), Pause):
                self.history.note(replace(record, status="paused"))
        return scheduler

    def _write(
        self,
        ending: Ending,
        watcher: Watcher,
        gains: Callable[[Result], Baselines | None],
        *,
        seconds: float,
    ) -> StudyResult:
        """Writes result.json and report.md, also when no trial has a score; raises in that case."""
        result = result_of(
            self.history,
            ending.scoring,
            objective=self.facts.objective, seconds=seconds, finals=ending.finals(),
        )  # fmt: skip
        # Only now: of a study that goes on the end before was none. Where no limit was reached, the
        # sampler had no more points.
        ended_by, notes = self.budget.over() or "sampler", self.facts.notes
        result = replace(result, ended_by=ended_by, notes=notes)
        result = replace(result, baselines=gains(result))
        # The result first: the report can be made again from the folder, scores on test cannot.
        write_result(self.folder, result)
        summary = summarise(self.facts, self.folder, self.optuna_study, self.history, result)
        write_reports(self.folder, summary, self.optuna_study)
        watcher.finished(summary.result)
        if result.best is None:
            # One of them is enough: where all trials fail they mostly fail alike.
            errors = {record.error for record in self.history if record.error}
            raise NoScoreError(
                f"no trial of the study reached a score; see {self.folder.report}: "
                f"{'; '.join(sorted(errors)[:1])}"
            )
        return StudyResult(
            folder=self.folder.path,
            status="complete",
            result=summary.result,
            history=self.history,
            replay=summary.replay,
            trust_code=True,  # It was run here, with the code of its own kinds of tasks.
        )


def _begin_alone(one: AloneStudy, folder: StudyFolder) -> Session:
    """Begins a session of the study of a task alone, in its open folder."""
    company, start = Company(StudyRef(one.name)), time.monotonic()
    return Session(one.study, folder, one.facts, company, known=one.known, start=start)
