"""Reads a study folder for those who tell of it; imports neither Ray nor torch."""

from dataclasses import dataclass
from pathlib import Path

import optuna

from tuning.report.summary import StudySummary, so_far, summarise
from tuning.study.agreement import read_journal
from tuning.study.ending import read_ending
from tuning.study.facts import read_facts
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.result import read_result
from tuning.study.status import StudyStatus, status_of


@dataclass(frozen=True, slots=True)
class ReadStudy:
    """What the folder of a study holds, read once.

    Attributes:
        folder: The folder.
        summary: What reports show; of an unfinished study what it found so far.
        history: All trials with their reports.
        status: Where it stands.
        optuna_study: Its journal, to look at.
    """

    folder: StudyFolder
    summary: StudySummary
    history: History
    status: StudyStatus
    optuna_study: optuna.Study


def read_whole(path: Path) -> ReadStudy:
    """Reads a study folder; safe while a driver writes into it.

    Raises:
        ConfigError: It is no study folder, or a file in it is broken.
        NotReadyError: No trial was begun in it.
    """
    folder = StudyFolder(path)
    folder.check_is_study()
    facts = read_facts(folder)
    # Before the journal: a driver may end a trial and write a result meanwhile.
    result = read_result(folder)
    optuna_study = read_journal(folder)
    history = read_history(folder, optuna_study, facts.default_parameters, facts.goal)
    # The same way that a session takes at its end, so that both reports say the same.
    summary = summarise(facts, folder, optuna_study, history, result)
    status = status_of(folder, history, result)
    if status.state in ("running", "interrupted"):
        ending = read_ending(folder, history, result, status.trials)
        summary = so_far(summary, status, facts, folder, history, ending)
    return ReadStudy(folder, summary, history, status, optuna_study)
