"""Writes `report.md` from what is in a study folder; imports neither Ray nor torch."""

from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.files import write_text
from mtl_core.samples import read_samples
from tuning.report.known import read_beforehand
from tuning.report.reading import read_whole
from tuning.report.render import render_report
from tuning.study.folder import StudyFolder
from tuning.study.openings import read_openings


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
    read = read_whole(folder.path)
    beforehand = read_beforehand(folder, read.optuna_study)
    openings, samples = read_openings(folder), read_samples(folder.best)
    return render_report(read.summary, openings, beforehand, samples)
