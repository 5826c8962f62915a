"""Whether a study can go on in its folder: asked before Ray starts and a byte is written."""

from mtl_core.errors import ConfigError
from tuning.study.agreement import check_ended, read_journal
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.journal import NotBegunError
from tuning.study.known import read_known
from tuning.study.measured import read_measured
from tuning.study.openings import read_openings
from tuning.study.result import check_named, read_result
from tuning.study.scored import read_scoring


def check_folder(folder: StudyFolder) -> None:
    """Reads all that a session will read, and looks at what it will replace; changes nothing.

    Raises:
        ConfigError: A file is broken or in the way, or files do not agree; says what to do.
    """
    for path in (folder.trials, folder.best, folder.scratch, folder.path / "tensorboard"):
        if path.is_symlink() or path.exists():
            _check(path.is_dir(), f"{path}: expected a folder, found something else; move it away")
    written = (folder.facts, folder.report, folder.page, folder.status)
    for path in (*written, folder.path / "trials.csv", folder.path / "versions.json"):
        _check(not path.is_dir(), f"{path}: expected a file, found a folder; move it away")
    folder.read_inputs()
    result = read_result(folder)
    try:
        # Without a word of what is lost and can be had: the session tells it.
        history = read_history(folder, read_journal(folder), tell=lambda _: None)
    except NotBegunError:
        history = History()
    check_ended(folder, result.trials, len(history.ended))
    check_named(folder, result, history)
    read_scoring(folder, result)
    read_openings(folder)
    read_known(folder)
    read_measured(folder)


def _check(is_fine: bool, wrong: str) -> None:
    if not is_fine:
        raise ConfigError(wrong)
