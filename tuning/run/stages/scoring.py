"""The stage after all training: runs are scored on test, and the model of the best is saved."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from mtl_core.card_data import About, RunSaid
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.reasons import reason_in
from mtl_core.training.decoded import Tried
from mtl_core.untrusted import check_model
from tuning.records import TrialRecord, called
from tuning.study.final_scores import dev_scores, final_scores, tests_of_others
from tuning.study.finalists import chosen_of
from tuning.study.finals import Finals
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.reached import reached
from tuning.study.recorder import note_decoded
from tuning.study.result import Result
from tuning.study.scored import Model, Scoring, write_scoring
from tuning.trainers.messages import OWN_STUDY, Failed, Scored, ScoreJob, StudyRef, TrialSpec
from tuning.trainers.trainers import Trainers

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinalSearch:
    """A search for settings of decoding on the best model, where none was made for its trial.

    Attributes:
        searched: What is searched, as a hash.
        known: What was tried on the models of other trials.
        seconds: How long it may take.
    """

    searched: str
    known: tuple[Tried, ...]
    seconds: float

    def lacks(self, record: TrialRecord) -> bool:
        """Whether nothing like it was searched on the model of a trial."""
        return record.decoded is None or record.decoded.searched != self.searched


def unscored(
    history: History, scoring: Scoring, *, has_model: bool, search: FinalSearch | None = None
) -> list[TrialRecord]:
    """Returns the trials whose test scores are wanted and not known: best and default.

    Args:
        history: All trials.
        scoring: What is known of test.
        has_model: Whether the model that `scoring` names is there; the best is scored again to
            make it anew.
        search: What is searched on the model of the best; None = nothing.
    """
    best, default = history.best, history.default
    wanted = []
    # The best comes first, so that its model stands even if the default cannot be scored.
    if best is not None and (
        not is_exported(best, scoring, has_model=has_model)
        or not scoring.tests.keys() >= {best.id, best.scored_as}
        or (search is not None and search.lacks(best))
    ):
        wanted.append(best)
    # When the default is the best, one look at test serves both.
    if default is not None and default.best and (best is None or default.id != best.id):
        wanted += [default] if default.id not in scoring.tests else []
    return wanted


def is_exported(best: TrialRecord, scoring: Scoring, *, has_model: bool) -> bool:
    """Returns whether best/ holds the model of a run, decoded as it is now.

    It may hold that of another that was the best before more trials were run.
    """
    return has_model and scoring.model == Model.of(best)


def has_whole_model(folder: StudyFolder) -> bool:
    """Returns whether best/ holds a model; tells of one that is broken: it is to be made again."""
    if not folder.best.is_dir():
        return False
    try:
        # The study was run here, with the code of its own kinds of tasks.
        check_model(folder.best, trust_code=True)
    except ConfigError as error:
        logger.warning("%s; it is made again from the checkpoint of its trial", error)
        return False
    return True


class Scorer:
    """Scores runs on test, each once in the life of a study; keeps what is found as it comes.

    Attributes:
        scoring: What is known of test by now.
    """

    def __init__(
        self,
        folder: StudyFolder,
        history: History,
        scoring: Scoring,
        about: About,
        ref: StudyRef = OWN_STUDY,
    ) -> None:
        """Makes that of a session.

        Args:
            folder: The study folder, open.
            history: Gets what is found on the models of trials without training.
            scoring: What is known of test.
            about: What the owner says of the model.
            ref: What the runs of the study are known by among those of all that share trainers.
        """
        self._folder = folder
        self._ref = ref
        self._history = history
        self._about = about
        self.scoring = scoring

    def open(self, chosen: str, records: Sequence[TrialRecord]) -> None:
        """Writes down that test is opened; has to be called before it is.

        Args:
            chosen: Id of the recipe that is the best on dev.
            records: The runs that are to be scored.
        """
        scored = tuple(record.id for record in records)
        self._keep(self.scoring.opened(date.today().isoformat(), chosen, scored))

    def score(
        self,
        records: Sequence[TrialRecord],
        trainers: Trainers,
        *,
        model: TrialRecord | None = None,
        search: FinalSearch | None = None,
        others: Sequence[RunSaid] = (),
    ) -> None:
        """Scores runs, side by side.

        Args:
            records: The runs, decoded as they are to be scored.
            trainers: Score them.
            model: The one of them whose model is wanted; None = none.
            search: What is searched on that model, where nothing like it was; None = nothing.
            others: Scores of the other runs of the recipe of that model, for its card.

        Raises:
            TrainingError: One could not be scored, or no trainer can work. All others were.
        """
        by_id = {record.id: record for record in records}
        jobs = []
        for record in records:
            is_model = model is not None and record.id == model.id
            searched = search if is_model and search and search.lacks(record) else None
            job = _job(record, self._folder, self._ref, searched)
            if is_model:
                job = replace(job, export=self._folder.best, about=self._about, others=others)
            jobs.append(job)
        failed = []
        for run_id, message in trainers.run(jobs):
            if isinstance(message, Failed):
                logger.info("scoring %s: %s", run_id, message.error)
                failed.append(f"{called(run_id)} could not be scored: {reason_in(message.error)}")
                continue
            assert isinstance(message, Scored)
            self._take(by_id[run_id], message, is_model=model is not None and run_id == model.id)
        if failed:
            raise TrainingError(failed[0])

    def _take(self, record: TrialRecord, found: Scored, *, is_model: bool) -> None:
        if found.decoded is not None:
            note_decoded(self._folder, self._history, record.id, found.decoded)
            record = self._history[record.id]
        scoring = self.scoring.with_scores(record, found)
        self._keep(replace(scoring, model=Model.of(record)) if is_model else scoring)

    def _keep(self, scoring: Scoring) -> None:
        if scoring != self.scoring:
            self.scoring = scoring
            write_scoring(self._folder, scoring)


def _job(
    record: TrialRecord, folder: StudyFolder, ref: StudyRef, search: FinalSearch | None
) -> ScoreJob:
    # A search begins with the settings that the model was trained with.
    shown = record if search is None else record.as_trained
    return ScoreJob(
        TrialSpec(
            record.id,
            dict(record.best_recipe[0]),
            folder.checkpoint(record.id),
            known=search.known if search is not None else (),
            study=ref,
        ),
        export=None,
        dev=dev_scores(shown),
        number=record.best.number if record.best else None,
        decoding=shown.taken.settings if shown.taken is not None else {},
        search_s=search.seconds if search is not None else None,
    )


def result_of(
    history: History,
    scoring: Scoring,
    *,
    objective: str,
    seconds: float,
    finals: Finals | None = None,
) -> Result:
    """Returns the result of a study.

    Args:
        history: All trials, with what was found on their models as they were scored.
        scoring: What is known of test.
        objective: Kind of the objective.
        seconds: Wall time of the whole study, as its journal holds it.
        finals: What the final stage found; None without one.
    """
    tests, unseen = (scoring.tests, scoring.unseen) if finals is None else ({}, {})
    best = final_scores(chosen_of(history, finals), tests, unseen)
    default = final_scores(history.default, tests, unseen)
    return Result(
        trials=history.counts,
        seconds=seconds,
        best=best,
        default=default,
        test_rows=scoring.rows or None,
        earlier_tests=scoring.tests if finals else tests_of_others(tests, best, default),
        goal=reached(history, objective),
        finals=finals,
        choices=scoring.choices,
    )
