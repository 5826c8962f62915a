"""What a report shows of a study, gathered as values; `render` makes text of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import optuna

from tuning.records import TrialRecord
from tuning.report.importance import Importance
from tuning.report.replay import replay_command, replay_overrides
from tuning.study.compared import over_default
from tuning.study.data_facts import DataFacts
from tuning.study.ending import Ending
from tuning.study.facts import StudyFacts
from tuning.study.final_scores import final_scores, unseen_of
from tuning.study.finalists import chosen_of
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.measured import read_measured
from tuning.study.reached import reached
from tuning.study.result import Result
from tuning.study.status import StudyStatus
from tuning.study.trained import trained_behind


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How far a study is that is not finished.

    Attributes:
        ended: Trials that ended.
        trials: Trials of the whole study.
        state: "running" while a driver works on it, else "interrupted".
        go_on: The command that goes on with it.
        runs: Runs of its final stage, and how many of them ended; none before the search is over.
        opened: Days on which test was opened for what dev had chosen.
        is_scored: Whether test has told all that was asked for, and what it told is shown.
        baselines: Tasks of which baselines are asked for.
    """

    ended: int
    trials: int
    state: str
    go_on: str
    runs: tuple[int, int] = (0, 0)
    opened: Sequence[str] = ()
    is_scored: bool = False
    baselines: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """What `render_report` shows of a study.

    Attributes:
        name: Name of the study.
        folder: The study folder, absolute: commands in a report work from any folder.
        records: All trials; the first score of a task is taken as its main one.
        result: What the study found; of an unfinished one what it found so far.
        replay: The command that replays the best recipe.
        importances: That of the parameters for the objective, then for each task; none = there are
            too few trials to tell.
        unfinished: Of a study that is not finished; the best is then the best so far.
        data: What is known of its data; None in studies from before it was kept.
    """

    name: str
    folder: str
    records: Sequence[TrialRecord]
    result: Result
    replay: str
    importances: Sequence[Importance] = ()
    unfinished: Unfinished | None = None
    data: DataFacts | None = None


def summarise(
    facts: StudyFacts,
    folder: StudyFolder,
    optuna_study: optuna.Study,
    history: History,
    result: Result,
) -> StudySummary:
    """Gathers what the report of a finished study shows.

    Args:
        facts: Of the study file.
        folder: The study folder.
        optuna_study: Its journal.
        history: Its trials.
        result: What `result.json` holds.
    """
    # The journal alone has the time of a session that wrote no result; see `StudyClock.stop`.
    seconds = max(result.seconds, optuna_study.user_attrs.get("seconds", 0.0))
    result = replace(_renewed(result, facts, history), seconds=seconds)
    return StudySummary(
        name=facts.name,
        folder=str(folder.path.absolute()),
        records=list(history),
        result=replace(
            result,
            differences=over_default(folder, result),
            behind=trained_behind(folder, result.baselines),
        ),
        replay=_replay(facts, folder, chosen_of(history, result.finals), _seed_of(result)),
        data=facts.data,
    )


def _renewed(result: Result, facts: StudyFacts, history: History) -> Result:
    """Returns a result with what the history tells, which may be newer: trials may have come."""
    unseen = unseen_of(result.best, result.default)
    # With a final stage the scores on test are those of its runs.
    tests = result.tests if result.finals is None else {}
    return replace(
        result,
        trials=history.counts,
        best=final_scores(chosen_of(history, result.finals), tests, unseen),
        default=final_scores(history.default, tests, unseen),
        notes=facts.notes,
        goal=reached(history, facts.objective),
    )


def so_far(
    summary: StudySummary,
    status: StudyStatus,
    facts: StudyFacts,
    folder: StudyFolder,
    history: History,
    ending: Ending,
) -> StudySummary:
    """Returns what a report shows of a study that is not finished.

    Scores on test of an earlier result stay hidden until all is scored for what dev chooses now.

    Args:
        summary: What it would show of a finished one.
        status: Where the study stands.
        facts: Of the study file.
        folder: The study folder.
        history: Its trials.
        ending: How far it is behind its search.
    """
    # A trial that has not ended may be the best so far; of a finished study it may not.
    best = chosen_of(history, ending.finals) if ending.is_scored else history.best_so_far
    result = replace(
        _with_test(summary.result, best, history, ending),
        baselines=None,
        goal=reached(history, facts.objective, so_far=True),
    )
    return replace(
        summary,
        records=[_as_it_stands(record, status) for record in history],
        result=replace(result, differences=over_default(folder, result)),
        replay=_replay(facts, folder, best, _seed_of(result)),
        unfinished=_unfinished(status, ending),
    )


def _with_test(
    result: Result, best: TrialRecord | None, history: History, ending: Ending
) -> Result:
    """Returns a result with what test has told of the best so far, if all is told."""
    # With a final stage the scores on test are those of its runs.
    is_told = ending.is_scored and ending.finals is None
    tests, unseen = (ending.scoring.tests, ending.scoring.unseen) if is_told else ({}, {})
    return replace(
        result,
        best=final_scores(best, tests, unseen),
        default=final_scores(history.default, tests, unseen),
        test_rows=ending.scoring.rows or None,
        choices=ending.scoring.choices,
        finals=ending.finals,
    )


def _unfinished(status: StudyStatus, ending: Ending) -> Unfinished:
    return Unfinished(
        ended=status.ended,
        trials=status.trials,
        state=status.state,
        go_on=status.go_on,
        runs=(len(status.runs), sum(run.has_ended for run in status.runs)),
        opened=tuple(one.date for one in ending.scoring.choices),
        is_scored=ending.is_scored,
        baselines=ending.baselines,
    )


def _as_it_stands(record: TrialRecord, status: StudyStatus) -> TrialRecord:
    # The journal calls all of them running that have not ended.
    if record.has_ended:
        return record
    if status.state == "interrupted":
        return replace(record, status="interrupted")
    return replace(record, status="paused" if record.id in status.paused else "running")


def _seed_of(result: Result) -> Mapping[str, object]:
    """Returns what makes another run of the recipe the one whose model is in best/."""
    finals = result.finals
    if finals is None:
        return {}
    return {"seed": next(run.seed for run in finals.best.seeds if run.run == finals.model)}


def _replay(
    facts: StudyFacts,
    folder: StudyFolder,
    best: TrialRecord | None,
    more: Mapping[str, object] = MappingProxyType({}),
) -> str:
    # What the study measured first, `mtl train` has to be told.
    measured = {
        f"study.objective.baselines.{task}": score for task, score in read_measured(folder).items()
    }
    overrides = {**replay_overrides(facts.precision, best), **more, **measured}
    return replay_command(folder.path.absolute(), overrides)
