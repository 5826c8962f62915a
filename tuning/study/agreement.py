"""Whether the files of a study tell the same of its trials; what one has lost another may have.

The journal is written first and reaches the disk first, then the folder of a trial, then the
result: none of them may know more than the one before.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping

from optuna import Study as OptunaStudy
from optuna.trial import FrozenTrial, TrialState

from mtl_core.kept import BrokenError
from mtl_core.training.report import Report
from tuning.records import order_of, run_id_of
from tuning.search.told import TOLD, told_reports
from tuning.study.folder import StudyFolder
from tuning.study.journal import REMEDY, NotBegunError, read_optuna
from tuning.study.reports import REMEDY as REPORTS_REMEDY

_MOST_NAMED = 3
_WRITING_SECONDS = 0.2


def read_journal(folder: StudyFolder) -> OptunaStudy:
    """Opens the journal of a study to look at it: nothing is written or locked.

    Raises:
        NotBegunError: No trial was begun.
        BrokenError: The journal is broken, or trials are there of which it does not know.
    """
    names = names_of_trials(folder)
    try:
        return read_optuna(folder.journal)
    except NotBegunError:
        check_known(folder, names, 0)
        raise


def names_of_trials(folder: StudyFolder) -> list[str]:
    """Returns what lies among the trials; asked before the journal, into which a driver may write.

    Raises:
        BrokenError: Their folder cannot be read.
    """
    try:
        return [path.name for path in folder.trials.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BrokenError(f"{folder.trials}: cannot be read: {error.strerror}") from error


def check_known(folder: StudyFolder, names: Iterable[str], known: int) -> None:
    """Refuses a folder with trials of which the journal does not know.

    Args:
        folder: The study folder.
        names: What lies among the trials.
        known: Trials of its journal; their run ids are numbers without a gap.

    Raises:
        BrokenError: There are such trials: the journal has lost lines.
    """
    lost = sorted((name for name in names if _number(name) >= known), key=order_of)
    if lost:
        if known == 0 and not folder.journal.exists():
            raise BrokenError(
                f"{folder.journal}: is missing, and with it what became of the trials in "
                f"{folder.trials}; {REMEDY}"
            )
        more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
        raise BrokenError(
            f"{folder.journal}: a file of the study is broken: it knows of {known} trials, but "
            f"{folder.trials} has {', '.join(lost[:_MOST_NAMED])}{more} as well; {REMEDY}"
        )


def _number(name: str) -> int:
    """Returns the number of a trial, of the name of its folder; -1 of another name."""
    return int(name) if name.isascii() and name.isdigit() and len(name) < 12 else -1


def check_ended(folder: StudyFolder, counts: Mapping[str, int], ended: int) -> None:
    """Refuses a folder whose result tells of more trials than have ended in its journal.

    Args:
        folder: The study folder.
        counts: How many trials ended in each way, as `result.json` has it.
        ended: How many ended in the journal.

    Raises:
        BrokenError: They do not agree: the journal has lost lines.
    """
    told = sum(counts.values())
    if told > ended:
        raise BrokenError(
            f"{folder.journal}: a file of the study is broken: {ended} trials have ended in it, "
            f"but {told} in {folder.result.name}; {REMEDY}"
        )


def agreed_reports(
    folder: StudyFolder, trial: FrozenTrial, tell: Callable[[str], None]
) -> tuple[Report, ...]:
    """Returns the reports of a trial; those that its file has lost are made of the journal.

    Args:
        folder: The study folder.
        trial: What its journal tells of the trial.
        tell: Called with a line about what was lost.

    Raises:
        BrokenError: The reports are broken, or are not those that the journal was told of.
    """
    run_id = run_id_of(trial.number)
    known = max([_num_reports(trial), *told_reports(trial)])
    reports = folder.read_reports(run_id)
    if len(reports) < known:
        # The journal is told first: what is missing may be written just now.
        time.sleep(_WRITING_SECONDS)
        reports = folder.read_reports(run_id)
    _check_scores(folder, trial, reports)
    missing = known - len(reports)
    if missing <= 0 or trial.state is TrialState.FAIL:
        return reports
    lost = f"{folder.reports(run_id)}: {missing} of {known} reports are missing"
    if trial.state is TrialState.RUNNING:
        tell(f"{lost}; the trial reports again when the study goes on")
        return reports
    tell(
        f"{lost}; the scores of trial {run_id} are those of {folder.journal.name}, its losses and "
        "times are gone"
    )
    return (*reports, *_reports_of(trial, behind=len(reports)))


def _num_reports(trial: FrozenTrial) -> int:
    """Returns how many reports a trial made that has ended; 0 of others."""
    # Journals of old versions know of epochs alone: there was a report for each.
    return int(trial.user_attrs.get("reports", trial.user_attrs.get("epochs", 0)))


def _check_scores(folder: StudyFolder, trial: FrozenTrial, reports: Iterable[Report]) -> None:
    # Of a trial that has ended all is on the disk: its end is waited for.
    has_ended = trial.state is not TrialState.RUNNING and "epochs" in trial.user_attrs
    values = told_reports(trial)
    # Of several objectives it keeps the last report alone.
    keeps_all = TOLD not in trial.user_attrs
    for report in reports:
        is_told = report.number in values or not keeps_all
        if has_ended and not is_told and math.isfinite(report.combined):
            raise BrokenError(
                f"{folder.journal}: a file of the study is broken: it has no score of report "
                f"{report.number} of trial {run_id_of(trial.number)}; {REMEDY}"
            )
        # NaN is not told to Optuna. Equal to the last bit: both were written from the same number.
        best, told = report.best_combined, values.get(report.number)
        if told is not None and math.isfinite(best) and best != told:
            raise BrokenError(
                f"{folder.reports(run_id_of(trial.number))}:{report.number}: a file of the study "
                f"is broken: the best score so far is {best}, but {told} in {folder.journal.name}; "
                f"{REPORTS_REMEDY}"
            )


def _reports_of(trial: FrozenTrial, *, behind: int) -> list[Report]:
    """Returns what the journal knows of the reports of a trial behind the first ones."""
    # The values are the best so far of reports of their kind, on a sample of dev or on all of it,
    # and of the best on all of it alone all scores are kept: what worse ones reached is not known.
    told = sorted(told_reports(trial).items())
    epochs = trial.user_attrs.get("epochs", 0)
    per_epoch = round(_num_reports(trial) / epochs) if epochs else 1
    is_sampled = trial.user_attrs.get("sampled", False)
    kinds = {number: is_sampled and number % per_epoch != 0 for number, _ in told}
    last = max((value for number, value in told if not kinds[number]), default=math.nan)
    latest: dict[bool, Report] = {}
    found: list[Report] = []
    for number, best in told:
        before = latest.get(kinds[number])
        is_best = before is None or best > before.best_combined
        is_last_best = is_best and not kinds[number] and best == last
        report = Report(
            epoch=-(-number // per_epoch),
            number=number,
            progress=number / per_epoch,
            step=0,
            losses={},
            weights={},
            learning_rates={},
            dev=trial.user_attrs.get("scores", {}) if is_last_best else {},
            joint_accuracy=trial.user_attrs.get("joint_accuracy", math.nan)
            if is_last_best
            else math.nan,
            combined=best if is_best else math.nan,
            best_combined=best,
            best_number=number if before is None or is_best else before.best_number,
            seconds=0.0,
            sentences_per_second=math.nan,
            is_sample=kinds[number],
        )
        latest[report.is_sample] = report
        found.append(report)
    return [report for report in found if report.number > behind]
