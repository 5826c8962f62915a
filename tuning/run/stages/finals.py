"""What comes behind the search: the final stage if the study has one, test, and the model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtl_core.card_data import RunSaid
from mtl_core.errors import TrainingError
from tuning.records import TrialRecord
from tuning.run.stages.runs import RunTraining
from tuning.run.stages.scoring import FinalSearch, Scorer, has_whole_model, is_exported, unscored
from tuning.study.clock import StudyClock
from tuning.study.config import StudyFile
from tuning.study.final_scores import dev_scores
from tuning.study.finalists import Contest, contest
from tuning.study.finals import Finals
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.recorder import Recorder
from tuning.study.scored import Scoring
from tuning.trainers.messages import OWN_STUDY, StudyRef, TrialSpec
from tuning.trainers.trainers import Trainers
from tuning.watch.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of what happens.

    Attributes:
        watcher: Of everything.
        clock: Of the time.
    """

    watcher: Watcher
    clock: StudyClock


class Ending:
    """Ends a study whose search is over; whatever was done before is not done again.

    Without a final stage the best trial and the default are scored on test. With one, recipes are
    trained anew; dev chooses among them by the means over their runs, and test is opened for runs
    of the best, the second and the default.
    """

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        history: History,
        scoring: Scoring,
        *,
        ref: StudyRef = OWN_STUDY,
    ) -> None:
        """Looks at what is there.

        Args:
            study: The study.
            folder: Its folder, open.
            history: Its trials.
            scoring: What is known of test.
            ref: What its runs are known by among those of the studies that share trainers.
        """
        self._study = study
        self._folder = folder
        self._history = history
        self._ref = ref
        self._has_model = has_whole_model(folder)
        self._scorer = Scorer(folder, history, scoring, study.study.card, ref)

    @property
    def scoring(self) -> Scoring:
        """What is known of test by now."""
        return self._scorer.scoring

    @property
    def contest(self) -> Contest | None:
        """The final stage, by the trials as they are now; None without one, and without a score."""
        section = self._study.study.finals
        if section is None:
            return None
        run = self._study.run.model_dump(mode="json")
        is_decoded = bool(self._study.decoding_entries)
        found = contest(self._history, section, run, is_decoded=is_decoded)
        return found if found.finalists else None

    def finals(self) -> Finals | None:
        """Returns what the final stage found; None without one.

        Raises:
            TrainingError: All its runs failed.
        """
        found = self.contest
        if found is None:
            return None
        runs = found.read(self._folder)
        finals = found.finals(runs, self.scoring, self._folder)
        if finals is None:
            errors = sorted({run.error for run in runs.values() if run.error})
            raise TrainingError(
                f"no run of the final stage reached a score: {'; '.join(errors[:1])}; they are "
                f"trained again once {self._folder.path / 'final'} is removed"
            )
        return finals

    def left(self, search: FinalSearch | None) -> int:
        """Returns how many runs are to be trained or scored; 0 = there is nothing to do.

        Args:
            search: What is searched on the model of the best trial; None = nothing.
        """
        found = self.contest
        if found is None:
            return len(self._unscored(search))
        runs = found.read(self._folder)
        to_train = [run for run in runs.values() if not run.has_ended]
        return len(to_train) or len(self._unknown(found.to_score(runs))) or self._lacks(found, runs)

    def run(self, trainers: Trainers, told: Told, search: FinalSearch | None) -> None:
        """Does what is left.

        Args:
            trainers: Work on it.
            told: Who is told of it.
            search: What is searched on the model of the best trial; None = nothing.

        Raises:
            TrainingError: A run could not be scored, or no trainer can work.
        """
        found = self.contest
        if found is None:
            self._score_trials(trainers, told, search)
            return
        runs = self._trained(found, trainers, told, search)
        told.watcher.stage("scoring on test")
        # Only now: dev has chosen, over all runs.
        model, wanted = found.model(runs), self._unknown(found.to_score(runs))
        if model is None:
            return
        if wanted:
            self._scorer.open(found.ranked(runs)[0].id, wanted)
        is_lacking = self._lacks(found, runs)
        rest = [one for one in wanted if not (is_lacking and one.id == model.id)]
        self._scorer.score(rest, trainers)
        if is_lacking:
            # Last, as its card tells of the other runs as well.
            others = self._others(found, runs, model)
            self._scorer.score([model], trainers, model=model, others=others)
        for run in runs.values():
            if run.id != model.id:
                self._folder.drop_checkpoint(run.id)

    def _score_trials(self, trainers: Trainers, told: Told, search: FinalSearch | None) -> None:
        told.watcher.stage("scoring on test")
        # Only now: the search has found who is the best.
        best, wanted = self._history.best, self._unscored(search)
        if best is not None and wanted:
            self._scorer.open(best.id, wanted)
            self._scorer.score(wanted, trainers, model=best, search=search)

    def _unscored(self, search: FinalSearch | None) -> list[TrialRecord]:
        return unscored(self._history, self.scoring, has_model=self._has_model, search=search)

    def _unknown(self, runs: Sequence[TrialRecord]) -> list[TrialRecord]:
        known = self.scoring.tests.keys()
        return [run for run in runs if not known >= {run.id, run.scored_as}]

    def _lacks(self, found: Contest, runs: dict[str, TrialRecord]) -> bool:
        """Returns whether best/ lacks the model of the run that is the best."""
        model = found.model(runs)
        if model is None:
            return False
        return not is_exported(model, self.scoring, has_model=self._has_model)

    def _others(
        self, found: Contest, runs: dict[str, TrialRecord], model: TrialRecord
    ) -> list[RunSaid]:
        scored, _ = found.outcome(found.ranked(runs)[0], runs)
        tests = self.scoring.tests
        return [
            RunSaid(dev_scores(run), tests.get(run.scored_as))
            for run in scored
            if run.id != model.id
        ]

    def _trained(
        self, found: Contest, trainers: Trainers, told: Told, search: FinalSearch | None
    ) -> dict[str, TrialRecord]:
        """Trains what is left of the runs; returns all of them."""
        runs = found.read(self._folder)
        if all(run.has_ended for run in runs.values()):
            return runs
        count = len(found.finalists)
        recipes = f"{count} recipe{'s' if count > 1 else ''}"
        told.watcher.stage(f"final stage: {recipes} with {len(found.seeds)} seeds")
        history = History(runs.values())
        # All of them keep their checkpoints: which are needed is not known by the scores of runs.
        recorder = Recorder(
            found.run, self._folder, history, defaults={}, keep_checkpoints=len(runs)
        )
        training = RunTraining(recorder, told.watcher, told.clock)

        def ended(_: TrialRecord) -> None:
            for run_id in found.losers({run.id: run for run in history}):
                self._folder.drop_checkpoint(run_id)

        known = search.known if search is not None else ()
        specs = [replace(self._spec(run), known=known) for run in runs.values()]
        training.train(specs, trainers, ended=ended)
        return {run.id: run for run in history}

    def _spec(self, run: TrialRecord) -> TrialSpec:
        spec = TrialSpec(run.id, dict(run.overrides), self._folder.checkpoint(run.id))
        # Else the clock would say which seeds of a recipe get settings of their own.
        return replace(spec, study=self._ref, least_tries=1)
