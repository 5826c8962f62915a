"""Reads the result of a study from its folder, for scripts and notebooks."""

from pathlib import Path

from tuning.report.reading import read_whole
from tuning.results.study_result import StudyResult


def read_study(folder: str | Path, *, trust_code: bool = False) -> StudyResult:
    """Returns what a study found, of its folder alone: also of one that still runs.

    Nothing is trained, written or run; imports neither Ray nor torch.

    Args:
        folder: The study folder, such as "runs/demo".
        trust_code: Whether code of the study's own kinds of tasks may run when its model is loaded;
            a folder may come from a stranger.

    Raises:
        ConfigError: It is no study folder, or a file in it is broken.
        NotReadyError: No trial was begun in it.
    """
    read = read_whole(Path(folder))
    return StudyResult(
        folder=read.folder.path,
        status=read.status.state,
        result=read.summary.result,
        history=read.history,
        replay=read.summary.replay,
        trust_code=trust_code,
        unfinished=read.summary.unfinished,
    )
