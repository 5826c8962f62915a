"""The runs of earlier sessions of a study, of all its stages, for services that lack some."""

from tuning.records import TrialRecord
from tuning.study.config import StudyFile
from tuning.study.finalists import contest
from tuning.study.folder import StudyFolder
from tuning.study.history import History


def earlier_runs(study: StudyFile, folder: StudyFolder, history: History) -> list[TrialRecord]:
    """Returns the trials of earlier sessions, and the runs of the final stage.

    Args:
        study: The study.
        folder: Its folder.
        history: Its trials.

    Raises:
        BrokenError: A file of a run is broken.
    """
    section = study.study.finals
    if section is None:
        return list(history)
    run, is_decoded = study.run.model_dump(mode="json"), bool(study.decoding_entries)
    found = contest(history, section, run, is_decoded=is_decoded)
    return [*history, *found.read(folder).values()]
