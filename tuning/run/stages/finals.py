"""The stage after the search: best and default are scored on test, and the best is exported."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtl_core.card_data import About
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.reasons import reason_in
from mtl_core.scores import ScoreTree
from mtl_core.training.decoded import Tried
from mtl_core.untrusted import check_model
from tuning.records import DECODED, TrialRecord
from tuning.study.final_scores import dev_scores, final_scores, tests_of_others, unseen_of
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.reached import reached
from tuning.study.result import Result
from tuning.trainers.messages import Failed, Scored, ScoreJob, TrialSpec
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
    history: History, result: Result, *, has_model: bool, search: FinalSearch | None = None
) -> list[TrialRecord]:
    """Returns the trials whose test scores are wanted and not known: best and default.

    Args:
        history: All trials.
        result: What is known of earlier sessions.
        has_model: Whether the model that `result` names is there; the best is scored again to
            make it anew.
        search: What is searched on the model of the best; None = nothing.
    """
    best, default = history.best, history.default
    wanted = []
    # The best comes first, so that its model stands even if the default cannot be scored.
    if best is not None and (
        not is_exported(best, result, has_model=has_model)
        or not result.tests.keys() >= {best.id, best.scored_as}
        or (search is not None and search.lacks(best))
    ):
        wanted.append(best)
    # When the default is the best, one look at test serves both.
    if default is not None and default.best and (best is None or default.id != best.id):
        wanted += [default] if default.id not in result.tests else []
    return wanted


def is_exported(best: TrialRecord, result: Result, *, has_model: bool) -> bool:
    """Returns whether best/ holds the model of the best, decoded as it is now.

    It may hold that of a trial that was the best before more trials were run.
    """
    if result.best is None or not has_model or result.model != best.id:
        return False
    before, now = result.best.decoding, best.taken
    return (before.settings if before else None) == (now.settings if now else None)


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


def score_finals(
    records: list[TrialRecord],
    best: TrialRecord | None,
    trainers: Trainers,
    folder: StudyFolder,
    about: About,
    search: FinalSearch | None = None,
) -> dict[str, Scored]:
    """Scores trials on test, each once in the life of the study, and exports the best.

    Args:
        records: The trials.
        best: The one whose model is wanted.
        trainers: Score them.
        folder: Of the study.
        about: What the owner says of the model.
        search: What is searched on the model of the best; None = nothing.

    Raises:
        TrainingError: One could not be scored, or no trainer can work.
    """
    scored = {}
    for record in records:
        is_best = best is not None and record.id == best.id
        # Only best and default are certain to have kept their checkpoints.
        job = _job(record, folder, search if is_best and search and search.lacks(record) else None)
        job = replace(job, export=folder.best if is_best else None, about=about)
        message = trainers.score(job)
        if isinstance(message, Failed):
            logger.info("scoring trial %s: %s", record.id, message.error)
            reason = reason_in(message.error)
            raise TrainingError(f"trial {record.id} could not be scored: {reason}")
        assert isinstance(message, Scored)
        scored[record.id] = message
    return scored


def _job(record: TrialRecord, folder: StudyFolder, search: FinalSearch | None) -> ScoreJob:
    # A search begins with the settings that the model was trained with.
    shown = record if search is None else record.as_trained
    return ScoreJob(
        TrialSpec(
            record.id,
            dict(record.best_recipe[0]),
            folder.checkpoint(record.id),
            known=search.known if search is not None else (),
        ),
        export=None,
        dev=dev_scores(shown),
        number=record.best.number if record.best else None,
        decoding=shown.taken.settings if shown.taken is not None else {},
        search_s=search.seconds if search is not None else None,
    )


def result_of(
    history: History,
    before: Result,
    scored: Mapping[str, Scored],
    *,
    objective: str,
    seconds: float,
) -> Result:
    """Returns the result of a study.

    Args:
        history: All trials, with what was found on their models as they were scored.
        before: The result of an earlier session.
        scored: What was scored in this one.
        objective: Kind of the objective.
        seconds: Wall time of the whole study, as its journal holds it.
    """
    tests, unseen = _tests(history, before, scored)
    finals = (history.best, history.default)
    best_scores, default_scores = (final_scores(one, tests, unseen) for one in finals)
    # All scored trials have the same test data; when none was scored now, the figure is known.
    rows = max((one.worth_in_rows for one in scored.values()), default=0)
    return Result(
        trials=history.counts,
        seconds=seconds,
        best=best_scores,
        default=default_scores,
        test_rows=rows or before.test_rows,
        earlier_tests=tests_of_others(tests, best_scores, default_scores),
        goal=reached(history, objective),
    )


def _tests(
    history: History, before: Result, scored: Mapping[str, Scored]
) -> tuple[dict[str, ScoreTree | None], dict[str, ScoreTree | None]]:
    """Returns all scores on test, and on the rows of test that do not stand in train."""
    # Scores of this session win; those of trials that were the best once are kept, since test is
    # opened once for each trial.
    best = history.best
    tests = dict(before.tests)
    unseen = dict(unseen_of(before.best, before.default))
    for run_id, one in scored.items():
        record = history[run_id]
        if one.decoded is not None:  # What was found before is of other settings.
            tests.pop(f"{run_id}{DECODED}", None)
        # The default is decoded as the study file says, whatever was found for it.
        is_best = best is not None and run_id == best.id
        as_scored = record if is_best else record.as_trained
        if as_scored.taken is not None:
            tests[run_id] = one.own
        tests[as_scored.scored_as] = one.scores
        unseen[as_scored.scored_as] = one.unseen
    return tests, unseen
