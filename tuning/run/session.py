"""The session of a study on a running cluster: its stages in their order, and its result."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from mtl_core.errors import StorageError, TrainingError
from mtl_core.training.decoded import Tried
from mtl_core.training.donors import hand_over
from tuning.report.summary import summarise
from tuning.report.write import write_reports
from tuning.results.study_result import StudyResult
from tuning.run.logbook import Logbook
from tuning.run.stages.finals import Ending, Told
from tuning.run.stages.scoring import FinalSearch, result_of
from tuning.run.stages.search import SearchParts, search
from tuning.search.decoding import SpaceProposer
from tuning.search.points import Points
from tuning.search.searcher import OptunaSearcher
from tuning.search.study_scheduler import StudyScheduler
from tuning.study.budget import Budget
from tuning.study.clock import StudyClock
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts
from tuning.study.facts import facts_of, write_facts
from tuning.study.folder import StudyFolder
from tuning.study.history import read_history
from tuning.study.journal import open_optuna, read_order
from tuning.study.known import KnownFacts, write_known
from tuning.study.recorder import Recorder
from tuning.study.result import read_result, write_result
from tuning.study.scored import read_scoring
from tuning.trainers.decisions import Pause
from tuning.trainers.messages import OWN_STUDY, TrialSpec
from tuning.trainers.trainers import Trainers, start_trainers
from tuning.trainers.worker import StudyTerms, WorkerSettings, decoding_limit
from tuning.watch.watcher import Watcher


class Session:
    """One call of `tune_study` on an open study folder: made, `run` once, closed in any case."""

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        data: DataFacts | None,
        *,
        known: KnownFacts,
        start: float,
    ) -> None:
        """Reads what earlier sessions did.

        Args:
            study: The study.
            folder: Its folder, open.
            data: What is known of its data.
            known: What was known before its first trial.
            start: When the command began, on the monotonic clock.
        """
        self.study = study
        self.folder = folder
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
        """Searches with up to `count` trainers, scores, and writes the result.

        Raises:
            TrainingError: No trainer can work any more, or no trial reached a score.
        """
        before = read_result(self.folder)
        ending = Ending(self.study, self.folder, self.history, read_scoring(self.folder, before))
        ended, total = self.history.ended, self.study.trials
        is_over = len(ended) == len(self.history) and self.budget.over() is not None
        left = ending.left(self._final_search) if is_over else self.study.final_runs
        if is_over and not left:
            # Nothing to do, so no trainers start: they take longer than all that is shown.
            return self._write(ending, watcher, seconds=before.seconds or self.clock.stop())
        # At least one: with all trials ended there is still test to score.
        count = max(1, min(count, max(left, 0 if is_over else total - len(ended))))
        watcher.stage(f"starting {count} trainer{'s' if count > 1 else ''}")
        run = self.study.run.model_dump(mode="json")
        epochs = self.study.max_epochs
        with self._trainers(run, count) as trainers:
            self.clock.count()  # From here on work is done, and its time is the study's.
            watcher.planned(trials=total, ended=ended, epochs=epochs, trainers=count)
            if not is_over:
                parts = self.parts(trainers, watcher)
                search(parts, count=count, scratch=self.folder.scratch, verbose=verbose)
            ending.run(trainers, Told(watcher, self.clock), self._final_search)
        # Stopped here and not in `close`, which comes when the report is written already.
        return self._write(ending, watcher, seconds=self.clock.stop())

    def close(self) -> None:
        """Notes how long the session took when it ended before it had a result."""
        # On a full disk what ended the session is told, and not that its time is lost as well.
        with suppress(StorageError):
            self.clock.note()

    def _trainers(self, run: Mapping[str, object], count: int) -> AbstractContextManager[Trainers]:
        study = self.study.study
        terms = StudyTerms(
            run,
            study.objective,
            times_predictions=study.constraints.ms_per_sentence is not None,
            decoding=self.proposer,
        )
        settings = WorkerSettings(
            studies={OWN_STUDY.name: terms},
            threads=study.resources.cpus,
            memory_growth_bytes=study.memory_growth_gib * 2**30,
            is_fresh=study.isolation == "fresh",
            trial_timeout_s=study.trial_timeout_s,
        )
        # `scratch` holds what Ray Train writes; the checkpoints of trials lie in their own folders.
        return start_trainers(
            settings,
            study.resources,
            max_attempts=study.max_attempts,
            report_timeout_s=study.report_timeout_s,
            count=count,
            scratch=self.folder.scratch,
        )

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

    @property
    def proposer(self) -> SpaceProposer | None:
        """What is searched on trained models without training; None = nothing."""
        entries, tries = self.study.decoding_entries, self.study.study.decoding_tries
        if not entries:
            return None
        return SpaceProposer(entries, own=self.study.own_decoding, tries=tries)

    def _spec(self, run_id: str, overrides: dict[str, object]) -> TrialSpec:
        known = tuple(self._known_decodings())
        return TrialSpec(run_id, overrides, self.folder.checkpoint(run_id), known=known)

    def _known_decodings(self) -> Sequence[Tried]:
        proposer = self.proposer
        return [] if proposer is None else self.history.tried_on_models(proposer.searched)

    @property
    def _final_search(self) -> FinalSearch | None:
        """What is searched on the best model, where its own trial did not: it was stopped, say."""
        proposer = self.proposer
        if proposer is None:
            return None
        seconds = decoding_limit(sum(record.seconds for record in self.history))
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

    def _write(self, ending: Ending, watcher: Watcher, *, seconds: float) -> StudyResult:
        """Writes result.json and report.md, also when no trial has a score; raises in that case."""
        result = result_of(
            self.history,
            ending.scoring,
            objective=self.facts.objective,
            seconds=seconds,
            finals=ending.finals(),
        )
        data = self.facts.data
        result = replace(
            result,
            # Only now: of a study that goes on the end before was none. Where no limit was reached,
            # the sampler had no more points.
            ended_by=self.budget.over() or "sampler",
            notes=tuple(data.notes) if data is not None else (),
        )
        # The result first: the report can be made again from the folder, scores on test cannot.
        write_result(self.folder, result)
        summary = summarise(self.facts, self.folder, self.optuna_study, self.history, result)
        write_reports(self.folder, summary, self.optuna_study)
        watcher.finished(summary.result)
        if result.best is None:
            # One of them is enough: where all trials fail they mostly fail alike.
            errors = {record.error for record in self.history if record.error}
            raise TrainingError(
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
