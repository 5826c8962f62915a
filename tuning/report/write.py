"""Writes the reports of a study from what is in its folder; imports neither Ray nor torch."""

from dataclasses import replace
from pathlib import Path

import optuna

from mtl_core.errors import ConfigError
from mtl_core.files import write_text
from mtl_core.samples import read_samples
from mtl_core.task_errors import read_errors
from tuning.report.figures.parameters import scales_of
from tuning.report.html.study import study_page
from tuning.report.importance import importances
from tuning.report.known import read_beforehand
from tuning.report.reading import read_whole
from tuning.report.render import report_sections, text_of
from tuning.report.setup import read_setup
from tuning.report.summary import StudySummary
from tuning.study.folder import StudyFolder
from tuning.study.journal import read_order
from tuning.study.openings import read_openings


def write_report(path: Path) -> str:
    """Writes the reports of a study folder anew from what is in the folder; returns report.md.

    Raises:
        ConfigError: It is no study folder, its files are broken, or it cannot be written.
    """
    # All is read before a byte is written: a broken file leaves the old report as it is.
    read = read_whole(path)
    try:
        return write_reports(read.folder, read.summary, read.optuna_study)
    except OSError as error:
        raise ConfigError(f"{read.folder.report}: cannot be written: {error.strerror}") from error


def write_reports(folder: StudyFolder, summary: StudySummary, optuna_study: optuna.Study) -> str:
    """Writes what was gathered of a study as report.md and report.html; returns the first.

    Args:
        folder: The study folder.
        summary: What was gathered.
        optuna_study: The journal.

    Raises:
        BrokenError: A file in the folder is broken.
        OSError: It cannot be written.
    """
    # Here and not where a study is read, as it takes seconds where there are many trials.
    summary = replace(summary, importances=importances(optuna_study))
    errors = read_errors(folder.best)
    sections = report_sections(
        summary,
        read_openings(folder),
        read_beforehand(folder, optuna_study),
        read_samples(folder.best),
        read_setup(folder, summary.records, summary.result),
        errors,
    )
    text, order = text_of(sections), read_order(folder.journal)
    write_text(folder.report, text)
    write_text(folder.page, study_page(summary, sections, order, errors, scales_of(optuna_study)))
    return text
