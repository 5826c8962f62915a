"""The session of a study on a running cluster: search, score the best on test, write the result."""

from collections.abc import Mapping

from ray import tune

from mtl_core.errors import TrainingError
from mtl_core.files import write_text
from tuning.records import TrialRecord
from tuning.report.frame import trials_frame
from tuning.report.render import render_report
from tuning.run.logbook import Logbook
from tuning.search.searcher import OptunaSearcher
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import best_record
from tuning.study.journal import open_optuna
from tuning.study.result import (
    StudyResult,
    as_json,
    dev_scores,
    final_scores,
    known_tests,
    summarise,
)
from tuning.trainers.messages import Failed, Scored, ScoreJob
from tuning.trainers.trainers import Trainers, start_trainers
from tuning.trainers.tune_trial import PooledTrial
from tuning.watch.observer import Observer

_HEAD_NODE = "node:__internal_head__"
"""A resource that Ray gives to the head node: Tune's actors take a crumb of it, so that trainers
can have every CPU."""


class Session:
    """One call of `tune_study` on an open study folder."""

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        observer: Observer,
        *,
        start: float,
        verbose: bool,
    ) -> None:
        self.study = study
        self.folder = folder
        self.observer = observer
        self.run_data = study.run.model_dump(mode="json")
        sampler = study.study.sampler.build(study.study.seed)
        self.optuna_study = open_optuna(folder.journal, name=study.study.name, sampler=sampler)
        self.logbook = Logbook(study, folder, self.optuna_study, observer, start=start)
        self.verbose = verbose

    def run(self, count: int) -> StudyResult:
        """Searches with up to `count` trainers, scores, and writes the result."""
        epochs = self.study.max_epochs
        records = self.logbook.records
        before = [record for record in records.values() if record.status != "running"]
        ended = len(before)
        total = self.study.trials
        if ended < total or self._unscored():
            count = max(1, min(count, total - ended))
            self.observer.stage(f"starting {count} trainer{'s' if count > 1 else ''}")
            with start_trainers(
                self.study.study, self.run_data, count=count, scratch=self.folder.scratch
            ) as trainers:
                # Before the search: a trial that ends in it has to be stopped at the trainers too.
                self.logbook.attach(trainers)
                self.observer.planned(trials=total, ended=before, epochs=epochs, trainers=count)
                if ended < total:
                    self._search(trainers, count, epochs)
                self.observer.stage("scoring on test")
                tests = self._score(trainers)
            return self._write(tests, seconds=self.logbook.seconds)
        return self._write({}, seconds=None)

    def close(self) -> None:
        """Writes what is still to write."""
        self.logbook.close()

    def _search(self, trainers: Trainers, count: int, epochs: int) -> None:
        records = self.logbook.records
        searcher = OptunaSearcher(
            self.optuna_study,
            self.study.space,
            total=self.study.trials,
            default_parameters=self.study.default_parameters,
            constants={
                "pool": trainers.name,
                "namespace": trainers.namespace,
                "trials": str(self.folder.trials),
            },
            decided={
                number: len(record.reports)
                for number, record in records.items()
                if record.status == "running"
            },
        )
        scheduler = self.study.study.scheduler.build(epochs)
        scheduler.replay(records.values())
        tuner = tune.Tuner(
            tune.with_resources(
                PooledTrial, tune.PlacementGroupFactory([{"CPU": 0, _HEAD_NODE: 0.001}])
            ),
            tune_config=tune.TuneConfig(
                metric="combined",
                mode="max",
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=count,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(self.folder.scratch),
                callbacks=[self.logbook],
                verbose=1 if self.verbose else 0,
            ),
        )
        tuner.fit()

    def _unscored(self) -> list[TrialRecord]:
        """Returns the trials whose test scores are wanted and not known: best and default."""
        known = known_tests(self.folder.read_result())
        best = best_record(self.logbook.records)
        default = self.logbook.records.get(0)
        wanted = {record.number: record for record in (best, default) if record and record.best}
        model = self.folder.read_result().get("model") if self.folder.best.is_dir() else None
        has_model = best is not None and model == best.id
        return [
            record
            for record in wanted.values()
            if record.id not in known or (record is best and not has_model)
        ]

    def _score(self, trainers: Trainers) -> dict[str, Scored]:
        """Scores best and default on test, each once in the life of the study."""
        best = best_record(self.logbook.records)
        scored = {}
        for record in self._unscored():
            job = ScoreJob(
                record.number,
                record.overrides,
                self.folder.checkpoint(record.number),
                export=self.folder.best if record is best else None,
                dev=dev_scores(record),
            )
            message = trainers.score(job)
            if isinstance(message, Failed):
                raise TrainingError(f"trial {record.id} could not be scored: {message.error}")
            assert isinstance(message, Scored)
            scored[record.id] = message
        return scored

    def _write(self, tests: Mapping[str, Scored], *, seconds: float | None) -> StudyResult:
        """Writes the result; `seconds` of the whole study are None when nothing was left to do."""
        records = self.logbook.records
        previous = self.folder.read_result()
        known = known_tests(previous)
        known |= {trial: scored.scores for trial, scored in tests.items()}
        best = final_scores(best_record(records), known)
        default = final_scores(records.get(0), known)
        counts = {
            status: sum(record.status == status for record in records.values())
            for status in ("complete", "stopped", "failed")
        }
        rows = max((scored.worth_in_rows for scored in tests.values()), default=0)
        result = {
            "status": "complete" if best is not None else "failed",
            "trials": counts,
            "seconds": round(seconds, 2)
            if seconds is not None
            else previous.get("seconds", round(self.logbook.seconds, 2)),
            "best": as_json(best),
            "default": as_json(default),
            "objective": self.study.study.objective.kind,
            "test_rows": rows or previous.get("test_rows"),
            "model": best.trial if best is not None else None,
            "tests": known,
        }
        self.folder.write_result(result)
        self.logbook.write_trials()
        summary = summarise(self.study, self.folder, self.optuna_study, records, result)
        write_text(self.folder.report, render_report(summary))
        if best is None:
            errors = {record.error for record in records.values() if record.error}
            raise TrainingError(
                f"no trial of the study reached a score; see {self.folder.report}: "
                f"{'; '.join(sorted(errors)[:1])}"
            )
        return StudyResult(
            folder=self.folder.path,
            status=str(result["status"]),
            best=best,
            default=default,
            trials=trials_frame([records[number] for number in sorted(records)]),
            seconds=summary.seconds,
            replay=summary.replay,
        )
