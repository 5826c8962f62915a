"""The stage after the search: best and default are scored on test, and the best is exported."""

import logging
from collections.abc import Mapping

from mtl_core.card_data import About
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.reasons import reason_in
from mtl_core.untrusted import check_model
from tuning.records import TrialRecord
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.reached import reached
from tuning.study.result import Result, dev_scores, final_scores, tests_of_others, unseen_of
from tuning.trainers.messages import Failed, Scored, ScoreJob, TrialSpec
from tuning.trainers.trainers import Trainers

logger = logging.getLogger(__name__)


def unscored(history: History, result: Result, *, has_model: bool) -> list[TrialRecord]:
    """Returns the trials whose test scores are wanted and not known: best and default.

    Args:
        history: All trials.
        result: What is known of earlier sessions.
        has_model: Whether the model that `result` names is there; the best is scored again to
            make it anew.
    """
    best = history.best
    # By id: when the default is the best, one look at test serves both. The best comes first, so
    # that its model stands even if the default cannot be scored.
    wanted = {record.id: record for record in (best, history.default) if record and record.best}
    # `best/` may hold the model of a trial that was the best before more trials were run.
    is_exported = best is not None and has_model and result.model == best.id
    return [
        record
        for record in wanted.values()
        if record.id not in result.tests or (record is best and not is_exported)
    ]


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
) -> dict[str, Scored]:
    """Scores trials on test, each once in the life of the study, and exports the best.

    Args:
        records: The trials.
        best: The one whose model is wanted.
        trainers: Score them.
        folder: Of the study.
        about: What the owner says of the model.

    Raises:
        TrainingError: One could not be scored, or no trainer can work.
    """
    scored = {}
    for record in records:
        job = ScoreJob(
            # Only best and default are certain to have kept their checkpoints.
            TrialSpec(record.id, dict(record.best_recipe[0]), folder.checkpoint(record.id)),
            export=folder.best if record is best else None,
            dev=dev_scores(record),
            about=about,
            number=record.best.number if record.best else None,
        )
        message = trainers.score(job)
        if isinstance(message, Failed):
            logger.info("scoring trial %s: %s", record.id, message.error)
            reason = reason_in(message.error)
            raise TrainingError(f"trial {record.id} could not be scored: {reason}")
        assert isinstance(message, Scored)
        scored[record.id] = message
    return scored


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
        history: All trials.
        before: The result of an earlier session.
        scored: What was scored in this one.
        objective: Kind of the objective.
        seconds: Wall time of the whole study, as its journal holds it.
    """
    # Scores of this session win; those of trials that were the best once are kept, since test is
    # opened once for each trial.
    tests = {**before.tests, **{run_id: one.scores for run_id, one in scored.items()}}
    unseen = {
        **unseen_of(before.best, before.default),
        **{run_id: one.unseen for run_id, one in scored.items()},
    }
    finals = (history.best, history.default)
    best, default = (final_scores(record, tests, unseen) for record in finals)
    # All scored trials have the same test data; when none was scored now, the figure is known.
    rows = max((one.worth_in_rows for one in scored.values()), default=0)
    return Result(
        trials=history.counts,
        seconds=seconds,
        best=best,
        default=default,
        test_rows=rows or before.test_rows,
        earlier_tests=tests_of_others(tests, best, default),
        goal=reached(history, objective),
    )
