"""Writes `report.md` from what is in a study folder; imports neither Ray nor torch."""

from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.files import write_text
from mtl_core.samples import read_samples
from tuning.report.known import read_beforehand
from tuning.report.render import render_report
from tuning.report.summary import so_far, summarise
from tuning.study.agreement import read_journal
from tuning.study.facts import read_facts
from tuning.study.folder import StudyFolder
from tuning.study.history import read_history
from tuning.study.openings import read_openings
from tuning.study.result import read_result
from tuning.study.status import status_of


def write_report(path: Path) -> str:
    """Writes report.md of a study folder anew from what is in the folder; returns its text.

    Raises:
        ConfigError: It is no study folder, its files are broken, or it cannot be written.
    """
    folder = StudyFolder(path)
    folder.check_is_study()
    # All is read before a byte is written: a broken file leaves the old report as it is.
    text = _report(folder)
    try:
        write_text(folder.report, text)
    except OSError as error:
        raise ConfigError(f"{folder.report}: cannot be written: {error.strerror}") from error
    return text


def _report(folder: StudyFolder) -> str:
    facts = read_facts(folder)
    # Before the journal: a driver may end a trial and write a result meanwhile.
    result = read_result(folder)
    optuna_study = read_journal(folder)
    history = read_history(folder, optuna_study, facts.default_parameters, facts.goal)
    # The same way that a session takes at its end, so that both reports say the same.
    summary = summarise(facts, folder, optuna_study, history, result)
    status = status_of(folder, history, result)
    if status.state in ("running", "interrupted"):
        summary = so_far(summary, status, facts, folder, history)
    beforehand = read_beforehand(folder, optuna_study)
    return render_report(summary, read_openings(folder), beforehand, read_samples(folder.best))
